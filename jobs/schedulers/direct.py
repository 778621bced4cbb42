"""No scheduler at all: detached processes that outlive whoever started them.

A run is known as ``PID:TOKEN``. The token stands in the process's arguments, so a reused
process number is never taken for the run, not even after a restart of the machine.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from jobs.errors import ClusterTrouble
from jobs.schedulers.base import QueueEntry, QueueState, ScriptHeader
from jobs.transports.base import Answer

GRACE = 20  # s that a run has to save its state at the time limit
LOOK = 10  # s between two looks whether the script still lives
# Prints how many live processes of the script's group don't descend from the watchdog.
_OTHERS = (
    'ps -A -o pgid= -o pid= -o ppid= -o stat= | awk -v group=$$ -v me="$me" \''
    "{ up[$2] = $3; if ($1 == group && $4 !~ /^Z/) own[$2] } "
    "END { for (p in own) { q = p; while (q in up && q != me && q > 1) q = up[q]; "
    "if (q != me) count++ } print count + 0 }'"
)


class DirectScheduler:
    """Starts runs at once; how many at a time is decided by the one who asks."""

    missing_grace_s = 0.0
    own_id = '"$$:$token"'
    array_index = ""

    def directives(self, header: ScriptHeader) -> list[str]:
        return []

    def watchdog(self, walltime_s: int) -> list[str]:
        # Its sleeps are children that its own TERM trap ends: nothing is left in the group.
        return [
            "(",
            """  trap 'kill "$nap" 2>/dev/null; exit 0' TERM""",
            "  me=$(exec sh -c 'echo $PPID')",
            f"  left={walltime_s}",
            '  while [ "$left" -gt 0 ]; do',
            f"    look=$((left < {LOOK} ? left : {LOOK})); left=$((left - look))",
            '    sleep "$look" & nap=$!; wait "$nap"',
            # Were it to stay when the script was killed and its program has ended, the run would
            # look alive until its time limit.
            f'    kill -0 $$ 2>/dev/null || [ "$({_OTHERS})" != 0 ] || exit 0',
            "  done",
            "  kill -XCPU $$ 2>/dev/null",
            f'  sleep {GRACE} & nap=$!; wait "$nap"',
            "  record 137 time",
            "  kill -KILL -$$",
            ") &",
            "watch=$!",
        ]

    def submit_command(self, script: str, token: str) -> str:
        start = f"sh {shlex.quote('./' + script)} {shlex.quote(token)} </dev/null >>job.log 2>&1 &"
        # macOS has no setsid; there sh is bash, whose job control gives an own process group.
        return (
            f"if command -v setsid >/dev/null 2>&1; then setsid {start} "
            f"else set -m; nohup {start} fi; "
            "n=0; while [ ! -s claim/id ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n+1)); done; "
            "cat claim/id"
        )

    def parse_submit(self, answer: Answer) -> str:
        run_id = answer.out.strip()
        if answer.code != 0 or ":" not in run_id:
            detail = (answer.err or answer.out).strip()[:300]
            raise ClusterTrouble(f"The run could not be started: {detail or 'no process appeared'}")
        return run_id

    def queue_command(self, ids: Sequence[str]) -> str:
        return "ps -A -ww -o pid= -o pgid= -o stat= -o args="

    def parse_queue(self, answer: Answer, ids: Sequence[str]) -> Mapping[str, QueueEntry]:
        if answer.code != 0 or not answer.out.strip():
            raise ClusterTrouble(f"ps failed: {answer.err.strip()[:300] or 'it listed nothing'}")
        arguments: dict[str, str] = {}
        groups: set[str] = set()
        for line in answer.out.splitlines():
            fields = line.split(None, 3)
            if len(fields) < 4 or fields[2].startswith("Z"):
                continue  # ended, only nobody has collected its status yet
            arguments[fields[0]] = fields[3]
            groups.add(fields[1])
        alive = {}
        for run_id in ids:
            pid, _, token = run_id.partition(":")
            # A group without its leader: the script was killed, what it had started still works.
            if token in arguments[pid] if pid in arguments else pid in groups:
                alive[run_id] = QueueEntry(QueueState.RUNNING, "running")
        return alive

    def stop_command(self, ids: Sequence[str]) -> str:
        # To the script only, which passes it on once: a second TERM means "at once" to programs.
        # Where the script itself was killed (gone, or a zombie), to what it had started.
        return "; ".join(
            f'case "$(ps -o stat= -p {pid})" in ""|Z*) kill -TERM -{pid};; *) kill -TERM {pid};; esac'
            for pid in _pids(ids)
        )

    def kill_command(self, ids: Sequence[str]) -> str:
        return "; ".join(f"kill -KILL -{pid} 2>/dev/null" for pid in _pids(ids))


def _pids(ids: Sequence[str]) -> list[int]:
    return [int(run_id.partition(":")[0]) for run_id in ids]
