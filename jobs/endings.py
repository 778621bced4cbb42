"""What is written in the very step that ends a run: its usage, and who is to be told."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from jobs import notices
from jobs.clusters import known_resources
from jobs.errors import UnknownKind
from jobs.exit_record import Cause
from jobs.kinds import kind_of
from jobs.models import Job, Usage
from jobs.states import FINAL, State

TOLD = FINAL | {State.BLOCKED}
"""States that a person may want to hear of."""


def record(job: Job, target: State, values: Mapping[str, Any], *, actor: Any = None) -> None:
    """Write what a move into one of these states leaves beside the history.

    Runs inside the transaction of the move: with it these rows are there, without it none is.

    Args:
        job: as it was before the move.
        target: the new state.
        values: the columns that the move writes.
        actor: who asked for the move; nobody is told of what they did themselves.
    """
    if target not in TOLD:
        return
    if target in FINAL:
        _record_usage(job, target, values)
    if target == State.FAILED and values.get("continuations", True) and goes_on_by_itself(job):
        return
    if target == State.BLOCKED and values.get("next_step_at") is not None:
        return  # it tries again by itself
    notices.write(job, target, str(values.get("reason", "")), actor=actor)


def goes_on_by_itself(job: Job) -> bool:
    """Whether a run that met its time limit begins a further attempt without being asked."""
    if job.exit_cause != Cause.TIME or not job.continuations:
        return False
    try:
        return bool(kind_of(job.kind).checkpoint)
    except UnknownKind:
        return False


def month_of(moment: datetime.datetime) -> datetime.date:
    """Return the first day of a moment's month, in the site's time zone."""
    return timezone.localtime(moment).date().replace(day=1)


def _record_usage(job: Job, target: State, values: Mapping[str, Any]) -> None:
    ended_at = values.get("ended_at") or job.ended_at or timezone.now()
    started_at = values.get("started_at", job.started_at)
    wall = max(0.0, (ended_at - started_at).total_seconds()) if started_at else 0.0
    asked = known_resources(job.resources)
    node_hours = asked.nodes * asked.at_once * wall / 3600
    Usage.objects.create(
        job=job,
        job_id_text=job.public_id,
        attempt=job.attempt,
        lab_id=job.lab_id,
        owner_id=job.owner_id,
        cluster_id=job.cluster.entry.pk,
        cluster_name=job.cluster.entry.name,
        kind=job.kind,
        outcome=target,
        month=month_of(ended_at),
        started_at=started_at,
        ended_at=ended_at,
        wall_s=wall,
        node_hours=node_hours,
        core_hours=node_hours * asked.processes * asked.threads,
        gpu_hours=node_hours * asked.gpus,
    )
