"""Runs that were started together, and scripts shown before anything is started."""

from __future__ import annotations

import pytest
from django import forms
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from jobs.batches import batch_cancel, batch_retry_failed, batch_summary
from jobs.limits import limit_set
from jobs.models import Job
from jobs.resource_forms import asked_of, check_fits, resource_fields
from jobs.resources import Asked
from jobs.script_preview import script_preview
from jobs.services import job_create
from jobs.states import State
from labs.exceptions import Refused
from labs.models import Role
from mlmd.errors import InvalidInput
from mlmd.launch import Command, Launch, Resources
from tests.jobs.factories import KIND, make_batch, make_far_cluster, make_job, make_user

LAUNCH = Launch((Command(("mlmd", "md")),), (), resources=Resources(threads=4, walltime_s=1800))


def test_a_batch_counts_its_runs_by_state(owner, lab, cluster):
    batch = make_batch(owner, lab, "lab", State.DONE, State.DONE, State.FAILED, State.RUNNING)
    batch.jobs.filter(state=State.RUNNING).update(progress={"fraction": 0.5})
    summary = batch_summary(batch)
    assert summary.counts == ((State.RUNNING, 1), (State.DONE, 2), (State.FAILED, 1))
    assert (summary.total, summary.finished, summary.failed) == (4, 3, 1)
    assert summary.fraction == pytest.approx(3.5 / 4)
    assert not summary.is_final


def test_only_the_failed_ones_are_retried(owner, lab, cluster):
    batch = make_batch(owner, lab, "lab", State.DONE, State.FAILED, State.FAILED, State.RUNNING)
    assert batch_retry_failed(batch=batch, actor=owner) == 2
    assert sorted(batch.jobs.values_list("state", "attempt")) == [
        ("created", 2),
        ("created", 2),
        ("done", 1),
        ("running", 1),
    ]
    with pytest.raises(Refused):
        batch_retry_failed(batch=batch, actor=owner)


def test_all_that_is_on_its_way_is_cancelled(owner, lab, cluster):
    batch = make_batch(owner, lab, "lab", State.CREATED, State.DONE, State.CREATED)
    assert batch_cancel(batch=batch, actor=owner) == 2
    assert batch.jobs.filter(state=State.CANCELLED).count() == 2
    with pytest.raises(Refused):
        batch_cancel(batch=batch, actor=owner)


def test_others_do_not_act_on_a_batch(owner, lab, cluster):
    batch = make_batch(owner, lab)
    for act in (batch_retry_failed, batch_cancel):
        with pytest.raises(PermissionDenied):
            act(batch=batch, actor=make_user(lab, Role.GUEST))


def test_the_pages_show_retry_and_cancel_a_batch(client, owner, lab, cluster):
    client.force_login(owner)
    batch = make_batch(owner, lab, "lab", State.FAILED, State.CREATED)
    other = make_job(owner, lab, title="Not in it")
    page = client.get(reverse("jobs:batch", args=[batch.public_id]))
    assert "Retry the failed one" in page.text
    assert page.text.count('data-href="/runs/') == 2
    assert batch.title in client.get(reverse("jobs:batches")).text
    answer = client.post(reverse("jobs:batch-retry", args=[batch.public_id]), follow=True)
    assert "on its way again" in answer.text
    answer = client.post(reverse("jobs:batch-cancel", args=[batch.public_id]), follow=True)
    assert "2 runs are being stopped" in answer.text
    listed = client.get(reverse("jobs:list") + f"?batch={batch.public_id}").context["page_obj"]
    assert other not in listed
    assert len(listed) == 2
    run = client.get(reverse("jobs:detail", args=[batch.jobs.first().public_id]))
    assert batch.title in run.text


def test_the_api_tells_and_acts(client, owner, lab, cluster):
    client.force_login(owner)
    batch = make_batch(owner, lab, "lab", State.FAILED, State.CREATED)
    address = f"/api/v1/batches/{batch.public_id}/"
    assert client.get(address).json()["counts"] == {"created": 1, "failed": 1}
    assert client.post(address + "retry-failed/").json()["counts"] == {"created": 2}
    assert client.post(address + "cancel/").json()["counts"] == {"cancelled": 2}
    assert client.get("/api/v1/jobs/", {"batch": str(batch.public_id)}).json()["count"] == 2


def test_no_batches_yet_says_how_to_make_one(client, owner):
    client.force_login(owner)
    assert "Further temperatures" in client.get(reverse("jobs:batches")).text


@pytest.fixture
def far(lab):
    return make_far_cluster(make_user(lab, Role.MANAGER), lab)


def preview(lab, cluster, launch: Launch = LAUNCH, **asked: object):
    return script_preview(lab=lab, kind=KIND, cluster=cluster, asked=asked, launch=launch)


def test_the_script_is_shown_as_the_scheduler_will_get_it(owner, lab, far):
    far.setup = "module load gcc/12"
    shown = preview(lab, far, account="gx01")
    for line in (
        "#SBATCH --partition=short",
        "#SBATCH --account=gx01",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --time=0:30:00",
        "module load gcc/12",
        "mlmd md < /dev/null &",
    ):
        assert line in shown.script
    assert shown.queue == "short"
    assert "queue short" in shown.sentence
    assert "at most 30 min" in shown.sentence
    assert not Job.objects.exists()


def test_the_shown_script_is_the_one_that_runs(owner, lab, cluster, until):
    """Only the run's number, folder and token are other ones."""
    job = job_create(owner=owner, lab=lab, kind=KIND, title="x", spec={}, resources={"threads": 2})
    until(job, State.DONE)
    job.refresh_from_db()
    launch = Launch((Command(("python", "count.py")),), (), resources=Resources(threads=2))
    shown = preview(lab, job.cluster, launch).script
    from jobs.files import job_folder

    real = (job_folder(job) / "job.sh").read_text()
    real = real.replace(str(job.public_id), "00000000-0000-0000-0000-000000000000")
    assert shown == real.replace(job.token, "0" * 32).replace(f"-{job.pk}\n", "-0\n")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"queue": "long"}, "no queue “long”; it has: short"),
        ({"walltime_s": 7200}, "1 h allowed"),
        ({"nodes": 3}, "2 allowed"),
        ({"account": "a b; rm"}, "can't be a group"),
    ],
)
def test_what_does_not_fit_is_said_in_words(lab, far, asked, words):
    own = {name: value for name, value in asked.items() if name in Resources.__dataclass_fields__}
    launch = Launch(LAUNCH.commands, (), resources=Resources(**own))
    with pytest.raises(Refused, match=words):
        preview(lab, far, launch, **asked)


def test_a_preview_knows_the_labs_limits_and_the_clusters_programs(lab, far):
    with pytest.raises(InvalidInput, match=r"pw\.x"):
        preview(lab, far, Launch((Command(("pw.x",)),), ()))
    manager = make_user(lab, Role.MANAGER)
    limit_set(lab=lab, actor=manager, what="node-hours", amount=0.1)
    with pytest.raises(Refused, match="node-hours"):
        preview(lab, far)


class ResourceForm(forms.Form):
    def __init__(self, data, cluster):
        super().__init__(data)
        self.fields.update(resource_fields())
        self.cluster = cluster

    def clean(self):
        check_fits(self, self.cluster, Resources(threads=2))
        return self.cleaned_data


def test_expert_fields_become_resources(far):
    form = ResourceForm({"hours": "0.5", "memory": "2", "queue": "short"}, far)
    assert form.is_valid(), form.errors
    asked = asked_of(form.cleaned_data)
    assert asked == Asked(walltime_s=1800, memory_mb=2048, queue="short")
    over = asked.over(Resources(threads=2))
    assert (over["threads"], over["walltime_s"], over["nodes"]) == (2, 1800, 1)


@pytest.mark.parametrize(
    ("data", "field"),
    [({"queue": "long"}, "queue"), ({"hours": "2"}, "__all__"), ({"nodes": "0"}, "nodes")],
)
def test_expert_fields_are_checked_against_the_queue(far, data, field):
    form = ResourceForm(data, far)
    assert not form.is_valid()
    assert field in form.errors
