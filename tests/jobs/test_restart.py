"""Further attempts that go on from a checkpoint."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from jobs import moves
from jobs.continuing import job_continue, may_continue
from jobs.files import job_folder
from jobs.models import Job, Notice, Usage
from jobs.services import job_create, job_retry
from jobs.states import State
from labs.exceptions import Refused
from labs.models import Role
from tests.jobs.factories import KIND, make_job, make_user

SLOW = {"steps": 30, "step_s": 0.05}


def start(owner, lab, walltime_s: int, steps: int = 30, **asked: object) -> Job:
    return job_create(
        owner=owner,
        lab=lab,
        kind=KIND,
        title="Steps",
        spec={**SLOW, "steps": steps},
        resources={"walltime_s": walltime_s, **asked},
    )


def log(job: Job) -> str:
    return (job_folder(job) / "job.log").read_text()


def test_a_run_that_met_its_limit_goes_on_where_it_stopped(owner, lab, cluster, until):
    job = until(start(owner, lab, walltime_s=1), State.FAILED)
    assert may_continue(job)
    reached = int((job_folder(job) / "state").read_text())
    assert 0 < reached < SLOW["steps"]
    job_continue(job=job, actor=owner, walltime_s=60)
    job = until(job, State.DONE)
    assert (job.attempt, job.continued_from) == (2, 1)
    assert job.resources["walltime_s"] == 60
    assert f"begins at {reached}" in log(job)
    assert "from its checkpoint by" in job.moves.filter(attempt=2).first().reason
    assert moves.replay(list(job.moves.values_list("origin", "target"))) == State.DONE


def test_a_run_goes_on_by_itself_as_often_as_it_may(owner, lab, cluster, until):
    job = until(start(owner, lab, walltime_s=1, continuations=9), State.DONE, seconds=40)
    assert job.attempt > 1
    assert job.continuations == 9 - (job.attempt - 1)
    assert "begins at 0" not in log(job)
    assert Usage.objects.count() == job.attempt
    assert [notice.outcome for notice in Notice.objects.all()] == [State.DONE]


def test_the_last_attempt_that_may_go_on_fails_and_says_so(owner, lab, cluster, until):
    job = until(start(owner, lab, walltime_s=1, steps=2000, continuations=1), State.FAILED)
    assert (job.attempt, job.continuations) == (2, 0)
    assert Notice.objects.get().outcome == State.FAILED


def test_a_retry_begins_at_the_beginning(owner, lab, cluster, until):
    job = until(start(owner, lab, walltime_s=1), State.FAILED)
    job_retry(job=job, actor=owner)
    job = until(job, State.FAILED)
    assert job.continued_from is None
    assert "begins at 0" in log(job)


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(owner, lab, cluster):
    job = make_job(owner, lab, state=State.FAILED)
    job_folder(job).mkdir(parents=True)
    (job_folder(job) / "trace").write_text("not the checkpoint itself")
    with pytest.raises(Refused, match="no checkpoint"):
        job_continue(job=job, actor=owner)
    (job_folder(job) / "state").write_text("3")
    with pytest.raises(PermissionDenied):
        job_continue(job=job, actor=make_user(lab, Role.GUEST))
    assert job_continue(job=job, actor=owner).state == State.CREATED
    with pytest.raises(Refused):
        job_continue(job=job, actor=owner)


def test_more_time_than_the_queue_has_is_refused(owner, lab, cluster):
    cluster.queues = [{"name": "short", "hours": 1}]
    cluster.save()
    job = make_job(owner, lab, state=State.FAILED, cluster=cluster)
    job_folder(job).mkdir(parents=True)
    (job_folder(job) / "state").write_text("3")
    with pytest.raises(Refused, match="1 h allowed"):
        job_continue(job=job, actor=owner, walltime_s=7200)
    job.refresh_from_db()
    assert job.state == State.FAILED


def test_the_page_and_the_api_offer_it(client, owner, lab, cluster):
    client.force_login(owner)
    job = make_job(owner, lab, state=State.FAILED, exit_cause="time")
    job_folder(job).mkdir(parents=True)
    (job_folder(job) / "state").write_text("3")
    page = client.get(reverse("jobs:detail", args=[job.public_id]))
    assert "Continue run" in page.text
    client.post(reverse("jobs:continue", args=[job.public_id]), {"hours": "2"})
    job.refresh_from_db()
    assert (job.state, job.continued_from) == (State.CREATED, 1)
    assert job.resources["walltime_s"] == 7200
    Job.objects.update(state=State.FAILED)
    answer = client.post(f"/api/v1/jobs/{job.public_id}/continue/", {"walltime_s": 60})
    assert answer.json()["attempt"] == 3
    wrong = client.post(reverse("jobs:continue", args=[job.public_id]), {"hours": "-2"})
    assert wrong.status_code == 302
