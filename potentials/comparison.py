"""Several potentials side by side: what they are, their errors, what their validations found."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import ngettext

from mlmd.validation.report import CheckName, Plot, ValidationReport
from potentials.comparison_groups import Group, check_groups, error_groups, identity_group
from potentials.models import Potential
from potentials.selectors import potentials_visible_to
from potentials.validation_figures import plots_of, titled
from potentials.validation_reports import reports_of

LEAST, MOST = 2, 6
NOT_OVERLAID = frozenset({CheckName.PARITY})  # clouds that would hide each other


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
    groups = [identity_group(rows), *error_groups(rows), *check_groups(rows, found)] if rows else []
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
