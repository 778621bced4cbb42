"""Finds what the last validation of a potential found."""

from __future__ import annotations

from collections.abc import Iterable

from mlmd.validation.report import ValidationReport
from mlmd.validation.report_json import report_from_json
from potentials.models import Potential, Validation


def latest_validation(potential: Potential) -> Validation | None:
    """Return the newest validation, whatever became of it."""
    return potential.validations.select_related("job__cluster").defer("report").first()


def report_of(potential: Potential) -> ValidationReport | None:
    """Return the newest report; None where no validation has ended well."""
    return reports_of([potential]).get(potential.pk)


def reports_of(potentials: Iterable[Potential]) -> dict[int, ValidationReport]:
    """Return the newest report of each potential that has one, by its key; one query.

    Raises:
        mlmd.errors.InvalidInput: a report that was damaged in the database.
    """
    rows = (
        Validation.objects.filter(potential__in=list(potentials))
        .exclude(report={})
        .order_by("id")
        .values_list("potential_id", "report")
    )
    newest = dict(rows)
    return {
        key: report_from_json(content, f"validation of potential {key}")
        for key, content in newest.items()
    }
