"""What science tells the job machine: which commands to run, with what, and what to bring back.

Every launchable thing has ``prepare(spec, run_dir) -> Launch`` and
``collect(run_dir) -> Result``; both work from a plain script.
"""

from __future__ import annotations

from dataclasses import dataclass

PART_RECORD = "exit.json"
"""Written into a part's folder when it ends: code, cause (ok, failed, time, stopped), times."""


@dataclass(frozen=True)
class Condition:
    """Whether a file of the run directory holds a text; a missing file holds none.

    Args:
        path: relative to the run directory.
        text: looked for as it stands.
        present: True asks for the text, False for its absence.
    """

    path: str
    text: str
    present: bool = True


@dataclass(frozen=True)
class Command:
    """One program call in the run directory.

    Args:
        argv: program and arguments. ``argv[0]`` names a code recipe of the cluster
            (``mlmd``, ``pw.x``, ``nnp-train``, ``lmp``); the cluster says how it starts there.
            ``sh`` is known everywhere.
        stdin: file in the run directory to read, or None.
        stdout: file in the run directory that takes standard output, or None for the job's log.
        mpi: whether the program is started on all of the job's processes.
        may_fail: go on with the next command when this one ends with an error, as batches
            do whose members are judged one by one.
        folder: where the program starts, relative to the run directory; empty for the run
            directory itself.
        only_if: skip the command unless this holds when its turn comes.
    """

    argv: tuple[str, ...]
    stdin: str | None = None
    stdout: str | None = None
    mpi: bool = False
    may_fail: bool = False
    folder: str = ""
    only_if: Condition | None = None


@dataclass(frozen=True)
class Part:
    """A member of a batch: it needs no other part, and its end is recorded by itself.

    Args:
        folder: of the part, relative to the run directory; takes its `PART_RECORD`.
        commands: run one after another; the first that fails ends the part, unless it may.
    """

    folder: str
    commands: tuple[Command, ...]


@dataclass(frozen=True)
class Resources:
    """What a run asks of a scheduler.

    Args:
        nodes: of each lane.
        processes: on each node.
        threads: of each process.
        gpus: of each node.
        walltime_s: of each lane.
        memory_mb: of each node; None for the scheduler's default.
        at_once: lanes of a run made of parts, each with all of the above; a lane takes one
            part after another until none is left.
    """

    nodes: int = 1
    processes: int = 1
    threads: int = 1
    gpus: int = 0
    walltime_s: int = 3600
    memory_mb: int | None = None
    at_once: int = 1


@dataclass(frozen=True)
class Launch:
    """A prepared run directory.

    Args:
        commands: run one after another; the first that fails ends the run, unless it may.
        fetch: glob patterns, relative to the run directory, brought back at the end.
        live: the files among them worth refreshing while the run goes on.
        resources: what the commands need.
        parts: in place of `commands`, independent members that may run at the same time.
    """

    commands: tuple[Command, ...]
    fetch: tuple[str, ...]
    live: tuple[str, ...] = ()
    resources: Resources = Resources()
    parts: tuple[Part, ...] = ()
