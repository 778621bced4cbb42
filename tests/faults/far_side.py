"""The clusters of a chaos run: one Slurm, two login nodes, PJM's programs, and what goes wrong there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.tcp_proxy import Proxy, running_proxy
from tests.jobs.slurm.pjm import write_programs
from tests.jobs.slurm.server import Slurm, running_slurm
from tests.jobs.ssh_server import Server, running_server

_SQUEUE = """\
#!/bin/sh
mode=$(cat {faults}/queue 2>/dev/null)
echo "$mode" >> {faults}/queue.log
case $mode in
  fails) echo "slurm_load_jobs error: Unable to contact slurm controller (connect failure)" >&2; exit 1;;
  empty) exit 0;;
  garbled) {real} "$@" | head -c 37; printf '\\001\\377|x'; exit 0;;
  hangs) sleep 300;;
esac
exec {real} "$@"
"""
# The answer is lost before, or after, the scheduler has taken the run.
_SBATCH = """\
#!/bin/sh
echo "$*" >> {faults}/sbatch.log
if mv {faults}/cut-before {faults}/cut-now 2>/dev/null; then sleep 0.4; fi
{real} "$@"; code=$?
if mv {faults}/cut-after {faults}/cut-now 2>/dev/null; then sleep 0.4; fi
exit $code
"""
WORK_SIZE = 256  # MB of the work folder, where it may be a file system of its own


@dataclass
class FarSide:
    """What the site reaches, and handles for the faults."""

    folder: Path
    work: Path
    slurm: Slurm
    nodes: dict[str, Server]
    proxies: dict[str, Proxy]
    has_own_disk: bool
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    @property
    def faults(self) -> Path:
        return self.folder / "faults"

    def clusters(self) -> list[dict[str, object]]:
        """Return how the site registers the clusters."""
        found = []
        for name, node, scheduler in (
            ("slurm", "first", "slurm"),
            ("pjm-wisteria", "first", "pjm"),
            ("pjm-plain", "second", "pjm"),
        ):
            server = self.nodes[node]
            found.append(
                {
                    "name": name,
                    "scheduler": scheduler,
                    "port": self.proxies[node].port,
                    "host_key": server.host_key,
                    "key": server.key,
                    "public_key": server.public_key,
                    "work_dir": str(self.work / name),
                }
            )
        return found

    def starts(self) -> dict[str, list[list[str]]]:
        """Return what the programs wrote about themselves, by ``number-attempt``."""
        return {
            path.name: [line.split() for line in path.read_text().splitlines()]
            for path in self.ledger.iterdir()
        }

    def submissions(self) -> int:
        """Return how often sbatch was called."""
        path = self.faults / "sbatch.log"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def queue_mode(self, mode: str) -> None:
        draft = self.faults / "queue.part"
        draft.write_text(mode)
        draft.replace(self.faults / "queue")

    def fill(self) -> None:
        """Leave no byte in the work folder."""
        block = bytes(1024 * 1024)
        with (self.work / ".filler").open("ab", buffering=0) as stream:
            try:
                while stream.write(block):
                    pass
            except OSError:
                return

    def empty(self) -> None:
        (self.work / ".filler").unlink(missing_ok=True)

    def heal(self) -> None:
        """Put the node back to work, as its operators do: Slurm drains it after accidents."""
        if "drain" in self.slurm.ask("sinfo", "-h", "-o", "%T"):
            self.slurm.ask("scontrol", "update", "NodeName=localhost", "State=RESUME")
        for line in self.slurm.ask("squeue", "-h", "-t", "PD", "-o", "%i %r").splitlines():
            number, _space, why = line.partition(" ")
            if "held" in why:
                self.slurm.ask("scontrol", "release", number)
            elif why == "BeginTime":
                self.slurm.ask("scontrol", "update", f"JobId={number}", "StartTime=now")
        # A controller that was killed may believe for good that an ended run still works.
        working = self.slurm.ask("squeue", "-h", "-t", "R", "-o", "%i %M").splitlines()
        alive = _table()
        for line in working:
            number, _space, elapsed = line.partition(" ")
            if f"slurmstepd: [{number}.batch]" not in alive and elapsed > "0:20":
                self.slurm.ask("scancel", number)

    def listen(self) -> None:
        """Cut the connections when a submission asks for it."""
        while not self._stop.wait(0.01):
            flag = self.faults / "cut-now"
            if flag.exists():
                for proxy in self.proxies.values():
                    proxy.cut()
                flag.unlink()

    def left_over(self) -> list[str]:
        """Return the processes of runs that still live."""
        mine = (str(self.work), str(self.ledger))
        return [line for line in _table().splitlines() if any(word in line for word in mine)]


def _table() -> str:
    """Return the process table: number and arguments."""
    return subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True
    ).stdout


def kill_script(pid: int, with_parents: bool) -> None:
    """End a program without warning; with its script and whatever wraps that."""
    doomed = [pid]
    while with_parents:
        parent = _parent(doomed[-1])
        if parent <= 1 or "slurmstepd" in _name(parent):
            break
        doomed.append(parent)
    for victim in reversed(doomed):
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _end_what_works_in(folder: Path) -> None:
    """Kill what a killed run's script left: no control groups do it for this Slurm."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                if folder in Path(os.readlink(process / "cwd")).parents:
                    os.kill(int(process.name), signal.SIGKILL)


@contextmanager
def _work_folder(folder: Path) -> Iterator[bool]:
    """Give the work folder a small disk of its own where that is allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={WORK_SIZE}m,mode=755", "tmpfs", str(folder)]
    has_own_disk = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield has_own_disk
    finally:
        _end_what_works_in(folder)
        for _attempt in range(50 if has_own_disk else 0):
            done = subprocess.run(["umount", str(folder)], capture_output=True, check=False)
            if done.returncode == 0:
                break
            time.sleep(0.1)


@contextmanager
def running_far_side(folder: Path, *, processors: int = 16) -> Iterator[FarSide]:
    """Run Slurm, two login nodes and a proxy before each until the block ends."""
    with ExitStack() as stack:
        slurm = stack.enter_context(running_slurm(processors=processors))
        for name in ("faults", "ledger", "first", "second", "programs"):
            (folder / name).mkdir()
        has_own_disk = stack.enter_context(_work_folder(folder / "work"))
        _write_wrappers(folder, slurm)
        nodes = {}
        for name, table in (("first", "wisteria"), ("second", "plain")):
            programs = folder / name / "programs"
            programs.mkdir()
            write_programs(programs, table=table)
            path = f"{programs}:{folder / 'programs'}:{slurm.environment['PATH']}"
            nodes[name] = stack.enter_context(
                running_server(
                    folder / name, environment=f"SLURM_CONF={slurm.configuration} PATH={path}"
                )
            )
        proxies = {
            name: stack.enter_context(running_proxy(server.port)) for name, server in nodes.items()
        }
        far = FarSide(folder, folder / "work", slurm, nodes, proxies, has_own_disk)
        listener = threading.Thread(target=far.listen, daemon=True)
        listener.start()
        stack.callback(listener.join, 5)
        stack.callback(far._stop.set)
        yield far
        slurm.ask("scancel", "--signal=KILL", "--full", "--partition=work")


def _write_wrappers(folder: Path, slurm: Slurm) -> None:
    for name, text in (("squeue", _SQUEUE), ("sbatch", _SBATCH)):
        real = shutil.which(name, path=slurm.environment["PATH"])
        path = folder / "programs" / name
        path.write_text(text.format(faults=folder / "faults", real=real))
        path.chmod(0o755)


PYTHON = [sys.executable, "-S", "-E"]
