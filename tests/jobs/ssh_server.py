"""A real SSH server of one's own on the loopback, and a cluster that is reached through it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jobs.keys import make_key
from jobs.models import Cluster, Credential
from jobs.vault import seal
from tests.faults.servers import missing

_CONFIGURATION = """\
{more}
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
AuthenticationMethods publickey
StrictModes no
UsePAM no
AllowTcpForwarding yes
MaxSessions 10
MaxStartups 100
LogLevel VERBOSE
Subsystem sftp internal-sftp
SetEnv HOME={folder} {environment}
"""


def free_port() -> int:
    with socket.socket() as stream:
        stream.bind(("127.0.0.1", 0))
        return int(stream.getsockname()[1])


@dataclass
class Server:
    """A running sshd.

    Args:
        folder: its files.
        port: on the loopback.
        host_key: as it should be confirmed.
        key: private half that it accepts.
        public_key: the other half.
        more: further lines of the configuration; what they say counts.
        environment: of its shells, beside a HOME of their own: start-up files of the person who
            runs the tests must not decide how they end.
    """

    folder: Path
    port: int
    host_key: str
    key: str
    public_key: str
    more: tuple[str, ...] = ()
    environment: str = ""
    program: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def logins(self) -> int:
        return self.log().count("Accepted publickey")

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        path = self.folder / "sshd_config"
        path.write_text(
            _CONFIGURATION.format(
                port=self.port,
                folder=self.folder,
                environment=self.environment,
                more="\n".join(self.more),
            )
        )
        log = self.folder / "log"
        self.process = subprocess.Popen(
            [self.program or sshd_program(), "-D", "-f", path, "-E", log], stdin=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self.process.poll() is None, self.log()
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"sshd gave no answer: {self.log()}")

    def stop(self, *, cut: bool = False) -> None:
        """End the server; `cut` ends the connections that are open, too."""
        assert self.process is not None
        children = _children(self.process.pid) if cut else []
        self.process.terminate()
        self.process.wait(10)
        for pid in children:
            subprocess.run(["kill", "-KILL", str(pid)], check=False, capture_output=True)

    def cut(self) -> None:
        """End the open connections, not the server."""
        assert self.process is not None
        for pid in _children(self.process.pid):
            subprocess.run(["kill", "-KILL", str(pid)], check=False, capture_output=True)


def _children(pid: int) -> list[int]:
    table = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    pairs = [tuple(map(int, line.split())) for line in table.splitlines()]
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        below = [child for child, above in pairs if above == parent]
        found += below
        todo += below
    return found


def sshd_program() -> str:
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        missing("no SSH server here: apt-get install openssh-server")
    return str(program)


@contextmanager
def running_server(
    folder: Path, *more: str, environment: str = "", program: str = ""
) -> Iterator[Server]:
    """Run an sshd as the current user until the block ends."""
    program = program or sshd_program()
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists on it when it is root
    key, public_key = make_key()
    host_private, host_public = make_key()
    for name, text in (
        ("host_key", host_private),
        ("host_key.pub", host_public),
        ("authorized_keys", public_key + "\n"),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    host_key = " ".join(host_public.split()[:2])
    server = Server(folder, free_port(), host_key, key, public_key, more, environment, program)
    server.start()
    try:
        yield server
    finally:
        server.stop(cut=True)


def make_ssh_cluster(server: Server, work_dir: Path, **fields: object) -> Cluster:
    """Return a saved cluster that is reached over the server, able to run plain Python."""
    cluster = Cluster.objects.create(
        **{
            "name": "far",
            "transport": "ssh",
            "scheduler": "direct",
            "host": "127.0.0.1",
            "port": server.port,
            "login": getpass.getuser(),
            "known_hosts": {f"127.0.0.1:{server.port}": server.host_key},
            "work_dir": str(work_dir),
            "recipes": {"python": {"argv": [sys.executable]}},
            "options": {"poll_interval_s": 0},
            **fields,
        }
    )
    Credential.objects.create(
        cluster=cluster,
        method=Credential.Method.KEY,
        secret=seal(server.key),
        public_key=server.public_key,
    )
    return cluster


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def ssh_cluster(ssh_server: Server, tmp_path: Path, db: None) -> Cluster:
    return make_ssh_cluster(ssh_server, tmp_path / "work")
