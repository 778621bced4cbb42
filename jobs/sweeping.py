"""Finds every row that waits, so that a lost message costs seconds and never a job."""

from __future__ import annotations

import datetime
import logging

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from jobs.clusters import run_folder
from jobs.errors import ClusterTrouble
from jobs.leases import held
from jobs.models import Cluster, Job, Leftover
from jobs.nudge import cluster_nudge, job_nudge
from jobs.states import FINAL, ON_CLUSTER, STEPPED
from jobs.transports import connection

log = logging.getLogger(__name__)

AT_ONCE = 100  # jobs a sweep wakes workers for
NUDGE_AGAIN = 5.0  # s until a job that nobody has taken up is announced once more
CLEANED_AT_ONCE = 10
NEXT_TRY = datetime.timedelta(days=1)  # after a folder could not be removed


def sweep() -> None:
    """Wake workers for jobs and clusters that are due; two sweeps at once do no harm."""
    now = timezone.now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    waiting = list(
        Job.objects.filter(free, state__in=STEPPED, next_step_at__lte=now)
        .order_by("next_step_at")
        .values_list("pk", flat=True)[:AT_ONCE]
    )
    if waiting:
        # Those in back-off keep their time: `stepping` reads it.
        Job.objects.filter(pk__in=waiting, failures=0, state__in=STEPPED).exclude(
            state="blocked"
        ).update(next_step_at=now + datetime.timedelta(seconds=NUDGE_AGAIN))
    for pk in waiting:
        job_nudge(pk)
    for pk in _clusters_due(now, free):
        cluster_nudge(pk)
    _clean(now)
    _clean_leftovers(now)


def _clusters_due(now: datetime.datetime, free: Q) -> list[int]:
    has_jobs = Exists(Job.objects.filter(cluster=OuterRef("pk"), state__in=ON_CLUSTER))
    due = Q(next_poll_at__isnull=True) | Q(next_poll_at__lte=now)
    return list(
        Cluster.objects.filter(free, due)
        .filter(has_jobs | Q(failures__gt=0))
        .values_list("pk", flat=True)
    )


def _clean(now: datetime.datetime) -> None:
    """Remove the cluster's copies whose time has come; the site's copy stays."""
    doomed = Job.objects.filter(clean_at__lte=now, state__in=FINAL).select_related("cluster")
    for job in doomed.order_by("clean_at")[:CLEANED_AT_ONCE]:
        with held(Job, job.pk) as lease:
            if lease is None:
                continue
            try:
                with connection(job.cluster) as transport:
                    for attempt in range(1, job.attempt + 1):
                        transport.remove_folder(run_folder(job, attempt))
            except ClusterTrouble as error:
                log.warning("job %s: %s; trying again tomorrow", job.pk, error)
                Job.objects.filter(pk=job.pk).update(clean_at=now + NEXT_TRY)
            else:
                Job.objects.filter(pk=job.pk).update(clean_at=None)


def _clean_leftovers(now: datetime.datetime) -> None:
    """Remove run directories of deleted jobs; two sweeps that remove the same one do no harm."""
    doomed = Leftover.objects.filter(due_at__lte=now).select_related("cluster")
    for leftover in doomed.order_by("due_at")[:CLEANED_AT_ONCE]:
        try:
            with connection(leftover.cluster) as transport:
                transport.remove_folder(leftover.folder)
        except ClusterTrouble as error:
            log.warning("%s: %s; trying again tomorrow", leftover, error)
            Leftover.objects.filter(pk=leftover.pk).update(due_at=now + NEXT_TRY)
        else:
            Leftover.objects.filter(pk=leftover.pk).delete()
