"""What science tells the job machine: which commands to run, with what, and what to bring back.

Every launchable thing has ``prepare(spec, run_dir) -> Launch`` and
``collect(run_dir) -> Result``; both work from a plain script.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One program call in the run directory.

    Args:
        argv: program and arguments. ``argv[0]`` names a code recipe of the cluster
            (``mlmd``, ``pw.x``, ``nnp-train``, ``lmp``); the cluster says how it starts there.
        stdin: file in the run directory to read, or None.
        stdout: file in the run directory that takes standard output, or None for the job's log.
        mpi: whether the program is started on all of the job's processes.
        may_fail: go on with the next command when this one ends with an error, as batches
            do whose members are judged one by one.
    """

    argv: tuple[str, ...]
    stdin: str | None = None
    stdout: str | None = None
    mpi: bool = False
    may_fail: bool = False


@dataclass(frozen=True)
class Resources:
    """What a run asks of a scheduler."""

    nodes: int = 1
    processes: int = 1
    threads: int = 1
    gpus: int = 0
    walltime_s: int = 3600
    memory_mb: int | None = None


@dataclass(frozen=True)
class Launch:
    """A prepared run directory.

    Args:
        commands: run one after another; the first that fails ends the run, unless it may.
        fetch: glob patterns, relative to the run directory, brought back at the end.
        live: the files among them worth refreshing while the run goes on.
        resources: what the commands need.
    """

    commands: tuple[Command, ...]
    fetch: tuple[str, ...]
    live: tuple[str, ...] = ()
    resources: Resources = Resources()
