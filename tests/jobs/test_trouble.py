"""The cluster can't be reached, lies, forgets or is full: jobs wait, and none runs twice."""

from __future__ import annotations

import datetime
import os
import shutil
from pathlib import Path

import pytest
from django.db import OperationalError
from django.utils import timezone

from jobs import machine, stepping, sweeping, tending
from jobs.cancelling import GRACE
from jobs.clusters import run_folder
from jobs.errors import ClusterTrouble
from jobs.files import job_folder
from jobs.kinds import JobKind, register
from jobs.models import Cluster, Job, Leftover
from jobs.moves import replay
from jobs.schedulers import QueueEntry, QueueState
from jobs.schedulers.direct import DirectScheduler
from jobs.services import job_cancel, job_create, job_delete, job_retry
from jobs.states import State
from jobs.submission import guarded
from jobs.transports.local import LocalTransport
from labs.models import Lab
from tests.jobs import factories


@pytest.fixture
def job(owner, lab, cluster) -> Job:
    return job_create(
        owner=owner, lab=lab, kind=factories.KIND, title="x", spec={"seconds": 0.2}, cluster=cluster
    )


def due(job: Job) -> Job:
    """Let the job's waiting time be over."""
    Job.objects.filter(pk=job.pk).exclude(next_step_at=None).update(next_step_at=timezone.now())
    return Job.objects.get(pk=job.pk)


def starts(job: Job) -> int:
    return len((Path(run_folder(job)) / "starts").read_text().split())


def test_a_copy_that_fails_is_tried_again_later_and_then_blocks(job, until, monkeypatch):
    real = LocalTransport.put_all

    def full(self, source, names, target):
        raise ClusterTrouble("copying: No space left on device")

    monkeypatch.setattr(LocalTransport, "put_all", full)
    for count in range(1, machine.TRIES_BEFORE_BLOCKED):
        stepping.step(job.pk)
        job.refresh_from_db()
        assert (job.state, job.failures) == (State.CREATED, count)
        stepping.step(job.pk)  # not before its time
        assert Job.objects.get(pk=job.pk).failures == count
        job = due(job)
    stepping.step(job.pk)
    job.refresh_from_db()
    assert (job.state, job.blocked_from) == (State.BLOCKED, State.CREATED)
    assert "No space left" in job.reason

    monkeypatch.setattr(LocalTransport, "put_all", real)
    stepping.step(job.pk)
    assert Job.objects.get(pk=job.pk).state == State.BLOCKED
    job = until(due(job), State.DONE)
    assert replay(list(job.moves.values_list("origin", "target"))) == State.DONE


def test_a_person_resumes_a_blocked_run(job, until, owner):
    machine.trouble(job, "quota", needs_person=True)
    sweeping.sweep()
    stepping.step(job.pk)
    assert Job.objects.get(pk=job.pk).state == State.BLOCKED
    job_retry(job=job, actor=owner)
    job = until(job, State.DONE)
    assert job.attempt == 1


def test_a_blocked_run_that_never_left_is_cancelled_at_once(job, owner):
    machine.trouble(job, "quota", needs_person=True)
    job_cancel(job=job, actor=owner)
    assert Job.objects.get(pk=job.pk).state == State.CANCELLED


def test_a_lost_answer_of_the_submission_starts_no_second_run(job, until, monkeypatch):
    stepping.step(job.pk)
    real = LocalTransport.run

    def cut(self, command, *, timeout=60.0):
        real(self, command, timeout=timeout)
        raise ClusterTrouble("connection cut")

    monkeypatch.setattr(LocalTransport, "run", cut)
    tending.tend(job.cluster_id)
    job.refresh_from_db()
    assert (job.state, job.scheduler_id) == (State.STAGED, "")
    assert job.submissions.get().answered_at is None
    monkeypatch.setattr(LocalTransport, "run", real)
    job = until(due(job), State.DONE)
    assert starts(job) == 1


def test_even_without_its_guard_file_a_submission_starts_no_second_run(job, until, monkeypatch):
    stepping.step(job.pk)
    tending.tend(job.cluster_id)
    job.refresh_from_db()
    first = job.scheduler_id
    os.remove(os.path.join(run_folder(job), "job.id"))
    Job.objects.filter(pk=job.pk).update(state=State.STAGED, scheduler_id="")
    job = until(job, State.DONE)
    assert job.scheduler_id == first
    assert starts(job) == 1


def test_cancelling_a_run_whose_submission_was_never_answered_stops_it(
    job, until, owner, monkeypatch
):
    Job.objects.filter(pk=job.pk).update(spec={"seconds": 60})
    stepping.step(job.pk)
    real = LocalTransport.run

    def cut(self, command, *, timeout=60.0):
        real(self, command, timeout=timeout)
        raise ClusterTrouble("connection cut")

    monkeypatch.setattr(LocalTransport, "run", cut)
    tending.tend(job.cluster_id)
    monkeypatch.setattr(LocalTransport, "run", real)
    job_cancel(job=job, actor=owner)
    job = until(job, State.CANCELLED)
    assert job.scheduler_id
    assert owner.name in job.reason


def test_a_script_that_starts_after_its_cancellation_leaves_at_once(job, owner, until):
    stepping.step(job.pk)
    job_cancel(job=Job.objects.get(pk=job.pk), actor=owner)
    job = until(job, State.CANCELLED)
    command = DirectScheduler().submit_command("job.sh", job.token).replace("200", "2")
    LocalTransport().run(guarded(run_folder(job), command))
    assert not (Path(run_folder(job)) / "starts").exists()


def test_a_failed_queue_query_means_nothing_for_the_jobs(job, until, cluster, monkeypatch):
    job = until(job, State.SUBMITTED, State.RUNNING)
    before = job.state

    def broken(self, answer, ids):
        raise ClusterTrouble("slurmctld doesn't answer")

    with monkeypatch.context() as patch:
        patch.setattr(DirectScheduler, "parse_queue", broken)
        tending.tend(cluster.pk)
        cluster.refresh_from_db()
        assert (cluster.failures, cluster.trouble) == (1, "slurmctld doesn't answer")
        assert Job.objects.get(pk=job.pk).state == before
        tending.tend(cluster.pk)  # not before its time
        cluster.refresh_from_db()
        assert cluster.failures == 1
    Cluster.objects.update(next_poll_at=None)
    until(job, State.DONE)
    cluster.refresh_from_db()
    assert (cluster.failures, cluster.trouble) == (0, "")


def test_a_cluster_that_stays_away_blocks_its_jobs_and_brings_them_back(
    job, until, cluster, monkeypatch
):
    job = until(job, State.SUBMITTED, State.RUNNING)
    before = job.state

    def broken(self, answer, ids):
        raise ClusterTrouble("maintenance")

    with monkeypatch.context() as patch:
        patch.setattr(DirectScheduler, "parse_queue", broken)
        for _ in range(machine.TRIES_BEFORE_BLOCKED):
            Cluster.objects.update(next_poll_at=None)
            tending.tend(cluster.pk)
        job.refresh_from_db()
        assert (job.state, job.blocked_from, job.reason) == (State.BLOCKED, before, "maintenance")
        job = due(job)
        stepping.step(job.pk)  # the cluster is known to be away: not even asked
        job.refresh_from_db()
        assert job.state == State.BLOCKED
    Cluster.objects.update(next_poll_at=None)
    job = until(job, State.DONE)
    assert starts(job) == 1


def test_an_unknown_word_of_the_queue_keeps_the_state(job, until, cluster, monkeypatch, caplog):
    Job.objects.filter(pk=job.pk).update(spec={"seconds": 60})
    job = until(job, State.RUNNING)

    def strange(self, answer, ids):
        return {run_id: QueueEntry(QueueState.UNKNOWN, "PONDERING") for run_id in ids}

    with monkeypatch.context() as patch:
        patch.setattr(DirectScheduler, "parse_queue", strange)
        tending.tend(cluster.pk)
    assert Job.objects.get(pk=job.pk).state == State.RUNNING
    assert "PONDERING" in caplog.text
    job_cancel(job=job, actor=job.owner)
    until(job, State.CANCELLED)


def test_a_run_missing_from_one_query_is_not_given_up(job, until, cluster, monkeypatch):
    Job.objects.filter(pk=job.pk).update(spec={"seconds": 60})
    job = until(job, State.RUNNING)
    with monkeypatch.context() as patch:
        patch.setattr(DirectScheduler, "parse_queue", lambda self, answer, ids: {})
        tending.tend(cluster.pk)
    job.refresh_from_db()
    assert job.state == State.RUNNING
    assert job.missing_since is not None
    tending.tend(cluster.pk)
    job.refresh_from_db()
    assert job.missing_since is None
    job_cancel(job=job, actor=job.owner)
    until(job, State.CANCELLED)


def test_a_run_that_went_back_into_the_queue_waits_again(job, until, cluster, monkeypatch):
    Job.objects.filter(pk=job.pk).update(spec={"seconds": 60})
    job = until(job, State.RUNNING)
    queued = QueueEntry(QueueState.QUEUED, "REQUEUED", "node failure")
    with monkeypatch.context() as patch:
        patch.setattr(
            DirectScheduler, "parse_queue", lambda self, answer, ids: dict.fromkeys(ids, queued)
        )
        tending.tend(cluster.pk)
    job.refresh_from_db()
    assert (job.state, job.queue_reason) == (State.SUBMITTED, "node failure")
    job_cancel(job=job, actor=job.owner)
    until(job, State.CANCELLED)


def test_one_look_asks_the_queue_once_however_many_jobs(owner, lab, cluster, until, monkeypatch):
    cluster.cores = 20
    cluster.save()
    jobs = [
        job_create(
            owner=owner,
            lab=lab,
            kind=factories.KIND,
            title=str(n),
            spec={"seconds": 60},
            cluster=cluster,
        )
        for n in range(6)
    ]
    for job in jobs:
        until(job, State.RUNNING)
    commands: list[str] = []
    surveys: list[int] = []
    run, survey = LocalTransport.run, LocalTransport.survey
    monkeypatch.setattr(
        LocalTransport,
        "run",
        lambda self, command, timeout=60.0: commands.append(command) or run(self, command),
    )
    monkeypatch.setattr(
        LocalTransport,
        "survey",
        lambda self, folders: surveys.append(len(folders)) or survey(self, folders),
    )
    tending.tend(cluster.pk)
    assert len(commands) == 1
    assert surveys == [6]
    for job in jobs:
        job_cancel(job=job, actor=owner)
    for job in jobs:
        until(job, State.CANCELLED)


def test_one_bad_job_does_not_stop_the_others(owner, lab, cluster, until, monkeypatch):
    cluster.cores = 4
    cluster.save()
    bad, good = (
        job_create(owner=owner, lab=lab, kind=factories.KIND, title=t, spec={}, cluster=cluster)
        for t in ("bad", "good")
    )
    real = tending.take_answer

    def take_answer(job, answer, scheduler):
        if job.pk == bad.pk:
            raise ZeroDivisionError("a defect")
        real(job, answer, scheduler)

    monkeypatch.setattr(tending, "take_answer", take_answer)
    until(good, State.DONE)
    bad.refresh_from_db()
    assert bad.state == State.STAGED
    assert bad.failures == 1
    assert "portal failed" in bad.queue_reason


def test_a_program_that_ignores_the_request_to_stop_is_killed(owner, lab, cluster, until):
    job = job_create(
        owner=owner, lab=lab, kind=factories.KIND, title="deaf", spec={}, cluster=cluster
    )
    Cluster.objects.filter(pk=cluster.pk).update(
        recipes={"python": {"argv": ["sh", "-c", "trap '' TERM; sleep 60; sleep 60", "sh"]}}
    )
    job = until(job, State.RUNNING)
    job_cancel(job=job, actor=owner)
    tending.tend(cluster.pk)
    job.refresh_from_db()
    assert job.stop_sent_at is not None
    long_ago = timezone.now() - datetime.timedelta(seconds=GRACE + 1)
    Job.objects.filter(pk=job.pk).update(stop_sent_at=long_ago)
    until(job, State.CANCELLED)


def test_a_folder_that_vanished_on_the_cluster_is_a_failure_with_words(job, until):
    Job.objects.filter(pk=job.pk).update(spec={"seconds": 60})
    job = until(job, State.RUNNING)
    LocalTransport().run(DirectScheduler().kill_command([job.scheduler_id]))
    shutil.rmtree(run_folder(job))
    job = until(job, State.FAILED)
    assert "disappeared" in job.reason


def test_a_database_that_is_busy_at_the_end_costs_time_not_the_result(job, until, monkeypatch):
    kinds_accept = factories.accept_example
    calls = []

    def busy(job, folder):
        calls.append(job.pk)
        if len(calls) == 1:
            raise OperationalError("database is locked")
        kinds_accept(job, folder)

    register(JobKind(factories.KIND, "Example", factories.prepare_example, busy))
    job = until(job, State.DONE)
    assert len(calls) == 2
    assert factories.accepted == [job.pk]


def test_a_defect_of_the_owning_room_fails_the_job_and_undoes_its_rows(job, until):
    def half(job, folder):
        Lab.objects.create(name="left over")
        raise KeyError("missing")

    register(JobKind(factories.KIND, "Example", factories.prepare_example, half))
    job = until(job, State.FAILED)
    assert "portal failed on its result (KeyError" in job.reason
    assert not Lab.objects.filter(name="left over").exists()
    assert (job_folder(job) / "result.json").exists()


def test_two_sweeps_announce_a_job_once(job, django_capture_on_commit_callbacks, nudges):
    nudges.clear()
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            sweeping.sweep()
    assert nudges == [("jobs.tasks.step", job.pk)]


def test_an_idle_sweep_is_cheap(cluster, django_assert_max_num_queries):
    with django_assert_max_num_queries(4):
        sweeping.sweep()


def test_a_deleted_run_leaves_nothing_on_the_cluster(job, until, owner):
    job = until(job, State.DONE)
    folder = run_folder(job)
    job_delete(job=job, actor=owner)
    assert os.path.isdir(folder)
    tending.tend(job.cluster_id)
    assert not os.path.exists(folder)
    assert not Leftover.objects.exists()


def test_the_clusters_copy_goes_when_its_time_has_come_and_ours_stays(job, until):
    job = until(job, State.DONE)
    assert os.path.isdir(run_folder(job))
    tending.tend(job.cluster_id)
    assert os.path.isdir(run_folder(job))
    Job.objects.filter(pk=job.pk).update(clean_at=timezone.now())
    tending.tend(job.cluster_id)
    assert not os.path.exists(run_folder(job))
    assert (job_folder(job) / "result.json").exists()
    assert Job.objects.get(pk=job.pk).clean_at is None
