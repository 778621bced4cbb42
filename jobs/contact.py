"""What is known of a cluster's health: when it was reached, and when it is tried again.

A cluster that failed is left alone for a while, by everybody: only the look at it (`jobs.tending`)
tries again, so that runs which wait for it cost no worker and no login.
"""

from __future__ import annotations

import datetime
import logging

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from jobs import machine
from jobs.errors import Overtaken
from jobs.models import Cluster, Job
from jobs.states import ON_CLUSTER, State

log = logging.getLogger(__name__)

POLL_INTERVAL = 0.5  # s, the least between two looks at a cluster without its own setting


def is_away(cluster: Cluster) -> bool:
    """Whether the cluster failed lately and its next try is still to come."""
    waits = cluster.next_poll_at is not None and cluster.next_poll_at > timezone.now()
    return cluster.failures > 0 and waits


def note_success(cluster: Cluster) -> None:
    """Note a look that went well; what waited for the cluster goes on."""
    now = timezone.now()
    interval = float(cluster.options.get("poll_interval_s", POLL_INTERVAL))
    if cluster.failures:
        # Now instead of after its own long wait.
        Job.objects.filter(
            cluster=cluster,
            state=State.BLOCKED,
            blocked_from__in=ON_CLUSTER,
            next_step_at__isnull=False,
        ).update(next_step_at=now)
    Cluster.objects.filter(pk=cluster.pk).update(
        failures=0,
        trouble="",
        contacted_at=now,
        next_poll_at=now + datetime.timedelta(seconds=interval),
    )


def note_failure(cluster: Cluster, message: str) -> datetime.datetime:
    """Leave the cluster alone for a while; after several failures in a row say so at its runs.

    Workers that fail at the same time count as one failure.

    Returns:
        When it is tried again.
    """
    now = timezone.now()
    failures = cluster.failures + 1
    next_poll_at = now + machine.wait_after(failures)
    known = Q(failures=cluster.failures)
    updated = Cluster.objects.filter(known, pk=cluster.pk).update(
        failures=failures, trouble=message, next_poll_at=next_poll_at
    )
    if not updated:
        cluster.refresh_from_db(fields=["failures", "next_poll_at"])
        return cluster.next_poll_at or now
    log.warning("cluster %s, failure %d: %s", cluster, failures, message)
    if failures >= machine.TRIES_BEFORE_BLOCKED:
        _block_runs(cluster, message)
    return next_poll_at


def _block_runs(cluster: Cluster, message: str) -> None:
    later = timezone.now() + datetime.timedelta(seconds=machine.BLOCKED_WAIT)
    for job in Job.objects.filter(cluster=cluster, state__in=ON_CLUSTER):
        try:
            with transaction.atomic():
                machine.move(
                    job,
                    State.BLOCKED,
                    reason=message,
                    blocked_from=job.state,
                    next_step_at=later,
                )
        except Overtaken as error:
            log.info("job %s: %s", job.pk, error)
