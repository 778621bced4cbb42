"""Frames get their part of the split, once and for good."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

from datasets.models import Dataset, Frame
from datasets.querysets import FrameQuerySet
from datasets.splits import SplitFrame, SplitRequest, StatedSplit, split_draw

_BATCH = 500


def split_store(frames: FrameQuerySet, request: SplitRequest) -> StatedSplit:
    """Give the frames without a part theirs, and return what the version states.

    Runs in the caller's transaction, which holds the lock of the dataset.

    Raises:
        Refused: shares that can't be.
    """
    request.check()
    columns = ("pk", "kind", "structure_hash", "split")
    rows = [SplitFrame(*row) for row in frames.order_by("pk").values_list(*columns)]
    by_part: dict[str, list[int]] = defaultdict(list)
    for pk, part in split_draw(rows, request).items():
        by_part[part].append(pk)
    for part, keys in by_part.items():
        for start in range(0, len(keys), _BATCH):
            Frame.objects.filter(pk__in=keys[start : start + _BATCH]).update(split=str(part))
    return _stated(frames, request)


def split_before(dataset: Dataset) -> SplitRequest | None:
    """Return how the newest version with a split drew it."""
    for version in dataset.versions.published().order_by("-number"):
        stated = StatedSplit.from_json(version.split)
        if stated is not None:
            return stated.request
    return None


def _stated(frames: FrameQuerySet, request: SplitRequest) -> StatedSplit:
    digest = hashlib.sha256()
    counts: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    rows = frames.order_by("pk").values_list("document_hash", "kind", "split")
    for document_hash, kind, part in rows.iterator(chunk_size=5000):
        digest.update(f"{document_hash} {part}\n".encode())
        counts[part] += 1
        kinds[kind][part] += 1
    return StatedSplit(
        request,
        dict(counts),
        {kind: dict(found) for kind, found in kinds.items()},
        digest.hexdigest(),
    )
