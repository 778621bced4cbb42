"""What happened to a dataset, from the audit trail."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from datasets.models import Dataset, DatasetVersion
from labs.models import AuditEvent
from labs.selectors import role_in


def dataset_history(user: Any, dataset: Dataset) -> QuerySet[AuditEvent]:
    """Return the dataset's events, the newest first, for people of its lab; else nothing."""
    if role_in(user, dataset.lab) is None:
        return AuditEvent.objects.none()
    return AuditEvent.objects.filter(
        lab=dataset.lab, object_kind="dataset", object_id=str(dataset.public_id)
    ).select_related("actor")


def withdrawn_by(dataset: Dataset, version: DatasetVersion | None) -> Any:
    """Return who withdrew the dataset, or that version; None when it isn't known any more."""
    events = AuditEvent.objects.filter(object_kind="dataset", object_id=str(dataset.public_id))
    if dataset.withdrawn_at or version is None:
        event = events.filter(verb="dataset withdrawn")
    else:
        event = events.filter(verb="dataset version withdrawn", detail__version=version.number)
    found = event.select_related("actor").first()
    return found.actor if found else None
