"""Where programs are, and running them: directly, or through a batch system."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlmd.batch import Batch, BatchRun
from mlmd.errors import InvalidInput
from mlmd.external.steps import Step, Suite
from mlmd.launch import Command

_LOOK = 0.5  # s between two looks at a program that runs
_STOP = 10.0  # s that a program gets to end


@dataclass(frozen=True)
class Programs:
    """Where the programs of a suite are and how they start.

    Args:
        folder: that holds them; None to find them on PATH.
        image: container image that holds them; empty for none.
        container: program that starts the image, with its options.
        processes: of MPI.
        mpi: what goes before a program on several processes.
    """

    folder: Path | str | None = None
    image: str = ""
    container: tuple[str, ...] = ("apptainer", "exec")
    processes: int = 1
    mpi: tuple[str, ...] = ("mpirun", "-np", "{processes}")

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise InvalidInput("programs: processes", str(self.processes), "at least 1")

    def argv(self, command: Command, processes: int) -> list[str]:
        """Return the words that start a command."""
        name = command.argv[0]
        if name == "sh":
            return list(command.argv)
        program = str(Path(self.folder) / name) if self.folder is not None else name
        start = [word.format(processes=processes) for word in self.mpi] if command.mpi else []
        inner = [*self.container, self.image] if self.image else []
        return [*start, *inner, program, *command.argv[1:]]

    def line(self, command: Command, processes: int) -> str:
        """Return the shell line of a command, for a batch script."""
        words = shlex.join(self.argv(command, processes))
        return f"{words} > {shlex.quote(command.stdout)} 2>&1" if command.stdout else words

    def require(self, program: str, suite: Suite) -> None:
        """Refuse to start what isn't there.

        Args:
            program: its name.
            suite: that it belongs to.

        Raises:
            InvalidInput: says where it was looked for and what else can be done.
        """
        if self.image:
            name = self.container[0]
            if shutil.which(name) is None:
                raise InvalidInput(name, "not on PATH", f"what starts {self.image}")
            return
        name = str(Path(self.folder) / program) if self.folder is not None else program
        if shutil.which(name) is None:
            raise InvalidInput(
                name,
                "no such program",
                f"{suite.name}'s programs on PATH, in a folder, or in a container image",
                f"Give Programs(folder=…) or Programs(image=…); {suite.instead}",
            )


def run_step(
    suite: Suite,
    step: Step,
    folder: Path,
    programs: Programs,
    batch: Batch | None = None,
    told: Callable[[str], object] = lambda number: None,
) -> str:
    """Run the programs of a step to their end; return the queue's number, empty without a batch.

    Args:
        suite: that the programs belong to.
        step: what to run.
        folder: run directory.
        programs: where they are.
        batch: the batch system to go through; None runs them here.
        told: called again and again meanwhile.

    Raises:
        ProgramFailed: a program failed; says why, as far as its output tells.
        InvalidInput: there is no such program.
        BatchTrouble: the batch system refused or lost the run.
    """
    if batch is not None:
        return _run_in_batch(suite, step, folder, programs, batch, told)
    programs.require(step.program, suite)
    for command in step.commands:
        log = folder / (command.stdout or f"{step.name}.log")
        argv = programs.argv(command, programs.processes)
        code = _run_here(argv, folder, log, lambda: told(""))
        if code != 0:
            name = command.argv[0] if command.argv[0] != "sh" else step.program
            raise suite.failure(name, [log], code)
    _check_finished(suite, step, folder, [])
    return ""


def _check_finished(suite: Suite, step: Step, folder: Path, more: list[Path]) -> None:
    """Refuse a step whose programs gave up without saying so by their status."""
    logs = [folder / command.stdout for command in step.commands if command.stdout]
    if not step.finished:
        return
    text = "".join(
        log.read_text(encoding="utf-8", errors="replace") for log in logs if log.is_file()
    )
    if step.finished not in text or not all((folder / name).is_file() for name in step.leaves):
        raise suite.failure(step.program, [*logs, *more], 0)


def _run_here(argv: list[str], folder: Path, log: Path, told: Callable[[], object]) -> int:
    # One thread for each process; and Fortran's programs say at once how far they are.
    one = {
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        "GFORTRAN_UNBUFFERED_PRECONNECTED": "y",
    }
    with log.open("wb") as stream:
        try:
            process = subprocess.Popen(  # noqa: S603 -- programs that the caller named
                argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=stream,
                stderr=subprocess.STDOUT, env={**os.environ, **one},
            )  # fmt: skip
        except OSError as error:
            raise InvalidInput(argv[0], str(error), "a program that starts") from error
        try:
            while True:
                try:
                    return process.wait(_LOOK)
                except subprocess.TimeoutExpired:
                    told()
        except BaseException:
            process.terminate()
            try:
                process.wait(_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            raise


def _run_in_batch(
    suite: Suite,
    step: Step,
    folder: Path,
    programs: Programs,
    batch: Batch,
    told: Callable[[str], object],
) -> str:
    run = batch_run(suite, step.name, folder, batch)
    if not run.is_submitted:
        run.submit([programs.line(command, batch.total_processes) for command in step.commands])
    code = run.wait(told)
    number = run.id
    if code != 0:
        logs = [folder / command.stdout for command in step.commands if command.stdout]
        error = suite.failure(step.program, [*logs, run.log], code)
        run.forget()
        raise error
    run.forget()
    _check_finished(suite, step, folder, [run.log])
    return number


def batch_run(suite: Suite, name: str, folder: Path, batch: Batch) -> BatchRun:
    """Return the run of a step in a batch system, new or known."""
    return BatchRun(batch, folder, f"{suite.name}-{name}")
