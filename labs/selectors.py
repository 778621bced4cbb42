"""Queries about people and labs."""

from __future__ import annotations

from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from labs.exceptions import Refused
from labs.models import ApiToken, AuditEvent, Invitation, Lab, Membership, Role
from labs.tokens import token_hash


def role_in(user: Any, lab: Lab | None) -> Role | None:
    """Return the person's role in the lab, None for strangers."""
    if lab is None or not user.is_authenticated:
        return None
    role = Membership.objects.filter(user=user, lab=lab).values_list("role", flat=True).first()
    return Role(role) if role else None


def may_create(user: Any, lab: Lab | None) -> bool:
    """Whether the person may add objects to the lab: managers and members, not guests."""
    return role_in(user, lab) in {Role.MANAGER, Role.MEMBER}


def audit_events_visible_to(user: Any, lab: Lab) -> QuerySet[AuditEvent]:
    """Return the lab's audit trail for its managers, nothing for others."""
    if role_in(user, lab) != Role.MANAGER:
        return AuditEvent.objects.none()
    return AuditEvent.objects.filter(lab=lab).select_related("actor")


def labs_of(user: Any) -> QuerySet[Lab]:
    """Return the labs the person belongs to."""
    return Lab.objects.filter(memberships__user=user).order_by("name")


def memberships_visible_to(user: Any) -> QuerySet[Membership]:
    """Return the memberships of all labs the person belongs to, guests' view included."""
    return (
        Membership.objects.filter(lab__in=labs_of(user))
        .select_related("user", "lab")
        .order_by("lab__name", "user__name")
    )


def memberships_managed_by(user: Any) -> QuerySet[Membership]:
    """Return the memberships that the person may change as a manager."""
    managed = user.memberships.filter(role=Role.MANAGER).values("lab_id")
    return Membership.objects.filter(lab_id__in=managed).select_related("user", "lab")


def invitations_open(user: Any, lab: Lab) -> QuerySet[Invitation]:
    """Return the lab's unused invitations for its managers, nothing for others."""
    if role_in(user, lab) != Role.MANAGER:
        return Invitation.objects.none()
    return (
        Invitation.objects.filter(lab=lab, accepted_at=None, revoked_at=None)
        .select_related("invited_by")
        .order_by("-created_at")
    )


def invitation_by_secret(secret: str) -> Invitation | None:
    """Return a usable invitation; None when it is unknown, used, withdrawn or expired."""
    return (
        Invitation.objects.filter(token_hash=token_hash(secret), accepted_at=None, revoked_at=None)
        .filter(expires_at__gt=timezone.now())
        .select_related("lab", "invited_by")
        .first()
    )


def tokens_of(user: Any) -> QuerySet[ApiToken]:
    """Return the person's own tokens, the usable ones first."""
    return ApiToken.objects.filter(user=user).order_by(
        F("revoked_at").asc(nulls_first=True), "-created_at"
    )


def working_lab(request: Any) -> Lab:
    """Return the lab that new rows of a request go to: the one worked in, else the person's first.

    Raises:
        Refused: the person belongs to no lab.
    """
    lab: Lab | None = getattr(request, "lab", None)
    if lab is None:
        membership = request.user.memberships.select_related("lab").order_by("lab__name").first()
        lab = membership.lab if membership else None
    if lab is None:
        raise Refused(_("You belong to no lab, so there is nowhere to put it."))
    return lab
