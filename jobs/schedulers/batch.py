"""What all batch systems share: asking once, a name that carries the token, arrays of jobs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.errors import ClusterTrouble, NotYetClear, SubmissionRefused
from jobs.schedulers.base import QueueEntry, QueueState
from jobs.transports.base import Answer
from mlmd.launch import Resources

NOBODY_KNOWS = 75  # exit status: an earlier try may have succeeded and the queue can't be read
UNSEEN_WAIT = 60  # s that the queue must say nothing of an earlier try before there is another one
# After such words a run may have been taken; after any other error it was not.
_DOUBTFUL = "timed? ?out|zero bytes|contact|connect|communicat|broken pipe|unexpected message"


def queue_name(token: str) -> str:
    """Return the run's name in the queue: ten characters, because Wisteria's table cuts there."""
    return "m" + re.sub(r"[^0-9a-zA-Z]", "", token)[:9]


def submit_once(find: str, submit: str) -> str:
    """Return a command that submits, unless an earlier try got through.

    Args:
        find: prints the id of the run that carries our name, nothing when there is none, and
            fails when the queue can't be read.
        submit: hands the script over.

    The first try leaves ``job.asked``; where it stands and no answer was kept, the queue and
    the run's own claim are looked up before anything is submitted a second time. A queue that
    lists nothing is believed when it does so for a while: controllers that have just started
    answer with empty lists. A clear refusal takes ``job.asked`` away again.
    """
    return (
        "if [ -e job.asked ]; then "
        "if [ -s claim/id ]; then cat claim/id; exit 0; fi; "
        f"found=$({find}) || exit {NOBODY_KNOWS}; "
        'if [ -n "$found" ]; then printf "%s\\n" "$found"; exit 0; fi; '
        "now=$(date +%s); since=$(cat job.unseen 2>/dev/null); "
        '[ -n "$since" ] || { since=$now; echo "$now" > job.unseen; }; '
        f"[ $((now - since)) -ge {UNSEEN_WAIT} ] || exit {NOBODY_KNOWS}; fi; "
        f"rm -f job.unseen; : > job.asked; {submit} 2> job.said; code=$?; "
        f"if [ $code -ne 0 ] && [ -s job.said ] && ! grep -qiE {shlex.quote(_DOUBTFUL)} job.said; "
        "then rm -f job.asked; fi; cat job.said >&2; exit $code"
    )


def parse_submit(
    answer: Answer, accepted: re.Pattern[str], final: re.Pattern[str], name: str
) -> str:
    """Return the id in what a submission printed.

    Args:
        answer: of the submission.
        accepted: finds the id (group 1) in the output.
        final: finds refusals that another try won't change.
        name: of the scheduler, for messages.

    Raises:
        SubmissionRefused: the scheduler said no, for good.
        ClusterTrouble: full queues, an unreachable controller, anything unknown.
    """
    text = f"{answer.out}\n{answer.err}".strip()
    if answer.code == NOBODY_KNOWS:
        raise NotYetClear(
            f"{name}: an earlier submission may have succeeded and doesn't show in the queue yet; "
            "nothing is submitted a second time until that is clear."
        )
    # Some sites answer 0 with an error in the text: the id alone says yes.
    if answer.code == 0 and (match := accepted.search(text)):
        return match[1]
    words = " ".join(text.split())[:400] or f"status {answer.code} and no text"
    if final.search(text):
        raise SubmissionRefused(f"{name} refused the run: {words}")
    raise ClusterTrouble(f"{name} did not take the run: {words}")


def clock(seconds: int) -> str:
    """Return a duration as H:MM:SS."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def total_processes(resources: Resources) -> int:
    """Return the processes on all nodes."""
    return resources.nodes * resources.processes


def id_list(ids: Sequence[str], separator: str = " ") -> str:
    """Return ids for a command line.

    Raises:
        ValueError: an id holds something else than letters, digits and ``._[]-``.
    """
    for run_id in ids:
        if not re.fullmatch(r"[\w.\[\]-]+", run_id):
            raise ValueError(f"{run_id!r} is no id of a batch system")
    return separator.join(f"'{run_id}'" if "[" in run_id else run_id for run_id in ids)


@dataclass(frozen=True)
class Element:
    """A line of the queue view that tells of one run, or of several elements of an array.

    Args:
        entry: what it says.
        count: how many elements the line stands for.
    """

    entry: QueueEntry
    count: int = 1


def array_element(shown: str) -> tuple[str, int]:
    """Return the number of the run, and how many elements an id stands for.

    ``123`` is a run of its own, ``123_4`` and ``123[4]`` are one element of an array,
    ``123_[5-9,12%2]`` five waiting ones and a sixth.
    """
    base, _mark, rest = re.sub(r"_?\[|_", "|", shown.strip(), count=1).partition("|")
    count = 0
    for span in filter(None, rest.rstrip("]").partition("%")[0].split(",")):
        first, _dash, last = span.partition(":")[0].partition("-")
        if first.isdecimal():
            count += int(last) - int(first) + 1 if last.isdecimal() else 1
    return base, max(1, count)


def as_one(elements: Sequence[Element]) -> QueueEntry:
    """Return what the elements of an array say together: it works while one of them does."""
    if len(elements) == 1 and elements[0].count == 1:
        return elements[0].entry
    order = (QueueState.RUNNING, QueueState.QUEUED, QueueState.UNKNOWN, QueueState.ENDED)
    first = min((element.entry for element in elements), key=lambda entry: order.index(entry.state))
    counts = dict.fromkeys(order, 0)
    for element in elements:
        counts[element.entry.state] += element.count
    if first.state == QueueState.RUNNING:
        words = f"{counts[QueueState.RUNNING]} working, {counts[QueueState.QUEUED]} waiting"
        return QueueEntry(first.state, first.word, words)
    return first
