"""OpenPBS and PBS Professional: qsub, qstat, qdel (PBS Professional 2022.1 reference guide)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from jobs.errors import ClusterTrouble
from jobs.schedulers import batch
from jobs.schedulers.base import QueueEntry, QueueState, ScriptHeader
from jobs.schedulers.direct import DirectScheduler
from jobs.transports.base import Answer

MARGIN = 60  # s before the limit at which the run is told to save its state

_Q, _R, _E = QueueState.QUEUED, QueueState.RUNNING, QueueState.ENDED
STATES = {
    "H": _Q,
    "M": _Q,
    "Q": _Q,
    "T": _Q,
    "W": _Q,
    "B": _R,
    "E": _R,
    "R": _R,
    "S": _R,
    "U": _R,
    "C": _E,
    "F": _E,
    "X": _E,
}

_ACCEPTED = re.compile(r"^(\d+(?:\[\])?(?:\.[\w.-]+)?)\s*$", re.MULTILINE)
_FINAL = re.compile(
    r"Unknown queue|Unknown resource|Illegal attribute or resource value|Invalid (account|request)|"
    r"Job exceeds queue (and/or server )?resource limits|Unauthorized Request|"
    r"illegal -\w value|cannot be run with|not allowed to submit",
    re.IGNORECASE,
)
_UNKNOWN_ID = re.compile(r"Unknown Job Id|Job has finished", re.IGNORECASE)


class PbsScheduler:
    """Batch jobs of PBS; the job's name carries the token."""

    missing_grace_s = 60.0
    own_id = '"${PBS_ARRAY_ID:-$PBS_JOBID}"'
    array_index = "${PBS_ARRAY_INDEX:-0}"

    def directives(self, header: ScriptHeader) -> list[str]:
        asked = header.resources
        chunk = (
            f"select={asked.nodes}:ncpus={asked.processes * asked.threads}"
            f":mpiprocs={asked.processes}:ompthreads={asked.threads}"
        )
        if asked.gpus:
            chunk += f":ngpus={asked.gpus}"
        if asked.memory_mb:
            chunk += f":mem={asked.memory_mb}mb"
        options = [
            f"-l {chunk}",
            f"-l walltime={batch.clock(asked.walltime_s)}",
            "-j oe",
        ]
        if header.lanes > 1:
            # PBS refuses arrays that must not run again; an element that does finds its claim.
            options += ["-o scheduler.^array_index^.log", f"-J 0-{header.lanes - 1}"]
        else:
            options += ["-o scheduler.log", "-r n"]
        if header.queue:
            options.append(f"-q {header.queue}")
        if header.account:
            options.append(f"-A {header.account}")
        return [f"#PBS {option}" for option in (*options, *header.extra)]

    def watchdog(self, walltime_s: int) -> list[str]:
        # PBS warns with TERM, as it does when a person deletes the run: only a clock of our own
        # tells the two apart and leaves time to save.
        return DirectScheduler().watchdog(max(walltime_s - MARGIN, walltime_s // 2))

    def submit_command(self, script: str, token: str) -> str:
        name = batch.queue_name(token)
        find = (
            'list=$(qstat -u "$(id -un)" -w 2>/dev/null || qstat -u "$(id -un)") && '
            f'printf "%s\\n" "$list" | awk -v n={name} \'$4 == n {{ print $1; exit }}\''
        )
        return batch.submit_once(find, f"qsub -N {name} {shlex.quote(script)}")

    def parse_submit(self, answer: Answer) -> str:
        return batch.parse_submit(answer, _ACCEPTED, _FINAL, "PBS")

    def queue_command(self, ids: Sequence[str]) -> str:
        return f"qstat -x -f {batch.id_list(ids)}"

    def parse_queue(self, answer: Answer, ids: Sequence[str]) -> Mapping[str, QueueEntry]:
        # One forgotten id makes the status non-zero although the others are told.
        complaints = [line for line in answer.err.splitlines() if line.strip()]
        others = [line for line in complaints if not _UNKNOWN_ID.search(line)]
        if others or (answer.code != 0 and not complaints):
            raise ClusterTrouble(f"qstat failed: {' '.join(others)[:300] or answer.code}")
        wanted = {_number(run_id): run_id for run_id in ids}
        rows: dict[str, list[batch.Element]] = {}
        for number, fields in _blocks(answer.out):
            if number in wanted and "job_state" in fields:
                word = fields["job_state"]
                state = STATES.get(word, QueueState.UNKNOWN)
                host = fields.get("exec_host", "") or _counts(fields.get("array_state_count", ""))
                reason = host if state == QueueState.RUNNING else fields.get("comment", "")
                entry = QueueEntry(state, word, reason)
                rows.setdefault(wanted[number], []).append(batch.Element(entry))
        return {run_id: batch.as_one(elements) for run_id, elements in rows.items()}

    def stop_command(self, ids: Sequence[str]) -> str:
        runs = batch.id_list(ids)
        return f"qsig -s TERM {runs} 2>/dev/null || qdel {runs}"

    def kill_command(self, ids: Sequence[str]) -> str:
        return f"qdel {batch.id_list(ids)}"


def _number(run_id: str) -> str:
    """Return the number; that of the array for ``123[].server`` and ``123[4].server``."""
    return run_id.partition(".")[0].partition("[")[0]


def _counts(text: str) -> str:
    """Return in words how far an array is: ``Queued:2 Running:1 Exiting:0 Expired:7``."""
    counts = dict(part.partition(":")[::2] for part in text.split())
    if not counts:
        return ""
    return f"{counts.get('Running', '0')} working, {counts.get('Queued', '0')} waiting"


def _blocks(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Split ``qstat -f`` into runs; long values go on in lines that begin with a tab."""
    for block in re.split(r"^Job Id:\s*", text, flags=re.MULTILINE)[1:]:
        head, _, rest = block.partition("\n")
        fields = {}
        for line in rest.replace("\n\t", "").splitlines():
            name, equals, value = line.strip().partition(" = ")
            if equals:
                fields[name] = value.strip()
        yield _number(head.strip()), fields
