"""Queries about people and labs."""

from __future__ import annotations

from typing import Any

from labs.models import AuditEvent, Lab, Membership, Role


def role_in(user: Any, lab: Lab | None) -> Role | None:
    """Return the person's role in the lab, None for strangers."""
    if lab is None or not user.is_authenticated:
        return None
    role = Membership.objects.filter(user=user, lab=lab).values_list("role", flat=True).first()
    return Role(role) if role else None


def may_create(user: Any, lab: Lab | None) -> bool:
    """Whether the person may add objects to the lab: managers and members, not guests."""
    return role_in(user, lab) in {Role.MANAGER, Role.MEMBER}


def audit_events_visible_to(user: Any, lab: Lab) -> Any:
    """Return the lab's audit trail for its managers, nothing for others."""
    if role_in(user, lab) != Role.MANAGER:
        return AuditEvent.objects.none()
    return AuditEvent.objects.filter(lab=lab).select_related("actor")
