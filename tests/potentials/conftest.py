"""A site of one's own for each test of this room."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from jobs.models import Job
from jobs.services import cluster_ensure_local
from labs.models import Role
from tests.jobs.conftest import turn
from tests.jobs.factories import make_lab, make_user

BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path, monkeypatch):
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.LOCAL_CLUSTER_DIR = tmp_path / "cluster"
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    # Nobody takes messages in a test: the machine is turned by hand.
    monkeypatch.setattr("jobs.nudge._send", lambda task, key: None)


@pytest.fixture
def lab(db):
    return make_lab()


@pytest.fixture
def owner(lab):
    return make_user(lab)


@pytest.fixture
def guest(lab):
    return make_user(lab, Role.GUEST)


@pytest.fixture
def stranger(db):
    return make_user(make_lab())


@pytest.fixture
def cluster(db):
    """The built-in cluster, asked without waiting between two looks."""
    cluster = cluster_ensure_local()
    cluster.options = {"poll_interval_s": 0}
    cluster.cores = 2
    cluster.save()
    return cluster


@pytest.fixture
def sign_in(client):
    def sign_in(person):
        client.force_login(person, backend=BACKEND)
        return client

    return sign_in


@pytest.fixture
def finish() -> Callable[[Job], Job]:
    """Turn the job machine until a job is final."""

    def finish(job: Job, seconds: float = 120.0) -> Job:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            turn()
            job = Job.objects.get(pk=job.pk)
            if job.is_final:
                return job
            time.sleep(0.05)
        raise AssertionError(f"still {job.state} after {seconds} s: {job.reason}")

    return finish
