"""The steps of a training with somebody else's programs, and what to say when one fails."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlmd.errors import MlmdError
from mlmd.launch import Command

_TAIL = 20000  # characters of a log that are looked at for the reason of a failure


class ProgramFailed(MlmdError):
    """One of the programs, or the batch system, didn't do its work."""


@dataclass(frozen=True)
class Step:
    """One step: programs that run one after another.

    Args:
        name: which one.
        commands: of the step.
        needs: files that decide what comes out.
        leaves: files that are there afterwards.
        finished: text in the last command's output without which it failed, whatever its exit
            status; empty where the status can be trusted.
    """

    name: str
    commands: tuple[Command, ...]
    needs: tuple[str, ...]
    leaves: tuple[str, ...]
    finished: str = ""

    @property
    def program(self) -> str:
        """The program, for messages."""
        return next(c.argv[0] for c in self.commands if c.argv[0] != "sh")


@dataclass(frozen=True)
class Complaint:
    """What a program prints, in our words.

    Args:
        pattern: found in the output.
        words: takes the whole match as {0} and its groups as {1} and so on.
        action: what to do; may be empty.
    """

    pattern: re.Pattern[str]
    words: str
    action: str


@dataclass(frozen=True)
class Suite:
    """A set of programs that belong together.

    Args:
        name: of the set, also the first part of the names of batch runs.
        instead: what can be done without it, for messages.
        complaints: looked for in this order.
    """

    name: str
    instead: str
    complaints: tuple[Complaint, ...]

    def failure(self, program: str, logs: Sequence[Path], code: int) -> ProgramFailed:
        """Return what to tell about a program that failed.

        Args:
            program: its name.
            logs: what was printed, oldest first; those that aren't there are passed over.
            code: its exit status.
        """
        written = [log for log in logs if log.is_file()]
        parts = (log.read_text(encoding="utf-8", errors="replace")[-_TAIL:] for log in written)
        text = "\n".join(parts)
        for complaint in (*self.complaints, *COMMON):
            matches = list(complaint.pattern.finditer(text))
            if matches:
                words = complaint.words.format(matches[-1][0], *matches[-1].groups())
                return ProgramFailed(f"{program}: {words}. {complaint.action}".strip())
        lines = [line for line in text.splitlines() if line.strip(" *-\t")]
        last = f" Last line: {lines[-1].strip()[:200]}" if lines else ""
        names = " and ".join(log.name for log in written) or "its folder"
        return ProgramFailed(f"{program}: it ended with status {code}, see {names}.{last}")


def complaints(*rows: tuple[str, str, str]) -> tuple[Complaint, ...]:
    """Return complaints from (pattern, words, action)."""
    flags = re.IGNORECASE | re.MULTILINE
    return tuple(Complaint(re.compile(row[0], flags), row[1], row[2]) for row in rows)


COMMON = complaints(
    (r"terminated by signal 9|Killed|bad_alloc|oom-kill", "not enough memory",
     "Take fewer frames or functions, or more nodes."),
    (r"not enough slots", "fewer free cores than MPI processes", "Ask for fewer processes."),
    (r"DUE TO TIME LIMIT|exceeded.{0,20}walltime", "the time limit was reached", "Ask for more time."),
    (r"command not found|No such file or directory|cannot execute", "the program isn't there",
     "Give the folder of its programs, or a container image."),
)  # fmt: skip
"""What any program and batch system may say."""
