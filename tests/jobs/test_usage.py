"""What runs used, and what labs may use."""

from __future__ import annotations

import csv
import datetime
import io
import json

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from jobs import limits, machine, tending
from jobs.exit_record import parse_exit, with_own_words
from jobs.files import job_folder
from jobs.limits import limit_set
from jobs.models import Job, Limit, Usage
from jobs.services import job_create, job_retry
from jobs.states import State
from jobs.usage import UsageFilter, usage_rows, usage_visible_to
from labs.exceptions import Refused
from labs.models import AuditEvent, Role
from tests.jobs.conftest import turn
from tests.jobs.factories import KIND, make_job, make_lab, make_user

TWO_NODES = {"nodes": 2, "processes": 4, "threads": 3, "gpus": 1, "walltime_s": 7200}


@pytest.fixture
def manager(lab):
    return make_user(lab, Role.MANAGER)


def ended(owner, lab, hours: float = 1.0, months_ago: int = 0, **fields: object) -> Job:
    """Return a job that ran on two nodes and has just failed."""
    end = timezone.now() - datetime.timedelta(days=31 * months_ago)
    fields = {"resources": TWO_NODES, "state": State.FETCHED} | fields
    job = make_job(owner, lab, **fields)
    job.started_at, job.ended_at = end - datetime.timedelta(hours=hours), end
    job.save()
    machine.move(job, State.FAILED, reason="It went wrong.")
    return job


def start(owner, lab, **asked: object) -> Job:
    return job_create(owner=owner, lab=lab, kind=KIND, title="New", spec={}, resources=asked)


def test_an_end_is_counted_once(owner, lab, cluster):
    job = ended(owner, lab, hours=1.5)
    usage = Usage.objects.get()
    assert usage.node_hours == pytest.approx(3)
    assert usage.core_hours == pytest.approx(36)
    assert usage.gpu_hours == pytest.approx(3)
    assert (usage.job, usage.outcome, usage.cluster_name) == (job, State.FAILED, "local")


def test_each_attempt_counts(owner, lab, cluster):
    job = ended(owner, lab)
    job_retry(job=job, actor=owner)
    machine.move(job, State.CANCELLED)
    assert sorted(Usage.objects.values_list("attempt", "outcome")) == [
        (1, "failed"),
        (2, "cancelled"),
    ]
    assert Usage.objects.get(attempt=2).node_hours == 0


def test_a_real_run_is_counted(owner, lab, cluster, until):
    job = start(owner, lab, threads=2)
    until(job, State.DONE)
    usage = Usage.objects.get()
    assert usage.core_hours == pytest.approx(2 * usage.wall_s / 3600)
    assert 0 < usage.wall_s < 20
    job.refresh_from_db()
    assert job.size_bytes == sum(entry["size"] for entry in job.files) > 0


def test_the_processor_time_of_a_run_is_told(client, owner, lab, cluster, until):
    client.force_login(owner)
    spec = {"work": 10_000_000}
    job = job_create(owner=owner, lab=lab, kind=KIND, title="Work", spec=spec)
    until(job, State.DONE)
    record = parse_exit((job_folder(job) / "exit.json").read_bytes())
    assert record.cpu_s >= 0.03
    assert "Processor time" in client.get(reverse("jobs:detail", args=[job.public_id])).text


@pytest.mark.parametrize(
    ("times", "seconds"),
    [("1m2.50s 0m0.25s", 62.75), ("0m0.000000s 0m0.000000s", None), ("", None), ("?", None)],
)
def test_what_the_shell_says_about_times_is_read(times, seconds):
    content = {"code": 0, "cause": "ok", "step": 1, "started": 1, "ended": 2, "times": times}
    assert parse_exit(json.dumps(content).encode()).cpu_s == seconds


@pytest.mark.parametrize(
    ("cause", "code", "step", "read"),
    [
        ("failed", 124, 2, "time"),
        # Of a program that isn't ours, a status says nothing of the time.
        ("failed", 124, 1, "failed"),
        ("failed", 124, 0, "failed"),
        ("failed", 124, 3, "failed"),
        ("failed", 2, 2, "failed"),
        ("ok", 0, 2, "ok"),
        ("stopped", 143, 2, "stopped"),
    ],
)
def test_a_program_of_ours_that_ends_because_its_time_is_over_says_so(cause, code, step, read):
    content = {"code": code, "cause": cause, "step": step, "started": 1, "ended": 2}
    record = parse_exit(json.dumps(content).encode())
    assert record.cause == cause
    commands = [{"argv": ["pw.x", "-in", "pw.in"]}, {"argv": ["mlmd", "md", "--run-dir", "."]}]
    assert with_own_words(record, commands).cause == read


def test_usage_outlives_the_run(owner, lab, cluster):
    ended(owner, lab).delete()
    assert Usage.objects.get().job is None


def test_sums_are_by_month_cluster_and_person(owner, lab, cluster, manager):
    other = make_user(lab, name="Other")
    for person, hours, months in ((owner, 1, 0), (owner, 2, 0), (other, 1, 0), (owner, 1, 3)):
        ended(person, lab, hours, months)
    rows = usage_rows(usage_visible_to(manager, lab), UsageFilter())
    assert [(row.person, row.runs, round(row.node_hours, 6)) for row in rows] == [
        ("Other", 1, 2),
        (owner.name, 2, 6),
        (owner.name, 1, 2),
    ]
    assert rows[0].month > rows[2].month
    narrow = UsageFilter(since=rows[0].month, person="oth")
    assert len(usage_rows(usage_visible_to(manager, lab), narrow)) == 1


def test_members_see_their_own_part_and_strangers_nothing(owner, lab, cluster):
    ended(owner, lab)
    ended(make_user(lab), lab)
    assert usage_visible_to(owner, lab).count() == 1
    assert usage_visible_to(make_user(make_lab()), lab).count() == 0


def test_the_page_the_csv_and_the_plot_tell_the_same(client, owner, lab, cluster):
    client.force_login(owner)
    ended(owner, lab, hours=2)
    page = client.get(reverse("jobs:usage"))
    assert page.context["totals"]["node_hours"] == pytest.approx(4)
    text = b"".join(client.get(reverse("jobs:usage-csv"))).decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert float(row["core_hours"]) == pytest.approx(48)
    plot = client.get(reverse("jobs:usage-plot", args=["gpu_hours"])).json()
    assert plot["data"][0]["y"] == [pytest.approx(4)]
    assert client.get(reverse("jobs:usage-plot", args=["mistakes"])).status_code == 404
    answer = client.get("/api/v1/usage/").json()
    assert answer["totals"]["node_hours"] == pytest.approx(4)
    assert answer["rows"][0]["person"] == owner.name


def test_a_name_is_no_formula_in_the_csv(client, lab, cluster):
    owner = make_user(lab, name='=HYPERLINK("x")')
    client.force_login(owner)
    ended(owner, lab)
    text = b"".join(client.get(reverse("jobs:usage-csv"))).decode()
    assert next(csv.DictReader(io.StringIO(text)))["person"].startswith("'=")


def test_an_empty_page_says_what_will_be_there(client, owner):
    client.force_login(owner)
    assert "Nothing used" in client.get(reverse("jobs:usage")).text


def test_a_run_that_does_not_fit_in_what_is_left_is_refused(owner, lab, cluster, manager):
    limit_set(lab=lab, actor=manager, what="node-hours", amount=3, cluster=cluster)
    ended(owner, lab, hours=1)
    start(owner, lab, nodes=1, walltime_s=3600)
    with pytest.raises(Refused, match=r"3 a month on local 2 are used"):
        start(owner, lab, nodes=2, walltime_s=3600)


def test_last_months_hours_do_not_count(owner, lab, cluster, manager):
    limit_set(lab=lab, actor=manager, what="node-hours", amount=3)
    ended(owner, lab, hours=1, months_ago=2)
    start(owner, lab, nodes=2, walltime_s=3600)


def test_other_labs_and_clusters_are_free(owner, lab, cluster, manager):
    limit_set(lab=lab, actor=manager, what="node-hours", amount=0, cluster=cluster)
    elsewhere = make_lab()
    start(make_user(elsewhere), elsewhere)
    with pytest.raises(Refused):
        start(owner, lab)


def test_a_full_store_takes_no_new_runs(owner, lab, cluster, manager):
    limit_set(lab=lab, actor=manager, what="disk", amount=1e-6)
    start(owner, lab)
    Job.objects.update(size_bytes=2000)
    with pytest.raises(Refused, match="may store 1000 bytes"):
        start(owner, lab)


def test_a_full_store_takes_no_more_uploads(owner, lab, cluster, manager):
    from datasets.services import upload_create

    limit_set(lab=lab, actor=manager, what="disk", amount=1e-6)
    file = SimpleUploadedFile("big.xyz", b"x" * 2000)
    with pytest.raises(Refused, match="may store 1000 bytes"):
        upload_create(owner=owner, lab=lab, file=file, target="structures")
    assert b"".join(file.chunks())


@pytest.mark.parametrize(
    ("what", "words"),
    [("running", "the lab may have 1 runs"), ("running-person", "each person of the lab")],
)
def test_runs_beyond_the_limit_wait_with_a_reason(owner, lab, cluster, manager, until, what, words):
    cluster.cores = 100
    cluster.save()
    limit_set(lab=lab, actor=manager, what=what, amount=1)
    first, second = (
        job_create(owner=owner, lab=lab, kind=KIND, title="x", spec={"seconds": 60})
        for _ in range(2)
    )
    free = make_lab()
    stranger = job_create(
        owner=make_user(free), lab=free, kind=KIND, title="y", spec={"seconds": 60}
    )
    try:
        for _ in range(3):
            turn()
        for job in (first, second, stranger):
            job.refresh_from_db()
        assert first.state in {State.SUBMITTED, State.RUNNING}
        assert stranger.state in {State.SUBMITTED, State.RUNNING}
        assert second.state == State.STAGED
        assert words in second.queue_reason
        limit_set(lab=lab, actor=manager, what=what, amount=None)
        until(second, State.SUBMITTED, State.RUNNING)
    finally:
        _stop_all()


def _stop_all() -> None:
    from jobs.services import job_cancel

    for job in Job.objects.all():
        job_cancel(job=job, actor=job.owner)
    for _ in range(100):
        turn()
        if not Job.objects.exclude(state=State.CANCELLED).exists():
            return


def test_a_limit_that_is_lifted_is_no_longer_named(owner, lab, cluster, manager):
    cluster.cores = 1
    cluster.save()
    make_job(owner, lab, state=State.RUNNING, scheduler_id="1:x", resources={"threads": 1})
    job = make_job(
        owner, lab, state=State.STAGED, queue_reason="Waits: the lab may have 1 runs at once."
    )
    tending.tend(cluster.pk)
    job.refresh_from_db()
    assert job.queue_reason.startswith("Waits for free cores")


def test_promised_hours_count_while_runs_work(owner, lab, cluster, manager):
    limit_set(lab=lab, actor=manager, what="node-hours", amount=3)
    working = {"resources": {"nodes": 2, "walltime_s": 3600}, "scheduler_id": "1:x"}
    make_job(owner, lab, state=State.RUNNING, **working)
    job = make_job(owner, lab, state=State.STAGED, resources={"nodes": 2, "walltime_s": 3600})
    assert "2 are used or promised" in limits.Admission(cluster).admit(job)
    small = make_job(owner, lab, state=State.STAGED, resources={"nodes": 1, "walltime_s": 3600})
    admission = limits.Admission(cluster)
    assert admission.admit(small) == ""
    assert admission.admit(small)


def test_a_lab_at_its_limit_does_not_keep_the_others_out(owner, lab, cluster, manager, monkeypatch):
    monkeypatch.setattr("jobs.tending.SUBMISSIONS_PER_LOOK", 2)
    limit_set(lab=lab, actor=manager, what="running", amount=0)
    for _ in range(5):
        make_job(owner, lab, state=State.STAGED)
    waiting = Job.objects.filter(state=State.STAGED)
    free = make_lab()
    other = make_job(make_user(free), free, state=State.STAGED)
    assert list(limits.Admission(cluster).open_to(waiting)) == [other]
    assert waiting.filter(queue_reason__contains="Waits").count() == 5


def test_only_managers_set_limits_and_it_is_noted(owner, lab, manager, cluster):
    with pytest.raises(PermissionDenied):
        limit_set(lab=lab, actor=owner, what="running", amount=1)
    with pytest.raises(PermissionDenied):
        limit_set(lab=make_lab(), actor=manager, what="running", amount=1)
    for what, amount, where in (("mistakes", 1, None), ("running", -1, None), ("disk", 1, cluster)):
        with pytest.raises(Refused):
            limit_set(lab=lab, actor=manager, what=what, amount=amount, cluster=where)
    limit_set(lab=lab, actor=manager, what="running", amount=1)
    limit_set(lab=lab, actor=manager, what="running", amount=2)
    assert Limit.objects.get().amount == 2
    assert AuditEvent.objects.filter(verb="limit set").exists()
    limit_set(lab=lab, actor=manager, what="running", amount=None)
    assert not Limit.objects.exists()


def test_a_manager_sets_limits_on_the_page_and_over_the_api(client, lab, manager, cluster):
    client.force_login(manager)
    body = {"what": "node-hours", "cluster": str(cluster.public_id), "amount": "100"}
    page = client.post(reverse("jobs:limit"), body, follow=True)
    assert "The limit is set." in page.text
    assert "node-hours a month · local" in page.text
    assert (
        "Ensure this value"
        in client.post(reverse("jobs:limit"), body | {"amount": "-1"}, follow=True).text
    )
    answer = client.put(
        "/api/v1/limits/", {"what": "disk", "amount": 5}, content_type="application/json"
    ).json()
    assert {(row["what"], row["amount"]) for row in answer} == {("node-hours", 100), ("disk", 5)}
    gone = body | {"amount": ""}
    assert "The limit is gone." in client.post(reverse("jobs:limit"), gone, follow=True).text


def test_storage_is_shown_by_what_it_holds(client, owner, lab, cluster):
    client.force_login(owner)
    make_job(owner, lab, size_bytes=3 * 1024**2)
    job_folder(make_job(owner, lab))
    shown = dict(client.get(reverse("jobs:usage")).context["storage"])
    assert shown["files of runs"] == 3 * 1024**2
    assert shown.keys() == {"files of runs", "uploads", "potentials"}
