"""Scripts through a batch system: what is asked, one run whatever happens, an end that is known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlmd.batch import Batch, BatchRun, BatchSystem, BatchTrouble
from mlmd.errors import InvalidInput

# Each starts the script as a process of its own; its number is the id. The queue view lists what
# still runs. `reply` is the text of the real programs.
SUBMIT = """#!/bin/sh
for script; do :; done
echo asked >> asked.log
[ -e refuse ] && {{ {refusal}; }}
setsid /bin/sh "$script" >/dev/null 2>&1 </dev/null &
echo $! >> "$STAND_IN_QUEUE"
{reply}
"""
QUEUE = """#!/bin/sh
{head}
for id in $(cat "$STAND_IN_QUEUE" 2>/dev/null); do
  kill -0 "$id" 2>/dev/null && ! grep -q "State:.Z" "/proc/$id/status" && echo {row}
done
exit 0
"""
SYSTEMS = {
    BatchSystem.SLURM: (
        ("sbatch", "squeue"),
        {"reply": "echo $!", "refusal": 'echo "sbatch: error: invalid partition" >&2; exit 1'},
        {"head": ":", "row": '"$id"'},
    ),
    BatchSystem.PBS: (
        ("qsub", "qstat"),
        {"reply": "echo $!.pbs-server", "refusal": 'echo "qsub: Unknown queue" >&2; exit 170'},
        {"head": 'echo "Job id  Name  User"', "row": '"$id.pbs-server run user 0 R short"'},
    ),
    BatchSystem.PJM: (
        ("pjsub", "pjstat"),
        {
            "reply": 'echo "[INFO] PJM 0000 pjsub Job $! submitted."',
            # Some sites say no with status 0.
            "refusal": 'echo "[ERR.] PJM 0057 pjsub node=32 is greater than 24."; exit 0',
        },
        {"head": 'echo "JOB_ID JOB_NAME MD ST"', "row": '"$id run NM RUN"'},
    ),
}


@pytest.fixture(params=list(BatchSystem))
def batch(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Batch:
    (submit, queue), said, shown = SYSTEMS[request.param]
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in ((submit, SUBMIT.format(**said)), (queue, QUEUE.format(**shown))):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_QUEUE", str(tmp_path / "queue"))
    return Batch(request.param, queue="short", account="gg53", interval=0.05)


def run_of(batch: Batch, tmp_path: Path) -> BatchRun:
    folder = tmp_path / "run"
    folder.mkdir(exist_ok=True)
    return BatchRun(batch, folder, "step")


def test_a_run_ends_with_the_status_of_its_last_line(batch: Batch, tmp_path: Path) -> None:
    run = run_of(batch, tmp_path)
    run.submit(["echo one > out", "echo two >> out"])
    assert run.wait() == 0
    assert (run.folder / "out").read_text() == "one\ntwo\n"


def test_the_first_line_that_fails_ends_the_run(batch: Batch, tmp_path: Path) -> None:
    run = run_of(batch, tmp_path)
    run.submit(["exit 3", "echo never > out"])
    assert run.wait() == 3
    assert not (run.folder / "out").exists()


def test_another_process_goes_on_waiting(batch: Batch, tmp_path: Path) -> None:
    first = run_of(batch, tmp_path)
    number = first.submit(["sleep 0.3"])
    again = run_of(batch, tmp_path)
    assert again.is_submitted
    assert again.id == number
    assert again.wait() == 0


def test_a_script_that_is_started_twice_works_once(batch: Batch, tmp_path: Path) -> None:
    run = run_of(batch, tmp_path)
    lines = ["echo worked >> out"]
    run.submit(lines)
    run.submit(lines)
    assert run.wait() == 0
    assert (run.folder / "out").read_text() == "worked\n"


def test_a_refusal_is_told_in_the_systems_own_words(batch: Batch, tmp_path: Path) -> None:
    run = run_of(batch, tmp_path)
    (run.folder / "refuse").touch()
    with pytest.raises(BatchTrouble, match=r"did not take the run: .*(partition|queue|greater)"):
        run.submit(["true"])
    assert not run.is_submitted


def test_a_run_that_vanishes_is_no_success(batch: Batch, tmp_path: Path) -> None:
    run = run_of(batch, tmp_path)
    run.submit(["kill -9 $$"])
    with pytest.raises(BatchTrouble, match="without a record of its end"):
        run.wait()


@pytest.mark.parametrize(
    ("system", "lines"),
    [
        ("slurm", ["--partition=short", "--ntasks-per-node=8", "--time=2:00:00", "--account=gg53"]),
        ("pbs", ["select=2:ncpus=16:mpiprocs=8:ompthreads=2", "walltime=2:00:00", "-q short"]),
        ("pjm", ["-L rscgrp=short", "-L elapse=02:00:00", "--mpi proc=16", "-g gg53"]),
    ],
)
def test_the_script_asks_for_what_was_wanted(system: str, lines: list[str], tmp_path: Path) -> None:
    batch = Batch(BatchSystem(system), "short", "gg53", "2:00:00", nodes=2, processes=8, threads=2)
    text = BatchRun(batch, tmp_path, "step").script(["true"])
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert all(any(wanted in line for line in head) for wanted in lines)


@pytest.mark.parametrize("walltime", ["two hours", "1:70:00", 0])
def test_a_walltime_that_is_none_is_refused(walltime: int | str) -> None:
    with pytest.raises(InvalidInput, match="walltime"):
        Batch(BatchSystem.SLURM, walltime=walltime)
