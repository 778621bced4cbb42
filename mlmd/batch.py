"""Runs shell lines through the batch system of the machine this runs on: Slurm, PBS or Fujitsu PJM.

For scripts and notebooks on a login node. The script claims its name before it does anything and
records its own end, so that neither a lost answer nor a second call runs it twice. The web site's
job machine, which also reaches other machines, has schedulers of its own.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mlmd.errors import InvalidInput, MlmdError
from mlmd.runs import write_bytes_atomic

MISSING_LOOKS = 3  # looks at a queue that doesn't know the run, before it counts as lost


class BatchTrouble(MlmdError):
    """The batch system refused a run, can't be asked, or lost it."""


class BatchSystem(StrEnum):
    """Which batch system."""

    SLURM = "slurm"
    PBS = "pbs"
    PJM = "pjm"


@dataclass(frozen=True)
class Batch:
    """How to ask a batch system for a run.

    Args:
        system: which one.
        queue: partition, queue or resource group; empty for the default one.
        account: group or project that pays; empty for the default one.
        walltime: s, or text ``H:MM:SS``.
        nodes: number of them.
        processes: MPI processes on each node.
        threads: of each process.
        options: further options, as the system's own directives take them.
        setup: shell lines before the programs, for example ``module load …``.
        interval: between two looks at the queue, s.
    """

    system: BatchSystem
    queue: str = ""
    account: str = ""
    walltime: int | str = 3600
    nodes: int = 1
    processes: int = 1
    threads: int = 1
    options: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    interval: float = 10.0
    _seconds: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "system", BatchSystem(self.system))
        object.__setattr__(self, "_seconds", _seconds(self.walltime))
        for name in ("nodes", "processes", "threads"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"batch: {name}", str(getattr(self, name)), "at least 1")
        if "\n" in f"{self.queue}{self.account}{''.join(self.options)}":
            raise InvalidInput("batch", "a line break in an option", "one line each")

    @property
    def total_processes(self) -> int:
        """MPI processes on all nodes."""
        return self.nodes * self.processes

    def directives(self, name: str, log: str) -> list[str]:
        """Return the lines that ask for the resources.

        Args:
            name: of the run in the queue view.
            log: file that takes what the script prints.
        """
        return _DIRECTIVES[self.system](self, name, log)


def _slurm(batch: Batch, name: str, log: str) -> list[str]:
    options = [
        f"--job-name={name}", f"--output={log}", f"--nodes={batch.nodes}",
        f"--ntasks-per-node={batch.processes}", f"--cpus-per-task={batch.threads}",
        f"--time={_clock(batch._seconds)}", "--no-requeue",
    ]  # fmt: skip
    options += [f"--partition={batch.queue}"] if batch.queue else []
    options += [f"--account={batch.account}"] if batch.account else []
    return [f"#SBATCH {option}" for option in (*options, *batch.options)]


def _pbs(batch: Batch, name: str, log: str) -> list[str]:
    chunk = (
        f"select={batch.nodes}:ncpus={batch.processes * batch.threads}"
        f":mpiprocs={batch.processes}:ompthreads={batch.threads}"
    )
    options = [
        f"-N {name}", f"-l {chunk}", f"-l walltime={_clock(batch._seconds)}", "-j oe",
        f"-o {log}", "-r n",
    ]  # fmt: skip
    options += [f"-q {batch.queue}"] if batch.queue else []
    options += [f"-A {batch.account}"] if batch.account else []
    return [f"#PBS {option}" for option in (*options, *batch.options)]


def _pjm(batch: Batch, name: str, log: str) -> list[str]:
    options = [f"-L rscgrp={batch.queue}"] if batch.queue else []
    options += [
        f"-N {name}", f"-L node={batch.nodes}", f"-L elapse={_clock(batch._seconds).zfill(8)}",
        f"--mpi proc={batch.total_processes}", f"--omp thread={batch.threads}", "-j", f"-o {log}",
    ]  # fmt: skip
    options += [f"-g {batch.account}"] if batch.account else []
    return [f"#PJM {option}" for option in (*options, *batch.options)]


_DIRECTIVES: dict[BatchSystem, Callable[[Batch, str, str], list[str]]] = {
    BatchSystem.SLURM: _slurm,
    BatchSystem.PBS: _pbs,
    BatchSystem.PJM: _pjm,
}
_SUBMIT = {
    BatchSystem.SLURM: ("sbatch", "--parsable"),
    BatchSystem.PBS: ("qsub",),
    BatchSystem.PJM: ("pjsub",),
}
_ACCEPTED = {
    BatchSystem.SLURM: re.compile(r"^(\d+)(?:;\S+)?$", re.MULTILINE),
    BatchSystem.PBS: re.compile(r"^(\d+(?:\.[\w.-]+)?)\s*$", re.MULTILINE),
    BatchSystem.PJM: re.compile(r"\[INFO\] PJM 0000 pjsub Job (\d+) submitted\."),
}
# All runs of the person: asked for one id that it has forgotten, a queue view may fail as if down.
_QUEUE = {
    BatchSystem.SLURM: 'squeue -h -u "$(id -un)" -o %i',
    BatchSystem.PBS: 'qstat -u "$(id -un)"',
    BatchSystem.PJM: "pjstat",
}


class BatchRun:
    """One script and its way through a batch system; made again, it goes on where it was.

    Args:
        batch: what to ask for.
        folder: run directory; the script, its log and its records stand there.
        name: of the script, unique in the folder.
    """

    def __init__(self, batch: Batch, folder: Path, name: str) -> None:
        self.batch, self.folder, self.name = batch, folder, name
        self.log = folder / f"{name}.log"
        self._script = folder / f"{name}.job.sh"
        self._id = folder / f"{name}.job.id"
        self._exit = folder / f"{name}.job.exit"
        self._claim = folder / f"{name}.job.claim"

    @property
    def is_submitted(self) -> bool:
        """Whether the run was handed over, or began."""
        return self._id.is_file() or self._claim.is_dir()

    @property
    def id(self) -> str:
        """The queue's number of the run; empty while there is none."""
        for path in (self._id, self._claim / "id"):
            if path.is_file():
                return path.read_text(encoding="utf-8").strip()
        return ""

    @property
    def code(self) -> int | None:
        """Exit status of the run; None until it has ended."""
        if not self._exit.is_file():
            return None
        return int(self._exit.read_text(encoding="utf-8").split()[0])

    def forget(self) -> None:
        """Remove the records of an earlier run of this name."""
        for path in (self._id, self._exit, self.log):
            path.unlink(missing_ok=True)
        shutil.rmtree(self._claim, ignore_errors=True)

    def script(self, lines: Sequence[str]) -> str:
        """Return the text of the script; the first line that fails ends the run."""
        claim, end = shlex.quote(self._claim.name), shlex.quote(self._exit.name)
        return "\n".join(
            (
                "#!/bin/sh",
                *self.batch.directives(_short(self.name), self.log.name),
                f"cd {shlex.quote(str(self.folder.resolve()))} || exit 97",
                f"mkdir {claim} 2>/dev/null || exit 0",
                f'echo "${{SLURM_JOB_ID:-${{PBS_JOBID:-$PJM_JOBID}}}}" > {claim}/id',
                f"trap 'code=$?; echo $code > {end}.part; mv {end}.part {end}' EXIT",
                "trap 'exit 143' TERM INT XCPU",
                f"export OMP_NUM_THREADS={self.batch.threads}",
                *self.batch.setup,
                "set -e",
                *lines,
                "",
            )
        )

    def submit(self, lines: Sequence[str]) -> str:
        """Write the script and hand it over; return the queue's number.

        Raises:
            BatchTrouble: the batch system isn't there, or said no.
        """
        write_bytes_atomic(self._script, self.script(lines).encode())
        argv = [*_SUBMIT[self.batch.system], self._script.name]
        try:
            # The answer is followed by nothing that can fail before the number is on disk.
            answer = subprocess.run(  # noqa: S603 -- fixed program, a file name of ours
                argv, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BatchTrouble(f"{argv[0]}: {error}") from error
        text = f"{answer.stdout}\n{answer.stderr}"
        match = _ACCEPTED[self.batch.system].search(text) if answer.returncode == 0 else None
        if match is None:
            raise BatchTrouble(f"{argv[0]} did not take the run: {' '.join(text.split())[:400]}")
        write_bytes_atomic(self._id, f"{match[1]}\n".encode())
        return match[1]

    def wait(self, told: Callable[[str], object] = lambda words: None) -> int:
        """Wait until the run ends; return its exit status.

        Args:
            told: called at every look, with the queue's number.

        Raises:
            BatchTrouble: the run left the queue without a record of its end.
        """
        missing = 0
        while True:
            known = self._is_known()
            if (code := self.code) is not None:
                return code
            missing = 0 if known else missing + 1
            if missing >= MISSING_LOOKS:
                raise BatchTrouble(
                    f"{self.name}: the run {self.id} left the queue without a record of its end; "
                    f"see {self.log.name}. It was probably cancelled, or met its time limit."
                )
            told(self.id)
            time.sleep(self.batch.interval)

    def _is_known(self) -> bool:
        """Whether the queue lists the run; a queue that can't be read counts as if it did."""
        answer = subprocess.run(  # noqa: S603 -- a fixed command
            ("/bin/sh", "-c", _QUEUE[self.batch.system]),
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if answer.returncode != 0 or "[ERR.]" in answer.stdout + answer.stderr:
            return True
        number = re.split(r"[.;]", self.id)[0]
        return re.search(rf"(^|\s){re.escape(number)}\b", answer.stdout) is not None


def _short(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", name)[:15] or "mlmd"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _seconds(walltime: int | str) -> int:
    if isinstance(walltime, int):
        seconds = walltime
    else:
        match = re.fullmatch(r"(\d+):([0-5]?\d):([0-5]?\d)", walltime.strip())
        if match is None:
            raise InvalidInput("batch: walltime", repr(walltime), "seconds, or H:MM:SS")
        seconds = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
    if seconds < 1:
        raise InvalidInput("batch: walltime", repr(walltime), "at least a second")
    return seconds
