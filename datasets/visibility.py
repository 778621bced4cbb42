"""Who sees datasets and their files: as `labs.querysets` says, and public ones after their embargo."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.apps import apps
from django.db.models import Q
from django.utils import timezone

from labs.querysets import OwnedQuerySet


def embargo_today() -> date:
    """Return the day that embargoes are compared with."""
    return timezone.localdate()


class DatasetQuerySet(OwnedQuerySet):
    """Datasets; under embargo a public one is seen by its own lab only."""

    def visible_to(self, user: Any) -> DatasetQuerySet:
        seen = super().visible_to(user)
        free = Q(embargo_until=None) | Q(embargo_until__lte=embargo_today())
        if user.is_authenticated:
            free |= Q(lab_id__in=user.memberships.values("lab_id"))
        return seen.filter(free)


class UploadQuerySet(OwnedQuerySet):
    """Files; one that went into a dataset is seen by those who see the dataset."""

    def visible_to(self, user: Any) -> UploadQuerySet:
        datasets = apps.get_model("datasets", "Dataset").objects.visible_to(user)
        seen = super().visible_to(user)
        return seen.filter(Q(dataset=None) | Q(dataset__in=datasets.values("pk")))
