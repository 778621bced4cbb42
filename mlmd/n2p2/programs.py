"""Where n2p2's programs are, and running them: directly, or through a batch system."""

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
from mlmd.launch import Command
from mlmd.n2p2.outputs import failure
from mlmd.n2p2.steps import Step

_LOOK = 0.5  # s between two looks at a program that runs
_STOP = 10.0  # s that a program gets to end


@dataclass(frozen=True)
class Programs:
    """Where n2p2's programs are and how they start.

    Args:
        folder: that holds nnp-train and the others; None to find them on PATH.
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
            raise InvalidInput("n2p2 programs: processes", str(self.processes), "at least 1")

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

    def require(self, program: str) -> None:
        """Refuse to start what isn't there.

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
                "n2p2's programs on PATH, in a folder, or in a container image",
                "Give Programs(folder=…) or Programs(image=…); mlmd.hdnnp.training needs no n2p2.",
            )


def run_step(
    step: Step,
    folder: Path,
    programs: Programs,
    batch: Batch | None,
    told: Callable[[str], object],
) -> str:
    """Run the programs of a step to their end; return the queue's number, empty without a batch.

    Args:
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
        return _run_in_batch(step, folder, programs, batch, told)
    programs.require(step.program)
    for command in step.commands:
        log = folder / (command.stdout or f"{step.name}.log")
        argv = programs.argv(command, programs.processes)
        code = _run_here(argv, folder, log, lambda: told(""))
        if code != 0:
            raise failure(command.argv[0] if command.argv[0] != "sh" else step.program, [log], code)
    return ""


def _run_here(argv: list[str], folder: Path, log: Path, told: Callable[[], object]) -> int:
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
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
    step: Step, folder: Path, programs: Programs, batch: Batch, told: Callable[[str], object]
) -> str:
    run = BatchRun(batch, folder, f"n2p2-{step.name.value}")
    if not run.is_submitted:
        run.submit([programs.line(command, batch.total_processes) for command in step.commands])
    code = run.wait(told)
    number = run.id
    if code != 0:
        logs = [folder / command.stdout for command in step.commands if command.stdout]
        error = failure(step.program, [*logs, run.log], code)
        run.forget()
        raise error
    run.forget()
    return number
