"""Finds every row that waits, so that a lost message costs seconds and never a job."""

from __future__ import annotations

import datetime
import random

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from jobs.cleaning import clean_site
from jobs.contact import is_away
from jobs.models import Cluster, Job, Leftover
from jobs.nudge import cluster_nudge, job_nudge
from jobs.states import FINAL, ON_CLUSTER, STEPPED, State

AT_ONCE = 4  # jobs of a cluster that a sweep wakes workers for; these take the others along
NUDGE_AGAIN = 5.0  # s until a job that nobody has taken up is announced once more
SITE_CLEANING = 0.001  # part of the sweeps that look for what kills have left on the site


def sweep() -> None:
    """Wake workers for jobs and clusters that are due; two sweeps at once do no harm."""
    now = timezone.now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    waiting = Job.objects.filter(free, state__in=STEPPED, next_step_at__lte=now)
    # By cluster: ten thousand runs that wait for one must not hide the one that waits for another.
    for cluster in Cluster.objects.filter(Exists(waiting.filter(cluster=OuterRef("pk")))):
        _wake(waiting.filter(cluster=cluster), cluster, now)
    for pk in _clusters_due(now, free):
        cluster_nudge(pk)
    if random.random() < SITE_CLEANING:  # noqa: S311 - nothing secret
        clean_site()


def _wake(waiting: QuerySet[Job], cluster: Cluster, now: datetime.datetime) -> None:
    if is_away(cluster):
        waiting = waiting.filter(state=State.FETCHED)
    chosen = list(waiting.order_by("next_step_at").values_list("pk", flat=True)[:AT_ONCE])
    # Those in back-off keep their time: `stepping` reads it.
    Job.objects.filter(pk__in=chosen, failures=0, state__in=STEPPED).exclude(
        state=State.BLOCKED
    ).update(next_step_at=now + datetime.timedelta(seconds=NUDGE_AGAIN))
    for pk in chosen:
        job_nudge(pk)


def _clusters_due(now: datetime.datetime, free: Q) -> list[int]:
    here = {"cluster": OuterRef("pk")}
    has_jobs = Exists(Job.objects.filter(state__in=ON_CLUSTER, **here))
    to_clean = Exists(Job.objects.filter(clean_at__lte=now, state__in=FINAL, **here))
    left_over = Exists(Leftover.objects.filter(due_at__lte=now, **here))
    due = Q(next_poll_at__isnull=True) | Q(next_poll_at__lte=now)
    return list(
        Cluster.objects.filter(free, due)
        .filter(Q(failures__gt=0) | has_jobs | to_clean | left_over)
        .values_list("pk", flat=True)
    )
