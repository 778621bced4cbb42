"""One bad cluster, or ten thousand waiting runs, must not slow the others."""

from __future__ import annotations

import datetime
import uuid

import pytest
from django.utils import timezone

from jobs import contact, stepping, submission, sweeping, tending
from jobs.errors import LinkTrouble
from jobs.models import Cluster, Job
from jobs.schedulers import SCHEDULERS, batch
from jobs.services import job_create
from jobs.states import State
from jobs.transports import TRANSPORTS, Answer
from jobs.transports.local import LocalTransport
from tests.jobs import factories

SOON = datetime.timedelta(seconds=60)


@pytest.fixture
def far(owner, lab) -> Cluster:
    """A cluster that counts as remote, though its transport is this machine."""
    factories.register_example()
    return factories.make_far_cluster(_manager(lab), lab, name="far")


def _manager(lab):
    return factories.make_user(lab, role="manager")


@pytest.fixture
def broken(monkeypatch):
    """Every connection fails, as when a firewall swallows all packets."""
    tried = []

    class Broken(LocalTransport):
        def put_all(self, source, names, target):
            tried.append(target)
            raise LinkTrouble("no answer came; the connection is given up")

        def run(self, command, *, timeout=60.0):
            tried.append(command)
            raise LinkTrouble("no answer came; the connection is given up")

    monkeypatch.setitem(TRANSPORTS, "ssh", lambda cluster: Broken())
    return tried


def make_jobs(owner, lab, cluster, count: int) -> list[Job]:
    return [
        job_create(
            owner=owner, lab=lab, kind=factories.KIND, title=str(n), spec={}, cluster=cluster
        )
        for n in range(count)
    ]


@pytest.fixture
def runnable(far):
    Cluster.objects.filter(pk=far.pk).update(recipes={"python": {"argv": ["python"]}})
    far.refresh_from_db()
    return far


def test_a_broken_link_is_the_clusters_trouble_and_not_its_runs(owner, lab, runnable, broken):
    jobs = make_jobs(owner, lab, runnable, 6)
    for job in jobs:
        stepping.step(job.pk)
    runnable.refresh_from_db()
    assert (runnable.failures, len(broken)) == (1, 1)  # only the first one tried
    for job in Job.objects.all():
        assert (job.state, job.failures) == (State.CREATED, 0)
    first = Job.objects.get(pk=jobs[0].pk)
    assert "connection is given up" in first.queue_reason
    assert first.next_step_at == runnable.next_poll_at


def test_workers_that_fail_together_count_as_one_failure(runnable):
    seen_by_two = [Cluster.objects.get(pk=runnable.pk) for _ in range(2)]
    times = [contact.note_failure(cluster, "cut") for cluster in seen_by_two]
    runnable.refresh_from_db()
    assert runnable.failures == 1
    assert times[1] == runnable.next_poll_at


def test_only_the_look_tries_a_cluster_that_failed(owner, lab, runnable, broken, nudges):
    (job,) = make_jobs(owner, lab, runnable, 1)
    stepping.step(job.pk)
    nudges.clear()
    Job.objects.update(next_step_at=timezone.now() - SOON)
    assert not stepping.step(job.pk)
    assert Job.objects.get(pk=job.pk).next_step_at > timezone.now()
    Cluster.objects.filter(pk=runnable.pk).update(next_poll_at=timezone.now())
    tending.tend(runnable.pk)
    runnable.refresh_from_db()
    assert (runnable.failures, runnable.trouble) == (0, "")  # nothing there needed an answer


def test_so_many_workers_turn_to_one_cluster_and_no_more(owner, lab, runnable, settings, broken):
    settings.MLMD_STEPS_PER_CLUSTER = 1
    first, second = make_jobs(owner, lab, runnable, 2)
    Job.objects.filter(pk=first.pk).update(
        lease_token="another worker", lease_until=timezone.now() + SOON
    )
    assert not stepping.step(second.pk)
    second.refresh_from_db()
    assert (second.state, second.lease_until, broken) == (State.CREATED, None, [])
    Job.objects.filter(pk=first.pk).update(lease_token="", lease_until=None)
    assert stepping.step(second.pk)
    assert broken


def test_a_worker_takes_the_next_run_of_the_cluster_along(owner, lab, cluster):
    jobs = make_jobs(owner, lab, cluster, 5)
    stepping.work(jobs[0].pk)
    assert set(Job.objects.values_list("state", flat=True)) == {State.STAGED}


def test_a_submission_that_is_not_yet_clear_waits_without_failing(owner, lab, cluster, monkeypatch):
    answer = Answer(batch.NOBODY_KNOWS, "", "")

    def take_answer(job, **_rest):
        submission.take_answer(job, answer, SCHEDULERS["slurm"])

    monkeypatch.setattr(tending, "take_answer", take_answer)
    (job,) = make_jobs(owner, lab, cluster, 1)
    stepping.step(job.pk)
    tending.tend(cluster.pk)
    job.refresh_from_db()
    assert (job.state, job.failures) == (State.STAGED, 0)
    assert "nothing is submitted a second time" in job.queue_reason
    assert job.next_step_at > timezone.now()


@pytest.fixture
def crowd(owner, lab, far) -> None:
    """Ten thousand runs that wait for one cluster."""
    now = timezone.now()
    long_ago = now - datetime.timedelta(hours=1)
    common = {"owner": owner, "lab": lab, "kind": factories.KIND, "cluster": far}
    Job.objects.bulk_create(
        Job(
            **common,
            title=f"waits {number}",
            state=State.CREATED if number % 2 else State.STAGED,
            state_changed_at=long_ago,
            next_step_at=long_ago,
            token=uuid.uuid4().hex,
        )
        for number in range(10_000)
    )


def test_ten_thousand_waiting_runs_hide_nobody(
    crowd,
    owner,
    lab,
    cluster,
    far,
    nudges,
    django_assert_max_num_queries,
    django_capture_on_commit_callbacks,
):
    (job,) = make_jobs(owner, lab, cluster, 1)
    Job.objects.filter(pk=job.pk).update(next_step_at=timezone.now())
    nudges.clear()
    with django_capture_on_commit_callbacks(execute=True), django_assert_max_num_queries(10):
        sweeping.sweep()
    woken = [key for task, key in nudges if task == "jobs.tasks.step"]
    assert job.pk in woken
    assert len(woken) == sweeping.AT_ONCE + 1
    assert ("jobs.tasks.tend", far.pk) in nudges


def test_runs_of_a_cluster_that_is_away_are_not_announced(
    crowd, far, django_assert_max_num_queries
):
    Cluster.objects.filter(pk=far.pk).update(failures=1, next_poll_at=timezone.now() + SOON)
    waiting = Job.objects.filter(state=State.CREATED).count()
    with django_assert_max_num_queries(8):
        sweeping.sweep()
    assert Job.objects.filter(state=State.CREATED, next_step_at__lt=timezone.now()).count() == (
        waiting
    )
