"""Finds what the last validations of potentials found."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from mlmd.errors import InvalidInput
from mlmd.validation.dynamics import PLANNED
from mlmd.validation.report import ValidationReport, Value
from potentials.models import Potential, Validation

log = logging.getLogger(__name__)


def report_of(potential: Potential) -> ValidationReport | None:
    """Return the newest report; None where no validation has ended well."""
    return reports_of([potential]).get(potential.pk)


def reports_of(potentials: Iterable[Potential]) -> dict[int, ValidationReport]:
    """Return the newest report of each potential that has one, by its key.

    One that can't be read, of an older form, counts as none; its card says why.
    """
    rows = Validation.objects.filter(potential__in=list(potentials)).exclude(report={})
    newest = {row.potential_id: row for row in rows.order_by("id")}
    reports = {}
    for key, row in newest.items():
        try:
            reports[key] = row.read_report()
        except InvalidInput as error:
            log.warning("%s", error)
    return reports


def beside_teacher(value: Value) -> Value:
    """Return a value without a reference that isn't the teacher's: what a run was to reach."""
    if value.reference_source != PLANNED:
        return value
    return replace(value, reference=None, reference_source="")
