"""CANCELLING → CANCELLED, or ENDED when the run was faster."""

from __future__ import annotations

import shlex

from django.utils import timezone

from jobs import machine
from jobs.clusters import run_folder
from jobs.exit_record import Cause, ExitRecord
from jobs.following import Seen, end, read_exit
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
        record = read_exit(job, seen)
        if record.cause == Cause.STOPPED:
            _cancelled(job, record)
        else:
            end(job, record)
    elif seen.is_gone(job, scheduler):
        _cancelled(job)
    elif seen.entry is None or seen.entry.state == QueueState.ENDED:
        return
    elif job.stop_sent_at is None:
        transport.run(scheduler.stop_command([job.scheduler_id]))
        Job.objects.filter(pk=job.pk).update(stop_sent_at=timezone.now())
    elif (timezone.now() - job.stop_sent_at).total_seconds() > GRACE:
        transport.run(scheduler.kill_command([job.scheduler_id]))


def _cancelled(job: Job, record: ExitRecord | None = None) -> None:
    machine.move(
        job,
        State.CANCELLED,
        reason=_last_reason(job),
        exit_cause=Cause.STOPPED,
        missing_since=None,
        exit_code=record.code if record else None,
        ended_at=(record.ended if record else None) or timezone.now(),
    )


def _last_reason(job: Job) -> str:
    """Return the words of the person who asked for it."""
    last = job.moves.filter(target=State.CANCELLING, attempt=job.attempt).last()
    return last.reason if last else ""
