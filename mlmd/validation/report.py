"""What a validation found: values, curves and tables that a card can show without knowing them.

A report is made of checks, and each check of a few plain parts. Fixed texts (titles, labels, axis
titles, column heads, units) are the English words listed in `mlmd.validation.words`, so that a site
can translate them; what varies (a material, a pair of elements) stands apart in ``subject``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mlmd.errors import InvalidInput

VERSION = 1
_DIGITS = 7  # of what is drawn: more can't be seen and fills the file


class CheckName(StrEnum):
    """What can be checked, in the order in which it is done and shown."""

    PARITY = "parity"
    EXTRAPOLATION = "extrapolation"
    CONSISTENCY = "consistency"
    DIMERS = "dimers"
    LATTICE = "lattice"
    VOLUME = "volume"
    PHASES = "phases"
    ELASTIC = "elastic"
    PHONONS = "phonons"
    VACANCY = "vacancy"
    SURFACES = "surfaces"
    STABILITY = "stability"
    SPEED = "speed"


class CheckStatus(StrEnum):
    """How a check ended."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class SeriesKind(StrEnum):
    """How a series is drawn."""

    LINE = "line"
    POINTS = "points"


@dataclass(frozen=True)
class Value:
    """One number.

    Args:
        label: what it is, a fixed text: ``"Bulk modulus"``.
        value: the potential's; None where it couldn't be determined.
        unit: empty for pure numbers.
        reference: the same number from the data the potential was made from, or None.
        reference_source: where the reference comes from, a fixed text; empty without one.
        subject: of what, ``"Si (Fd-3m)"``; empty where the check has only one subject.
    """

    label: str
    value: float | None
    unit: str = ""
    reference: float | None = None
    reference_source: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Series:
    """One curve or cloud of points of a plot.

    Args:
        label: of the legend; series with the same label are parts of one curve.
        x: finite numbers.
        y: as many finite numbers.
        kind: how it is drawn.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    kind: SeriesKind = SeriesKind.LINE

    def __post_init__(self) -> None:
        where = f"series {self.label!r}"
        if len(self.x) != len(self.y):
            raise InvalidInput(where, f"{len(self.x)} x and {len(self.y)} y", "as many of each")
        if not all(map(math.isfinite, (*self.x, *self.y))):
            raise InvalidInput(where, "numbers that aren't finite", "finite ones")


@dataclass(frozen=True)
class Mark:
    """A vertical line of a plot, as at the special points of a band structure.

    Args:
        x: where.
        label: below it.
    """

    x: float
    label: str


@dataclass(frozen=True)
class Plot:
    """One diagram.

    Args:
        name: a short key, the same in the reports of all potentials: ``"energy-volume"``.
        title: a fixed text.
        x_title: of the axis with its unit, a fixed text.
        y_title: of the axis with its unit, a fixed text.
        series: what is drawn.
        marks: vertical lines.
        subject: of what; plots with the same name and subject can be laid over each other.
    """

    name: str
    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()
    subject: str = ""


Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows of texts and numbers.

    Args:
        title: a fixed text.
        columns: heads with their units, fixed texts.
        rows: of as many cells as there are columns; None for nothing to show.
        subject: of what.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    subject: str = ""

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, 1):
            if len(row) != len(self.columns):
                raise InvalidInput(
                    f"table {self.title!r}: row {number}",
                    f"{len(row)} cells",
                    f"{len(self.columns)}, one for each column",
                )


@dataclass(frozen=True)
class Check:
    """One check with its outcome.

    Args:
        name: which.
        title: a fixed text.
        status: how it ended.
        reason: why it was skipped or failed, a sentence; empty where it is done.
        values: numbers, the most telling first.
        plots: diagrams.
        tables: tables.
        notes: sentences on how to take the numbers and on what is wrong.
        seconds: how long it took.
    """

    name: CheckName
    title: str
    status: CheckStatus
    reason: str = ""
    values: tuple[Value, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class MaterialSummary:
    """A crystal that the potential was tried on.

    Args:
        subject: as values and plots name it: ``"Si (Fd-3m)"``.
        formula: reduced.
        space_group: ``"Fd-3m (227)"``.
        atoms: in the primitive cell.
        source: where the crystal comes from, a fixed text.
    """

    subject: str
    formula: str
    space_group: str
    atoms: int
    source: str


@dataclass(frozen=True)
class Machine:
    """What the numbers were computed on.

    Args:
        processor: its name, empty where the system doesn't say.
        cores: that the validation was allowed to use.
    """

    processor: str
    cores: int


@dataclass(frozen=True)
class ValidationReport:
    """All checks of one potential.

    Args:
        version: of the report's form.
        checks: in the order of `CheckName`.
        materials: crystals that were looked at.
        machine: where it ran.
        seconds: of all checks together.
        frames: how many teacher frames it was compared with.
    """

    version: int
    checks: tuple[Check, ...]
    materials: tuple[MaterialSummary, ...]
    machine: Machine
    seconds: float
    frames: int = 0

    def check(self, name: CheckName) -> Check | None:
        """Return a check by name, None where the report hasn't got it."""
        return next((check for check in self.checks if check.name == name), None)


def line(label: str, x: Iterable[float], y: Iterable[float]) -> Series:
    """Return a curve, its numbers rounded to what can be seen."""
    return Series(label, _rounded(x), _rounded(y), SeriesKind.LINE)


def points(label: str, x: Iterable[float], y: Iterable[float]) -> Series:
    """Return a cloud of points, its numbers rounded to what can be seen."""
    return Series(label, _rounded(x), _rounded(y), SeriesKind.POINTS)


def _rounded(numbers: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(f"{number:.{_DIGITS}g}") for number in numbers)
