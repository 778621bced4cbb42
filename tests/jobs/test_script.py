"""The script runs its commands once, passes signals on and records its end; with a real shell."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.exit_record import Cause, parse_exit
from jobs.schedulers import SCHEDULERS
from jobs.schedulers.direct import DirectScheduler
from jobs.script import Recipe, compose
from mlmd.errors import InvalidInput
from mlmd.launch import Command, Launch, Resources

TOKEN = "f" * 32
RECIPES = {
    "sh": Recipe(("sh",), {}),
    "python": Recipe((sys.executable,), {"GREETING": "it's $HOME"}, ("export FROM_SETUP=yes",)),
}
HEEDS = """
import signal, sys, time
def save(number, frame):
    open("saved", "a").write(f"{number}\\n")
    time.sleep(0.3)
    sys.exit(128 + number)
for number in (signal.SIGTERM, signal.SIGXCPU):
    signal.signal(number, save)
open("ready", "w").close()
time.sleep(60)
"""


def script(folder: Path, *commands: Command, **resources: object) -> str:
    launch = Launch(commands=commands, fetch=(), resources=Resources(**resources))
    return compose(launch, DirectScheduler(), RECIPES, name="test", folder=str(folder), token=TOKEN)


def start(folder: Path, *commands: Command, **resources: object) -> subprocess.Popen:
    (folder / "job.sh").write_text(script(folder, *commands, **resources))
    return subprocess.Popen(["sh", "./job.sh", TOKEN], cwd=folder, start_new_session=True)


def record(folder: Path):
    return parse_exit((folder / "exit.json").read_bytes())


def shell(text: str, **more: object) -> Command:
    return Command(("sh", "-c", text), **more)


def test_commands_run_one_after_another_with_their_files(tmp_path):
    (tmp_path / "in").write_text("from a file")
    process = start(
        tmp_path,
        shell("cat", stdin="in", stdout="out"),
        shell("echo second >> out; echo to the log"),
        threads=3,
    )
    assert process.wait(20) == 0
    assert (tmp_path / "out").read_text() == "from a filesecond\n"
    assert "to the log" in (tmp_path / "job.log").read_text()
    end = record(tmp_path)
    assert (end.cause, end.code) == (Cause.OK, 0)
    assert end.started <= end.ended


def test_the_first_command_that_fails_ends_the_run(tmp_path):
    process = start(tmp_path, shell("exit 0"), shell("exit 7"), shell("touch never"))
    assert process.wait(20) == 7
    end = record(tmp_path)
    assert (end.cause, end.code, end.step) == (Cause.FAILED, 7, 2)
    assert not (tmp_path / "never").exists()


def test_recipe_setup_and_variables_reach_the_program(tmp_path):
    text = "import os; print(os.environ['GREETING'], os.environ['FROM_SETUP'], os.environ['NUMBA_NUM_THREADS'])"
    start(tmp_path, Command(("python", "-c", text)), threads=5).wait(20)
    assert "it's $HOME yes 5" in (tmp_path / "job.log").read_text()


def test_a_second_start_in_the_same_folder_does_nothing(tmp_path):
    first = start(tmp_path, shell("echo x >> starts; sleep 0.5"))
    while not (tmp_path / "claim").exists():
        time.sleep(0.01)
    again = [start(tmp_path, shell("echo x >> starts; sleep 0.5")) for _ in range(5)]
    assert [process.wait(20) for process in again] == [0] * 5
    assert first.wait(20) == 0
    assert (tmp_path / "starts").read_text() == "x\n"
    assert (tmp_path / "claim" / "id").read_text() == f"{first.pid}:{TOKEN}\n"


@pytest.mark.parametrize(
    ("number", "cause"), [(signal.SIGTERM, Cause.STOPPED), (signal.SIGXCPU, Cause.TIME)]
)
def test_a_signal_is_passed_on_once_and_the_program_may_save(tmp_path, number, cause):
    process = start(tmp_path, Command(("python", "-c", HEEDS)), shell("touch never"))
    while not (tmp_path / "ready").exists():
        time.sleep(0.01)
    process.send_signal(number)
    time.sleep(0.1)
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert (tmp_path / "saved").read_text() == f"{int(number)}\n"
    assert record(tmp_path).cause == cause
    assert not (tmp_path / "never").exists()


def test_the_watchdog_signals_at_the_time_limit_and_leaves_nothing_behind(tmp_path):
    process = start(tmp_path, Command(("python", "-c", HEEDS)), walltime_s=1)
    assert process.wait(20) == 128 + signal.SIGXCPU
    assert record(tmp_path).cause == Cause.TIME
    for _ in range(20):
        left = subprocess.run(
            ["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        working = [f for f in map(str.split, left) if f[0] == str(process.pid) and f[1][0] != "Z"]
        if not working:
            break
        time.sleep(0.1)
    assert working == []


def test_a_program_that_ignores_the_time_limit_is_killed_with_a_record(tmp_path, monkeypatch):
    monkeypatch.setattr("jobs.schedulers.direct.GRACE", 1)
    text = "import signal, time\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\ntime.sleep(60)"
    process = start(tmp_path, Command(("python", "-c", text)), walltime_s=1)
    assert process.wait(20) == -signal.SIGKILL
    end = record(tmp_path)
    assert (end.cause, end.code) == (Cause.TIME, 137)


def test_a_code_without_a_recipe_is_named_with_those_that_there_are(tmp_path):
    with pytest.raises(InvalidInput, match=r"code 'pw\.x'.*python, sh"):
        script(tmp_path, Command(("pw.x", "-in", "scf.in")))


def test_an_mpi_command_goes_through_the_launcher(tmp_path):
    text = script(tmp_path, Command(("sh", "x"), mpi=True), processes=8)
    assert "\nmpirun -np 8 sh x < /dev/null &\n" in text


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_every_schedulers_script_is_accepted_by_the_shell(tmp_path, name):
    launch = Launch(commands=(shell("true"),), fetch=())
    text = compose(
        launch, SCHEDULERS[name], RECIPES, name="test", folder=str(tmp_path), token=TOKEN
    )
    answer = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"cause": "ok"}',
        b'{"code": 0, "cause": "splendid", "step": 1, "started": 1, "ended": 2}',
        json.dumps({"code": 0, "cause": "ok", "step": 1, "started": 1e300, "ended": 2}).encode(),
    ],
)
def test_a_damaged_record_is_never_a_success(content):
    assert parse_exit(content).cause == Cause.DAMAGED
