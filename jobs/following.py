"""SUBMITTED, RUNNING → ENDED: what the queue and the run directory say about a run."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Sequence

from django.utils import timezone

from jobs import machine
from jobs.clusters import run_folder
from jobs.exit_record import Cause, ExitRecord, parse_exit
from jobs.files import EXIT_FILE
from jobs.models import Job
from jobs.schedulers import QueueEntry, QueueState
from jobs.states import State
from jobs.transports import RemoteFile, Transport

log = logging.getLogger(__name__)

CLAIM_FILE = "claim/id"
MISSING_GRACE = 4.0  # s; file systems of clusters show a new file late


def follow(
    job: Job, entry: QueueEntry | None, files: Sequence[RemoteFile], transport: Transport
) -> None:
    """Move a job on by what was seen; an own exit record outweighs the queue.

    Args:
        job: SUBMITTED or RUNNING.
        entry: its line in the queue view; None when the view, successfully read, has none.
        files: its run directory, listed after the queue was read.
        transport: reads the exit record.

    Raises:
        ClusterTrouble: the record could not be read.
        Overtaken: somebody moved the job.
    """
    if any(file.path == EXIT_FILE for file in files):
        end(job, read_exit(job, transport))
        return
    if entry is None or entry.state == QueueState.ENDED:
        if missing_long_enough(job):
            end(job, ExitRecord(Cause.VANISHED))
        return
    if job.missing_since is not None:
        Job.objects.filter(pk=job.pk).update(missing_since=None)
        job.missing_since = None
    _by_queue(job, entry, files)


def _by_queue(job: Job, entry: QueueEntry, files: Sequence[RemoteFile]) -> None:
    if entry.state == QueueState.UNKNOWN:
        log.warning("job %s: the queue says %r, which means nothing to us", job.pk, entry.word)
    elif entry.state == QueueState.RUNNING and job.state == State.SUBMITTED:
        began = next((file.modified_ns for file in files if file.path == CLAIM_FILE), None)
        started_at = (
            datetime.datetime.fromtimestamp(began / 1e9, tz=datetime.UTC)
            if began
            else timezone.now()
        )
        machine.move(job, State.RUNNING, started_at=started_at, queue_reason=entry.reason)
    elif entry.state == QueueState.QUEUED and job.state == State.RUNNING:
        machine.move(job, State.SUBMITTED, reason=entry.word, queue_reason=entry.reason)
    elif entry.reason != job.queue_reason:
        Job.objects.filter(pk=job.pk).update(queue_reason=entry.reason)
        job.queue_reason = entry.reason


def read_exit(job: Job, transport: Transport) -> ExitRecord:
    """Return the exit record of a run that has one."""
    return parse_exit(transport.read(f"{run_folder(job)}/{EXIT_FILE}", 4096))


def missing_long_enough(job: Job) -> bool:
    """Whether two polls with some time between them saw neither the run nor its record."""
    now = timezone.now()
    if job.missing_since is None:
        Job.objects.filter(pk=job.pk).update(missing_since=now)
        job.missing_since = now
        return False
    return (now - job.missing_since).total_seconds() >= MISSING_GRACE


def end(job: Job, record: ExitRecord) -> None:
    """Move a job to ENDED with what is known about its end."""
    machine.move(
        job,
        State.ENDED,
        reason="" if record.cause == Cause.OK else record.cause,
        exit_cause=record.cause,
        exit_code=record.code,
        started_at=record.started or job.started_at,
        ended_at=record.ended or timezone.now(),
        missing_since=None,
        queue_reason="",
    )
