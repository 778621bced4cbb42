"""Writing the audit trail."""

from __future__ import annotations

from typing import Any

from labs.models import AuditEvent, Lab, OwnedModel


def audit_record(*, actor: Any, verb: str, target: OwnedModel | Lab, **detail: Any) -> AuditEvent:
    """Add one line to the audit trail; call it inside the service's transaction.

    Args:
        actor: who did it; None for the system.
        verb: past tense with room, for example ``"dataset published"``.
        target: what it was done to.
        detail: what a reader needs later; must be JSON, never a secret.
    """
    lab = target if isinstance(target, Lab) else target.lab
    return AuditEvent.objects.create(
        lab=lab,
        actor=actor,
        verb=verb,
        object_kind=target._meta.model_name,
        object_id=str(target.public_id),
        object_name=str(target)[:200],
        detail=detail,
    )
