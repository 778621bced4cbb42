"""The frames that a URL asks for: dataset, version, visibility, and the filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.utils.translation import gettext as _

from datasets.filters import WORDS, FrameFilters
from datasets.models import Dataset, DatasetVersion, Frame
from datasets.querysets import FrameQuerySet
from datasets.regions import Region
from datasets.snapshots import CatalogRows, DatasetOfRows
from datasets.snapshots.columns import FRAME_ORDER, OF_DATASET
from datasets.statistics import Group
from labs.exceptions import Refused
from labs.models import Visibility

FACETS = (
    *("functional", "code", "kind", "label_source", "split"),
    *("dispersion", "spin", "run_type", "licence", "lab"),
)
MOST_GROUPS = 30
_OF_DATASETS = [column for column in WORDS.values() if column.startswith(OF_DATASET)]


@dataclass(frozen=True)
class CatalogQuery:
    """What somebody asks of the catalog.

    Args:
        dataset: only its frames, or all that are visible.
        version: a version of that dataset; None is the current contents.
        visibility: only frames of datasets with this visibility.
        filters: conditions on the frames.
        region: a part of the dataset's map, or None.
    """

    dataset: Dataset | None
    version: DatasetVersion | None
    visibility: str
    filters: FrameFilters
    region: Region | None = None

    def scope(self, user: Any) -> FrameQuerySet:
        """Return what the filters choose from."""
        frames: FrameQuerySet
        if self.version is not None:
            frames = Frame.objects.visible_to(user).in_version(self.version)
        else:
            frames = Frame.objects.visible_to(user).current()
            if self.dataset is not None:
                frames = frames.filter(dataset=self.dataset)
        if self.visibility:
            frames = frames.filter(dataset__visibility=self.visibility)
        if self.region is not None and self.dataset is not None:
            frames = frames.filter(self.region.places(self.dataset))
        return frames

    def frames(self, user: Any) -> FrameQuerySet:
        """Return the frames asked for."""
        return self.filters.apply(self.scope(user))

    def rows(self, user: Any, sort: str | None = None) -> CatalogRows:
        """Return the same frames to count, to group and to show by the page.

        Args:
            user: who asks.
            sort: a name of `FRAME_ORDER`, a minus in front turns it around; nonsense is ignored.
        """
        datasets = Dataset.objects.visible_to(user)
        if self.dataset is not None:
            datasets = datasets.filter(pk=self.dataset.pk)
        if self.visibility:
            datasets = datasets.filter(visibility=self.visibility)
        if self.version is None:
            datasets = datasets.filter(frame_count__gt=0)
        columns = [column.removeprefix(OF_DATASET) for column in _OF_DATASETS]
        found = datasets.order_by("pk").values_list("pk", "frames_mark", *columns)
        return CatalogRows(
            (
                DatasetOfRows(pk, mark, dict(zip(_OF_DATASETS, words, strict=True)))
                for pk, mark, *words in found
            ),
            self.filters,
            version=None if self.version is None else self.version.number,
            sort=frame_order(sort),
            only=self._placed(),
        )

    def _placed(self) -> Any:
        """Return the ids of the frames in the region, or None where none is asked for."""
        if self.region is None or self.dataset is None:
            return None
        rows = Frame.objects.filter(self.region.places(self.dataset), dataset=self.dataset)
        return np.fromiter(rows.values_list("pk", flat=True), np.int64)


def frame_order(wanted: str | None) -> str:
    """Return an order of frames that a URL asks for; nonsense gives the order of their coming."""
    return wanted if wanted and wanted.removeprefix("-") in FRAME_ORDER else "added"


def catalog_query(user: Any, query: Any) -> CatalogQuery:
    """Read a URL's query.

    Raises:
        Refused: a value that can't be used, or a dataset that the person can't see.
    """
    visibility = query.get("visibility") or ""
    if visibility and visibility not in Visibility.values:
        raise Refused(_("“%s” isn't a visibility.") % visibility[:40])
    dataset = _dataset(user, query.get("dataset"))
    version = _version(dataset, query.get("version"))
    filters = FrameFilters.from_query(query)
    region = _region(dataset, query.get("region"))
    if filters.split and version is not None and not version.split:
        raise Refused(_("%s states no split into training, validation and test.") % version)
    return CatalogQuery(dataset, version, visibility, filters, region)


def facets(rows: CatalogRows) -> dict[str, list[Group]]:
    """Return how often each word of the facets occurs among all frames found, the rare left out."""
    return {
        name: [Group(*found) for found in counted.most_common(MOST_GROUPS)]
        for name, counted in rows.facets(FACETS).items()
    }


def elements_visible_to(user: Any, dataset: Dataset | None = None) -> set[str]:
    """Return the elements of the datasets that somebody sees, or of one of them."""
    datasets = Dataset.objects.visible_to(user)
    if dataset is not None:
        datasets = datasets.filter(pk=dataset.pk)
    keys = datasets.order_by().values_list("elements_key", flat=True).distinct()
    return {symbol for key in keys for symbol in key.split("|") if symbol}


def _dataset(user: Any, text: str | None) -> Dataset | None:
    if not text:
        return None
    try:
        found = Dataset.objects.visible_to(user).filter(public_id=UUID(str(text))).first()
    except ValueError:
        found = None
    if found is None:
        raise Refused(_("There is no dataset %s, or it isn't shared with you.") % str(text)[:40])
    return found


def _region(dataset: Dataset | None, text: str | None) -> Region | None:
    if not text:
        return None
    if dataset is None:
        raise Refused(_("A part of a map needs its dataset: add dataset=…."))
    region = Region.from_text(str(text))
    region.check(dataset)
    return region


def _version(dataset: Dataset | None, text: str | None) -> DatasetVersion | None:
    if not text:
        return None
    if dataset is None:
        raise Refused(_("A version needs its dataset: add dataset=…."))
    number = int(text) if str(text).isdigit() and len(str(text)) < 9 else 0
    version = dataset.versions.filter(number=number).first()
    if version is None:
        raise Refused(
            _("“%(dataset)s” has no version %(number)s.")
            % {"dataset": dataset, "number": str(text)[:20]}
        )
    return version
