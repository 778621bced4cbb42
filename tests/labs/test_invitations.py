"""How people come to a lab."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from labs.exceptions import Refused
from labs.models import Invitation, Lab, Membership, Role, User
from labs.selectors import invitation_by_secret, invitations_open
from labs.services.invitations import (
    invitation_accept,
    invitation_create,
    invitation_register,
    invitation_revoke,
)
from tests.labs.factories import make_lab, make_user

pytestmark = pytest.mark.django_db
STRONG = "seven small silicon slabs"


@pytest.fixture
def lab() -> Lab:
    return make_lab()


@pytest.fixture
def manager(lab: Lab) -> User:
    return make_user(lab, Role.MANAGER)


def test_only_the_hash_of_an_invitations_secret_is_kept(lab: Lab, manager: User) -> None:
    invitation, secret = invitation_create(lab=lab, actor=manager, email=" New@X.example ")
    assert invitation.email == "new@x.example"
    assert secret not in str(Invitation.objects.values().get())
    assert invitation_by_secret(secret) == invitation
    assert invitation_by_secret(secret[:-1]) is None


def test_a_new_person_registers_and_joins_with_the_invited_role(lab: Lab, manager: User) -> None:
    invitation, _ = invitation_create(
        lab=lab, actor=manager, email="new@x.example", role=Role.GUEST
    )
    person = invitation_register(invitation=invitation, name=" Ada ", password=STRONG)
    assert (person.email, person.name) == ("new@x.example", "Ada")
    assert Membership.objects.get(user=person, lab=lab).role == Role.GUEST
    assert person.check_password(STRONG)


def test_an_invitation_works_once(lab: Lab, manager: User) -> None:
    invitation, secret = invitation_create(lab=lab, actor=manager, email="new@x.example")
    invitation_accept(invitation=invitation, user=make_user())
    assert invitation_by_secret(secret) is None
    second = make_user()
    with pytest.raises(Refused, match="used, withdrawn or expired"):
        invitation_accept(invitation=invitation, user=second)
    assert not second.memberships.exists()


def test_an_expired_or_withdrawn_invitation_lets_nobody_in(lab: Lab, manager: User) -> None:
    old, old_secret = invitation_create(lab=lab, actor=manager, email="old@x.example")
    Invitation.objects.filter(pk=old.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    ended, ended_secret = invitation_create(lab=lab, actor=manager, email="ended@x.example")
    invitation_revoke(invitation=ended, actor=manager)
    for invitation, secret in ((old, old_secret), (ended, ended_secret)):
        assert invitation_by_secret(secret) is None
        with pytest.raises(Refused):
            invitation_register(invitation=invitation, name="Eve", password=STRONG)
    assert not User.objects.filter(email__in=["old@x.example", "ended@x.example"]).exists()


def test_inviting_again_ends_the_earlier_link(lab: Lab, manager: User) -> None:
    _, first = invitation_create(lab=lab, actor=manager, email="new@x.example")
    _, second = invitation_create(lab=lab, actor=manager, email="new@x.example")
    assert invitation_by_secret(first) is None
    assert invitation_by_secret(second) is not None
    assert invitations_open(manager, lab).count() == 1


def test_members_are_not_invited_again(lab: Lab, manager: User) -> None:
    with pytest.raises(Refused, match="already"):
        invitation_create(lab=lab, actor=manager, email=manager.email.upper())


def test_members_and_strangers_invite_nobody(lab: Lab, manager: User) -> None:
    for actor in (make_user(lab), make_user(lab, Role.GUEST), make_user()):
        with pytest.raises(PermissionDenied):
            invitation_create(lab=lab, actor=actor, email="new@x.example")
        assert not invitations_open(actor, lab).exists()


def test_an_address_with_an_account_signs_in_instead_of_registering(
    lab: Lab, manager: User
) -> None:
    person = make_user()
    invitation, _ = invitation_create(lab=lab, actor=manager, email=person.email)
    with pytest.raises(Refused, match="Sign in"):
        invitation_register(invitation=invitation, name="X", password=STRONG)
    invitation_accept(invitation=invitation, user=person)
    assert Membership.objects.filter(user=person, lab=lab).exists()


def test_a_weak_password_leaves_the_invitation_open(lab: Lab, manager: User) -> None:
    invitation, secret = invitation_create(lab=lab, actor=manager, email="new@x.example")
    with pytest.raises(Refused, match="common"):
        invitation_register(invitation=invitation, name="X", password="password1")
    assert invitation_by_secret(secret) == invitation


def test_an_accepted_invitation_can_not_be_withdrawn(lab: Lab, manager: User) -> None:
    invitation, _ = invitation_create(lab=lab, actor=manager, email="new@x.example")
    invitation_accept(invitation=invitation, user=make_user())
    with pytest.raises(Refused, match="accepted already"):
        invitation_revoke(invitation=invitation, actor=manager)
