"""Entries by query: which, how many, and as what they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.utils.translation import gettext as _

from datasets.models import DatasetVersion, Frame
from datasets.optimade.entry import Contents, Entry
from datasets.optimade.errors import BadRequest
from datasets.optimade.filters import FrameFilter
from datasets.optimade.properties import PROPERTIES, TOP_LEVEL
from datasets.optimade.query import ListingQuery
from datasets.querysets import FrameQuerySet
from datasets.selectors import PublicVersion, frames_of_versions, public_versions
from datasets.store import FrameKey

MOST_COUNTED = 20_000  # beyond, the number is left out: counting would cost more than the page


@dataclass(frozen=True)
class Listing:
    """One page of entries.

    Args:
        entries: in order.
        more: whether others follow.
        returned: how many fit the filter, None where they are very many.
        available: how many there are without a filter.
        foreign: other providers' properties that count as unknown.
    """

    entries: list[Entry]
    more: bool
    returned: int | None
    available: int
    foreign: tuple[str, ...]


def listing(query: ListingQuery) -> Listing:
    """Return the page that is asked for.

    Raises:
        OptimadeError: a filter that can't be answered, or an unknown entry in `page_above`.
    """
    versions = public_versions()
    available = sum(version.frame_count for version in versions)
    frames = frames_of_versions(versions)
    foreign = list(query.foreign)
    if query.filter:
        read = FrameFilter(query.filter, versions)
        frames = frames.filter(read.condition)
        foreign += read.foreign
    returned = _count(frames) if query.filter else available
    keys = _keys(frames, query)
    return Listing(
        entries=_entries(keys[: query.limit], versions),
        more=len(keys) > query.limit,
        returned=returned,
        available=available,
        foreign=tuple(dict.fromkeys(foreign)),
    )


def single(identifier: str) -> Entry | None:
    """Return the entry of this id, None where the world sees none."""
    try:
        public_id = UUID(identifier)
    except ValueError:
        return None
    if str(public_id) != identifier:
        return None
    versions = public_versions()
    frames = frames_of_versions(versions).filter(public_id=public_id)
    found = _entries(list(frames.values_list("pk", flat=True)), versions)
    return found[0] if found else None


def resource(entry: Entry, fields: Sequence[str] | None) -> dict[str, Any]:
    """Return an entry as a JSON:API resource.

    Args:
        entry: what is shown.
        fields: properties asked for; None for the usual ones.
    """
    attributes = {
        # What has no value here, and another provider's property, is unknown.
        name: PROPERTIES[name].value(entry) if name in PROPERTIES else None
        for name in (PROPERTIES if fields is None else fields)
        if name not in TOP_LEVEL
    }
    return {"id": str(entry.row.public_id), "type": "structures", "attributes": attributes}


def rfc3339(moment: datetime) -> str:
    """Return a time as the standard writes it, to the microsecond that filters compare."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _keys(frames: FrameQuerySet, query: ListingQuery) -> list[int]:
    # Keys first, from the indexes alone; the rows of one page come after.
    if query.above is not None:
        seen = Frame.objects.visible_to(AnonymousUser()).filter(public_id=query.above)
        last = seen.values_list("pk", flat=True).first()
        if last is None:
            raise BadRequest(_("page_above: there is no entry %s.") % query.above)
        frames = frames.filter(pk__gt=last)
    ordered = frames.order_by(*query.order, "pk").values_list("pk", flat=True)
    return list(ordered[query.offset : query.offset + query.limit + 1])


def _count(frames: FrameQuerySet) -> int | None:
    count = frames.order_by()[: MOST_COUNTED + 1].count()
    return count if count <= MOST_COUNTED else None


def _entries(keys: list[int], versions: list[PublicVersion]) -> list[Entry]:
    rows = Frame.objects.select_related("calculation").defer("calculation__document").in_bulk(keys)
    by_dataset = {version.dataset_id: version for version in versions}
    published = _published(rows.values())
    contents = Contents(
        [FrameKey(key, rows[key].public_id, rows[key].calculation_id) for key in keys]
    )
    return [
        Entry(
            rows[key],
            by_dataset[rows[key].dataset_id],
            published[rows[key].dataset_id, rows[key].added_in],
            contents,
        )
        for key in keys
    ]


def _published(rows: Iterable[Frame]) -> dict[tuple[int, int], str]:
    """Return when the versions that brought the frames were published."""
    condition = Q(pk__in=())
    for dataset, number in {(row.dataset_id, row.added_in) for row in rows}:
        condition |= Q(dataset_id=dataset, number=number)
    found = DatasetVersion.objects.filter(condition)
    times = found.values_list("dataset_id", "number", "published_at")
    return {(dataset, number): rfc3339(moment) for dataset, number, moment in times}
