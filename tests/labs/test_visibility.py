"""Who sees and who changes what belongs to a lab: the one queryset that every room uses."""

import pytest
from django.contrib.auth.models import AnonymousUser

from jobs.models import Job
from labs.models import Lab, Role, User, Visibility
from labs.selectors import audit_events_visible_to, may_create, memberships_visible_to, role_in
from tests.jobs.factories import make_job
from tests.labs.factories import make_lab, make_membership, make_user

pytestmark = pytest.mark.django_db
SEEN = {
    #               private lab    public
    "owner": (True, True, True),
    "manager": (False, True, True),
    "member": (False, True, True),
    "guest": (False, True, True),
    "former owner": (False, False, True),
    "stranger": (False, False, True),
    "nobody": (False, False, True),
}
CHANGED = {
    "owner": (True, True, True),
    "manager": (False, True, True),
    "member": (False, False, False),
    "guest": (False, False, False),
    "former owner": (False, False, False),
    "guest owner": (False, False, False),
    "stranger": (False, False, False),
    "nobody": (False, False, False),
}


@pytest.fixture
def lab() -> Lab:
    return make_lab()


@pytest.fixture
def people(lab: Lab) -> dict[str, User | AnonymousUser]:
    return {
        "owner": make_user(lab),
        "manager": make_user(lab, Role.MANAGER),
        "member": make_user(lab),
        "guest": make_user(lab, Role.GUEST),
        "former owner": make_user(lab),
        "guest owner": make_user(lab, Role.GUEST),
        "stranger": make_user(make_lab(), Role.MANAGER),
        "nobody": AnonymousUser(),
    }


def jobs_for(role: str, lab: Lab, people: dict) -> list[Job]:
    """Return a private, a shared and a public job, owned by the person where the role says so."""
    owner = people[role if role.endswith("owner") else "owner"]
    jobs = [make_job(owner, lab, visibility) for visibility in Visibility.values]
    people["former owner"].memberships.all().delete()
    return jobs


@pytest.mark.parametrize("role", SEEN)
def test_everyone_sees_what_the_table_says(role: str, lab: Lab, people: dict) -> None:
    jobs = jobs_for(role, lab, people)
    seen = set(Job.objects.visible_to(people[role]))
    assert tuple(job in seen for job in jobs) == SEEN[role]


@pytest.mark.parametrize("role", CHANGED)
def test_everyone_changes_what_the_table_says(role: str, lab: Lab, people: dict) -> None:
    jobs = jobs_for(role, lab, people)
    changed = set(Job.objects.editable_by(people[role]))
    assert tuple(job in changed for job in jobs) == CHANGED[role]


def test_someone_in_two_labs_sees_each_row_once(lab: Lab) -> None:
    person = make_user(lab)
    make_membership(person, make_lab(), Role.MANAGER)
    job = make_job(person, lab)
    assert list(Job.objects.visible_to(person)) == [job]
    assert list(Job.objects.editable_by(person)) == [job]


def test_a_role_of_one_lab_counts_for_nothing_in_another(lab: Lab) -> None:
    person = make_user(lab, Role.GUEST)
    make_membership(person, make_lab(), Role.MANAGER)
    job = make_job(make_user(lab), lab)
    assert job in Job.objects.visible_to(person)
    assert job not in Job.objects.editable_by(person)


@pytest.mark.parametrize(
    ("role", "may"), [("manager", True), ("member", True), ("guest", False), ("stranger", False)]
)
def test_managers_and_members_add_to_their_lab(
    role: str, may: bool, lab: Lab, people: dict
) -> None:
    assert may_create(people[role], lab) is may
    assert may_create(people[role], None) is False
    assert may_create(AnonymousUser(), lab) is False


def test_the_role_of_a_stranger_is_none(lab: Lab, people: dict) -> None:
    assert role_in(people["manager"], lab) == Role.MANAGER
    assert role_in(people["stranger"], lab) is None
    assert role_in(AnonymousUser(), lab) is None


def test_members_know_each_other_and_strangers_know_nobody(lab: Lab, people: dict) -> None:
    seen = {m.user for m in memberships_visible_to(people["guest"])}
    assert people["manager"] in seen
    assert people["stranger"] not in seen


def test_the_audit_trail_is_for_managers(lab: Lab, people: dict) -> None:
    from labs.audit import audit_record

    event = audit_record(actor=people["member"], verb="run started", target=lab)
    assert list(audit_events_visible_to(people["manager"], lab)) == [event]
    for role in ("member", "guest", "stranger"):
        assert not audit_events_visible_to(people[role], lab).exists()
