"""Further attempts of a run: from the beginning, or on from the checkpoint of the one before."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from jobs import machine
from jobs.clusters import known_resources
from jobs.errors import Overtaken, UnknownKind
from jobs.files import file_list, job_folder
from jobs.kinds import kind_of
from jobs.leases import Lease
from jobs.models import Job
from jobs.nudge import cluster_nudge, job_nudge
from jobs.patterns import wanted
from jobs.placement import choose_queue
from jobs.states import State
from labs.audit import audit_record
from labs.exceptions import PermissionDenied, Refused

CONTINUABLE = frozenset({State.FAILED, State.CANCELLED})


def checkpoint_patterns(job: Job) -> tuple[str, ...]:
    """Return the glob patterns of the files that the job's kind needs to go on."""
    try:
        patterns = kind_of(job.kind).checkpoint
    except UnknownKind:
        return ()
    return patterns(job) if callable(patterns) else patterns


def checkpoint_files(job: Job) -> list[str]:
    """Return the files of the site's copy that a further attempt could go on from."""
    patterns = checkpoint_patterns(job)
    if not patterns:
        return []
    return [file.path for file in file_list(job) if wanted(file.path, patterns)]


def may_continue(job: Job) -> bool:
    """Whether the job stopped with a checkpoint that a further attempt could go on from.

    The first pattern of a kind is the checkpoint proper: without it the other files are of no use.
    """
    patterns = checkpoint_patterns(job)
    if job.state not in CONTINUABLE or not patterns:
        return False
    return any(wanted(path, patterns[:1]) for path in checkpoint_files(job))


@transaction.atomic
def job_continue(*, job: Job, actor: Any, walltime_s: int | None = None) -> Job:
    """Begin a further attempt that goes on from the checkpoint of the last one.

    Args:
        job: failed or cancelled, with a checkpoint.
        actor: who asks.
        walltime_s: time limit of the new attempt, s; None: the same again.

    Raises:
        PermissionDenied: somebody else's run.
        Refused: there is no checkpoint, or no queue for so long a run.
    """
    if not Job.objects.filter(pk=job.pk).editable_by(actor).exists():
        raise PermissionDenied(
            _("Only the owner and the lab's managers can change “%(job)s”.") % {"job": job}
        )
    job.refresh_from_db()
    if not may_continue(job):
        raise Refused(
            _("“%(job)s” left no checkpoint to go on from; retry it from the beginning.")
            % {"job": job}
        )
    if walltime_s is not None:
        asked = {**job.resources, "walltime_s": walltime_s}
        choose_queue(job.cluster, known_resources(asked), str(asked.get("queue") or ""))
        Job.objects.filter(pk=job.pk).update(resources=asked)
        job.resources = asked
    try:
        begin_again(
            job,
            reason=_("Continued from its checkpoint by %(name)s.") % {"name": actor},
            actor=actor,
            continued_from=job.attempt,
        )
    except Overtaken as error:
        raise Refused(_("“%(job)s” has just moved on; look at it again.") % {"job": job}) from error
    audit_record(actor=actor, verb="run continued", target=job, attempt=job.attempt)
    job_nudge(job.pk)
    cluster_nudge(job.cluster_id)
    return job


def fail_and_go_on(job: Job, reason: str, lease: Lease) -> None:
    """Note that an attempt met its time limit and begin the next from its checkpoint.

    Entry state FETCHED; exit state CREATED, or FAILED when nothing was left to go on from.

    Raises:
        Overtaken: the lease was lost; nothing was written.
    """
    left = (job.continuations or 0) - 1
    with transaction.atomic():
        machine.move(job, State.FAILED, reason=reason, lease=lease.token)
        begin_again(
            job,
            reason=_("Goes on from its checkpoint by itself; it may %(left)d times more.")
            % {"left": left},
            continued_from=job.attempt,
            continuations=left,
        )


def begin_again(job: Job, *, reason: str, actor: Any = None, **columns: Any) -> None:
    """Move a final job to CREATED as a further attempt; part of the caller's transaction."""
    kind_of(job.kind).reset(job)
    values = {
        "attempt": job.attempt + 1,
        "token": uuid.uuid4().hex,
        "scheduler_id": "",
        "queue_reason": "",
        "progress": {},
        "files": [],
        "log_tail": "",
        "exit_code": None,
        "exit_cause": "",
        "missing_since": None,
        "stop_sent_at": None,
        "started_at": None,
        "ended_at": None,
        "clean_at": None,
        "continued_from": None,
    }
    machine.move(job, State.CREATED, reason=reason, actor=actor, **{**values, **columns})


def carry_checkpoint(job: Job, draft: Path) -> None:
    """Copy what the attempt before left into the folder of one that goes on from it.

    Args:
        job: a further attempt, being prepared; nothing happens when it starts from the beginning.
        draft: the new attempt's folder, with its input.
    """
    if job.continued_from is None:
        return
    folder = job_folder(job)
    for name in checkpoint_files(job):
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / name, draft / name)
