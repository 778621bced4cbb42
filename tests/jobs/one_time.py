"""A real sshd that asks for a code after the key, as many computer centres do."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.servers import missing
from tests.jobs.ssh_server import Server, running_server, sshd_program

_PAM = Path("/etc/pam.d")
_STACK = """\
auth required pam_exec.so expose_authtok quiet {check}
auth required pam_permit.so
account required pam_permit.so
session required pam_permit.so
"""
# A code is good once: who asks with it takes it away.
_CHECK = """\
#!/bin/sh
given=$(tr -d '\\000')
echo asked >> {folder}/asked
[ -n "$given" ] && [ -e "{folder}/codes/$given" ] && rm "{folder}/codes/$given"
"""


@dataclass(frozen=True)
class OneTimeServer:
    """An sshd that wants the key and then a code."""

    server: Server
    folder: Path

    def issue(self, code: str) -> str:
        """Make a code good for one login, as the person's telephone does."""
        (self.folder / "codes" / code).touch()
        return code

    @property
    def asked(self) -> int:
        """How often it asked for a code."""
        path = self.folder / "asked"
        return len(path.read_text().splitlines()) if path.exists() else 0

    @property
    def logins(self) -> int:
        return self.server.log().count("Accepted keyboard-interactive")


@contextmanager
def running_one_time_server(folder: Path) -> Iterator[OneTimeServer]:
    """Run it until the block ends; skip where PAM can't be given a service of our own."""
    if os.getuid() != 0 or not os.access(_PAM, os.W_OK):
        missing("one-time codes need PAM: only root may add a service to /etc/pam.d")
    (folder / "codes").mkdir()
    check = folder / "check"
    check.write_text(_CHECK.format(folder=folder))
    check.chmod(0o755)
    # sshd looks up its PAM service by the name that it was started under.
    program = folder / f"mlmd-test-sshd-{uuid.uuid4().hex[:8]}"
    program.symlink_to(sshd_program())
    stack = _PAM / program.name
    stack.write_text(_STACK.format(check=check))
    try:
        with running_server(
            folder,
            "AuthenticationMethods publickey,keyboard-interactive",
            "UsePAM yes",
            "KbdInteractiveAuthentication yes",
            "PasswordAuthentication no",
            "PermitRootLogin yes",
            f"PAMServiceName {stack.name}" if _takes_service_name() else "#",
            program=str(program),
        ) as server:
            yield OneTimeServer(server, folder)
    finally:
        stack.unlink()


def _takes_service_name() -> bool:
    """Whether this sshd has dropped the rule of its own name for an option."""
    answer = subprocess.run(
        [sshd_program(), "-T", "-f", "/dev/null"], capture_output=True, text=True, check=False
    )
    return "pamservicename" in answer.stdout.lower()
