"""What a worker does for one job: the states that need no look at the queue."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import DatabaseError
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import machine
from jobs.collecting import accept, fetch
from jobs.errors import ClusterTrouble, Overtaken
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


STEPS: dict[State, Callable[[Job, Lease], None]] = {
    State.CREATED: stage,
    State.ENDED: fetch,
    State.FETCHED: accept,
    State.BLOCKED: unblock,
}


def step(pk: int) -> None:
    """Carry one job on as far as it goes without waiting for the cluster."""
    with held(Job, pk) as lease:
        if lease is None:
            return
        job = Job.objects.select_related("cluster").filter(pk=pk).first()
        if job is None or not _due(job):
            return
        while State(job.state) in STEPPED:
            before = job.state
            if not _one(job, lease) or job.state == before:
                return
        if job.state in ON_CLUSTER:
            cluster_nudge(job.cluster_id)


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
