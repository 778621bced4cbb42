"""One-time codes on a real sshd: the state “reconnect needed”, its form and its call of the API."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.urls import reverse
from django.utils import timezone

from jobs import probing, stepping, tending
from jobs.models import Cluster, Job
from jobs.services import job_create
from jobs.states import State
from jobs.transports import ssh_pool
from labs.services.accounts import token_create
from tests.jobs import factories
from tests.jobs.one_time import OneTimeServer, running_one_time_server
from tests.jobs.ssh_server import make_ssh_cluster

pytestmark = pytest.mark.sshd


@pytest.fixture
def door(tmp_path) -> Iterator[OneTimeServer]:
    (tmp_path / "door").mkdir()
    with running_one_time_server(tmp_path / "door") as door:
        yield door


@pytest.fixture
def manager(lab):
    return factories.make_user(lab, role="manager")


@pytest.fixture
def cluster(door, tmp_path, manager, lab) -> Cluster:
    factories.register_example()
    return make_ssh_cluster(door.server, tmp_path / "work", owner=manager, lab=lab)


@pytest.fixture
def job(cluster, manager, lab) -> Job:
    return job_create(
        owner=manager, lab=lab, kind=factories.KIND, title="behind a code", spec={}, cluster=cluster
    )


def blocked(job: Job, door: OneTimeServer) -> Job:
    stepping.step(job.pk)
    job.refresh_from_db()
    assert (job.state, job.blocked_from, job.next_step_at) == (State.BLOCKED, State.CREATED, None)
    assert "one-time code" in job.reason
    assert door.logins == 0
    return job


def test_the_form_lets_blocked_runs_go_on(client, door, cluster, job, manager, until):
    blocked(job, door)
    client.force_login(manager)
    place = reverse("jobs:cluster", args=[cluster.public_id])
    page = client.get(place).text
    assert "Reconnect" in page
    assert "one-time code" in page
    answer = client.post(
        reverse("jobs:cluster-credential", args=[cluster.public_id]),
        {"method": "code", "secret": door.issue("314159")},
    )
    assert answer.status_code == 302
    probing.probe(cluster.pk)
    cluster.refresh_from_db()
    assert {entry["name"]: entry["ok"] for entry in cluster.probe["checks"]}["sign_in"]
    until(job, State.DONE)
    # One login for the probe and everything after it; the code stands nowhere any more.
    assert (door.logins, door.asked) == (1, 1)
    cluster.credential.refresh_from_db()
    assert (cluster.credential.one_time, cluster.reconnect_reason) == ("", "")
    assert "314159" not in client.get(place).text


def test_the_api_does_the_same(client, door, cluster, job, manager, until):
    blocked(job, door)
    _row, token = token_create(user=manager, name="code", scopes=["read", "write", "run"])
    answer = client.post(
        reverse("api:cluster-credential", args=[cluster.public_id]),
        json.dumps({"method": "code", "secret": door.issue("271828")}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code < 300, answer.text
    assert "271828" not in answer.text
    until(job, State.DONE)
    assert door.logins == 1


def test_a_wrong_code_is_tried_once_and_asked_for_again(client, door, cluster, job, manager):
    blocked(job, door)
    client.force_login(manager)
    client.post(
        reverse("jobs:cluster-credential", args=[cluster.public_id]),
        {"method": "code", "secret": "000000"},
    )
    for _turn in range(3):
        Job.objects.filter(pk=job.pk).update(next_step_at=timezone.now())
        stepping.step(job.pk)
        tending.tend(cluster.pk)
        probing.probe(cluster.pk)
    assert (door.logins, door.asked) == (0, 1)
    cluster.refresh_from_db()
    job.refresh_from_db()
    assert cluster.reconnect_reason
    assert (job.state, job.next_step_at) == (State.BLOCKED, None)
    assert "Reconnect" in client.get(reverse("jobs:cluster", args=[cluster.public_id])).text


def test_a_connection_that_ends_asks_for_a_new_code(client, door, cluster, job, manager, until):
    client.force_login(manager)
    form = reverse("jobs:cluster-credential", args=[cluster.public_id])
    client.post(form, {"method": "code", "secret": door.issue("111111")})
    until(job, State.DONE)
    door.server.cut()
    Cluster.objects.update(next_poll_at=None)
    second = job_create(
        owner=manager, lab=job.lab, kind=factories.KIND, title="later", spec={}, cluster=cluster
    )
    for _turn in range(3):
        stepping.step(second.pk)
        Job.objects.filter(pk=second.pk, state=State.CREATED).update(next_step_at=timezone.now())
        Cluster.objects.update(next_poll_at=None)
    second.refresh_from_db()
    assert second.state == State.BLOCKED
    ssh_pool.close_all()
    client.post(form, {"method": "code", "secret": door.issue("222222")})
    until(second, State.DONE)
    assert door.logins == 2
