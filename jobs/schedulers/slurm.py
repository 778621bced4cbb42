"""Slurm, from 20.11 on: sbatch, squeue, scancel (https://slurm.schedmd.com/squeue.html)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from jobs.errors import ClusterTrouble
from jobs.schedulers import batch
from jobs.schedulers.base import QueueEntry, QueueState, ScriptHeader
from jobs.transports.base import Answer

MARGIN = 60  # s before the limit at which the run is told to save its state

_Q, _R, _E = QueueState.QUEUED, QueueState.RUNNING, QueueState.ENDED
STATES = {
    "PENDING": _Q,
    "CONFIGURING": _Q,
    "REQUEUED": _Q,
    "REQUEUE_FED": _Q,
    "REQUEUE_HOLD": _Q,
    "RESV_DEL_HOLD": _Q,
    "SPECIAL_EXIT": _Q,
    "RUNNING": _R,
    "COMPLETING": _R,
    "RESIZING": _R,
    "SIGNALING": _R,
    "STAGE_OUT": _R,
    "STOPPED": _R,
    "SUSPENDED": _R,
    "BOOT_FAIL": _E,
    "CANCELLED": _E,
    "COMPLETED": _E,
    "DEADLINE": _E,
    "FAILED": _E,
    "NODE_FAIL": _E,
    "OUT_OF_MEMORY": _E,
    "PREEMPTED": _E,
    "REVOKED": _E,
    "TIMEOUT": _E,
}

_ACCEPTED = re.compile(r"^(\d+)(?:;\S+)?$", re.MULTILINE)
# Limits on how many jobs may wait pass by themselves; what is listed here doesn't.
_FINAL = re.compile(
    r"[Ii]nvalid (partition|account|qos|generic resource|feature|job array|time limit|"
    r"node count|number)|Requested node configuration is not available|"
    r"Requested time limit is invalid|More processors requested than permitted|"
    r"Unable to open file|Memory specification can not be satisfied|[Uu]nrecognized option|"
    r"Requested partition configuration not available|Access/permission denied"
)


class SlurmScheduler:
    """Batch jobs of Slurm; the comment field carries the token."""

    missing_grace_s = 60.0
    own_id = '"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"'
    array_index = "${SLURM_ARRAY_TASK_ID:-0}"

    def directives(self, header: ScriptHeader) -> list[str]:
        asked = header.resources
        options = [
            f"--job-name={header.name}",
            f"--chdir={header.folder}",
            "--output=scheduler.log",
            f"--nodes={asked.nodes}",
            f"--ntasks-per-node={asked.processes}",
            f"--cpus-per-task={asked.threads}",
            f"--time={batch.clock(asked.walltime_s)}",
            "--no-requeue",
        ]
        if asked.walltime_s > 2 * MARGIN:
            options.append(f"--signal=B:XCPU@{MARGIN}")
        if header.lanes > 1:
            options[2] = "--output=scheduler-%a.log"
            options.append(f"--array=0-{header.lanes - 1}")
        if asked.gpus:
            options.append(f"--gres=gpu:{asked.gpus}")
        if asked.memory_mb:
            options.append(f"--mem={asked.memory_mb}M")
        if header.queue:
            options.append(f"--partition={header.queue}")
        if header.account:
            options.append(f"--account={header.account}")
        return [f"#SBATCH {option}" for option in (*options, *header.extra)]

    def watchdog(self, walltime_s: int) -> list[str]:
        return []

    def submit_command(self, script: str, token: str) -> str:
        word = shlex.quote(token)
        find = (
            'list=$(squeue -h -t all -u "$(id -un)" -o "%F %k") && '
            f'printf "%s\\n" "$list" | awk -v t={word} \'$2 == t {{ print $1; exit }}\''
        )
        submit = f"sbatch --parsable --comment={word} {shlex.quote(script)}"
        return batch.submit_once(find, submit)

    def parse_submit(self, answer: Answer) -> str:
        return batch.parse_submit(answer, _ACCEPTED, _FINAL, "Slurm")

    def queue_command(self, ids: Sequence[str]) -> str:
        # All of the user's: asked for one id that it has forgotten, squeue fails as if it were down.
        return 'squeue -h -t all -u "$(id -un)" -o "%i|%T|%r|%S|%N"'

    def parse_queue(self, answer: Answer, ids: Sequence[str]) -> Mapping[str, QueueEntry]:
        if answer.code != 0:
            raise ClusterTrouble(f"squeue failed: {' '.join(answer.err.split())[:300]}")
        wanted = set(ids)
        rows: dict[str, list[batch.Element]] = {}
        strange = ""
        for line in answer.out.splitlines():
            fields = line.strip().split("|")
            base, count = batch.array_element(fields[0])
            if len(fields) != 5:
                strange = strange or line.strip()
                continue
            if base not in wanted:
                continue
            _id, word, why, start, nodes = fields
            state = STATES.get(word, QueueState.UNKNOWN)
            entry = QueueEntry(state, word, _reason(state, why, start, nodes))
            rows.setdefault(base, []).append(batch.Element(entry, count))
        if strange and wanted - rows.keys():
            # The line of the missing run may be the one that can't be read.
            raise ClusterTrouble(f"squeue printed a line that can't be read: {strange[:100]!r}")
        return {run_id: batch.as_one(elements) for run_id, elements in rows.items()}

    def stop_command(self, ids: Sequence[str]) -> str:
        runs = batch.id_list(ids)
        # A waiting run has no shell to tell; a working one gets TERM in its script only.
        return f"scancel --state=PENDING {runs}; scancel --batch --signal=TERM {runs}"

    def kill_command(self, ids: Sequence[str]) -> str:
        return f"scancel {batch.id_list(ids)}"


def _reason(state: QueueState, why: str, start: str, nodes: str) -> str:
    if state == QueueState.RUNNING:
        return nodes
    expected = "" if start in {"", "N/A"} else f"expected start {start.replace('T', ' ')}"
    return ", ".join(part for part in ("" if why == "None" else why, expected) if part)
