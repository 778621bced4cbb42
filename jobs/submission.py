"""STAGED → SUBMITTED: hand a run over exactly once, however often it is tried."""

from __future__ import annotations

import shlex

from django.utils import timezone

from jobs import machine
from jobs.clusters import run_folder
from jobs.errors import ClusterTrouble, SubmissionRefused
from jobs.files import SCRIPT_FILE
from jobs.models import Job, Submission
from jobs.schedulers import Scheduler
from jobs.states import State
from jobs.transports import Transport

TIMEOUT = 120.0  # s


def guarded(folder: str, submit: str) -> str:
    """Return a command that runs `submit` in the folder unless that was done before.

    Its answer is kept in ``job.id``; who comes again, because a connection or a worker died
    before the answer arrived, gets the same answer. The lock keeps two that come at once apart
    and is not passed on to what is started (``9>&-``).
    """
    return (
        f"cd {shlex.quote(folder)} || exit 90; "
        "if command -v flock >/dev/null 2>&1; then exec 9>job.lock; flock -w 60 9 || exit 91; fi; "
        "if [ ! -s job.id ]; then "
        f"( {submit} ) 9>&- >job.id.part 2>job.err && mv job.id.part job.id; code=$?; "
        "if [ $code -ne 0 ]; then cat job.id.part; cat job.err >&2; exit $code; fi; fi; "
        "cat job.id"
    )


def submit(job: Job, transport: Transport, scheduler: Scheduler) -> None:
    """Hand the run over, or find out that it was handed over already.

    Entry state STAGED; exit state SUBMITTED, or FAILED when the scheduler refuses it.

    Raises:
        ClusterTrouble: nobody knows; the next try asks again and never starts a second run.
        Overtaken: the job was cancelled in the meantime.
    """
    row, _made = Submission.objects.get_or_create(
        token=job.token,
        defaults={"job": job, "attempt": job.attempt, "asked_at": timezone.now()},
    )
    command = guarded(run_folder(job), scheduler.submit_command(SCRIPT_FILE, job.token))
    answer = transport.run(command, timeout=TIMEOUT)
    if answer.code == 90:
        raise ClusterTrouble(f"The run's folder {run_folder(job)} is not there.")
    try:
        scheduler_id = scheduler.parse_submit(answer)
    except SubmissionRefused as error:
        machine.move(job, State.FAILED, reason=str(error))
        return
    Submission.objects.filter(pk=row.pk).update(
        scheduler_id=scheduler_id, answered_at=timezone.now()
    )
    machine.move(job, State.SUBMITTED, scheduler_id=scheduler_id, queue_reason="")
