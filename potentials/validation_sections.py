"""The checks of a validation as sections of a card; knows no check by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from labs.templatetags.mlmd_tags import digits
from mlmd.validation.report import Cell, Check, CheckStatus, Table, ValidationReport, Value
from potentials.models import Potential
from potentials.validation_figures import titled
from potentials.validation_reports import beside_teacher

NEAR = 0.03  # relative deviation up to which a number counts as the teacher's
FAR = 0.10  # and from which it is far off
DIGITS = 4


@dataclass(frozen=True)
class ValueRow:
    """One number beside the teacher's.

    Args:
        label: what it is.
        value: of the potential; "–" where it couldn't be determined.
        unit: empty for pure numbers.
        reference: the teacher's; empty where there is none.
        reference_source: where it comes from.
        deviation: for people; empty without a reference.
        tone: ``good``, ``warn`` or ``bad`` by the deviation; empty without.
        tone_words: the same in a word, for who doesn't see colours.
    """

    label: str
    value: str
    unit: str
    reference: str
    reference_source: str
    deviation: str
    tone: str
    tone_words: str


@dataclass(frozen=True)
class ValueGroup:
    """The values of one subject.

    Args:
        subject: of what; empty where the check has only one.
        rows: in the report's order.
        has_references: whether any row has one.
    """

    subject: str
    rows: tuple[ValueRow, ...]
    has_references: bool


@dataclass(frozen=True)
class PlotLink:
    """A plot of the section.

    Args:
        title: for people.
        url: of its figure.
    """

    title: str
    url: str


@dataclass(frozen=True)
class ShownTable:
    """A table of the section.

    Args:
        title: for people.
        columns: heads.
        rows: cells as text, and whether each is a number.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, bool], ...], ...]


@dataclass(frozen=True)
class Section:
    """One check on a card.

    Args:
        name: of the check; an anchor of the page.
        title: for people.
        status: ``done``, ``skipped`` or ``failed``.
        status_words: for people.
        reason: why it was skipped or failed.
        notes: how to take the numbers.
        groups: values.
        plots: figures.
        tables: tables.
    """

    name: str
    title: str
    status: str
    status_words: str
    reason: str
    notes: tuple[str, ...]
    groups: tuple[ValueGroup, ...]
    plots: tuple[PlotLink, ...]
    tables: tuple[ShownTable, ...]

    @property
    def is_open(self) -> bool:
        """Whether it is shown unfolded: what can be held against the teacher, and what failed."""
        judged = any(group.has_references for group in self.groups)
        return judged or self.status == CheckStatus.FAILED


def sections_of(potential: Potential, report: ValidationReport) -> list[Section]:
    """Return what the card shows, in the report's order; what was not done comes without numbers."""
    return [_section(potential, check) for check in report.checks]


def _section(potential: Potential, check: Check) -> Section:
    return Section(
        name=check.name,
        title=_(check.title),
        status=check.status,
        status_words=status_words(check.status),
        reason=check.reason,
        notes=check.notes,
        groups=tuple(_groups(check)),
        plots=tuple(
            PlotLink(
                titled(plot.title, plot.subject),
                reverse(
                    "potentials:validation-plot", args=[potential.public_id, check.name, number]
                ),
            )
            for number, plot in enumerate(check.plots)
        ),
        tables=tuple(_table(table) for table in check.tables),
    )


def status_words(status: CheckStatus) -> str:
    """Return how a check ended, for people."""
    return {
        CheckStatus.DONE: _("done"),
        CheckStatus.SKIPPED: _("skipped"),
        CheckStatus.FAILED: _("failed"),
    }[status]


def _groups(check: Check) -> Iterator[ValueGroup]:
    for subject in dict.fromkeys(value.subject for value in check.values):
        values = [beside_teacher(value) for value in check.values if value.subject == subject]
        has_references = any(value.reference is not None for value in values)
        yield ValueGroup(subject, tuple(map(_value_row, values)), has_references)


def _value_row(value: Value) -> ValueRow:
    tone, words = tone_of(value)
    has_reference = value.reference is not None
    return ValueRow(
        label=_(value.label),
        value=digits(value.value, DIGITS),
        unit=value.unit,
        reference=digits(value.reference, DIGITS) if has_reference else "",
        reference_source=_(value.reference_source) if value.reference_source else "",
        deviation=deviation_words(value),
        tone=tone,
        tone_words=words,
    )


def deviation_words(value: Value) -> str:
    """Return how far a value is from its reference, in its unit and in per cent."""
    if value.value is None or value.reference is None:
        return ""
    difference = value.value - value.reference
    words = f"{difference:+.3g}"
    if value.reference:
        words += f" ({100 * difference / abs(value.reference):+.1f} %)"
    return words


def tone_of(value: Value) -> tuple[str, str]:
    """Return the look of a deviation and a word for it; both empty without a reference."""
    if value.value is None or not value.reference:
        return "", ""
    share = abs(value.value / value.reference - 1)
    if share <= NEAR:
        return "good", _("near")
    return ("warn", _("off")) if share <= FAR else ("bad", _("far off"))


def _table(table: Table) -> ShownTable:
    return ShownTable(
        title=titled(table.title, table.subject),
        columns=tuple(_(column) for column in table.columns),
        rows=tuple(tuple(map(_cell, row)) for row in table.rows),
    )


def _cell(cell: Cell) -> tuple[str, bool]:
    if cell is None:
        return "–", False
    if isinstance(cell, float):
        return digits(cell, DIGITS), True
    return str(cell), isinstance(cell, int)
