"""The script of a run: claims the run, starts its commands, passes signals on, records the end."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.containers import USUAL_LAUNCHER, launcher_words
from jobs.lanes import claim_lines, part_lines
from jobs.schedulers.base import Scheduler, ScriptHeader
from mlmd.errors import InvalidInput
from mlmd.launch import Command, Launch, Resources

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)

# Signals reach the program once: most programs save their state at the first and give up at the
# second. `wait` returns early when a trap runs, so it is asked again until it tells the status.
# The record is written over blanks, so that a disk that has become full still takes it. `times` tells
# the processor time of the programs that were waited for, but only of its own shell: hence the file.
_FRAME = """\
record() {
  times > claim/times 2>/dev/null
  printf '{"code": %d, "cause": "%s", "step": %d, "started": %s, "ended": %s, "times": "%s"}\\n' \\
    "$1" "$2" "$step" "$started" "$(date +%s)" "$(sed -n 2p claim/times 2>/dev/null)" \\
    1<> exit.json.part && mv exit.json.part exit.json
}
on_signal() {
  caught=1; cause=$1; stop=$2; pass_on
}
pass_on() {
  if [ -n "$cause" ] && [ -n "$child" ] && [ -z "$passed" ]; then
    passed=1; kill "-$stop" "$child" 2>/dev/null
  fi
}
await() {
  child=$1; pass_on
  while :; do
    caught=; wait "$child"; code=$?
    [ -z "$caught" ] && break
  done
  child=
  if [ "$code" -ne 0 ] && { [ -z "$2" ] || [ -n "$cause" ]; }; then
    finish "$code" "${cause:-failed}"
  fi
}
next() {
  [ -n "$cause" ] && finish 143 "$cause"
  step=$1
}
finish() {
  record "$1" "$2"
  [ -n "$watch" ] && kill "$watch" 2>/dev/null
  exit "$1"
}
started=$(date +%s); step=0; child=; cause=; stop=TERM; passed=; watch=
printf '%400s\\n' '' > exit.json.part
trap 'on_signal time XCPU' XCPU
trap 'on_signal stopped TERM' TERM INT
"""


@dataclass(frozen=True)
class Recipe:
    """How a code starts on a cluster.

    Args:
        argv: what stands for the code's name.
        environment: variables for this code.
        setup: shell lines before it, for example ``module load …``.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    setup: tuple[str, ...] = ()


ALWAYS = {"sh": Recipe(("sh",), {})}
"""Codes that need no recipe: the script itself runs in this shell."""


def compose(
    launch: Launch,
    scheduler: Scheduler,
    recipes: Mapping[str, Recipe],
    *,
    name: str,
    folder: str,
    token: str,
    mpi: Sequence[str] = USUAL_LAUNCHER,
    queue: str = "",
    account: str = "",
    extra: Sequence[str] = (),
    setup: Sequence[str] = (),
) -> str:
    """Return the text of a run's script.

    The script runs at most once in its folder, whoever starts it how often: ``mkdir claim``
    succeeds for one. It writes ``exit.json`` as its last act, in one step.

    Args:
        launch: what to run.
        scheduler: gives directives and the way to know one's own id.
        recipes: how each code starts.
        name: the job's name in the queue view.
        folder: absolute path of the run directory.
        token: the submission's token.
        mpi: what goes before a command that runs on all processes, see `jobs.containers`.
        queue: where it goes; empty for the site's default.
        account: who pays; empty for the user's default.
        extra: further options in the scheduler's own words.
        setup: shell lines before the first command, for example ``module load …``.

    Raises:
        InvalidInput: the cluster has no recipe for a command's code.
    """
    resources = launch.resources
    lanes = max(1, min(resources.at_once, len(launch.parts)))
    array = lanes if scheduler.array_index else 1
    header = ScriptHeader(name, folder, resources, queue, account, tuple(extra), array)
    watchdog = scheduler.watchdog(resources.walltime_s)
    lines = [
        "#!/bin/sh",
        *scheduler.directives(header),
        f"cd {shlex.quote(folder)} || exit 97",
        f"token={shlex.quote(token)}",
        *claim_lines(scheduler, lanes),
        "exec >>job.log 2>&1",
        *[f"export {variable}={resources.threads}" for variable in THREAD_VARIABLES],
        "export PYTHONUNBUFFERED=1",
    ]
    if launch.parts:

        def call(command: Command) -> list[str]:
            return _call_lines(command, recipes, resources, mpi)

        lines += [*setup, *part_lines(launch.parts, lanes, scheduler, watchdog, call)]
        return "\n".join(lines)
    lines += [_FRAME.rstrip("\n"), *watchdog, *setup]
    for number, command in enumerate(launch.commands, start=1):
        lines += _command_lines(number, command, recipes, resources, mpi)
    lines += ["finish 0 ok", ""]
    return "\n".join(lines)


def _command_lines(
    number: int,
    command: Command,
    recipes: Mapping[str, Recipe],
    resources: Resources,
    mpi: Sequence[str],
) -> list[str]:
    await_line = 'await "$!" lenient' if command.may_fail else 'await "$!"'
    return [f"next {number}", *_call_lines(command, recipes, resources, mpi), await_line]


def _call_lines(
    command: Command, recipes: Mapping[str, Recipe], resources: Resources, mpi: Sequence[str]
) -> list[str]:
    """Return the lines that start a command in the background."""
    code = command.argv[0]
    recipe = recipes.get(code) or ALWAYS.get(code)
    if recipe is None:
        known = ", ".join(sorted(recipes)) or "none"
        raise InvalidInput(
            f"code {code!r}",
            f"the cluster has recipes for: {known}",
            "a recipe that says how the code starts there",
            "Ask the cluster's manager to add it, or choose another cluster.",
        )
    launcher = launcher_words(mpi, resources) if command.mpi else []
    words = [*launcher, *recipe.argv, *command.argv[1:]]
    call = " ".join(shlex.quote(word) for word in words)
    if command.folder:
        # `exec`: signals go to the program and not to a shell around it.
        call = f"(cd {shlex.quote(command.folder)} && exec {call})"
    call += f" < {shlex.quote(command.stdin or '/dev/null')}"
    if command.stdout:
        call += f" > {shlex.quote(command.stdout)}"
    exports = [f"export {name}={shlex.quote(v)}" for name, v in sorted(recipe.environment.items())]
    return [*recipe.setup, *exports, f"{call} &"]
