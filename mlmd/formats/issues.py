"""What a reader has to say about a file beside the frames it gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How much an issue matters to the user."""

    NOTE = "note"  # something was decided for the user
    WARNING = "warning"  # frames were kept, look at them
    REFUSED = "refused"  # understood, but not fit as teacher data
    LOST = "lost"  # damaged, could not be kept


@dataclass(frozen=True)
class Issue:
    """One remark on a file.

    Args:
        severity: how much it matters.
        where: the file and the place in it.
        found: what is there.
        expected: what would have been right; may be empty for notes.
        action: what was done, or what the user can do.
    """

    severity: Severity
    where: str
    found: str
    expected: str = ""
    action: str = ""

    def __str__(self) -> str:
        expected = f"; expected {self.expected}" if self.expected else ""
        return f"{self.where}: {self.found}{expected}. {self.action}".rstrip()


# A damaged file of a million frames must not fill the memory with remarks on it.
MAXIMUM_ISSUES = 1000


@dataclass
class IssueLog:
    """Collects the issues of one file.

    Args:
        name: file name that opens every ``where``.
    """

    name: str
    issues: list[Issue] = field(default_factory=list)
    dropped: int = 0

    def add(
        self, severity: Severity, place: str, found: str, expected: str = "", action: str = ""
    ) -> None:
        """Record an issue at ``place`` (may be empty for the whole file)."""
        where = f"{self.name}: {place}" if place else self.name
        issue = Issue(severity, where, found, expected, action)
        if issue in self.issues[-50:]:
            return
        if len(self.issues) >= MAXIMUM_ISSUES:
            self.dropped += 1
            return
        self.issues.append(issue)

    def note(self, place: str, found: str, expected: str = "", action: str = "") -> None:
        """Record something that was decided for the user."""
        self.add(Severity.NOTE, place, found, expected, action)

    def warn(self, place: str, found: str, expected: str = "", action: str = "") -> None:
        """Record something to look at; the frame was kept."""
        self.add(Severity.WARNING, place, found, expected, action)

    def refuse(self, place: str, found: str, expected: str = "", action: str = "") -> None:
        """Record content that was understood but is no teacher data."""
        self.add(Severity.REFUSED, place, found, expected, action)

    def lose(self, place: str, found: str, expected: str = "", action: str = "") -> None:
        """Record damaged content that could not be kept."""
        self.add(Severity.LOST, place, found, expected, action)
