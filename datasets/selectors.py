"""Queries of structures and teacher data, each filtered by what the person may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Q, QuerySet, Sum

from datasets.credits import authors_from_json
from datasets.models import (
    Dataset,
    DatasetVersion,
    Frame,
    SavedSearch,
    Structure,
    StructureSet,
    Upload,
)
from datasets.querysets import FrameQuerySet, VersionQuerySet, within_number
from labs.models import Lab
from labs.querysets import OwnedQuerySet


def bytes_uploaded(lab: Lab) -> int:
    """Return the bytes of the files that a lab has uploaded."""
    return int(Upload.objects.filter(lab=lab).aggregate(total=Sum("size"))["total"] or 0)


def structures_visible_to(user: Any) -> OwnedQuerySet:
    """Return structures without their packed atoms; those load when asked for."""
    return Structure.objects.visible_to(user).select_related("owner", "lab").defer("content")


def structure_sets_visible_to(user: Any) -> OwnedQuerySet:
    return StructureSet.objects.visible_to(user).select_related("owner", "lab")


def datasets_visible_to(user: Any) -> OwnedQuerySet:
    return Dataset.objects.visible_to(user).select_related("owner", "lab")


def versions_visible_to(user: Any) -> VersionQuerySet:
    return DatasetVersion.objects.visible_to(user).select_related("dataset", "dataset__lab")


def versions_usable_by(user: Any) -> VersionQuerySet:
    """Return what a training may use: published, not withdrawn, visible; newest first."""
    return versions_visible_to(user).usable().order_by("-published_at")


def state_splits(versions: Iterable[DatasetVersion]) -> bool:
    """Whether any version of the datasets behind these states a split."""
    datasets = {version.dataset_id for version in versions}
    return DatasetVersion.objects.filter(dataset__in=datasets, split__isnull=False).exists()


def version_of(user: Any, public_id: UUID | str) -> DatasetVersion | None:
    return versions_visible_to(user).filter(public_id=public_id).first()


def frames_visible_to(user: Any) -> FrameQuerySet:
    return Frame.objects.visible_to(user)


def frames_left_out(dataset: Dataset) -> FrameQuerySet:
    """Return what the draft leaves out and can still take back, the latest row first."""
    draft = dataset.versions.filter(published_at=None).first()
    if draft is None:
        return Frame.objects.none()
    rows: FrameQuerySet = Frame.objects.filter(dataset=dataset, removed_in=draft.number)
    return rows.order_by("-pk")


def sources_of(user: Any, dataset: Dataset) -> list[tuple[Dataset, int]]:
    """Return the visible datasets that frames of this one were copied from, with how many."""
    counts = dict(
        Frame.objects.filter(dataset=dataset, copied_from__isnull=False)
        .order_by()
        .values_list("copied_from__dataset")
        .annotate(n=Count("pk"))
    )
    seen = Dataset.objects.visible_to(user).in_bulk(list(counts))
    return [(seen[key], counts[key]) for key in sorted(seen)]


def searches_visible_to(user: Any) -> OwnedQuerySet:
    return SavedSearch.objects.visible_to(user).select_related("owner")


def uploads_visible_to(user: Any) -> QuerySet:
    return Upload.objects.visible_to(user).select_related("owner", "dataset")


@dataclass(frozen=True)
class PublicVersion:
    """The newest usable version of a dataset that everybody may see.

    Args:
        dataset_id: key of the dataset.
        dataset: its `public_id`, as text.
        name: the dataset's name.
        number: of the version.
        licence: SPDX identifier, or empty.
        frame_count: frames of the version.
        authors: as they are cited, with their ORCID.
    """

    dataset_id: int
    dataset: str
    name: str
    number: int
    licence: str
    frame_count: int
    authors: tuple[str, ...] = ()


def public_versions() -> list[PublicVersion]:
    """Return what the world may use: of each public dataset the newest version not withdrawn."""
    versions = DatasetVersion.objects.visible_to(AnonymousUser()).usable()
    rows = versions.select_related("dataset").order_by("dataset_id", "number")
    newest = {row.dataset_id: row for row in rows}
    return [
        PublicVersion(
            dataset_id=key,
            dataset=str(row.dataset.public_id),
            name=row.dataset.name,
            number=row.number,
            licence=row.licence,
            frame_count=row.frame_count,
            authors=tuple(author.cited for author in authors_from_json(row.authors)),
        )
        for key, row in newest.items()
    ]


def frames_of_versions(versions: Iterable[PublicVersion]) -> FrameQuerySet:
    """Return the frames of versions of different datasets."""
    by_number: dict[int, list[int]] = defaultdict(list)
    for version in versions:
        by_number[version.number].append(version.dataset_id)
    # One condition per number, not per dataset: numbers are few, and databases limit the depth.
    condition = Q(pk__in=())
    for number, datasets in by_number.items():
        condition |= Q(dataset_id__in=datasets) & within_number(number)
    return Frame.objects.filter(condition)
