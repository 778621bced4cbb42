"""Slurm, PBS and PJM: composed text, and replies recorded on real systems or in their manuals."""

import shutil
import subprocess

import pytest

from jobs.errors import ClusterTrouble, SubmissionRefused
from jobs.schedulers import QueueState, ScriptHeader
from jobs.schedulers.batch import NOBODY_KNOWS, array_element, id_list, queue_name
from jobs.schedulers.pbs import PbsScheduler
from jobs.schedulers.pjm import PjmScheduler
from jobs.schedulers.slurm import SlurmScheduler
from jobs.transports.base import Answer
from mlmd.launch import Resources

SYSTEMS = {"slurm": SlurmScheduler(), "pbs": PbsScheduler(), "pjm": PjmScheduler()}
TOKEN = "3f2a9c0d1e4b4f5a8d7c6b5a49382716"
HEADER = ScriptHeader(
    name="train",
    folder="/group/gx00/user/run",
    resources=Resources(nodes=2, processes=4, threads=9, walltime_s=5430),
    queue="short-o",
    account="gx00",
    extra=("--custom=1",),
)

# Wisteria/BDEC-01's wrapper.
WISTERIA = """\
Wisteria/BDEC-01 scheduled stop time: 2024/11/22(Fri) 09:00:00 (Remain: 22days 16:57:27)

JOB_ID       JOB_NAME   STATUS  PROJECT    RSCGROUP          START_DATE        ELAPSE           TOKEN           NODE  GPU
5170490      J03_signal RUNNING gg53       short-a           10/30 15:39:41<   00:22:53           9.2              1    8
5170614      J01_exampl QUEUED  gg53       short-a           (10/30 18:00)<    00:00:00        (48.0)              1    8
JOB_ID       JOB_NAME   STATUS  PROJECT    RSCGROUP          START_DATE        ELAPSE           TOKEN           NODE  GPU
5170001      J00_done   END     gg53       short-a           10/30 12:00:00    00:01:00           0.1              1    8
"""
PLAIN_PJM = """\
JOB_ID     JOB_NAME   MD ST  USER     START_DATE      ELAPSE_LIM NODE_REQUIRE    VNODE  CORE V_MEM
167661     run.sh     NM RUN u00001   11/22 10:15:02  0024:00:00 12              -      -    -
167662     run.sh     NM QUE u00001   (11/22 18:00)   0024:00:00 12              -      -    -
239[1]     bulk       BU EXT u00001   11/21 09:00:00  0001:00:00 1               -      -    -
"""
QSTAT_F = """\
Job Id: 4242.pbs01
    Job_Name = m3f2a9c0d1
    job_state = Q
    comment = Not Running: Insufficient amount of resource: ncpus
    Variable_List = PBS_O_HOME=/home/u,PBS_O_LANG=C,
\tPBS_O_WORKDIR=/home/u
Job Id: 4243.pbs01
    job_state = R
    exec_host = node7/0*36
Job Id: 4244.pbs01
    job_state = F
    Exit_status = 0
"""


@pytest.mark.parametrize(("name", "scheduler"), SYSTEMS.items(), ids=SYSTEMS)
def test_a_submission_looks_before_it_asks_a_second_time(name, scheduler, tmp_path):
    """The shell really runs, with programs in front that count their calls."""
    programs = tmp_path / "bin"
    programs.mkdir()
    said = {"slurm": "17", "pbs": "17.pbs01", "pjm": "[INFO] PJM 0000 pjsub Job 17 submitted."}[
        name
    ]
    row = {"slurm": f"17 {TOKEN}", "pbs": f"17.pbs01 u q {queue_name(TOKEN)}"}.get(
        name, f"17 {queue_name(TOKEN)} QUEUED"
    )
    submit = {"slurm": "sbatch", "pbs": "qsub", "pjm": "pjsub"}[name]
    query = {"slurm": "squeue", "pbs": "qstat", "pjm": "pjstat"}[name]
    counter = tmp_path / "submitted"
    # The reply to the first submission is lost: the program is accepted, then cut off.
    _program(programs / submit, f"echo x >> {counter}; [ -e reply-lost ] || exit 1; echo '{said}'")
    _program(programs / query, f"[ ! -e down ] || exit 1; echo '{row}'")
    command = scheduler.submit_command("job.sh", TOKEN)
    (tmp_path / "down").touch()
    assert _shell(command, tmp_path, programs).code == 1
    assert _shell(command, tmp_path, programs).code == NOBODY_KNOWS
    (tmp_path / "down").unlink()
    assert scheduler.parse_submit(_shell(command, tmp_path, programs)).startswith("17")
    assert counter.read_text().split() == ["x"]


@pytest.mark.parametrize(("name", "scheduler"), SYSTEMS.items(), ids=SYSTEMS)
def test_an_empty_queue_is_believed_after_a_while_and_a_refusal_at_once(name, scheduler, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    submit = {"slurm": "sbatch", "pbs": "qsub", "pjm": "pjsub"}[name]
    query = {"slurm": "squeue", "pbs": "qstat", "pjm": "pjstat"}[name]
    counter = tmp_path / "submitted"
    _program(programs / submit, f"echo x >> {counter}; cat says >&2; exit 1")
    _program(programs / query, "exit 0")
    (tmp_path / "says").write_text("error: Batch job submission failed: too many jobs\n")
    command = scheduler.submit_command("job.sh", TOKEN)
    for _turn in range(2):
        assert "too many" in _shell(command, tmp_path, programs).err
    (tmp_path / "says").write_text("error: Socket timed out on send/recv operation\n")
    assert _shell(command, tmp_path, programs).code == 1
    assert len(counter.read_text().split()) == 3
    for _turn in range(2):
        assert _shell(command, tmp_path, programs).code == NOBODY_KNOWS
    (tmp_path / "job.unseen").write_text("1\n")
    assert _shell(command, tmp_path, programs).code == 1
    assert len(counter.read_text().split()) == 4
    assert _shell(command, tmp_path, programs).code == NOBODY_KNOWS


def _program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def _shell(command, folder, programs):
    done = subprocess.run(
        [shutil.which("sh"), "-c", f"( {command} )"],
        cwd=folder,
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("scheduler", SYSTEMS.values(), ids=SYSTEMS)
def test_a_failed_query_says_nothing_about_any_run(scheduler):
    with pytest.raises(ClusterTrouble):
        scheduler.parse_queue(Answer(1, "", "connection timed out"), ["17"])


@pytest.mark.parametrize("scheduler", SYSTEMS.values(), ids=SYSTEMS)
def test_ids_are_never_shell_text(scheduler):
    with pytest.raises(ValueError, match="no id"):
        scheduler.stop_command(["17; rm -rf ~"])
    assert id_list(["239[1]", "17"]) == "'239[1]' 17"


@pytest.mark.parametrize("scheduler", SYSTEMS.values(), ids=SYSTEMS)
def test_the_script_head_asks_for_everything(scheduler):
    text = "\n".join(scheduler.directives(HEADER))
    for part in ("short-o", "gx00", "1:30:30", "--custom=1"):
        assert part in text


def test_slurm_words():
    out = (
        "101|RUNNING|None|2026-11-22T10:00:00|node3\n"
        "102|PENDING|Resources|2026-11-22T18:00:00|\n"
        "103|TIMEOUT|TimeLimit|2026-11-22T09:00:00|node3\n"
        "104|SLEEPWALKING|None|N/A|\n"
        "999|RUNNING|None|N/A|node1\n"
    )
    found = SYSTEMS["slurm"].parse_queue(Answer(0, out, ""), ["101", "102", "103", "104", "105"])
    assert {i: e.state for i, e in found.items()} == {
        "101": QueueState.RUNNING,
        "102": QueueState.QUEUED,
        "103": QueueState.ENDED,
        "104": QueueState.UNKNOWN,
    }
    assert found["102"].reason == "Resources, expected start 2026-11-22 18:00:00"


@pytest.mark.parametrize(
    ("name", "code", "text", "error"),
    [
        ("slurm", 1, "sbatch: error: invalid partition specified: fast", SubmissionRefused),
        (
            "slurm",
            1,
            "sbatch: error: Batch job submission failed: Socket timed out",
            ClusterTrouble,
        ),
        ("slurm", 1, "sbatch: error: QOSMaxSubmitJobPerUserLimit", ClusterTrouble),
        ("pbs", 170, "qsub: Unknown queue", SubmissionRefused),
        ("pbs", 111, "Connection refused\nqsub: cannot connect to server pbs01", ClusterTrouble),
        (
            "pjm",
            0,
            "[ERR.] PJM 0057 pjsub node=32 is greater than the upper limit (24).",
            SubmissionRefused,
        ),
        ("pjm", 0, "[ERR.] PJM 0070 pjsub No execute permission: short-a", SubmissionRefused),
        ("pjm", 1, "[ERR.] PJM 9999 pjsub something new", ClusterTrouble),
    ],
)
def test_a_refusal_is_told_from_trouble(name, code, text, error):
    with pytest.raises(error):
        SYSTEMS[name].parse_submit(Answer(code, "", text))


def test_pjm_accepts_what_it_printed():
    answer = Answer(0, "[INFO] PJM 0000 pjsub Job 167661 submitted.\n", "")
    assert SYSTEMS["pjm"].parse_submit(answer) == "167661"


def test_wisterias_table():
    found = SYSTEMS["pjm"].parse_queue(
        Answer(0, WISTERIA, ""), ["5170490", "5170614", "5170001", "1"]
    )
    assert {i: (e.state, e.reason) for i, e in found.items()} == {
        "5170490": (QueueState.RUNNING, ""),
        "5170614": (QueueState.QUEUED, "expected start 10/30 18:00"),
        "5170001": (QueueState.ENDED, ""),
    }
    assert SYSTEMS["pjm"].parse_queue(Answer(0, "No unfinished job found.\n", ""), ["1"]) == {}


def test_the_plain_pjm_table():
    found = SYSTEMS["pjm"].parse_queue(Answer(0, PLAIN_PJM, ""), ["167661", "167662", "239"])
    assert [found[i].word for i in ("167661", "167662", "239")] == ["RUN", "QUE", "EXT"]


def test_pbs_blocks_and_forgotten_ids():
    answer = Answer(153, QSTAT_F, "qstat: Unknown Job Id 4245.pbs01")
    found = SYSTEMS["pbs"].parse_queue(answer, ["4242.pbs01", "4243.pbs01", "4244", "4245.pbs01"])
    assert {i: e.state for i, e in found.items()} == {
        "4242.pbs01": QueueState.QUEUED,
        "4243.pbs01": QueueState.RUNNING,
        "4244": QueueState.ENDED,
    }
    assert found["4242.pbs01"].reason.startswith("Not Running: Insufficient")


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ("123", ("123", 1)),
        ("123_4", ("123", 1)),
        ("123[4]", ("123", 1)),
        ("239[1]", ("239", 1)),
        ("123_[5-9,12%2]", ("123", 6)),
        ("123_[0-99:2]", ("123", 100)),
    ],
)
def test_the_ids_of_arrays_are_read(shown, told):
    assert array_element(shown) == told


def test_an_array_of_slurm_works_while_one_element_does():
    out = (
        "17_0|COMPLETED|None|2026-11-22T10:00:00|node3\n"
        "17_1|RUNNING|None|2026-11-22T10:00:00|node3\n"
        "17_[2-9%2]|PENDING|JobArrayTaskLimit|N/A|\n"
        "18_[0-3]|PENDING|Resources|2026-11-22T18:00:00|\n"
        "19_0|COMPLETED|None|N/A|node3\n"
        "19_1|CANCELLED|None|N/A|node3\n"
    )
    found = SYSTEMS["slurm"].parse_queue(Answer(0, out, ""), ["17", "18", "19"])
    assert {i: (e.state, e.reason) for i, e in found.items()} == {
        "17": (QueueState.RUNNING, "1 working, 8 waiting"),
        "18": (QueueState.QUEUED, "Resources, expected start 2026-11-22 18:00:00"),
        "19": (QueueState.ENDED, ""),
    }


def test_an_array_of_pbs_and_a_bulk_run_of_pjm():
    text = (
        "Job Id: 4242[].pbs01\n    job_state = B\n"
        "    array_state_count = Queued:2 Running:3 Exiting:0 Expired:5\n"
    )
    found = SYSTEMS["pbs"].parse_queue(Answer(0, text, ""), ["4242[].pbs01"])
    entry = found["4242[].pbs01"]
    assert (entry.state, entry.reason) == (QueueState.RUNNING, "3 working, 2 waiting")
    elements = (
        "Job Id: 4242[0].pbs01\n    job_state = X\nJob Id: 4242[1].pbs01\n    job_state = R\n"
    )
    found = SYSTEMS["pbs"].parse_queue(Answer(0, elements, ""), ["4242[].pbs01"])
    assert found["4242[].pbs01"].state == QueueState.RUNNING
    assert SYSTEMS["pbs"].parse_submit(Answer(0, "4242[].pbs01\n", "")) == "4242[].pbs01"
    bulk = (
        PLAIN_PJM + "239[2]     bulk       BU RUN u00001   11/21 09:00:00  0001:00:00 1  -  -  -\n"
    )
    found = SYSTEMS["pjm"].parse_queue(Answer(0, bulk, ""), ["239"])
    assert (found["239"].state, found["239"].reason) == (
        QueueState.RUNNING,
        "1 working, 0 waiting",
    )
