"""ENDED → FETCHED → DONE or FAILED: bring the files back and let the owning room read them."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from jobs import machine
from jobs.cancelling import take_note, was_asked_for
from jobs.clusters import run_folder
from jobs.continuing import checkpoint_files, checkpoint_patterns, fail_and_go_on
from jobs.endings import goes_on_by_itself
from jobs.errors import Overtaken, UnknownKind
from jobs.exit_record import Cause
from jobs.files import EXIT_FILE, PROGRESS_FILE, file_list, job_folder, log_tail
from jobs.kinds import kind_of
from jobs.leases import Lease
from jobs.live import ALWAYS, take_progress
from jobs.models import Job
from jobs.patterns import wanted
from jobs.states import State
from jobs.transports import connection
from labs.exceptions import Refused
from mlmd.errors import MlmdError

log = logging.getLogger(__name__)

TAIL_SIZE = 4000  # bytes of the log kept in the row


def fetch(job: Job, lease: Lease) -> None:
    """Copy the files that the kind asked for, each checked, and note size and hash of all.

    Entry state ENDED; exit state FETCHED.

    Raises:
        ClusterTrouble: a file did not arrive whole.
        Overtaken: the lease was lost.
    """
    folder, remote = job_folder(job), run_folder(job)
    launch = job.launch
    patterns = (*ALWAYS, EXIT_FILE, *launch.get("fetch", ()), *launch.get("live", ()))
    if job.exit_cause != Cause.OK:
        patterns += checkpoint_patterns(job)
    with connection(job.cluster) as transport:
        files = [
            file
            for file in transport.survey([remote]).get(remote, ())
            if wanted(file.path, patterns) and not file.path.endswith(".part")
        ]
        lease.renew()
        received = transport.get_all(remote, files, folder)
        sums = {path: receipt.sha256 for path, receipt in received.items()}
    take_progress(job, folder / PROGRESS_FILE)
    # Of workers that were killed while they copied; until now a transfer could go on from them.
    for stale in folder.rglob(".*.part"):
        stale.unlink(missing_ok=True)
    manifest = [
        {
            "path": file.path,
            "size": file.size,
            "sha256": sums.get(file.path) or _sha256(folder / file.path),
        }
        for file in file_list(job)
    ]
    machine.move(
        job,
        State.FETCHED,
        lease=lease.token,
        files=manifest,
        size_bytes=sum(entry["size"] for entry in manifest),
        log_tail=log_tail(job, TAIL_SIZE),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def accept(job: Job, lease: Lease) -> None:
    """Let the owning room create its rows, in the transaction that moves the job to DONE.

    Entry state FETCHED; exit state DONE, FAILED when the run or its result is no good, or CANCELLED
    when somebody had it stopped: its files are there, to look at and to go on from.

    Raises:
        DatabaseError: the database could not be used just now; nothing was written.
        Overtaken: the lease was lost; nothing was written.
    """
    if was_asked_for(job):
        take_note(job, lease)
        return
    if job.exit_cause != Cause.OK:
        if _salvaged(job, lease):
            return
        if not goes_on_by_itself(job):
            _fail(job, failure_text(job), lease)
        elif checkpoint_files(job):
            fail_and_go_on(job, failure_text(job), lease)
        else:
            _fail(job, failure_text(job), lease, continuations=None)
        return
    try:
        with transaction.atomic():
            kind_of(job.kind).accept(job, job_folder(job))
            machine.move(job, State.DONE, lease=lease.token)
    except (MlmdError, Refused, UnknownKind) as error:
        _fail(_as_before(job), str(error), lease)
    except (DatabaseError, Overtaken):
        raise
    except Exception as error:
        # A defect of the room above: asking again would give the same answer.
        log.exception("job %s: its result could not be taken over", job.pk)
        text = _("The run ended well, but the portal failed on its result (%(error)s).")
        _fail(_as_before(job), text % {"error": f"{type(error).__name__}: {error}"}, lease)


def _salvaged(job: Job, lease: Lease) -> bool:
    """Take over what a run that ended badly left whole, where its kind can judge that.

    Raises:
        DatabaseError: the database could not be used just now; nothing was written.
        Overtaken: the lease was lost; nothing was written.
    """
    try:
        salvage = kind_of(job.kind).salvage
        if salvage is None or job.exit_cause == Cause.DAMAGED:
            return False
        with transaction.atomic():
            kept = salvage(job, job_folder(job))
            machine.move(job, State.DONE, reason=f"{failure_text(job)} {kept}", lease=lease.token)
    except (MlmdError, Refused, UnknownKind) as error:
        log.info("job %s: nothing to keep: %s", job.pk, error)
        _as_before(job)
        return False
    except (DatabaseError, Overtaken):
        raise
    except Exception:  # a fault in a kind's code must not keep the run from ending
        log.exception("job %s: what it left could not be taken over", job.pk)
        _as_before(job)
        return False
    return True


def _as_before(job: Job) -> Job:
    """Return the job as it is in the database: the transaction that changed it is undone."""
    job.refresh_from_db()
    return job


def _fail(job: Job, reason: str, lease: Lease, **columns: Any) -> None:
    machine.move(job, State.FAILED, reason=reason, lease=lease.token, **columns)


def failure_text(job: Job) -> str:
    """Return in words why a run that ended badly did so."""
    cause = job.exit_cause
    if cause == Cause.TIME:
        hours = job.resources.get("walltime_s", 0) / 3600
        return _(
            "The time limit of %(hours).3g h was reached. Ask for more time, or for less work."
        ) % {"hours": hours}
    if cause == Cause.STOPPED:
        return _("The run was stopped from outside, by a signal that the portal did not send.")
    if cause == Cause.VANISHED:
        return _(
            "The run disappeared without a record of its end: it was killed, ran out of memory, "
            "or its machine was restarted. Retry it, with fewer threads or atoms if it happens "
            "again."
        )
    if cause == Cause.DAMAGED:
        return _("The record of the run's end is damaged; the disk of the cluster may be full.")
    return _status_text(job)


def _status_text(job: Job) -> str:
    words: dict[str, Any] = {"code": job.exit_code}
    if job.exit_code is not None and job.exit_code > 128:
        words["signal"] = job.exit_code - 128
        return (
            _(
                "The program was ended by signal %(signal)d (status %(code)d); 9 often means that "
                "memory ran out. See the end of the log."
            )
            % words
        )
    return _("The program ended with status %(code)s. The end of its log says why.") % words
