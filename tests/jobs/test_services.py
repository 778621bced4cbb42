"""What other rooms and people ask of the job machine."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.db.models import ProtectedError
from django.test import RequestFactory

from jobs.context import running_jobs
from jobs.errors import UnknownKind
from jobs.kinds import kind_of, kinds
from jobs.models import Cluster, Job
from jobs.selectors import clusters_usable_by, jobs_visible_to, running_count
from jobs.services import cluster_ensure_local, job_create, job_delete
from jobs.states import State
from labs.exceptions import Refused
from labs.models import AuditEvent, Role
from tests.jobs import factories


def create(owner, lab, **more):
    return job_create(
        **{"owner": owner, "lab": lab, "kind": factories.KIND, "title": "x", "spec": {}, **more}
    )


def test_a_job_is_announced_once_it_is_committed(
    owner, lab, cluster, nudges, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        job = create(owner, lab)
        assert nudges == []
    assert nudges == [("jobs.tasks.step", job.pk)]
    assert job.cluster == cluster
    assert AuditEvent.objects.get(verb="run started").object_id == str(job.public_id)
    assert list(job.moves.values_list("origin", "target", "actor")) == [("", "created", owner.pk)]


def test_every_job_has_its_own_token(owner, lab, cluster):
    assert len({create(owner, lab).token for _ in range(5)}) == 5


def test_guests_and_strangers_start_nothing(lab, cluster):
    for person in (factories.make_user(lab, Role.GUEST), factories.make_user()):
        with pytest.raises(PermissionDenied):
            create(person, lab)
    assert not Job.objects.exists()


def test_a_closed_cluster_takes_no_runs(owner, lab, cluster):
    Cluster.objects.filter(pk=cluster.pk).update(is_active=False)
    assert list(clusters_usable_by(owner)) == []
    with pytest.raises(Refused, match="takes no new runs"):
        create(owner, lab)


def test_an_unknown_kind_is_a_defect_of_the_caller(owner, lab, cluster):
    with pytest.raises(UnknownKind, match="example"):
        create(owner, lab, kind="alchemy")


def test_the_local_cluster_is_there_from_the_first_minute_and_only_once(db):
    first = Cluster.objects.get(name="local")
    assert first.is_builtin
    assert cluster_ensure_local() == first
    Cluster.objects.all().delete()
    assert cluster_ensure_local() == cluster_ensure_local()


def test_everybody_sees_the_local_cluster_and_nobody_owns_it(owner, cluster):
    assert cluster in Cluster.objects.visible_to(owner)
    assert cluster not in Cluster.objects.editable_by(owner)


def test_the_count_of_running_runs_is_that_of_ones_labs(owner, lab, cluster):
    factories.make_job(owner, lab)
    factories.make_job(owner, lab, state=State.RUNNING)
    factories.make_job(owner, lab, state=State.DONE)
    other = factories.make_lab()
    stranger = factories.make_user(other)
    factories.make_job(stranger, other, visibility="public")
    factories.make_job(factories.make_user(lab), lab, visibility="private")
    assert running_count(owner) == 2
    assert running_count(stranger) == 1
    request = RequestFactory().get("/")
    request.user = owner
    assert running_jobs(request) == {"running_jobs": 2}


@pytest.mark.parametrize(
    ("visibility", "seen_by"),
    [
        ("private", {"owner"}),
        ("lab", {"owner", "member", "guest", "manager"}),
        ("public", {"owner", "member", "guest", "manager", "stranger"}),
    ],
)
def test_who_sees_a_run(owner, lab, cluster, visibility, seen_by):
    job = factories.make_job(owner, lab, visibility=visibility)
    people = {
        "owner": owner,
        "member": factories.make_user(lab),
        "guest": factories.make_user(lab, Role.GUEST),
        "manager": factories.make_user(lab, Role.MANAGER),
        "stranger": factories.make_user(factories.make_lab()),
    }
    assert {name for name, user in people.items() if job in jobs_visible_to(user)} == seen_by


def test_a_run_that_something_came_from_is_kept(owner, lab, cluster, monkeypatch):
    job = factories.make_job(owner, lab, state=State.DONE)

    def refuse(self):
        raise ProtectedError("a potential came from it", set())

    monkeypatch.setattr(Job, "delete", refuse)
    with pytest.raises(Refused, match="results in the catalog"):
        job_delete(job=job, actor=owner)
    assert Job.objects.filter(pk=job.pk).exists()


def test_kinds_are_listed_by_name(db):
    factories.register_example()
    assert kind_of(factories.KIND) in kinds()
    assert [kind.name for kind in kinds()] == sorted(kind.name for kind in kinds())
