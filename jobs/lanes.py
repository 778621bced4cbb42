"""The script of a run made of parts: lanes that take one part after another until none is left.

A lane is an element of the scheduler's array, or a child of the script where there are no arrays.
Each part is claimed with ``mkdir`` by the lane that computes it and gets a record of its own end,
so a lane that dies costs one part. Lanes of an array share a claim: they work only for the array
that took it, so a repeated submission does nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from jobs.schedulers.base import Scheduler
from mlmd.launch import PART_RECORD, Command, Condition, Part

CLAIM_WAIT = 60  # s that a lane waits to see who took the claim; shared folders show files late

_COMMON = """\
total={total}; lane=; child=; cause=; stop=TERM; passed=; part=; step=0; why=ok; code=0
started=$(date +%s); watch=
on_signal() {{
  caught=1; cause=$1; stop=$2; pass_on
}}
pass_on() {{
  if [ -n "$cause" ] && [ -n "$child" ] && [ -z "$passed" ]; then
    passed=1; kill "-$stop" "$child" 2>/dev/null
  fi
}}
await() {{
  child=$1; pass_on
  while :; do
    caught=; wait "$child"; code=$?
    [ -z "$caught" ] && break
  done
  child=
  [ "$code" -eq 0 ] && return 0
  [ -n "$cause" ] && {{ why=$cause; return 1; }}
  [ -n "$2" ] && {{ code=0; return 0; }}
  why=failed; return 1
}}
take() {{
  [ -z "$cause" ] && mkdir "$1/claim" 2>/dev/null || return 1
  part=$1; step=0; why=ok; code=0; begun=$(date +%s)
  printf '%s\\n' "$part" > "claim/lane-$lane/part"
}}
next() {{
  [ -n "$cause" ] && {{ why=$cause; code=143; return 1; }}
  step=$1
}}
settle() {{
  [ -n "$part" ] || return 0
  printf '{{"code": %d, "cause": "%s", "step": %d, "started": %s, "ended": %s}}\\n' \\
    "$code" "$why" "$step" "$begun" "$(date +%s)" \\
    > "$part/{record}.part" && mv "$part/{record}.part" "$part/{record}"
  part=; : > "claim/lane-$lane/part"
  echo >> "claim/lane-$lane/settled"
  show
}}
show() {{
  count=$(cat claim/lane-*/settled | wc -l | tr -d ' '); now=$(date +%s)
  printf '{{"fraction": %d.%03d, "message": "%d of %d done", "eta_s": %d}}\\n' \\
    $((count / total)) $((count % total * 1000 / total)) "$count" "$total" \\
    $(((now - started) * (total - count) / count)) \\
    > "progress.json.$lane.part" && mv "progress.json.$lane.part" progress.json
}}
close_run() {{
  printf '{{"code": %d, "cause": "%s", "step": %d, "started": %s, "ended": %s}}\\n' \\
    "$1" "$2" 0 "$started" "$(date +%s)" > exit.json.part && mv exit.json.part exit.json
}}
"""

# The record of the run is written by the last lane. One that was killed is missed by all others:
# then nobody writes it, and the portal finds the end in the queue view.
_ARRAY = """\
record() {{
  if [ -s "claim/lane-$lane/part" ]; then
    part=$(cat "claim/lane-$lane/part"); why=$2; code=$1; begun=${{begun:-$started}}; settle
  fi
  leave "$2"
}}
leave() {{
  printf '%s\\n' "$1" > "claim/lane-$lane/ended.part"
  mv "claim/lane-$lane/ended.part" "claim/lane-$lane/ended"
  set -- claim/lane-*/ended
  if [ "$#" -eq {lanes} ] && mkdir claim/closed 2>/dev/null; then
    if grep -qx time "$@"; then close_run 124 time
    elif grep -qx stopped "$@"; then close_run 143 stopped
    else close_run 0 ok; fi
  fi
}}
"""

_ALONE = """\
record() { close_run "$1" "$2"; }
pass_all() {
  cause=$1
  for pid in $pids; do kill "-$2" "$pid" 2>/dev/null; done
}
"""


def claim_lines(scheduler: Scheduler, lanes: int) -> list[str]:
    """Return the lines that see to it that nothing runs twice, before any output."""
    own = scheduler.own_id
    take = f"printf '%s\\n' {own} > claim/id.part && mv claim/id.part claim/id"
    if lanes == 1 or not scheduler.array_index:
        return ["mkdir claim 2>/dev/null || exit 0", take]
    return [
        f"lane={scheduler.array_index}",
        f"if mkdir claim 2>/dev/null; then {take}; fi",
        f"n=0; while [ ! -s claim/id ] && [ $n -lt {CLAIM_WAIT} ]; do sleep 1; n=$((n+1)); done",
        f'[ "$(cat claim/id 2>/dev/null)" = {own} ] || exit 0',
        'mkdir "claim/lane-$lane" 2>/dev/null || exit 0',
    ]


def part_lines(
    parts: Sequence[Part],
    lanes: int,
    scheduler: Scheduler,
    watchdog: Sequence[str],
    call: Callable[[Command], list[str]],
) -> list[str]:
    """Return the rest of the script.

    Args:
        parts: in the order in which they are taken.
        lanes: how many at once.
        scheduler: whether it has arrays.
        watchdog: its lines that keep the time limit.
        call: the lines that start a command in the background.
    """
    in_array = lanes > 1 and bool(scheduler.array_index)
    text = _COMMON.format(total=len(parts), record=PART_RECORD)
    if in_array:
        # `lane` was set before the claim; the common part forgot it.
        text = text.replace("lane=; ", "", 1) + _ARRAY.format(lanes=lanes)
    else:
        text += _ALONE
    lines = [*text.splitlines(), "work() {"]
    for part in parts:
        lines += _part(part, call)
    lines.append("}")
    if in_array:
        traps = ["trap 'on_signal time XCPU' XCPU", "trap 'on_signal stopped TERM' TERM INT"]
        end = ['leave "${cause:-ok}"', '[ -n "$watch" ] && kill "$watch" 2>/dev/null', "exit 0", ""]
        return [*lines, *traps, *watchdog, "work", *end]
    return [*lines, *_children(lanes, watchdog)]


def _children(lanes: int, watchdog: Sequence[str]) -> list[str]:
    """Return the lines that run the lanes as children; the script passes signals on to them."""
    return [
        "pids=",
        "trap 'pass_all time XCPU' XCPU",
        "trap 'pass_all stopped TERM' TERM INT",
        *watchdog,
        f"for lane in $(seq 0 {lanes - 1}); do",
        '  mkdir "claim/lane-$lane"',
        "  (",
        "    trap 'on_signal time XCPU' XCPU; trap 'on_signal stopped TERM' TERM INT",
        "    work",
        "  ) &",
        '  pids="$pids $!"',
        "done",
        # A signal that came while they were started has found only some of them.
        '[ "$cause" = time ] && pass_all time XCPU; [ "$cause" = stopped ] && pass_all stopped TERM',
        "for pid in $pids; do",
        '  while kill -0 "$pid" 2>/dev/null; do wait "$pid"; done',
        "done",
        'case "$cause" in time) close_run 124 time;; stopped) close_run 143 stopped;; '
        "*) close_run 0 ok;; esac",
        '[ -n "$watch" ] && kill "$watch" 2>/dev/null',
        '[ -z "$cause" ]',
        "",
    ]


def _part(part: Part, call: Callable[[Command], list[str]]) -> list[str]:
    lines = [f"if take {shlex.quote(part.folder)}; then while :; do"]
    for number, command in enumerate(part.commands, start=1):
        body = [f"next {number} || break", *call(command), _await(command)]
        if command.only_if is not None:
            body = [f"if {_condition(command.only_if)}; then", *body, "fi"]
        lines += body
    return [*lines, "break; done; settle; fi"]


def _await(command: Command) -> str:
    return f'await "$!"{" lenient" if command.may_fail else ""} || break'


def _condition(condition: Condition) -> str:
    found = f"grep -qsF -e {shlex.quote(condition.text)} {shlex.quote(condition.path)}"
    return found if condition.present else f"! {found}"
