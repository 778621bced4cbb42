"""A job from its creation to its end, with real processes on the cluster `local`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from jobs.clusters import run_folder
from jobs.files import file_list, job_folder, log_tail
from jobs.kinds import JobKind, register
from jobs.models import Job
from jobs.moves import replay
from jobs.schedulers import direct
from jobs.services import job_cancel, job_create, job_retry
from jobs.states import State
from jobs.stepping import step
from labs.exceptions import Refused
from mlmd.launch import Command, Launch
from tests.jobs import factories


@pytest.fixture
def create(owner, lab, cluster):
    def make(resources=None, **spec) -> Job:
        return job_create(
            owner=owner,
            lab=lab,
            kind=factories.KIND,
            title="counting",
            spec=spec,
            cluster=cluster,
            resources=resources,
        )

    return make


def history(job: Job) -> list[tuple[str, str]]:
    return list(job.moves.values_list("origin", "target"))


def starts(job: Job) -> list[str]:
    return (job_folder(job) / "starts").read_text().split()


def working_processes(job: Job) -> list[str]:
    """Return the run's processes after those that are just ending had two seconds for it."""
    group = job.scheduler_id.partition(":")[0]
    for _ in range(20):
        table = subprocess.run(
            ["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        found = [
            line
            for line in table
            if line.split()[0] == group and not line.split()[1].startswith("Z")
        ]
        if not found:
            break
        time.sleep(0.1)
    return found


def test_a_run_goes_all_the_way_and_leaves_its_history(create, until):
    job = until(create(), State.DONE)
    assert factories.accepted == [job.pk]
    assert len(starts(job)) == 1
    assert json.loads((job_folder(job) / "result.json").read_text()) == {"answer": 42}
    assert job.progress["fraction"] == 1.0
    assert job.exit_code == 0
    assert job.exit_cause == "ok"
    assert job.started_at <= job.ended_at
    assert replay(history(job)) == State.DONE
    assert job.submissions.get().scheduler_id == job.scheduler_id


def test_the_files_come_back_with_size_and_checksum(create, until):
    job = until(create(), State.DONE)
    files = {file.path: file for file in file_list(job)}
    assert {"job.sh", "job.log", "exit.json", "result.json", "input/data.txt"} <= set(files)
    assert all(len(file.sha256) == 64 for file in files.values())
    assert files["input/data.txt"].size == 5


def test_threads_reach_the_program(create, until):
    job = until(create(resources={"threads": 3}), State.DONE)
    assert "threads 3" in log_tail(job)
    assert job.resources["threads"] == 3


def test_progress_and_log_are_seen_while_the_run_works(create, until):
    job = until(create(seconds=30), State.RUNNING)
    for _ in range(50):
        job = until(job, State.RUNNING)
        if job.progress.get("fraction") == 0.5 and "threads" in log_tail(job):
            break
    assert job.progress == {"fraction": 0.5, "message": "counting", "eta_s": 1}
    assert "threads 1" in log_tail(job)
    job_cancel(job=job, actor=job.owner)
    until(job, State.CANCELLED)


def test_a_bad_status_is_a_failure_with_its_reason_and_files(create, until):
    job = until(create(status=3), State.FAILED)
    assert "status 3" in job.reason
    assert "threads 1" in job.log_tail
    assert (job_folder(job) / "result.json").exists()
    assert factories.accepted == []
    assert replay(history(job)) == State.FAILED


def test_an_input_that_cannot_be_made_fails_with_the_kinds_own_words(create, until):
    job = until(create(bad=True), State.FAILED)
    assert job.reason == "spec: bad; expected good. Choose another."


def test_a_missing_result_fails_in_the_owning_rooms_words(create, until):
    job = until(create(result=False), State.FAILED)
    assert job.reason == "result.json: missing; expected the result. Retry the run."


def test_a_code_without_a_recipe_is_named(create, until, cluster):
    cluster.recipes = {}
    cluster.save()
    job = until(create(), State.FAILED)
    assert "code 'python'" in job.reason


def test_the_time_limit_ends_a_run(create, until):
    job = until(create(seconds=60, resources={"walltime_s": 1}), State.FAILED)
    assert job.exit_cause == "time"
    assert "time limit" in job.reason


def test_a_killed_run_is_ended_and_failed_never_done(create, until):
    job = until(create(seconds=60), State.RUNNING)
    pid = int(job.scheduler_id.partition(":")[0])
    os.killpg(pid, signal.SIGKILL)
    job = until(job, State.FAILED)
    assert job.exit_cause == "vanished"
    assert "disappeared" in job.reason


def test_a_run_whose_script_was_killed_still_counts_as_running(create, until):
    job = until(create(seconds=60), State.RUNNING)
    pid = int(job.scheduler_id.partition(":")[0])
    os.kill(pid, signal.SIGKILL)
    for _ in range(3):
        job = until(job, State.RUNNING)
    assert job.missing_since is None
    job_cancel(job=job, actor=job.owner)
    until(job, State.CANCELLED)


def test_a_run_whose_script_was_killed_has_ended_when_its_program_has(create, until, monkeypatch):
    monkeypatch.setattr(direct, "LOOK", 1)
    job = until(create(seconds=6), State.RUNNING)
    os.kill(int(job.scheduler_id.partition(":")[0]), signal.SIGKILL)
    job = until(job, State.RUNNING)
    job = until(job, State.FAILED)
    assert working_processes(job) == []


def test_a_cancelled_run_stops_and_says_who_stopped_it(create, until, owner):
    job = until(create(seconds=60), State.RUNNING)
    job_cancel(job=job, actor=owner)
    job = until(job, State.CANCELLED)
    assert owner.name in job.reason
    assert working_processes(job) == []
    assert replay(history(job)) == State.CANCELLED


def test_a_run_that_ends_before_the_cancellation_arrives_keeps_its_result(create, until, owner):
    job = until(create(), State.SUBMITTED, State.RUNNING)
    exit_record = os.path.join(run_folder(job), "exit.json")
    while not os.path.exists(exit_record):
        pass
    job_cancel(job=job, actor=owner)
    job = until(job, State.DONE)
    assert (State.CANCELLING, State.ENDED) in history(job)


def test_a_job_cancelled_before_it_was_handed_over_never_starts(create, until, owner):
    job = create()
    step(job.pk)
    job.refresh_from_db()
    assert job.state == State.STAGED
    job_cancel(job=job, actor=owner)
    job = until(job, State.CANCELLED)
    assert not os.path.exists(os.path.join(run_folder(job), "starts"))


def test_a_failed_job_is_retried_in_a_fresh_folder(create, until, owner):
    job = until(create(status=3), State.FAILED)
    first = run_folder(job)
    Job.objects.filter(pk=job.pk).update(spec={})
    job = job_retry(job=job, actor=owner)
    assert (job.attempt, job.exit_code, job.files) == (2, None, [])
    job = until(job, State.DONE)
    assert run_folder(job) != first
    assert len(starts(job)) == 1
    assert job.submissions.count() == 2
    assert replay(history(job)) == State.DONE


def test_the_science_package_runs_without_a_recipe_and_without_the_sites_environment(
    create, until, monkeypatch
):
    def prepare(job, folder):
        (folder / "spec.json").write_text("{}")
        return Launch(
            commands=(Command(("mlmd", "convert", "--help"), stdout="help.txt"),), fetch=("*",)
        )

    register(JobKind(factories.KIND, "Example", prepare, lambda job, folder: None))
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    job = until(create(), State.DONE, seconds=60)
    assert "--to" in (job_folder(job) / "help.txt").read_text()


def test_done_is_final(create, until, owner):
    job = until(create(), State.DONE)
    with pytest.raises(Refused, match="done"):
        job_retry(job=job, actor=owner)
    with pytest.raises(Refused, match="nothing to cancel"):
        job_cancel(job=job, actor=owner)


def test_runs_wait_for_free_cores_in_the_order_they_came(create, until, cluster):
    cluster.cores = 2
    cluster.save()
    first = create(seconds=1, resources={"threads": 2})
    second = create(resources={"threads": 1})
    until(first, State.RUNNING)
    second.refresh_from_db()
    assert second.state == State.STAGED
    assert "free cores" in second.queue_reason
    second = until(second, State.DONE)
    first.refresh_from_db()
    assert first.ended_at <= second.started_at


def test_names_with_quotes_and_japanese_reach_the_shell_unharmed(create, until, settings, tmp_path):
    settings.LOCAL_CLUSTER_DIR = tmp_path / 'it\'s $HOME; 日本 "x"'
    job = until(create(), State.DONE)
    assert len(starts(job)) == 1


def test_a_run_that_ends_badly_keeps_what_its_kind_finds_whole(cluster, owner, lab, until):
    """The kind judges: what it keeps makes the run done, and its history says why it ended."""

    def salvage(job, folder):
        if job.spec.get("empty"):
            raise Refused("nothing whole")
        return "One of two was kept."

    register(
        JobKind(
            "batch", "Batch", factories.prepare_example, factories.accept_example, salvage=salvage
        )
    )

    def run(**spec):
        job = job_create(
            owner=owner,
            lab=lab,
            kind="batch",
            title="b",
            spec={"status": 3, **spec},
            cluster=cluster,
        )
        return until(job, State.DONE, State.FAILED)

    kept = run()
    assert kept.state == State.DONE
    assert "status 3" in kept.moves.last().reason
    assert "One of two was kept." in kept.moves.last().reason
    assert run(empty=True).state == State.FAILED
