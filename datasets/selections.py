"""A selection of frames for training: published versions, and a condition on their frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets.filters import FrameFilters
from datasets.models import Calculation, DatasetVersion, Frame
from datasets.packing import unpack_frame
from datasets.querysets import FrameQuerySet, within
from datasets.selectors import versions_visible_to
from datasets.snapshots import CatalogRows
from datasets.store import BATCH, document_store, frame_keys
from labs.exceptions import Refused
from mlmd.documents import calculation_from_document
from mlmd.frame import Calculation as LevelOfTheory
from mlmd.frame import Frame as LabelledFrame


@dataclass(frozen=True)
class Selection:
    """Frames of published versions that fit the filters.

    Published versions never change, so a selection means the same frames for ever, in the
    same order (that of their rows); two versions of one dataset give each frame once.

    Args:
        version_ids: `public_id` of each version.
        filters: what the frames must fit.
    """

    version_ids: tuple[UUID, ...]
    filters: FrameFilters = field(default_factory=FrameFilters)

    def versions(self, user: Any) -> list[DatasetVersion]:
        """Return the versions in the order chosen.

        Raises:
            Refused: nothing chosen, or one that the person can't see, is a draft or withdrawn.
        """
        if not self.version_ids:
            raise Refused(_("No dataset version is chosen. Choose at least one."))
        found = {
            v.public_id: v for v in versions_visible_to(user).filter(public_id__in=self.version_ids)
        }
        for public_id in self.version_ids:
            version = found.get(public_id)
            if version is None:
                raise Refused(
                    _("Dataset version %s doesn't exist or isn't visible to you.") % public_id
                )
            if version.is_draft:
                raise Refused(_("%s is a draft. Publish it first.") % version)
            if version.withdrawn_at or version.dataset.withdrawn_at:
                raise Refused(_("%s was withdrawn. Choose another version.") % version)
        return [found[public_id] for public_id in self.version_ids]

    def queryset(self, user: Any) -> FrameQuerySet:
        """Return the rows, in order."""
        conditions = (within(v.dataset_id, v.number) for v in self.versions(user))
        rows = Frame.objects.filter(reduce(or_, conditions))
        return self.filters.apply(rows).order_by("pk")

    def frames(self, user: Any) -> Iterator[LabelledFrame]:
        """Yield the frames with their labels, streaming."""
        return iterate_frames(self.queryset(user))

    def count(self, user: Any) -> int:
        return self.queryset(user).count()

    def checksum(self, user: Any) -> str:
        """Return the SHA-256 over the frames' document hashes, in order."""
        return frames_checksum(self.queryset(user))

    def levels_of_theory(self, user: Any) -> list[str]:
        """Return the distinct compatibility keys; more than one must not be trained together."""
        keys = self.queryset(user).order_by("compat_key").values_list("compat_key", flat=True)
        return list(keys.distinct())

    def describe(self, user: Any) -> str:
        """Return one line: how many frames of which versions, and the conditions."""
        names = ", ".join(str(v) for v in self.versions(user))
        count = self.count(user)
        text = ngettext("%(count)d frame of %(names)s", "%(count)d frames of %(names)s", count) % {
            "count": count,
            "names": names,
        }
        chips = [words for _field, _value, words in self.filters.describe()]
        return f"{text} ({'; '.join(chips)})" if chips else text

    def to_json(self) -> dict[str, Any]:
        return {"versions": [str(i) for i in self.version_ids], "filters": self.filters.to_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Selection:
        """Rebuild from `to_json`.

        Raises:
            Refused: an id or a filter that can't be used.
        """
        try:
            ids = tuple(dict.fromkeys(UUID(str(i)) for i in values.get("versions", ())))
        except (ValueError, TypeError) as error:
            raise Refused(_("A dataset version's id isn't a UUID.")) from error
        return cls(ids, FrameFilters.from_json(values.get("filters") or {}))


def iterate_frames(rows: FrameQuerySet | CatalogRows) -> Iterator[LabelledFrame]:
    """Yield the exact frames of rows by ascending id, with flat memory."""
    return (frame for _key, frame in iterate_keyed(rows))


def iterate_keyed(
    rows: FrameQuerySet | CatalogRows, after: int = 0
) -> Iterator[tuple[int, LabelledFrame]]:
    """Yield id and frame of the rows behind an id, by ascending id, with flat memory."""
    calculations: dict[int, LevelOfTheory] = {}
    store = document_store()
    for batch in key_batches(rows, BATCH, after):
        keys = frame_keys(Frame.objects.filter(pk__in=batch).order_by("pk"))
        for document in store.iterate(keys):
            number = document.key.calculation_id
            if number not in calculations:
                stored = Calculation.objects.get(pk=number)
                calculations[number] = calculation_from_document(stored.document)
            yield document.key.frame_id, unpack_frame(document.content, calculations[number])


def key_batches(
    rows: FrameQuerySet | CatalogRows, size: int, after: int = 0
) -> Iterator[list[int]]:
    """Yield the ids of rows behind an id, ascending.

    Each batch is a query of its own, so that no read stays open while a slow reader waits.
    """
    if isinstance(rows, CatalogRows):
        # Known at once: a search over many datasets would be sorted again for each batch.
        keys = rows.keys()
        for start in range(int(np.searchsorted(keys, after, "right")), len(keys), size):
            yield keys[start : start + size].tolist()
        return
    ordered = rows.order_by("pk").values_list("pk", flat=True)
    while batch := list(ordered.filter(pk__gt=after)[:size]):
        yield batch
        after = batch[-1]


def frames_checksum(rows: FrameQuerySet) -> str:
    """Return the SHA-256 over the document hashes of rows, in their order, one per line."""
    digest = hashlib.sha256()
    for document_hash in rows.values_list("document_hash", flat=True).iterator(chunk_size=5000):
        digest.update(document_hash.encode() + b"\n")
    return digest.hexdigest()
