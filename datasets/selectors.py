"""Queries of structures and teacher data, each filtered by what the person may see."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from datasets.models import Dataset, DatasetVersion, Frame, Structure, Upload
from datasets.querysets import FrameQuerySet, VersionQuerySet
from labs.querysets import OwnedQuerySet


def structures_visible_to(user: Any) -> OwnedQuerySet:
    """Return structures without their packed atoms; those load when asked for."""
    return Structure.objects.visible_to(user).select_related("owner", "lab").defer("content")


def datasets_visible_to(user: Any) -> OwnedQuerySet:
    return Dataset.objects.visible_to(user).select_related("owner", "lab")


def versions_visible_to(user: Any) -> VersionQuerySet:
    return DatasetVersion.objects.visible_to(user).select_related("dataset", "dataset__lab")


def versions_usable_by(user: Any) -> VersionQuerySet:
    """Return what a training may use: published, not withdrawn, visible; newest first."""
    return versions_visible_to(user).usable().order_by("-published_at")


def version_of(user: Any, public_id: UUID | str) -> DatasetVersion | None:
    return versions_visible_to(user).filter(public_id=public_id).first()


def frames_visible_to(user: Any) -> FrameQuerySet:
    return Frame.objects.visible_to(user)


def uploads_visible_to(user: Any) -> QuerySet:
    return Upload.objects.visible_to(user).select_related("owner", "dataset")
