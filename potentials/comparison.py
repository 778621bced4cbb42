"""Several potentials side by side: what they are, their errors, what their validations found."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labs.templatetags.mlmd_tags import digits
from mlmd.validation import dynamics, extrapolation, parity
from mlmd.validation.report import (
    Check,
    CheckName,
    CheckStatus,
    Plot,
    ValidationReport,
    Value,
)
from potentials.families import FAMILIES
from potentials.models import Potential
from potentials.selectors import potentials_visible_to
from potentials.validation_figures import plots_of, titled
from potentials.validation_reports import reports_of
from potentials.validation_sections import DIGITS, deviation_words

LEAST, MOST = 2, 6
SMALLER_IS_BETTER = frozenset(
    {
        *(parity.ENERGY, parity.ALIGNED, parity.FORCE, parity.STRESS, parity.LARGEST),
        *(extrapolation.ATOMS_OUTSIDE, extrapolation.FRAMES_OUTSIDE),
        *(dynamics.DRIFT, dynamics.COST),
    }
)
NOT_OVERLAID = frozenset({CheckName.PARITY})  # clouds that would hide each other


@dataclass(frozen=True)
class Cell:
    """What one potential has in a row.

    Args:
        text: for people; "–" where there is nothing.
        value: the number behind it, or None.
        is_best: whether no other of the row is better.
        note: below it: the deviation from the teacher's, or why there is nothing.
    """

    text: str
    value: float | None = None
    is_best: bool = False
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One property of all potentials.

    Args:
        label: what it is.
        unit: empty for texts and pure numbers.
        cells: one for each potential, in their order.
        reference: the teacher's, where it is the same for all; empty otherwise.
    """

    label: str
    unit: str
    cells: tuple[Cell, ...]
    reference: str = ""


@dataclass(frozen=True)
class Group:
    """Rows that belong together.

    Args:
        name: a key, for addresses.
        title: for people.
        rows: at least one.
        note: how to take them; may be empty.
        has_references: whether any row has one.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    note: str = ""
    has_references: bool = False


@dataclass(frozen=True)
class Overlay:
    """A plot that several potentials have.

    Args:
        check: name of the check.
        number: among the check's plots.
        title: for people.
        named: name of each potential that has it, and its plot.
    """

    check: str
    number: int
    title: str
    named: tuple[tuple[str, Plot], ...]


@dataclass(frozen=True)
class Comparison:
    """Several potentials side by side.

    Args:
        potentials: in the order asked for.
        names: of each, short and distinct.
        groups: of rows.
        overlays: of plots.
        unknown: how many were asked for that don't exist or can't be seen.
    """

    potentials: tuple[Potential, ...]
    names: tuple[str, ...]
    groups: tuple[Group, ...]
    overlays: tuple[Overlay, ...]
    unknown: int


def wanted_ids(values: Iterable[str]) -> list[UUID]:
    """Return the ids of an address, each once, at most `MOST`; what is no id is left out."""
    found: dict[UUID, None] = {}
    for value in values:
        try:
            found[UUID(value)] = None
        except ValueError:
            continue
    return list(found)[:MOST]


def compare(user: Any, ids: Sequence[UUID]) -> Comparison:
    """Compare potentials.

    Args:
        user: who asks; what they can't see is left out.
        ids: public ids, in the order of the columns.
    """
    seen = {row.public_id: row for row in potentials_visible_to(user).filter(public_id__in=ids)}
    rows = [seen[public_id] for public_id in ids if public_id in seen]
    reports = reports_of(rows)
    found = [reports.get(row.pk) for row in rows]
    names = _names(rows)
    groups = [_identity(rows), *_errors(rows), *_checks(rows, found)] if rows else []
    return Comparison(
        potentials=tuple(rows),
        names=names,
        groups=tuple(group for group in groups if group.rows),
        overlays=tuple(_overlays(names, found)),
        unknown=len(ids) - len(rows),
    )


def comparison_csv(found: Comparison) -> str:
    """Return every row of a comparison as CSV, numbers in full."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["group", "property", "unit", "teacher", *found.names])
    for group in found.groups:
        for row in group.rows:
            cells = [cell.text if cell.value is None else repr(cell.value) for cell in row.cells]
            writer.writerow([group.title, row.label, row.unit, row.reference, *cells])
    return stream.getvalue()


def _names(rows: Sequence[Potential]) -> tuple[str, ...]:
    """Return "name v2" of each; names that labs share get the lab behind them."""
    names = [f"{row.name} v{row.version}" for row in rows]
    return tuple(
        f"{name} ({row.lab})" if names.count(name) > 1 else name
        for name, row in zip(names, rows, strict=True)
    )


def _identity(rows: Sequence[Potential]) -> Group:
    def made_by(row: Potential) -> str:
        return str(FAMILIES[row.training.family].engine) if row.training else _("elsewhere")

    listed: list[tuple[str, str, Callable[[Potential], str]]] = [
        (_("Elements"), "", lambda row: " ".join(row.elements)),
        (_("Family"), "", lambda row: FAMILIES[row.family].short_title),
        (_("Made by"), "", made_by),
        (_("Cutoff radius"), "Å", lambda row: digits(row.cutoff_radius, 3)),
        (_("Fitted numbers"), "", lambda row: str(row.validation.get("parameters", "–"))),
        (_("Frames"), "", lambda row: str(row.frame_count or "–")),
        (_("Licence"), "", lambda row: row.get_licence_display()),
        (_("Not to be used for"), "", lambda row: row.not_for or "–"),
    ]
    made = (
        Row(label, unit, tuple(Cell(text(row)) for row in rows)) for label, unit, text in listed
    )
    return Group("identity", _("What they are"), tuple(made))


def _errors(rows: Sequence[Potential]) -> Iterator[Group]:
    listed = [
        (_("Energy RMSE"), "meV/atom", [row.energy_rmse for row in rows]),
        (_("Force RMSE"), "meV/Å", [row.force_rmse for row in rows]),
        (_("Stress RMSE"), "GPa", [_stress(row) for row in rows]),
    ]
    elements = dict.fromkeys(
        str(entry.get("label", ""))
        for row in rows
        for entry in row.validation.get("by_element", [])
    )
    listed += [
        (
            _("Force RMSE of %(element)s") % {"element": element},
            "meV/Å",
            [_element_error(row, element) for row in rows],
        )
        for element in elements
    ]
    note = ""
    if len({row.data_checksum for row in rows}) > 1:
        note = _(
            "They were fitted to different data, so each number is about frames of its own: "
            "a smaller one need not mean the better potential."
        )
    made = tuple(
        _number_row(label, unit, values)
        for label, unit, values in listed
        if any(value is not None for value in values)
    )
    yield Group("errors", _("Errors on held-out frames"), made, note)


def _stress(row: Potential) -> float | None:
    value = (row.validation.get("validation") or {}).get("validation_stress")
    return float(value) if isinstance(value, int | float) else None


def _element_error(row: Potential, element: str) -> float | None:
    for entry in row.validation.get("by_element", []):
        if entry.get("label") == element:
            value = entry.get("validation_force")
            return float(value) if isinstance(value, int | float) else None
    return None


def _number_row(label: str, unit: str, values: Sequence[float | None]) -> Row:
    """Return a row in which the smallest is the best."""
    best = _best(values)
    cells = (Cell(digits(v, 3), v, v is not None and v == best) for v in values)
    return Row(label, unit, tuple(cells))


def _best(scores: Sequence[float | None]) -> float | None:
    """Return the smallest of at least two different scores; None where nothing stands out."""
    known = [score for score in scores if score is not None]
    return min(known) if len(set(known)) > 1 else None


def _checks(
    rows: Sequence[Potential], reports: Sequence[ValidationReport | None]
) -> Iterator[Group]:
    for name in CheckName:
        checks = [report.check(name) if report else None for report in reports]
        title = next((check.title for check in checks if check), "")
        keys = dict.fromkeys(
            (value.label, value.subject, value.unit)
            for check in checks
            if check
            for value in check.values
        )
        made = tuple(_check_row(key, checks, reports) for key in keys)
        has_references = any(row.reference for row in made)
        yield Group(name, _(title), made, "", has_references)


def _check_row(
    key: tuple[str, str, str],
    checks: Sequence[Check | None],
    reports: Sequence[ValidationReport | None],
) -> Row:
    label, subject, unit = key
    values = [_value(check, key) for check in checks]
    references = {v.reference for v in values if v is not None and v.reference is not None}
    best = _best([_score(value) for value in values])
    cells = []
    for value, check, report in zip(values, checks, reports, strict=True):
        if value is None or value.value is None:
            cells.append(Cell("–", note=_absence(check, report)))
            continue
        score = _score(value)
        is_best = best is not None and score == best
        cells.append(
            Cell(digits(value.value, DIGITS), value.value, is_best, _note(value, references))
        )
    (reference,) = references if len(references) == 1 else (None,)
    return Row(
        titled(label, subject),
        unit,
        tuple(cells),
        "" if reference is None else digits(reference, DIGITS),
    )


def _value(check: Check | None, key: tuple[str, str, str]) -> Value | None:
    if check is None:
        return None
    return next((v for v in check.values if (v.label, v.subject, v.unit) == key), None)


def _score(value: Value | None) -> float | None:
    """Return how bad a value is; None where nothing says what would be good."""
    if value is None or value.value is None:
        return None
    if value.reference is not None:
        return abs(value.value - value.reference)
    return abs(value.value) if value.label in SMALLER_IS_BETTER else None


def _note(value: Value, references: set[float]) -> str:
    words = deviation_words(value)
    if words and len(references) > 1:
        # Each has a teacher of its own: the column for all would mislead.
        words = _("teacher %(reference)s: %(deviation)s") % {
            "reference": digits(value.reference, DIGITS),
            "deviation": words,
        }
    return words


def _absence(check: Check | None, report: ValidationReport | None) -> str:
    if report is None:
        return _("not validated")
    if check is None:
        return _("not checked")
    if check.status is CheckStatus.FAILED:
        return _("failed: %(reason)s") % {"reason": check.reason}
    return check.reason if check.status is CheckStatus.SKIPPED else ""


def _overlays(
    names: Sequence[str], reports: Sequence[ValidationReport | None]
) -> Iterator[Overlay]:
    for check in (name for name in CheckName if name not in NOT_OVERLAID):
        keys: dict[tuple[str, str], list[tuple[str, Plot]]] = {}
        for name, report in zip(names, reports, strict=True):
            for plot in plots_of(report, check) if report else ():
                keys.setdefault((plot.name, plot.subject), []).append((name, plot))
        for number, named in enumerate(keys.values()):
            title = titled(named[0][1].title, named[0][1].subject)
            if len(named) > 1:
                yield Overlay(check, number, title, tuple(named))


def count_words(found: Comparison) -> str:
    """Say how many were left out because they don't exist or can't be seen."""
    if not found.unknown:
        return ""
    return ngettext(
        "%(n)d potential of this address doesn't exist or isn't visible to you.",
        "%(n)d potentials of this address don't exist or aren't visible to you.",
        found.unknown,
    ) % {"n": found.unknown}
