"""A Slurm of one's own: one node, this machine, on ports of the loopback; nothing is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.servers import missing
from tests.jobs.ssh_server import free_port

_NEEDED = ("munged", "slurmctld", "slurmd", "squeue", "sbatch", "scancel", "scontrol")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
# No cgroups and no accounting: neither is at hand in a container of a test machine.
_CONFIGURATION = """\
ClusterName=mlmdtest
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/ended.log
MinJobAge=300
KillWait=2
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
NodeName=localhost NodeAddr=127.0.0.1 CPUs={processors} RealMemory=2000 State=UNKNOWN
PartitionName=work Nodes=localhost Default=YES MaxTime=60 State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """A running Slurm; commands find it through `environment`."""

    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, repr=False)

    @property
    def configuration(self) -> Path:
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": _PATH, "SLURM_CONF": str(self.configuration)}

    def ask(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=20, check=False
        )
        return done.stdout + done.stderr

    def start_controller(self) -> None:
        _start(self, "slurmctld", "-D")

    def stop_controller(self, *, kill: bool = False) -> None:
        """Take the controller away; runs that work go on without it."""
        process = self.processes["slurmctld"]
        process.kill() if kill else process.terminate()
        process.wait(20)

    def ended(self) -> list[dict[str, str]]:
        """Return what Slurm itself wrote about each run that it ended."""
        path = self.folder / "ended.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [dict(word.partition("=")[::2] for word in line.split()) for line in lines]


@contextmanager
def running_slurm(*, processors: int = 2) -> Iterator[Slurm]:
    """Run munge, a controller and a node until the block ends; skip where that can't be.

    Args:
        processors: that the node says it has.
    """
    absent = [name for name in _NEEDED if shutil.which(name, path=_PATH) is None]
    if absent:
        missing(f"no Slurm here ({', '.join(absent)}): apt-get install slurm-wlm munge")
    if os.getuid() != 0:
        missing("a Slurm of one's own needs root: its node starts runs as other users")
    # Not below pytest's folder: a socket's path may have 107 characters.
    with (
        tempfile.TemporaryDirectory(prefix="mlmd-slurm-", ignore_cleanup_errors=True) as name,
        ExitStack() as stack,
    ):
        slurm = Slurm(Path(name))
        slurm.folder.chmod(0o755)
        for part, mode in (("munge", 0o755), ("state", 0o700), ("spool", 0o755)):
            (slurm.folder / part).mkdir(mode=mode)
        slurm.configuration.write_text(
            _CONFIGURATION.format(
                folder=slurm.folder,
                controller_port=free_port(),
                node_port=free_port(),
                processors=processors,
            )
        )
        stack.callback(_end, slurm)
        _start_munge(slurm)
        slurm.start_controller()
        _wait(slurm, "UP", "scontrol", "ping")
        _start(slurm, "slurmd", "-D", "-N", "localhost")
        _wait(slurm, "idle", "sinfo", "-h", "-o", "%T")
        yield slurm


def _start_munge(slurm: Slurm) -> None:
    folder = slurm.folder / "munge"
    key = folder / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    _start(
        slurm,
        "munged",
        "--foreground",
        "--force",
        f"--key-file={key}",
        f"--socket={folder}/socket",
        f"--pid-file={folder}/pid",
        f"--log-file={folder}/log",
        f"--seed-file={folder}/seed",
    )
    _wait(slurm, "STATUS", "sh", "-c", f"munge -n -S {folder}/socket | unmunge -S {folder}/socket")


def _start(slurm: Slurm, program: str, *arguments: str) -> None:
    path = shutil.which(program, path=_PATH)
    with (slurm.folder / f"{program}.out").open("ab") as output:
        slurm.processes[program] = subprocess.Popen(
            [str(path), *arguments],
            env=slurm.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _end(slurm: Slurm) -> None:
    for process in reversed(slurm.processes.values()):
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _wait(slurm: Slurm, word: str, *command: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    said = ""
    while time.monotonic() < deadline:
        said = slurm.ask(*command)
        if word in said:
            return
        time.sleep(0.1)
    logs = "\n".join(
        path.read_text(errors="replace")[-2000:] for path in slurm.folder.glob("*.[lo]*[gt]")
    )
    raise AssertionError(f"{command}: {said}\n{logs}")
