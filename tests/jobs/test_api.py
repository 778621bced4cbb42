"""Jobs and clusters over HTTP."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from jobs.files import job_folder
from jobs.models import Job
from jobs.states import State
from labs.models import Role
from tests.jobs.factories import make_job, make_lab, make_user


@pytest.fixture
def api(owner):
    client = APIClient()
    client.force_authenticate(owner)
    return client


@pytest.fixture
def job(owner, lab, cluster):
    job = make_job(owner, lab, title="Silicon", spec={"seconds": 1})
    job_folder(job).mkdir(parents=True)
    (job_folder(job) / "job.log").write_text("one\ntwo\n")
    return job


def at(job: Job, rest: str = "") -> str:
    return f"/api/v1/jobs/{job.public_id}/{rest}"


def test_the_list_is_paginated_and_filtered(api, job, owner, lab):
    make_job(owner, lab, title="Copper", state=State.DONE)
    answer = api.get("/api/v1/jobs/").json()
    assert answer["count"] == 2
    assert [entry["title"] for entry in answer["results"]] == ["Copper", "Silicon"]
    assert "spec" not in answer["results"][0]
    for query, title in (
        ("state=active", "Silicon"),
        ("state=done", "Copper"),
        ("q=cop", "Copper"),
    ):
        results = api.get(f"/api/v1/jobs/?{query}").json()["results"]
        assert [entry["title"] for entry in results] == [title]
    assert api.get("/api/v1/jobs/?state=nonsense").status_code == 400


def test_a_run_is_shown_with_its_history(api, job, owner):
    answer = api.get(at(job)).json()
    assert answer["id"] == str(job.public_id)
    assert answer["spec"] == {"seconds": 1}
    assert [(m["origin"], m["target"], m["actor"]) for m in answer["history"]] == [
        ("", "created", owner.name)
    ]


def test_log_and_files_are_fetched(api, job):
    assert api.get(at(job, "log/")).json() == {"log": "one\ntwo\n"}
    assert api.get(at(job, "log/?bytes=4")).json() == {"log": "two\n"}
    files = api.get(at(job, "files/")).json()
    assert [(file["path"], file["size"]) for file in files] == [("job.log", 8)]
    answer = api.get(files[0]["url"])
    assert b"".join(answer) == b"one\ntwo\n"
    assert answer["Content-Disposition"].startswith("attachment")
    assert api.get(at(job, "files.zip"))["Content-Type"] == "application/zip"
    assert api.get(at(job, "files/../job.log")).status_code == 404


def test_a_run_is_stopped_and_tried_again(api, job):
    assert api.post(at(job, "cancel/")).json()["state"] == "cancelled"
    refused = api.post(at(job, "cancel/"))
    assert refused.status_code == 400
    assert "nothing to cancel" in refused.json()["detail"]
    again = api.post(at(job, "retry/")).json()
    assert (again["state"], again["attempt"]) == ("created", 2)
    assert api.delete(at(job)).status_code == 400
    api.post(at(job, "cancel/"))
    assert api.delete(at(job)).status_code == 204
    assert not Job.objects.filter(pk=job.pk).exists()


def test_guests_are_refused_and_strangers_find_nothing(job, lab):
    client = APIClient()
    client.force_authenticate(make_user(lab, Role.GUEST))
    assert client.get(at(job)).status_code == 200
    assert client.post(at(job, "cancel/")).status_code == 403
    client.force_authenticate(make_user(make_lab()))
    assert client.get(at(job)).status_code == 404
    assert client.get(at(job, "files/job.log")).status_code == 404
    assert client.post(at(job, "cancel/")).status_code == 404
    assert client.get("/api/v1/jobs/not-a-uuid/").status_code == 404


def test_nobody_gets_anything_without_signing_in(job):
    assert APIClient().get("/api/v1/jobs/").status_code in {401, 403}
    assert APIClient().get(at(job, "files/job.log")).status_code in {401, 403}


def test_clusters_say_their_cores_and_codes(api, cluster):
    answer = api.get("/api/v1/clusters/").json()["results"][0]
    assert (answer["name"], answer["scheduler"], answer["is_builtin"]) == ("local", "direct", True)
    assert {"mlmd", "python"} <= set(answer["codes"])
    assert answer["cores"] >= 1
    assert "recipes" not in answer
    assert api.get(f"/api/v1/clusters/{answer['id']}/").status_code == 200
