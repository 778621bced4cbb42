"""SUBMITTED, RUNNING → ENDED: what the queue and the run directory say about a run."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import machine
from jobs.exit_record import Cause, ExitRecord, parse_exit, with_own_words
from jobs.files import EXIT_FILE
from jobs.models import Job
from jobs.schedulers import QueueEntry, QueueState, Scheduler
from jobs.states import State
from jobs.transports import RemoteFile

log = logging.getLogger(__name__)

CLAIM_FILE = "claim/id"
MISSING_GRACE = 4.0  # s; file systems of clusters show a new file late


@dataclass(frozen=True)
class Seen:
    """What one look has seen of a run.

    Args:
        entry: its line in the queue view; None when the view, successfully read, has none.
        files: its run directory, listed after the queue was read.
        record: its exit record; None when there is none.
    """

    entry: QueueEntry | None
    files: Sequence[RemoteFile]
    record: bytes | None = None

    def is_gone(self, job: Job, scheduler: Scheduler) -> bool:
        """Whether the run has ended without a record, as far as one can know.

        A view that says so is believed soon. One that doesn't list the run may be wrong for a
        while: controllers that restart have answered with empty lists.
        """
        if self.entry is None:
            return _gone_for(job, max(scheduler.missing_grace_s, MISSING_GRACE))
        return self.entry.state == QueueState.ENDED and _gone_for(job, MISSING_GRACE)


def follow(job: Job, seen: Seen, scheduler: Scheduler) -> None:
    """Move a job on by what was seen; an own exit record outweighs the queue.

    Args:
        job: SUBMITTED or RUNNING.
        seen: of its run.
        scheduler: of its cluster.

    Raises:
        Overtaken: somebody moved the job.
    """
    if seen.record is not None:
        end(job, read_exit(job, seen))
    elif seen.is_gone(job, scheduler):
        end(job, ExitRecord(Cause.VANISHED))
    elif seen.entry is not None and seen.entry.state != QueueState.ENDED:
        if job.missing_since is not None:
            Job.objects.filter(pk=job.pk).update(missing_since=None)
            job.missing_since = None
        _by_queue(job, seen.entry, seen.files)


def _by_queue(job: Job, entry: QueueEntry, files: Sequence[RemoteFile]) -> None:
    if entry.state == QueueState.UNKNOWN:
        log.warning("job %s: the queue says %r, which means nothing to us", job.pk, entry.word)
    elif entry.state == QueueState.RUNNING and job.state == State.SUBMITTED:
        started_at = _written(files, CLAIM_FILE) or timezone.now()
        machine.move(job, State.RUNNING, started_at=started_at, queue_reason=entry.reason)
    elif entry.state == QueueState.QUEUED and job.state == State.RUNNING:
        machine.move(job, State.SUBMITTED, reason=entry.word, queue_reason=entry.reason)
    elif entry.reason != job.queue_reason:
        Job.objects.filter(pk=job.pk).update(queue_reason=entry.reason)
        job.queue_reason = entry.reason


def read_exit(job: Job, seen: Seen) -> ExitRecord:
    """Return the exit record of a run that has one.

    The files' time stamps are finer than the whole seconds that the shell can write.
    """
    record = with_own_words(parse_exit(seen.record or b""), job.launch.get("commands", ()))
    return replace(
        record,
        started=_written(seen.files, CLAIM_FILE) or record.started,
        ended=_written(seen.files, EXIT_FILE) or record.ended,
    )


def _written(files: Sequence[RemoteFile], path: str) -> datetime.datetime | None:
    for file in files:
        if file.path == path:
            return datetime.datetime.fromtimestamp(file.modified_ns / 1e9, tz=datetime.UTC)
    return None


def _gone_for(job: Job, grace: float) -> bool:
    """Whether looks with so many seconds between them saw neither the run nor its record."""
    now = timezone.now()
    if job.missing_since is None:
        Job.objects.filter(pk=job.pk).update(missing_since=now)
        job.missing_since = now
        return False
    return (now - job.missing_since).total_seconds() >= grace


def _words(record: ExitRecord) -> str:
    if record.cause == Cause.FAILED:
        return _("Status %(code)s.") % {"code": record.code}
    return {
        Cause.TIME: _("The time limit was reached."),
        Cause.STOPPED: _("Stopped by a signal."),
        Cause.VANISHED: _("No longer on the cluster, and without a record of its end."),
        Cause.DAMAGED: _("The record of its end can't be read."),
    }.get(record.cause, "")


def end(job: Job, record: ExitRecord) -> None:
    """Move a job to ENDED with what is known about its end."""
    machine.move(
        job,
        State.ENDED,
        reason=_words(record),
        exit_cause=record.cause,
        exit_code=record.code,
        started_at=record.started or job.started_at,
        ended_at=record.ended or timezone.now(),
        missing_since=None,
        queue_reason="",
    )
