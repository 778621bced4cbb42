"""Runs made of parts: each part once, with a record of its own; with a real shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from jobs.exit_record import Cause, parse_exit
from jobs.schedulers import SCHEDULERS
from jobs.script import compose
from mlmd.launch import Command, Condition, Launch, Part, Resources
from tests.jobs.test_script import RECIPES, TOKEN


def part(folder: Path, name: str, *texts: str, **more: object) -> Part:
    (folder / name).mkdir(parents=True, exist_ok=True)
    return Part(name, tuple(Command(("sh", "-c", text), **more) for text in texts))


def write(folder: Path, parts: list[Part], scheduler: str = "direct", **resources: object) -> None:
    launch = Launch((), (), resources=Resources(**resources), parts=tuple(parts))
    text = compose(
        launch, SCHEDULERS[scheduler], RECIPES, name="test", folder=str(folder), token=TOKEN
    )
    (folder / "job.sh").write_text(text)


def start(folder: Path, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        ["sh", "./job.sh", TOKEN],
        cwd=folder,
        start_new_session=True,
        env={**os.environ, **environment},
    )


def record(folder: Path):
    return parse_exit((folder / "exit.json").read_bytes())


def log(folder: Path) -> list[str]:
    return (folder / "log").read_text().split()


@pytest.mark.parametrize("at_once", [1, 3])
def test_every_part_is_computed_once_and_says_how_it_ended(tmp_path, at_once):
    parts = [part(tmp_path, f"p{i}", f"echo {i} >> log; exit {i % 2}") for i in range(6)]
    write(tmp_path, parts, at_once=at_once)
    assert start(tmp_path).wait(20) == 0
    assert sorted(log(tmp_path)) == list("012345")
    assert record(tmp_path).cause == Cause.OK
    ends = [record(tmp_path / f"p{i}") for i in range(6)]
    assert [end.cause for end in ends] == [Cause.OK, Cause.FAILED] * 3
    assert [end.code for end in ends] == [0, 1] * 3
    progress = json.loads((tmp_path / "progress.json").read_text())
    assert (progress["fraction"], progress["message"]) == (1.0, "6 of 6 done")


def test_parts_work_at_the_same_time(tmp_path):
    meet = "touch here-$PPID-$$; n=0; while [ $(ls here-* | wc -l) -lt 2 ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done; [ $n -lt 100 ]"
    write(tmp_path, [part(tmp_path, "a", meet), part(tmp_path, "b", meet)], at_once=2)
    assert start(tmp_path).wait(30) == 0
    assert record(tmp_path / "a").cause == record(tmp_path / "b").cause == Cause.OK


def test_a_failed_command_ends_its_part_unless_it_may_and_conditions_are_asked_in_turn(tmp_path):
    (tmp_path / "p").mkdir()
    commands = (
        Command(("sh", "-c", "echo not reached > out; exit 3"), may_fail=True),
        Command(("sh", "-c", "echo again >> log"), only_if=Condition("out", "not reached")),
        Command(("sh", "-c", "echo never >> log"), only_if=Condition("out", "reached", False)),
        Command(("sh", "-c", "pwd >> ../log"), folder="p"),
        Command(("sh", "-c", "exit 4")),
        Command(("sh", "-c", "echo never >> log")),
    )
    write(tmp_path, [Part("p", commands)])
    start(tmp_path).wait(20)
    assert log(tmp_path) == ["again", str(tmp_path / "p")]
    end = record(tmp_path / "p")
    assert (end.cause, end.code, end.step) == (Cause.FAILED, 4, 5)


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize(
    ("number", "cause"), [(signal.SIGTERM, Cause.STOPPED), (signal.SIGXCPU, Cause.TIME)]
)
def test_a_signal_ends_the_working_parts_and_begins_no_other(tmp_path, at_once, number, cause):
    parts = [part(tmp_path, "quick", "echo quick >> log")]
    parts += [
        part(tmp_path, f"slow{i}", f"echo slow >> log; touch ready{i}; exec sleep 60")
        for i in range(at_once)
    ]
    parts.append(part(tmp_path, "late", "echo late >> log"))
    write(tmp_path, parts, at_once=at_once)
    process = start(tmp_path)
    while not all((tmp_path / f"ready{i}").exists() for i in range(at_once)):
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(20) != 0
    assert record(tmp_path).cause == cause
    assert record(tmp_path / "quick").cause == Cause.OK
    assert {record(tmp_path / f"slow{i}").cause for i in range(at_once)} == {cause}
    assert not (tmp_path / "late" / "exit.json").exists()
    assert "late" not in log(tmp_path)


def test_the_watchdog_keeps_the_time_limit_of_parts(tmp_path):
    write(tmp_path, [part(tmp_path, "p", "exec sleep 60")], walltime_s=1)
    process = start(tmp_path)
    assert process.wait(20) != 0
    assert record(tmp_path).cause == record(tmp_path / "p").cause == Cause.TIME


ARRAYS = {
    "slurm": ("SLURM_ARRAY_JOB_ID", "17", "SLURM_ARRAY_TASK_ID"),
    "pbs": ("PBS_ARRAY_ID", "17[].pbs01", "PBS_ARRAY_INDEX"),
    "pjm": ("PJM_JOBID", "17", "PJM_BULKNUM"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_the_elements_of_an_array_share_the_parts_and_the_last_one_closes_the_run(tmp_path, name):
    parts = [part(tmp_path, f"p{i}", f"sleep 0.1; echo {i} >> log") for i in range(9)]
    write(tmp_path, parts, name, at_once=3)
    one, own, index = ARRAYS[name]
    elements = [start(tmp_path, **{one: own, index: str(i)}) for i in range(3)]
    assert [element.wait(30) for element in elements] == [0, 0, 0]
    assert sorted(log(tmp_path)) == [str(i) for i in range(9)]
    assert (tmp_path / "claim" / "id").read_text().strip() == own
    assert record(tmp_path).cause == Cause.OK
    # A second submission of the same script, under another number, does nothing.
    again = [start(tmp_path, **{one: own.replace("17", "18"), index: str(i)}) for i in range(3)]
    assert [element.wait(30) for element in again] == [0, 0, 0]
    assert len(log(tmp_path)) == 9


def test_an_element_that_is_killed_costs_one_part_and_leaves_the_run_unclosed(tmp_path):
    parts = [part(tmp_path, "bad", "touch ready; exec sleep 60")]
    parts += [part(tmp_path, f"p{i}", "true") for i in range(4)]
    write(tmp_path, parts, "slurm", at_once=2)
    first = start(tmp_path, SLURM_ARRAY_JOB_ID="17", SLURM_ARRAY_TASK_ID="0")
    while not (tmp_path / "ready").exists():
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait(20)
    second = start(tmp_path, SLURM_ARRAY_JOB_ID="17", SLURM_ARRAY_TASK_ID="1")
    assert second.wait(20) == 0
    assert {record(tmp_path / f"p{i}").cause for i in range(4)} == {Cause.OK}
    assert not (tmp_path / "bad" / "exit.json").exists()
    assert not (tmp_path / "exit.json").exists()


def test_a_claim_that_the_portal_took_starts_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("jobs.lanes.CLAIM_WAIT", 1)
    write(tmp_path, [part(tmp_path, f"p{i}", "touch never") for i in range(2)], "slurm", at_once=2)
    (tmp_path / "claim").mkdir()
    element = start(tmp_path, SLURM_ARRAY_JOB_ID="17", SLURM_ARRAY_TASK_ID="0")
    assert element.wait(20) == 0
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_arrays_are_asked_for_where_there_are_some(tmp_path, name):
    parts = [part(tmp_path, f"p{i}", "true") for i in range(5)]
    write(tmp_path, parts, name, at_once=4)
    text = (tmp_path / "job.sh").read_text()
    asked = {
        "slurm": "#SBATCH --array=0-3\n",
        "pbs": "#PBS -J 0-3\n",
        "pjm": "#PJM --bulk\n#PJM --sparam 0-3\n",
        "direct": "$(seq 0 3)",
    }[name]
    assert asked in text
    assert "#PBS -r n" not in text
    done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
