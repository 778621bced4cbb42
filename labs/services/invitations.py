"""Invitations: how people come to a lab."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Invitation, Lab, Membership, Role, User
from labs.services.labs import member_add, require_manager
from labs.tokens import token_hash, token_make

LIFETIME = timedelta(days=14)


@transaction.atomic
def invitation_create(
    *, lab: Lab, actor: User, email: str, role: str = Role.MEMBER
) -> tuple[Invitation, str]:
    """Invite someone; an older open invitation of the same person ends.

    Returns:
        The invitation and its secret, which is known only now.

    Raises:
        PermissionDenied: the actor isn't a manager.
        Refused: the person belongs to the lab already.
    """
    require_manager(actor, lab)
    email = email.strip().lower()
    if Membership.objects.filter(lab=lab, user__email__iexact=email).exists():
        raise Refused(_("%(person)s belongs to %(lab)s already.") % {"person": email, "lab": lab})
    now = timezone.now()
    Invitation.objects.filter(lab=lab, email=email, accepted_at=None, revoked_at=None).update(
        revoked_at=now
    )
    secret = token_make()
    invitation = Invitation.objects.create(
        lab=lab,
        email=email,
        role=Role(role),
        token_hash=token_hash(secret),
        invited_by=actor,
        expires_at=now + LIFETIME,
    )
    audit_record(actor=actor, verb="member invited", target=lab, email=email, role=role)
    return invitation, secret


@transaction.atomic
def invitation_revoke(*, invitation: Invitation, actor: User) -> None:
    """End an invitation that nobody has used.

    Raises:
        PermissionDenied: the actor isn't a manager.
        Refused: it was accepted already.
    """
    require_manager(actor, invitation.lab)
    changed = Invitation.objects.filter(pk=invitation.pk, accepted_at=None).update(
        revoked_at=timezone.now()
    )
    if not changed:
        raise Refused(_("This invitation was accepted already; remove the member instead."))
    audit_record(
        actor=actor, verb="invitation withdrawn", target=invitation.lab, email=invitation.email
    )


@transaction.atomic
def invitation_accept(*, invitation: Invitation, user: User) -> Membership:
    """Join the lab with an existing account.

    Raises:
        Refused: the invitation is used, withdrawn or expired, or the person is in the lab.
    """
    _use(invitation, user)
    return member_add(lab=invitation.lab, user=user, role=invitation.role, actor=user)


@transaction.atomic
def invitation_register(*, invitation: Invitation, name: str, password: str) -> User:
    """Make an account for the invited address and join the lab.

    Raises:
        Refused: as `invitation_accept`; or the address has an account; or the password is weak.
    """
    exists = _("An account with this e-mail address exists already. Sign in to join.")
    if User.objects.filter(email__iexact=invitation.email).exists():
        raise Refused(exists)
    try:
        validate_password(password, User(email=invitation.email, name=name))
    except ValidationError as error:
        raise Refused(" ".join(error.messages)) from error
    try:
        with transaction.atomic():
            user: User = User.objects.create_user(invitation.email, password, name=name.strip())
    except IntegrityError as error:
        raise Refused(exists) from error
    invitation_accept(invitation=invitation, user=user)
    return user


def _use(invitation: Invitation, user: User) -> None:
    """Mark the invitation as used, unless someone was faster."""
    now = timezone.now()
    changed = Invitation.objects.filter(
        pk=invitation.pk, accepted_at=None, revoked_at=None, expires_at__gt=now
    ).update(accepted_at=now, accepted_by=user)
    if not changed:
        raise Refused(
            _("This invitation is used, withdrawn or expired. Ask the lab for a new one.")
        )
