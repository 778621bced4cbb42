"""The rows of a comparison: what potentials are, their errors, what their validations found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from labs.templatetags.mlmd_tags import digits
from mlmd.validation import dynamics, extrapolation, parity
from mlmd.validation.report import Check, CheckName, CheckStatus, ValidationReport, Value
from potentials.families import CATALOG, FAMILIES
from potentials.models import Potential
from potentials.validation_figures import titled
from potentials.validation_reports import beside_teacher
from potentials.validation_sections import DIGITS, deviation_words

SMALLER_IS_BETTER = frozenset(
    {
        *(parity.ENERGY, parity.ALIGNED, parity.FORCE, parity.STRESS, parity.LARGEST),
        *(parity.ENERGY_INSIDE, parity.FORCE_INSIDE),
        *(extrapolation.ATOMS_OUTSIDE, extrapolation.FRAMES_OUTSIDE),
        *(dynamics.DRIFT, dynamics.COST),
    }
)
ABOUT_FRAMES = frozenset({CheckName.PARITY, CheckName.EXTRAPOLATION})


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


def identity_group(rows: Sequence[Potential]) -> Group:
    def made_by(row: Potential) -> str:
        return str(FAMILIES[row.training.family].engine) if row.training else _("elsewhere")

    listed: list[tuple[str, str, Callable[[Potential], str]]] = [
        (_("Elements"), "", lambda row: " ".join(row.elements)),
        (_("Family"), "", lambda row: CATALOG[row.family].short_title),
        (_("Made by"), "", made_by),
        (_("Cutoff radius"), "Å", lambda row: digits(row.cutoff_radius or None, 3)),
        (_("Fitted numbers"), "", lambda row: str(row.validation.get("parameters", "–"))),
        (_("Frames"), "", lambda row: str(row.frame_count or "–")),
        (_("Licence"), "", lambda row: row.get_licence_display()),
        (_("Not to be used for"), "", lambda row: row.not_for or "–"),
    ]
    made = (
        Row(label, unit, tuple(Cell(text(row)) for row in rows)) for label, unit, text in listed
    )
    return Group("identity", _("What they are"), tuple(made))


def error_groups(rows: Sequence[Potential]) -> Iterator[Group]:
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
    cells = [Cell(digits(value, 3), value) for value in values]
    return Row(label, unit, _marked(cells, values))


def _marked(cells: Sequence[Cell], scores: Sequence[float | None]) -> tuple[Cell, ...]:
    """Return the cells with the smallest score marked; what reads the same is as good.

    Nothing is marked where all that can be judged read the same.
    """
    judged = [
        (score, cell.text) for cell, score in zip(cells, scores, strict=True) if score is not None
    ]
    if len({text for _score, text in judged}) < 2:
        return tuple(cells)
    _score, best = min(judged)
    return tuple(
        replace(cell, is_best=score is not None and cell.text == best)
        for cell, score in zip(cells, scores, strict=True)
    )


def check_groups(
    rows: Sequence[Potential], reports: Sequence[ValidationReport | None]
) -> Iterator[Group]:
    frames_note = _frames_note(rows, reports)
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
        note = frames_note if name in ABOUT_FRAMES else ""
        yield Group(name, _(title), made, note, has_references)


def _frames_note(rows: Sequence[Potential], reports: Sequence[ValidationReport | None]) -> str:
    """Say that errors are about different frames, where they are."""
    known = [(row, report) for row, report in zip(rows, reports, strict=True) if report]
    if len({(row.data_checksum, report.frames) for row, report in known}) < 2:
        return ""
    return _(
        "Their validations used different frames: a smaller error need not mean the better one."
    )


def _check_row(
    key: tuple[str, str, str],
    checks: Sequence[Check | None],
    reports: Sequence[ValidationReport | None],
) -> Row:
    label, subject, unit = key
    values = [_value(check, key) for check in checks]
    references = {v.reference for v in values if v is not None and v.reference is not None}
    cells = [
        Cell("–", note=_absence(check, report))
        if value is None or value.value is None
        else Cell(digits(value.value, DIGITS), value.value, note=_note(value, references))
        for value, check, report in zip(values, checks, reports, strict=True)
    ]
    (reference,) = references if len(references) == 1 else (None,)
    return Row(
        titled(label, subject),
        unit,
        _marked(cells, [_score(value) for value in values]),
        "" if reference is None else digits(reference, DIGITS),
    )


def _value(check: Check | None, key: tuple[str, str, str]) -> Value | None:
    if check is None:
        return None
    found = next((v for v in check.values if (v.label, v.subject, v.unit) == key), None)
    return None if found is None else beside_teacher(found)


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
