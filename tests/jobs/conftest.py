"""A site of one's own for each test of the job machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from jobs import stepping, sweeping, tending
from jobs.models import Cluster, Job
from jobs.transports import ssh_pool
from tests.jobs import factories
from tests.jobs.ssh_server import ssh_cluster, ssh_server  # noqa: F401 - fixtures


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path):
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.LOCAL_CLUSTER_DIR = tmp_path / "cluster"
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(autouse=True)
def nudges(monkeypatch) -> list[tuple[str, int]]:
    """Messages that would have been sent."""
    sent: list[tuple[str, int]] = []
    monkeypatch.setattr("jobs.nudge._last_sent", {})
    monkeypatch.setattr("jobs.nudge._send", lambda task, key: sent.append((task, key)))
    return sent


@pytest.fixture(autouse=True)
def _no_link_outlives_its_test(monkeypatch):
    monkeypatch.setattr(ssh_pool, "LOGIN_INTERVAL", 0.0)
    yield
    ssh_pool.close_all()


@pytest.fixture
def lab(db):
    return factories.make_lab()


@pytest.fixture
def owner(lab):
    return factories.make_user(lab)


@pytest.fixture
def cluster(db):
    factories.accepted.clear()
    return factories.make_cluster(options={"poll_interval_s": 0})


def turn() -> None:
    """One turn of everything that workers do."""
    sweeping.sweep()
    for pk in Job.objects.values_list("pk", flat=True):
        stepping.step(pk)
    for pk in Cluster.objects.values_list("pk", flat=True):
        tending.tend(pk)


@pytest.fixture
def until() -> Callable[..., Job]:
    """Turn the machine until the job is in one of the states."""

    def wait(job: Job, *states: str, seconds: float = 20.0) -> Job:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            turn()
            job = Job.objects.get(pk=job.pk)
            if job.state in states:
                return job
            time.sleep(0.02)
        raise AssertionError(f"still {job.state} after {seconds} s: {job.reason}")

    return wait
