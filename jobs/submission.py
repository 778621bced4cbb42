"""STAGED → SUBMITTED: hand runs over exactly once, however often it is tried, many at a time."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from django.utils import timezone

from jobs import machine
from jobs.clusters import run_folder
from jobs.errors import ClusterTrouble, NotYetClear, SubmissionRefused
from jobs.files import SCRIPT_FILE
from jobs.models import Job, Submission
from jobs.schedulers import Scheduler
from jobs.states import State
from jobs.transports import Answer, Transport

TIMEOUT = 60.0  # s for a command that hands runs over, and beyond that
TIMEOUT_EACH = 10.0  # s for each of its runs
LOCKED = 91  # exit status: an earlier try still goes on over there
AT_ONCE = 20  # runs in one command: each may wait for a scheduler that is slow
_MARK = re.compile(r"\n?=answer (\w+) (\d+)\n")


def guarded(folder: str, submit: str) -> str:
    """Return a command that runs `submit` in the folder unless that was done before.

    Its answer is kept in ``job.id``; who comes again, because a connection or a worker died
    before the answer arrived, gets the same answer. The lock keeps two that come at once apart
    and is not passed on to what is started (``9>&-``).
    """
    return (
        f"cd {shlex.quote(folder)} || exit 90; "
        f"if command -v flock >/dev/null 2>&1; then exec 9>job.lock; flock -w 3 9 || exit {LOCKED}; fi; "
        "if [ ! -s job.id ]; then "
        f"( {submit} ) 9>&- >job.id.part 2>job.err && mv job.id.part job.id; code=$?; "
        "if [ $code -ne 0 ]; then cat job.id.part; cat job.err >&2; exit $code; fi; fi; "
        "cat job.id"
    )


def submit_all(
    jobs: Sequence[Job], transport: Transport, scheduler: Scheduler
) -> Iterator[tuple[Job, Answer | ClusterTrouble]]:
    """Hand runs over, or find out that they were handed over already; yield what was answered.

    Raises:
        LinkTrouble: the connection failed; nobody knows about the runs not yet yielded.
    """
    for begin in range(0, len(jobs), AT_ONCE):
        some = jobs[begin : begin + AT_ONCE]
        _note_intent(some)
        command = "\n".join(
            f"( {guarded(run_folder(job), scheduler.submit_command(SCRIPT_FILE, job.token))} ); "
            f"c=$?; echo; echo '=answer {job.token}' $c; {{ echo; echo '=answer {job.token}' $c; }} >&2"
            for job in some
        )
        answer = transport.run(command, timeout=TIMEOUT + TIMEOUT_EACH * len(some))
        answers = parse_answers(answer)
        for job in some:
            yield (
                job,
                answers.get(job.token)
                or ClusterTrouble("The cluster did not answer for this run."),
            )


def _note_intent(jobs: Sequence[Job]) -> None:
    now = timezone.now()
    Submission.objects.bulk_create(
        [Submission(token=job.token, job=job, attempt=job.attempt, asked_at=now) for job in jobs],
        ignore_conflicts=True,  # an earlier try has left it
    )


def parse_answers(answer: Answer) -> Mapping[str, Answer]:
    """Return what was answered for each token; those that the command didn't reach are left out."""
    errors = {token: text for token, _code, text in _segments(answer.err)}
    return {
        token: Answer(code, text, errors.get(token, ""))
        for token, code, text in _segments(answer.out)
    }


def _segments(text: str) -> Iterator[tuple[str, int, str]]:
    begin = 0
    for mark in _MARK.finditer(text):
        yield mark[1], int(mark[2]), text[begin : mark.start()]
        begin = mark.end()


def take_answer(job: Job, answer: Answer | ClusterTrouble, scheduler: Scheduler) -> None:
    """Move a job on by what was answered to its submission.

    Entry state STAGED; exit state SUBMITTED, or FAILED when the scheduler refuses it.

    Raises:
        ClusterTrouble: nobody knows; the next try asks again and never starts a second run.
        Overtaken: the job was cancelled in the meantime.
    """
    if isinstance(answer, ClusterTrouble):
        raise answer
    if answer.code == 90:
        raise ClusterTrouble(f"The run's folder {run_folder(job)} is not there.")
    if answer.code == LOCKED:
        raise NotYetClear("An earlier submission of this run has not come to its end yet.")
    try:
        scheduler_id = scheduler.parse_submit(answer)
    except SubmissionRefused as error:
        machine.move(job, State.FAILED, reason=str(error))
        return
    Submission.objects.filter(token=job.token).update(
        scheduler_id=scheduler_id, answered_at=timezone.now()
    )
    machine.move(job, State.SUBMITTED, scheduler_id=scheduler_id, queue_reason="")
