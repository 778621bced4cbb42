"""What a card shows of its validations: the newest report, and the run that is on its way."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from jobs.files import job_folder
from jobs.models import Job
from mlmd.errors import InvalidInput
from mlmd.validation import partial_report
from mlmd.validation.report import CheckStatus, ValidationReport
from potentials.families import FAMILIES
from potentials.models import Potential, Validation
from potentials.suggestions import Suggestion, suggestions_of
from potentials.validation_sections import Section, sections_of, status_words

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ValidationCard:
    """The validations of one potential.

    Args:
        potential: whose.
        newest: the newest run, whatever became of it; None where there never was one.
        reported: the newest run that left a report; None where there is none.
        report: what it found.
        problem: why a stored report can't be shown; empty where it can.
    """

    potential: Potential
    newest: Validation | None
    reported: Validation | None
    report: ValidationReport | None
    problem: str

    @property
    def job(self) -> Job | None:
        """The run of the newest validation."""
        return self.newest.job if self.newest else None

    @property
    def is_possible(self) -> bool:
        """Whether our own engine knows potentials of this kind; else nothing can be checked."""
        return self.potential.family in FAMILIES

    @property
    def is_running(self) -> bool:
        """Whether a run is on its way."""
        return self.job is not None and not self.job.is_final

    @property
    def is_older(self) -> bool:
        """Whether the report is of an earlier run than the newest one."""
        return self.reported is not None and self.reported != self.newest

    @property
    def finished_checks(self) -> list[tuple[str, str, str]]:
        """Title, status and its word of each check that the run on its way has finished."""
        if self.job is None or not self.is_running:
            return []
        try:
            found = partial_report(job_folder(self.job))
        except InvalidInput as error:  # copied while it was being replaced
            log.info("%s", error)
            return []
        return (
            [(_(c.title), c.status, status_words(c.status)) for c in found.checks] if found else []
        )

    @cached_property
    def sections(self) -> list[Section]:
        """The checks of the report."""
        return sections_of(self.potential, self.report) if self.report else []

    @property
    def shown_sections(self) -> list[Section]:
        """Those with something to show, or to worry about."""
        return [section for section in self.sections if section.status != CheckStatus.SKIPPED]

    @property
    def skipped_sections(self) -> list[Section]:
        """Those that don't apply, each with its reason."""
        return [section for section in self.sections if section.status == CheckStatus.SKIPPED]

    @cached_property
    def suggestions(self) -> list[Suggestion]:
        """What the report speaks against and the card doesn't say yet."""
        return suggestions_of(self.report, self.potential.not_for) if self.report else []


def validation_card(potential: Potential) -> ValidationCard:
    """Return what the card of a potential shows of its validations."""
    runs = potential.validations.select_related("job__cluster")
    newest = runs.defer("report").first()
    reported = runs.exclude(report={}).first()
    report, problem = None, ""
    if reported is not None:
        try:
            report = reported.read_report()
        except InvalidInput as error:  # of an older form, or damaged
            log.warning("validation %s: %s", reported.pk, error)
            problem = str(error)
    return ValidationCard(potential, newest, reported, report, problem)
