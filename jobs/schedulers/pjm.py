"""Fujitsu's PJM (Technical Computing Suite), plain and as Wisteria/BDEC-01 shows it.

Plain ``pjstat`` and Wisteria's wrapper print different tables, so the parser follows the header
line. No exit status is read from them: the run writes its own.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from jobs.errors import ClusterTrouble
from jobs.schedulers import batch
from jobs.schedulers.base import QueueEntry, QueueState, ScriptHeader
from jobs.schedulers.direct import DirectScheduler
from jobs.transports.base import Answer

MARGIN = 60  # s before the limit: PJM itself leaves 10 s between SIGXCPU and SIGKILL

_Q, _R, _E = QueueState.QUEUED, QueueState.RUNNING, QueueState.ENDED
STATES = {
    "ACC": _Q,
    "QUE": _Q,
    "HLD": _Q,
    "RNA": _R,
    "RNP": _R,
    "RUN": _R,
    "RNE": _R,
    "RNO": _R,
    "SPP": _R,
    "SPD": _R,
    "RSM": _R,
    "EXT": _E,
    "CCL": _E,
    "ERR": _E,
    "RJT": _E,
    # Wisteria's words
    "QUEUED": _Q,
    "HOLD": _Q,
    "RUNNING": _R,
    "END": _E,
    "CANCEL": _E,
    "ERROR": _E,
}

_ACCEPTED = re.compile(r"\[INFO\] PJM 0000 pjsub Job (\d+(?:_\d+)?) submitted\.")
# Known to be final: above a limit of the resource group, no permission. Any other error is tried
# again a few times and then waits for a person, which loses nothing.
_FINAL = re.compile(r"\[ERR\.\] PJM 00(57|70)\b")
_ID = re.compile(r"(\d+)(?:_\d+|\[\d+(?:-\d+)?\])?$")
_EMPTY = re.compile(r"No (unfinished )?job", re.IGNORECASE)


class PjmScheduler:
    """Batch jobs of PJM; the job's name carries the token."""

    missing_grace_s = 60.0
    own_id = '"${PJM_JOBID%%\\[*}"'
    array_index = "${PJM_BULKNUM:-0}"

    def directives(self, header: ScriptHeader) -> list[str]:
        asked = header.resources
        options = [
            f"-L node={asked.nodes}",
            f"-L elapse={batch.clock(asked.walltime_s).zfill(8)}",
            f"--mpi proc={batch.total_processes(asked)}",
            f"--omp thread={asked.threads}",
            "-j",
            "-o scheduler.log",
        ]
        if header.lanes > 1:
            options[-1:] = ["--bulk", f"--sparam 0-{header.lanes - 1}"]
        # Wisteria-A gives its shared nodes out by GPUs, and whole nodes with all of theirs.
        shared = header.queue.startswith("share")
        if shared or (asked.gpus and not header.queue):
            options[0] = f"-L gpu={max(1, asked.gpus)}"
        if header.queue:
            options.insert(0, f"-L rscgrp={header.queue}")
        if header.account:
            options.append(f"-g {header.account}")
        return [f"#PJM {option}" for option in (*options, *header.extra)]

    def watchdog(self, walltime_s: int) -> list[str]:
        return DirectScheduler().watchdog(max(walltime_s - MARGIN, walltime_s // 2))

    def submit_command(self, script: str, token: str) -> str:
        name = batch.queue_name(token)
        find = (
            # What has ended already stands in the history only.
            "list=$(pjstat 2>/dev/null && pjstat -H 2>/dev/null) && "
            f'printf "%s\\n" "$list" | awk -v n={name} \'$2 == n {{ print $1; exit }}\''
        )
        return batch.submit_once(find, f"pjsub -N {name} {shlex.quote(script)}")

    def parse_submit(self, answer: Answer) -> str:
        # A run found by its name is printed as the bare number.
        out = answer.out.strip()
        if answer.code == 0 and re.fullmatch(r"\d+(_\d+)?", out):
            return out
        return batch.parse_submit(answer, _ACCEPTED, _FINAL, "PJM")

    def queue_command(self, ids: Sequence[str]) -> str:
        # Two views: pjstat forgets what has ended, -H knows nothing else.
        return "pjstat && pjstat -H"

    def parse_queue(self, answer: Answer, ids: Sequence[str]) -> Mapping[str, QueueEntry]:
        text = f"{answer.out}\n{answer.err}"
        readable = "JOB_ID" in answer.out or _EMPTY.search(answer.out)
        if "[ERR.]" in text or answer.code != 0 or not readable:
            raise ClusterTrouble(f"pjstat failed: {' '.join(text.split())[:300]}")
        wanted = set(ids)
        rows: dict[str, list[batch.Element]] = {}
        for run_id, word, reason in _rows(answer.out):
            if run_id in wanted:
                entry = QueueEntry(STATES.get(word, QueueState.UNKNOWN), word, reason)
                rows.setdefault(run_id, []).append(batch.Element(entry))
        return {run_id: batch.as_one(elements) for run_id, elements in rows.items()}

    def stop_command(self, ids: Sequence[str]) -> str:
        runs = batch.id_list(ids)
        return f"pjsig -s TERM {runs} 2>/dev/null || pjdel {runs}"

    def kill_command(self, ids: Sequence[str]) -> str:
        return f"pjdel {batch.id_list(ids)}"


def _rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (id, state word, expected start) below each header line."""
    column = start = -1
    for line in text.splitlines():
        fields = line.split()
        if fields[:1] == ["JOB_ID"]:
            column = fields.index("STATUS" if "STATUS" in fields else "ST")
            start = fields.index("START_DATE") if "START_DATE" in fields else -1
        elif column > 0 and len(fields) > column and (match := _ID.match(fields[0])):
            # A planned start stands in parentheses: ``(10/30 18:00)``.
            rest = " ".join(fields[start : start + 2]) if start > 0 else ""
            planned = re.match(r"\(([^)]+)\)", rest)
            yield match[1], fields[column], f"expected start {planned[1]}" if planned else ""
