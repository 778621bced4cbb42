"""The pages of runs and clusters, as a person in a browser gets them."""

from __future__ import annotations

import io
import uuid
import zipfile

import pytest
from django.urls import reverse
from django.utils import timezone

from jobs.files import job_folder
from jobs.models import Cluster, Job
from jobs.states import State
from labs.models import AuditEvent, Role
from tests.jobs.factories import make_job, make_lab, make_user


@pytest.fixture
def job(owner, lab, cluster):
    job = make_job(owner, lab, title="<b>日本</b> run")
    folder = job_folder(job)
    (folder / "deep").mkdir(parents=True)
    (folder / "job.log").write_text("first line\nlast line\n")
    (folder / "job.sh").write_text("#!/bin/sh\necho script\n")
    (folder / "deep" / "page.html").write_text("<script>alert(1)</script>")
    (folder / ".hidden").write_text("secret")
    (folder / "half.part").write_text("half")
    return job


@pytest.fixture
def page(client, owner):
    client.force_login(owner)
    return client


def url(name: str, job: Job, *more: str) -> str:
    return reverse(f"jobs:{name}", args=[job.public_id, *more])


def set_state(job: Job, state: State, **more: object) -> None:
    Job.objects.filter(pk=job.pk).update(state=state, **more)


def test_an_empty_list_says_what_to_do(page):
    answer = page.get(reverse("jobs:list"))
    assert "No runs yet" in answer.text
    assert "a training or a simulation" in answer.text


def test_the_list_shows_escaped_titles_and_states_in_words(page, job):
    answer = page.get(reverse("jobs:list"))
    assert "&lt;b&gt;日本&lt;/b&gt; run" in answer.text
    assert "preparing" in answer.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=active", {"one"}),
        ("state=finished", {"two", "three"}),
        ("state=failed", {"three"}),
        ("q=TW", {"two"}),
        ("kind=other", {"three"}),
        ("cluster=local", {"one", "two", "three"}),
        ("owner=nobody", set()),
        ("state=nonsense", {"one", "two", "three"}),
    ],
)
def test_filters_live_in_the_address(page, owner, lab, cluster, query, found):
    from jobs.kinds import JobKind, register
    from tests.jobs.factories import accept_example, prepare_example

    register(JobKind("other", "Other", prepare_example, accept_example))
    make_job(owner, lab, title="one")
    make_job(owner, lab, title="two", state=State.DONE)
    make_job(owner, lab, title="three", state=State.FAILED, kind="other")
    answer = page.get(reverse("jobs:list") + "?" + query)
    assert {job.title for job in answer.context["page_obj"]} == found


@pytest.mark.parametrize("order", ["title", "state", "kind", "cluster", "owner", "created"])
def test_every_column_sorts_both_ways(page, owner, lab, cluster, order):
    for title in ("b", "a", "c"):
        make_job(owner, lab, title=title)
    up = [j.title for j in page.get(reverse("jobs:list") + f"?sort={order}").context["page_obj"]]
    down = [j.title for j in page.get(reverse("jobs:list") + f"?sort=-{order}").context["page_obj"]]
    assert sorted(up) == sorted(down) == ["a", "b", "c"]
    if order in {"title", "created"}:
        assert up == down[::-1]


def test_the_run_page_shows_state_log_files_script_and_history(page, job):
    answer = page.get(url("detail", job))
    for text in ("preparing", "last line", "deep/page.html", "echo script", "History"):
        assert text in answer.text
    assert "secret" not in answer.text
    assert ".part" not in answer.text
    assert 'hx-trigger="every 2s"' in answer.text


def test_a_final_run_is_no_longer_asked_about(page, job):
    set_state(job, State.FAILED, reason="It went wrong.", started_at=timezone.now())
    answer = page.get(url("detail", job))
    assert "It went wrong." in answer.text
    assert "hx-trigger" not in answer.text
    assert "Retry run" in answer.text


def test_a_file_is_sent_as_a_download_and_never_as_a_page(page, job):
    answer = page.get(url("file", job, "deep/page.html"))
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="page.html"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert b"".join(answer) == b"<script>alert(1)</script>"


@pytest.mark.parametrize(
    "name",
    [
        "../../secret_key",
        "..%2f..%2fsecret_key",
        "deep/../../x",
        ".hidden",
        "half.part",
        "deep",
        "/etc/passwd",
        "link",
        "nothing",
        "deep//page.html",
    ],
)
def test_nothing_but_the_runs_own_files_can_be_fetched(page, job, name, tmp_path):
    (tmp_path / "secret_key").write_text("secret")
    (job_folder(job) / "link").symlink_to(tmp_path / "secret_key")
    assert page.get(f"{url('detail', job)}files/{name}").status_code == 404


def test_all_files_come_as_one_zip(page, job):
    answer = page.get(url("files", job))
    content = b"".join(answer)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = {name.partition("/")[2] for name in archive.namelist()}
        assert names == {"job.log", "job.sh", "deep/page.html"}
    assert "attachment" in answer["Content-Disposition"]


def test_a_person_cancels_their_run(page, job):
    answer = page.post(url("cancel", job), follow=True)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert "being stopped" in answer.text
    assert AuditEvent.objects.filter(verb="run cancelled").exists()


def test_cancelling_twice_is_refused_in_words(page, job):
    page.post(url("cancel", job))
    assert "nothing to cancel" in page.post(url("cancel", job), follow=True).text


def test_several_runs_are_cancelled_at_once(page, owner, lab, cluster):
    jobs = [make_job(owner, lab) for _ in range(3)]
    set_state(jobs[2], State.DONE)
    chosen = [str(job.public_id) for job in jobs] + ["nonsense", str(uuid.uuid4())]
    answer = page.post(reverse("jobs:cancel-many"), {"run": chosen}, follow=True)
    states = [Job.objects.get(pk=job.pk).state for job in jobs]
    assert states == [State.CANCELLED, State.CANCELLED, State.DONE]
    assert "2 runs are being stopped" in answer.text


def test_a_failed_run_is_retried(page, job):
    set_state(job, State.FAILED)
    page.post(url("retry", job))
    job.refresh_from_db()
    assert (job.state, job.attempt) == (State.CREATED, 2)


def test_title_and_visibility_change(page, job):
    page.post(url("rename", job), {"title": "A better name"})
    page.post(url("visibility", job), {"visibility": "private"})
    job.refresh_from_db()
    assert (job.title, job.visibility) == ("A better name", "private")
    answer = page.post(url("visibility", job), {"visibility": "everyone"}, follow=True)
    assert "no visibility" in answer.text
    answer = page.post(url("rename", job), {"title": " "}, follow=True)
    assert "needs a title" in answer.text


def test_a_run_on_its_way_is_not_deleted(page, job):
    assert "cancel it first" in page.post(url("delete", job), follow=True).text
    assert Job.objects.filter(pk=job.pk).exists()


def test_a_final_run_is_deleted_with_its_files(page, job, django_capture_on_commit_callbacks):
    set_state(job, State.FAILED)
    with django_capture_on_commit_callbacks(execute=True):
        page.post(url("delete", job))
    assert not Job.objects.filter(pk=job.pk).exists()
    assert not job_folder(job).exists()


@pytest.mark.parametrize("name", ["cancel", "retry", "rename", "visibility", "delete"])
def test_guests_see_but_change_nothing(client, job, lab, name):
    guest = make_user(lab, Role.GUEST)
    client.force_login(guest)
    assert client.get(url("detail", job)).status_code == 200
    set_state(job, State.FAILED if name in {"retry", "delete"} else State.RUNNING)
    answer = client.post(url(name, job), {"title": "x", "visibility": "public"})
    assert answer.status_code == 403
    job.refresh_from_db()
    assert job.title != "x"
    assert job.visibility == "lab"


@pytest.mark.parametrize("name", ["detail", "files"])
def test_strangers_find_nothing(client, job, name):
    client.force_login(make_user(make_lab()))
    assert client.get(url(name, job)).status_code == 404
    assert client.get(url("file", job, "job.log")).status_code == 404
    assert client.post(url("cancel", job)).status_code == 404


def test_the_clusters_page_shows_cores_and_codes(page, cluster, owner, lab):
    cluster.cores = 8
    cluster.save()
    make_job(owner, lab, state=State.RUNNING, resources={"threads": 3})
    make_job(owner, lab, state=State.STAGED)
    answer = page.get(reverse("jobs:clusters"))
    load = answer.context["loads"][0]
    assert (load.cores, load.used, load.working, load.waiting) == (8, 3, 1, 1)
    assert "mlmd" in load.codes
    assert "3 of 8" in answer.text


def test_a_cluster_that_gives_no_answer_says_so(page, cluster):
    Cluster.objects.filter(pk=cluster.pk).update(failures=2, trouble="No route to host")
    answer = page.get(reverse("jobs:clusters"))
    assert "No route to host" in answer.text
    assert "no answer" in answer.text


def test_the_list_needs_few_queries(page, owner, lab, cluster, django_assert_max_num_queries):
    for _ in range(30):
        make_job(owner, lab)
    with django_assert_max_num_queries(14):
        page.get(reverse("jobs:list"))
