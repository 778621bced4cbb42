"""What a worker does for one job: the states that need no look at the queue."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import machine
from jobs.collecting import accept, fetch
from jobs.contact import is_away, note_failure
from jobs.errors import ClusterTrouble, LinkTrouble, Overtaken
from jobs.leases import Lease, held
from jobs.models import Job
from jobs.nudge import cluster_nudge
from jobs.staging import stage
from jobs.states import ON_CLUSTER, STEPPED, State

log = logging.getLogger(__name__)


def unblock(job: Job, lease: Lease) -> None:
    """Try a blocked job once more, unless its whole cluster is known to be away.

    Entry state BLOCKED; exit state the one it was blocked from.
    """
    if job.cluster.failures and job.blocked_from in ON_CLUSTER:
        later = timezone.now() + machine.wait_after(job.cluster.failures)
        Job.objects.filter(pk=job.pk, state=State.BLOCKED).update(next_step_at=later)
        return
    machine.resume(job, reason=_("Trying again."), lease=lease.token)


REMOTE = frozenset({State.CREATED, State.ENDED})
"""States whose step needs the cluster."""
WORK_SECONDS = 20.0  # s, as long as a message lives
FREE = Q(lease_until__isnull=True)

STEPS: dict[State, Callable[[Job, Lease], None]] = {
    State.CREATED: stage,
    State.ENDED: fetch,
    State.FETCHED: accept,
    State.BLOCKED: unblock,
}


def work(pk: int) -> None:
    """Carry one job on, then others of its cluster that wait, for as long as a message is worth."""
    deadline = time.monotonic() + WORK_SECONDS
    cluster_pk = Job.objects.filter(pk=pk).values_list("cluster_id", flat=True).first()
    following: int | None = pk
    while cluster_pk is not None and following is not None:
        if not step(following) or time.monotonic() > deadline:
            return
        following = _next_on(cluster_pk)


def _next_on(cluster_pk: int) -> int | None:
    """Return a job of the cluster that nobody works on, nearly finished ones first."""
    now = timezone.now()
    for state in (State.FETCHED, State.ENDED, State.CREATED):
        waiting = Job.objects.filter(cluster=cluster_pk, state=state, next_step_at__lte=now)
        free = waiting.filter(FREE | Q(lease_until__lt=now)).order_by("next_step_at")
        pk: int | None = free.values_list("pk", flat=True).first()
        if pk is not None:
            return pk
    return None


def step(pk: int) -> bool:
    """Carry one job on as far as it goes without waiting for the cluster.

    Returns:
        Whether a further job of the same cluster may follow.
    """
    with held(Job, pk) as lease:
        if lease is None:
            return True
        job = Job.objects.select_related("cluster").filter(pk=pk).first()
        if job is None or not _due(job):
            return True
        if job.state in REMOTE and not _may_reach(job, lease):
            return False
        while State(job.state) in STEPPED:
            before = job.state
            if not _one(job, lease) or job.state == before:
                return True
        if job.state in ON_CLUSTER:
            cluster_nudge(job.cluster_id)
    return True


def _may_reach(job: Job, lease: Lease) -> bool:
    """Whether a worker may turn to the job's cluster; if not, the job is put off.

    A cluster that hangs must not keep all workers: only so many turn to one at a time.
    """
    cluster = job.cluster
    if cluster.transport == "local":
        return True
    if is_away(cluster):
        put_off(job, lease, cluster.next_poll_at)
        return False
    working = Job.objects.filter(
        cluster=cluster, state__in=REMOTE, lease_until__gt=timezone.now()
    ).exclude(pk=job.pk)
    return working.count() < settings.MLMD_STEPS_PER_CLUSTER


def put_off(job: Job, lease: Lease, until: datetime.datetime | None, message: str = "") -> None:
    """Leave a job alone until its cluster is tried again; this is no failure of the job."""
    Job.objects.filter(pk=job.pk, state=job.state, lease_token=lease.token).update(
        next_step_at=until, **({"queue_reason": message} if message else {})
    )


def _due(job: Job) -> bool:
    """A job in back-off stays alone until its time, however many messages come."""
    waits = job.failures > 0 or job.state == State.BLOCKED
    if not waits:
        return True
    return job.next_step_at is not None and job.next_step_at <= timezone.now()


def _one(job: Job, lease: Lease) -> bool:
    """Do one step; False when the job has to wait."""
    try:
        STEPS[State(job.state)](job, lease)
    except Overtaken as error:
        log.info("job %s: %s", job.pk, error)
    except DatabaseError as error:
        # Nothing was written; the sweep brings the job back.
        log.warning("job %s: %s", job.pk, error)
    except LinkTrouble as error:
        put_off(job, lease, note_failure(job.cluster, str(error)), str(error))
    except ClusterTrouble as error:
        _trouble(job, str(error), lease, needs_person=error.needs_person)
    except OSError as error:
        _trouble(job, _("The portal's disk: %(error)s") % {"error": error}, lease)
    except Exception:  # a defect must not take the worker, nor the job, away
        log.exception("job %s: a defect of the portal", job.pk)
        _trouble(job, _("The portal failed on this run; an operator finds why in its log."), lease)
    else:
        return True
    return False


def _trouble(job: Job, message: str, lease: Lease, *, needs_person: bool = False) -> None:
    try:
        machine.trouble(job, message, needs_person=needs_person, lease=lease.token)
    except Overtaken as error:
        log.info("job %s: %s", job.pk, error)
