"""The one function that writes a job's state, and the few that are made of it."""

from __future__ import annotations

import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from jobs import endings, moves
from jobs.errors import Overtaken
from jobs.models import Job, JobMove
from jobs.states import FINAL, State

KEEP_DAYS = {State.DONE: 1.0, State.FAILED: 7.0, State.CANCELLED: 7.0}
"""How long the cluster's copy of a job stays after its end; the site's copy stays for good."""
FIRST_WAIT, LONGEST_WAIT = 5.0, 300.0  # s between two tries of the same step
TRIES_BEFORE_BLOCKED = 5
BLOCKED_WAIT = 600.0  # s until a blocked job is tried once more


def move(
    job: Job,
    target: State,
    *,
    reason: str = "",
    actor: Any = None,
    lease: str | None = None,
    **columns: Any,
) -> None:
    """Move a job: table check, conditional update and history row in one transaction.

    Args:
        job: as the caller read it; its state is the origin of the move. Changed on success.
        target: the new state.
        reason: for the history, and for `Job.reason` of states that need one.
        actor: the person who asked, None for the machine.
        lease: the token of the caller's lease; a caller who lost it writes nothing.
        **columns: further columns that change in the same step.

    Raises:
        IllegalMove: the table of moves doesn't hold it.
        Overtaken: the row is no longer in the state (or under the lease) the caller knows.
    """
    origin = State(job.state)
    moves.check(job, origin, target)
    now = timezone.now()
    values: dict[str, Any] = {
        "state": target,
        "state_changed_at": now,
        "modified_at": now,
        "reason": reason if target in {State.FAILED, State.BLOCKED, State.CANCELLED} else "",
        "next_step_at": now,
        "failures": 0,
        **columns,
    }
    if target in FINAL:
        values.setdefault("ended_at", job.ended_at or now)
        values.setdefault("clean_at", now + datetime.timedelta(days=KEEP_DAYS[target]))
    row = Job.objects.filter(pk=job.pk, state=origin, attempt=job.attempt)
    if lease is not None:
        row = row.filter(lease_token=lease)
    with transaction.atomic():
        if not row.update(**values):
            raise Overtaken(f"job {job.pk} is no longer {origin} under this lease")
        JobMove.objects.create(
            job=job,
            attempt=values.get("attempt", job.attempt),
            origin=origin,
            target=target,
            reason=reason,
            actor=actor,
            at=now,
        )
        endings.record(job, target, {**values, "reason": reason}, actor=actor)
    for name, value in values.items():
        setattr(job, name, value)


def born(job: Job, *, actor: Any) -> None:
    """Write the first history row; the caller has just created the job in its transaction."""
    JobMove.objects.create(
        job=job,
        attempt=job.attempt,
        origin="",
        target=State.CREATED,
        actor=actor,
        at=job.state_changed_at,
    )


def wait_after(failures: int) -> datetime.timedelta:
    """Return how long to leave a job or cluster alone after so many failures in a row."""
    return datetime.timedelta(seconds=min(LONGEST_WAIT, FIRST_WAIT * 2 ** max(0, failures - 1)))


def trouble(
    job: Job, message: str, *, needs_person: bool = False, lease: str | None = None
) -> None:
    """Note that a step could not be done: try again later, and later again, then block.

    Args:
        job: the job whose step failed for a cause outside of the calculation.
        message: what happened.
        needs_person: block at once and wait for a person.
        lease: the token of the caller's lease.

    Raises:
        Overtaken: see `move`.
    """
    failures = job.failures + 1
    if needs_person or failures >= TRIES_BEFORE_BLOCKED:
        wait = None if needs_person else datetime.timedelta(seconds=BLOCKED_WAIT)
        move(
            job,
            State.BLOCKED,
            reason=message,
            lease=lease,
            blocked_from=job.state,
            next_step_at=timezone.now() + wait if wait else None,
            failures=failures,
        )
        return
    next_step_at = timezone.now() + wait_after(failures)
    row = Job.objects.filter(pk=job.pk, state=job.state)
    if lease is not None:
        row = row.filter(lease_token=lease)
    if not row.update(failures=failures, next_step_at=next_step_at, queue_reason=message):
        raise Overtaken(f"job {job.pk} is no longer {job.state} under this lease")
    job.failures, job.next_step_at, job.queue_reason = failures, next_step_at, message


def resume(job: Job, *, reason: str, actor: Any = None, lease: str | None = None) -> None:
    """Let a blocked job go on where it was.

    One further failure blocks it again: a cluster that is still down isn't asked many times.
    """
    move(
        job,
        State(job.blocked_from),
        reason=reason,
        actor=actor,
        lease=lease,
        blocked_from="",
        failures=0 if actor else TRIES_BEFORE_BLOCKED - 1,
    )
