"""The contract of every scheduler, and what is special about running processes directly."""

from __future__ import annotations

import shlex

import pytest

from jobs.errors import ClusterTrouble
from jobs.schedulers import SCHEDULERS, QueueState, ScriptHeader
from jobs.schedulers.direct import DirectScheduler
from jobs.transports import Answer
from mlmd.launch import Resources

TOKEN = "0123456789abcdef0123456789abcdef"
# ps -A -ww -o pid= -o pgid= -o stat= -o args= of procps 4.0 and of macOS 14, shortened
PS_LINUX = f"""\
      1       1 Ss   /sbin/init
   4242    4242 S    sh ./job.sh {TOKEN}
   4243    4242 Sl   /usr/bin/python3 -m mlmd train --run-dir .
   5000    5000 Z    [sh] <defunct>
"""
PS_MAC = f"""\
  4242  4242 S    sh ./job.sh {TOKEN}
  4243  4242 R+   /opt/homebrew/bin/python3.12 -m mlmd md --run-dir .
"""


@pytest.fixture(params=sorted(SCHEDULERS))
def scheduler(request):
    return SCHEDULERS[request.param]


@pytest.fixture
def run_id(scheduler):
    return f"1:{TOKEN}" if isinstance(scheduler, DirectScheduler) else "17"


def test_directives_are_comments_of_the_shell(scheduler):
    lines = scheduler.directives(ScriptHeader("mlmd-train-1", "/far/run", Resources(threads=4)))
    assert all(line.startswith("#") for line in lines)


def test_a_query_that_failed_tells_nothing(scheduler, run_id):
    with pytest.raises(ClusterTrouble):
        scheduler.parse_queue(Answer(1, "", "connection refused"), [run_id])


def test_a_process_table_without_processes_is_no_answer():
    with pytest.raises(ClusterTrouble):
        DirectScheduler().parse_queue(Answer(0, "", ""), ["1:x"])


def test_an_answer_without_an_id_is_no_submission(scheduler):
    for answer in (Answer(0, "", ""), Answer(1, "", "fork: no memory"), Answer(0, "\n", "")):
        with pytest.raises(ClusterTrouble):
            scheduler.parse_submit(answer)


def test_commands_are_one_line_of_shell(scheduler, run_id):
    for command in (
        scheduler.queue_command([run_id]),
        scheduler.stop_command([run_id]),
        scheduler.kill_command([run_id]),
        scheduler.submit_command("job.sh", TOKEN),
    ):
        assert "\n" not in command
        assert shlex.split(command)


@pytest.mark.parametrize("text", [PS_LINUX, PS_MAC])
def test_a_listed_process_with_the_token_is_running(text):
    queue = DirectScheduler().parse_queue(Answer(0, text, ""), [f"4242:{TOKEN}"])
    assert queue[f"4242:{TOKEN}"].state == QueueState.RUNNING


def test_a_reused_process_number_is_not_the_run():
    other = "f" * 32
    assert DirectScheduler().parse_queue(Answer(0, PS_LINUX, ""), [f"4242:{other}"]) == {}


def test_a_zombie_is_not_running():
    assert DirectScheduler().parse_queue(Answer(0, PS_LINUX, ""), [f"5000:{TOKEN}"]) == {}


def test_what_a_killed_script_left_behind_is_running():
    text = PS_LINUX.replace(f"   4242    4242 S    sh ./job.sh {TOKEN}\n", "")
    assert f"4242:{TOKEN}" in DirectScheduler().parse_queue(Answer(0, text, ""), [f"4242:{TOKEN}"])


def test_an_id_that_is_no_number_never_reaches_a_kill_command():
    with pytest.raises(ValueError):
        DirectScheduler().kill_command(["1; rm -rf /:x"])
