"""CANCELLING → ENDED, whose files are brought back, or CANCELLED where nothing had begun."""

from __future__ import annotations

import shlex
from typing import Any

from django.utils import timezone

from jobs import machine
from jobs.clusters import run_folder
from jobs.exit_record import Cause, ExitRecord
from jobs.following import Seen, end, read_exit
from jobs.leases import Lease
from jobs.models import Job
from jobs.schedulers import QueueState, Scheduler
from jobs.states import State
from jobs.transports import Transport

GRACE = 25.0  # s that a run has to save its state before it is killed
NEVER = "never"


def look_up(job: Job, transport: Transport, scheduler: Scheduler) -> None:
    """Find out whether a job of unknown fate was started; if not, see that it never is.

    Taking the run's claim ourselves settles it: a script that starts later finds the claim
    taken and leaves. A run that was faster has left its id beside the claim.

    Raises:
        ClusterTrouble: the cluster gave no answer.
        Overtaken: somebody moved the job.
    """
    folder = shlex.quote(run_folder(job))
    answer = transport.run(
        f"cd {folder} 2>/dev/null || {{ echo {NEVER}; exit 0; }}; "
        f"mkdir claim 2>/dev/null && echo {NEVER}; cat claim/id job.id 2>/dev/null; exit 0"
    )
    lines = [line.strip() for line in answer.out.splitlines() if line.strip()]
    ids = [line for line in lines if line != NEVER]
    if ids:
        Job.objects.filter(pk=job.pk, token=job.token).update(scheduler_id=ids[0])
        job.scheduler_id = ids[0]
        if NEVER in lines:
            transport.run(scheduler.stop_command(ids[:1]))
    if NEVER in lines:
        machine.move(job, State.CANCELLED, reason=_last_reason(job))


def cancel(job: Job, seen: Seen, transport: Transport, scheduler: Scheduler) -> None:
    """Carry a cancellation one step on: ask, wait, insist, or note the end.

    Raises:
        ClusterTrouble: the cluster gave no answer.
        Overtaken: somebody moved the job.
    """
    if seen.record is not None:
        end(job, read_exit(job, seen))
    elif seen.is_gone(job, scheduler):
        if job.started_at is None:
            _cancelled(job)
        else:
            end(job, ExitRecord(Cause.STOPPED))
    elif seen.entry is None or seen.entry.state == QueueState.ENDED:
        return
    elif job.stop_sent_at is None:
        transport.run(scheduler.stop_command([job.scheduler_id]))
        Job.objects.filter(pk=job.pk).update(stop_sent_at=timezone.now())
    elif (timezone.now() - job.stop_sent_at).total_seconds() > GRACE:
        transport.run(scheduler.kill_command([job.scheduler_id]))


def _cancelled(job: Job) -> None:
    machine.move(
        job,
        State.CANCELLED,
        reason=_last_reason(job),
        exit_cause=Cause.STOPPED,
        missing_since=None,
        exit_code=None,
        ended_at=timezone.now(),
    )


def was_asked_for(job: Job) -> bool:
    """Whether a run that was stopped was stopped because somebody asked for it here."""
    return job.exit_cause == Cause.STOPPED and _asked(job) is not None


def take_note(job: Job, lease: Lease) -> None:
    """Note that a run was cancelled whose files have arrived.

    Entry state FETCHED; exit state CANCELLED.

    Raises:
        Overtaken: the lease was lost; nothing was written.
    """
    machine.move(job, State.CANCELLED, reason=_last_reason(job), lease=lease.token)


def _asked(job: Job) -> Any:
    return job.moves.filter(target=State.CANCELLING, attempt=job.attempt).last()


def _last_reason(job: Job) -> str:
    """Return the words of the person who asked for it."""
    last = _asked(job)
    return last.reason if last else ""
