"""Runs that were started together: making a batch, its summary, and acting on all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from jobs.models import Batch, Job
from jobs.services import CANCELLABLE, job_cancel, job_retry
from jobs.states import ACTIVE, FINAL, State
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Visibility
from labs.selectors import may_create

MOST_RUNS = 200  # in one batch, and so acted on in one request


@dataclass(frozen=True)
class BatchSummary:
    """How far a batch is.

    Args:
        batch: the batch.
        counts: runs by state, in the order of a run's life; only states that occur.
        total: how many runs.
        finished: how many of them have ended.
        fraction: of the work done, 0 to 1, with the progress of running ones.
    """

    batch: Batch
    counts: tuple[tuple[State, int], ...]
    total: int
    finished: int
    fraction: float

    @property
    def is_final(self) -> bool:
        return self.finished == self.total

    @property
    def failed(self) -> int:
        return dict(self.counts).get(State.FAILED, 0)

    @property
    def active(self) -> int:
        return self.total - self.finished


def batches_visible_to(user: Any) -> QuerySet[Batch]:
    """Return the batches a person may see, newest first."""
    return Batch.objects.visible_to(user).select_related("owner", "lab").order_by("-id")


def batch_summary(batch: Batch) -> BatchSummary:
    """Return how far a batch is."""
    rows = batch.jobs.order_by().values_list("state").annotate(count=Count("pk"))
    found = dict(rows)
    counts = tuple((state, found[state]) for state in State if found.get(state))
    total = sum(found.values())
    finished = sum(found.get(state, 0) for state in FINAL)
    under_way = batch.jobs.filter(state=State.RUNNING).values_list("progress", flat=True)
    part = sum(float(progress.get("fraction") or 0.0) for progress in under_way)
    return BatchSummary(batch, counts, total, finished, (finished + part) / total if total else 0.0)


@transaction.atomic
def batch_create(
    *, owner: Any, lab: Lab, title: str, kind: str, visibility: str = Visibility.LAB
) -> Batch:
    """Make an empty batch; the caller starts its runs in the same transaction.

    Raises:
        PermissionDenied: the owner may not create in the lab.
    """
    if not may_create(owner, lab):
        raise PermissionDenied(_("Guests of a lab can't start runs; ask its manager for a role."))
    batch = Batch.objects.create(
        owner=owner, lab=lab, title=title[:200], kind=kind, visibility=visibility
    )
    audit_record(actor=owner, verb="batch started", target=batch, kind=kind)
    return batch


def batch_retry_failed(*, batch: Batch, actor: Any) -> int:
    """Begin a further attempt of each failed run; returns of how many.

    Raises:
        PermissionDenied: somebody else's batch.
        Refused: none has failed.
    """
    failed = batch.jobs.filter(state=State.FAILED)
    count = _for_each(batch, actor, failed, lambda job: job_retry(job=job, actor=actor))
    if not count:
        raise Refused(_("No run of “%(batch)s” has failed.") % {"batch": batch})
    return count


def batch_cancel(*, batch: Batch, actor: Any) -> int:
    """Stop each run that is on its way; returns how many.

    Raises:
        PermissionDenied: somebody else's batch.
        Refused: all have ended.
    """
    active = batch.jobs.filter(state__in=sorted(ACTIVE & CANCELLABLE))
    count = _for_each(batch, actor, active, lambda job: job_cancel(job=job, actor=actor))
    if not count:
        raise Refused(_("Every run of “%(batch)s” has ended.") % {"batch": batch})
    return count


def _for_each(batch: Batch, actor: Any, jobs: QuerySet[Job], act: Callable[[Job], object]) -> int:
    """Act on each run that still lets it happen; one that moved on meanwhile is left alone."""
    if not Batch.objects.filter(pk=batch.pk).editable_by(actor).exists():
        raise PermissionDenied(
            _("Only the owner and the lab's managers can change “%(batch)s”.") % {"batch": batch}
        )
    count = 0
    for job in jobs.select_related("cluster", "owner", "lab").order_by("pk")[:MOST_RUNS]:
        try:
            act(job)
        except Refused:
            continue
        count += 1
    return count
