"""Who may change a lab and its members."""

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command

from labs.exceptions import Refused
from labs.models import AuditEvent, Invitation, Lab, Membership, Role, User
from labs.services.labs import (
    lab_create,
    lab_update,
    member_add,
    member_remove,
    member_set_role,
    shared_account_create,
    shared_account_set_password,
)
from tests.labs.factories import PASSWORD, make_lab, make_membership, make_user

pytestmark = pytest.mark.django_db
STRONG = "seven small silicon slabs"


@pytest.fixture
def lab() -> Lab:
    return make_lab()


@pytest.fixture
def manager(lab: Lab) -> User:
    return make_user(lab, Role.MANAGER)


def of(user: User, lab: Lab) -> Membership:
    return Membership.objects.get(user=user, lab=lab)


def test_a_new_lab_has_its_manager_and_a_line_in_the_audit_trail() -> None:
    person = make_user()
    lab = lab_create(name=" Glass group ", manager=person)
    assert lab.name == "Glass group"
    assert of(person, lab).role == Role.MANAGER
    assert AuditEvent.objects.get(lab=lab).verb == "lab created"


@pytest.mark.parametrize("name", ["", "  ", "GLASS group"])
def test_a_lab_needs_a_name_of_its_own(name: str) -> None:
    make_lab("Glass group")
    with pytest.raises(Refused):
        lab_create(name=name, manager=make_user())


@pytest.mark.parametrize("role", [Role.MEMBER, Role.GUEST, None])
def test_only_managers_change_the_lab_and_its_members(
    lab: Lab, manager: User, role: str | None
) -> None:
    actor = make_user(lab, role) if role else make_user(make_lab(), Role.MANAGER)
    target = of(make_user(lab), lab)
    with pytest.raises(PermissionDenied):
        lab_update(lab=lab, actor=actor, name="Other", description="")
    with pytest.raises(PermissionDenied):
        member_set_role(membership=target, actor=actor, role=Role.GUEST)
    with pytest.raises(PermissionDenied):
        member_remove(membership=target, actor=actor)
    with pytest.raises(PermissionDenied):
        shared_account_create(lab=lab, actor=actor, name="S", email="s@x.example", password=STRONG)
    target.refresh_from_db()
    assert target.role == Role.MEMBER


def test_a_manager_renames_the_lab_but_not_to_another_labs_name(lab: Lab, manager: User) -> None:
    make_lab("Taken")
    with pytest.raises(Refused, match="taken"):
        lab_update(lab=lab, actor=manager, name="taken", description="")
    lab_update(lab=lab, actor=manager, name="New name", description="Glasses.")
    lab.refresh_from_db()
    assert (lab.name, lab.description) == ("New name", "Glasses.")


def test_the_last_manager_can_neither_leave_nor_step_down(lab: Lab, manager: User) -> None:
    with pytest.raises(Refused, match="last manager"):
        member_remove(membership=of(manager, lab), actor=manager)
    with pytest.raises(Refused, match="last manager"):
        member_set_role(membership=of(manager, lab), actor=manager, role=Role.MEMBER)
    assert of(manager, lab).role == Role.MANAGER


def test_a_closed_account_does_not_count_as_a_manager(lab: Lab, manager: User) -> None:
    closed = make_user(lab, Role.MANAGER)
    closed.is_active = False
    closed.save()
    with pytest.raises(Refused, match="last manager"):
        member_remove(membership=of(manager, lab), actor=manager)


def test_a_manager_leaves_when_another_stays(lab: Lab, manager: User) -> None:
    make_user(lab, Role.MANAGER)
    member_remove(membership=of(manager, lab), actor=manager)
    assert not Membership.objects.filter(user=manager, lab=lab).exists()
    assert AuditEvent.objects.filter(lab=lab, verb="member left").exists()


def test_members_leave_by_themselves(lab: Lab, manager: User) -> None:
    member = make_user(lab, Role.GUEST)
    member_remove(membership=of(member, lab), actor=member)
    assert not member.memberships.exists()


def test_removing_twice_is_refused_in_words(lab: Lab, manager: User) -> None:
    membership = of(make_user(lab), lab)
    member_remove(membership=of(membership.user, lab), actor=manager)
    with pytest.raises(Refused, match="left the lab already"):
        member_remove(membership=membership, actor=manager)


def test_a_changed_role_is_kept_with_the_old_one_in_the_trail(lab: Lab, manager: User) -> None:
    membership = of(make_user(lab), lab)
    member_set_role(membership=membership, actor=manager, role=Role.MANAGER)
    event = AuditEvent.objects.get(lab=lab, verb="role changed")
    assert (event.detail["role_before"], event.detail["role"]) == ("member", "manager")


def test_nobody_joins_twice(lab: Lab, manager: User) -> None:
    with pytest.raises(Refused, match="already"):
        member_add(lab=lab, user=manager, role=Role.GUEST, actor=None)
    assert of(manager, lab).role == Role.MANAGER


def test_a_shared_account_signs_in_and_its_password_is_the_managers_business(
    lab: Lab, manager: User
) -> None:
    shared = shared_account_create(
        lab=lab, actor=manager, name="Furnace", email="furnace@x.example", password=STRONG
    )
    assert shared.is_shared
    assert shared.check_password(STRONG)
    shared_account_set_password(
        membership=of(shared, lab), actor=manager, password="another good phrase 7"
    )
    shared.refresh_from_db()
    assert shared.check_password("another good phrase 7")


def test_a_shared_account_needs_a_free_address_and_a_strong_password(
    lab: Lab, manager: User
) -> None:
    make = {"lab": lab, "actor": manager, "name": "Furnace"}
    with pytest.raises(Refused, match="exists"):
        shared_account_create(**make, email=manager.email.upper(), password=STRONG)
    with pytest.raises(Refused, match="short"):
        shared_account_create(**make, email="f@x.example", password="short")


def test_managers_set_no_passwords_of_people(lab: Lab, manager: User) -> None:
    person = make_user(lab)
    with pytest.raises(Refused, match="themselves"):
        shared_account_set_password(membership=of(person, lab), actor=manager, password=STRONG)
    assert person.check_password(PASSWORD)


def test_a_shared_account_of_two_labs_is_not_taken_over_by_one(lab: Lab, manager: User) -> None:
    shared = make_user(lab, is_shared=True)
    make_membership(shared, make_lab())
    with pytest.raises(Refused, match="other labs"):
        shared_account_set_password(membership=of(shared, lab), actor=manager, password=STRONG)


def test_an_operator_makes_a_lab_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    person = make_user()
    call_command("lab_create", "Bench", "--manager", person.email, "--invite", "boss@x.example")
    invitation = Invitation.objects.get(lab__name="Bench")
    assert invitation.role == Role.MANAGER
    with pytest.raises(CommandError, match="already"):
        call_command("lab_create", "Bench", "--manager", person.email)
    with pytest.raises(CommandError, match="no account"):
        call_command("lab_create", "Other", "--manager", "nobody@x.example")
