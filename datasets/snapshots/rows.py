"""What a search of the catalog finds: how many, of which kinds, and any page of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import numpy as np

from datasets.filter_words import MAY_LACK
from datasets.filters import NONE, WORDS, FrameFilters, meant_words
from datasets.models import Frame
from datasets.snapshots.cache import snapshot_of
from datasets.snapshots.columns import FRAME_ORDER, OF_DATASET
from datasets.snapshots.conditions import Found, found_first, frames_chosen, groups_chosen
from datasets.snapshots.snapshot import Array, Snapshot

_JOINED = ("dataset", "copied_from")


@dataclass(frozen=True)
class DatasetOfRows:
    """A dataset that somebody may search.

    Args:
        pk: its key.
        mark: names the present state of its frames.
        words: column of the dataset (``dataset__licence``) → its word.
    """

    pk: int
    mark: UUID
    words: dict[str, str]


class CatalogRows:
    """Frames found, in an order; counted exactly, and fetched by the page.

    Works with Django's `Paginator`: it has a count and can be sliced.

    Args:
        datasets: where to search; the caller has checked that the person sees them.
        filters: what the frames must fit.
        version: number of a version of the only dataset; None is the current contents.
        sort: public name of an order, with a minus to turn it around.
        only: ids of the only frames that may be found, or None.
    """

    ordered = True

    def __init__(
        self,
        datasets: Iterable[DatasetOfRows],
        filters: FrameFilters,
        *,
        version: int | None = None,
        sort: str = "added",
        only: Array | None = None,
    ) -> None:
        self.filters, self.version, self.only = filters, version, only
        self.descending, self.order = sort.startswith("-"), FRAME_ORDER[sort.lstrip("-")]
        self.datasets = [d for d in datasets if _fits(d, filters)]

    @cached_property
    def _matches(self) -> list[tuple[DatasetOfRows, Snapshot, Array]]:
        """Each dataset with matches, and which of its frames match, shape (n,)."""
        found = found_first(self.filters, [d.pk for d in self.datasets])
        matches = []
        for dataset in self.datasets:
            snapshot = snapshot_of(dataset.pk, dataset.mark)
            chosen = self._chosen(dataset, snapshot, found)
            if chosen is not None:
                matches.append((dataset, snapshot, chosen))
        return matches

    def _chosen(self, dataset: DatasetOfRows, snapshot: Snapshot, found: Found) -> Array | None:
        groups = groups_chosen(self.filters, found, snapshot, dataset.pk)
        if groups is not None and not groups.any():
            return None
        held = snapshot.current if self.version is None else snapshot.in_version(self.version)
        masks = frames_chosen(self.filters, found, snapshot)
        if groups is not None and not groups.all():
            masks.append(groups[snapshot.group])
        if self.only is not None:
            masks.append(np.isin(snapshot.keys, self.only))
        for mask in masks:
            held = held & mask
        return held

    def count(self) -> int:
        return self._count

    @cached_property
    def _count(self) -> int:
        return sum(int(np.count_nonzero(chosen)) for _d, _s, chosen in self._matches)

    def facets(self, names: Iterable[str]) -> dict[str, Counter[str]]:
        """Return how many of the frames have which word, for filters of `WORDS`."""
        counts: dict[str, Counter[str]] = {name: Counter() for name in names}
        for dataset, snapshot, chosen in self._matches:
            whole = chosen is snapshot.current
            of_group = snapshot.current_counts if whole else snapshot.counts(chosen)
            total = int(of_group.sum())
            for name, counted in counts.items():
                lacking = NONE if name in MAY_LACK else ""
                column = WORDS[name]
                if column.startswith(OF_DATASET):
                    counted[dataset.words[column] or lacking] += total
                    continue
                words = snapshot.words[column]
                sums = np.bincount(snapshot.codes[column], of_group, minlength=len(words))
                for word, number in zip(words, sums.tolist(), strict=True):
                    if number:
                        counted[word or lacking] += int(number)
        return {name: Counter(+counted) for name, counted in counts.items()}

    def combinations(self, *columns: str) -> Counter[tuple[Any, ...]]:
        """Return how many of the frames have which words in columns of frames."""
        counts: Counter[tuple[Any, ...]] = Counter()
        for _dataset, snapshot, chosen in self._matches:
            of_group = snapshot.counts(chosen)
            words = [
                [snapshot.words[column][code] for code in snapshot.codes[column].tolist()]
                for column in columns
            ]
            for together, number in zip(zip(*words, strict=True), of_group.tolist(), strict=True):
                if number:
                    counts[together] += number
        return counts

    def extremes(self, column: str) -> tuple[float | None, float | None]:
        """Return the smallest and the largest number of a column, None where there is none."""
        parts = [snapshot.numbers[column][chosen] for _d, snapshot, chosen in self._matches]
        known = [part[~np.isnan(part)] for part in parts]
        found = [part for part in known if part.size]
        if not found:
            return None, None
        return min(float(part.min()) for part in found), max(float(part.max()) for part in found)

    def keys(self) -> Array:
        """Return the ids of all frames found, ascending."""
        return np.sort(self._keys())

    def __getitem__(self, part: slice) -> list[Frame]:
        """Return the frames of a page, with their datasets."""
        start, stop, _step = part.indices(self.count())
        if start >= stop:
            return []
        keys = _page(self._values(), self._keys(), start, stop, self.descending).tolist()
        rows = Frame.objects.select_related(*_JOINED).in_bulk(keys)
        return [rows[key] for key in keys if key in rows]  # one may be gone since

    def __iter__(self) -> Iterator[Frame]:
        return iter(self[0 : self.count()])

    def __len__(self) -> int:
        return self.count()

    def _keys(self) -> Array:
        parts = [snapshot.keys[chosen] for _d, snapshot, chosen in self._matches]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _values(self) -> Array:
        """Return what the frames are ordered by, as numbers, in the order of `_keys`."""
        if self.order == "pk":
            return self._keys()
        if self._matches and self.order not in self._matches[0][1].numbers:
            return self._ranks()
        parts = [snapshot.numbers[self.order][chosen] for _d, snapshot, chosen in self._matches]
        return np.concatenate(parts) if parts else np.empty(0)

    def _ranks(self) -> Array:
        words = {word for _d, snapshot, _c in self._matches for word in snapshot.words[self.order]}
        ranks = {word: rank for rank, word in enumerate(sorted(words))}
        parts = []
        for _dataset, snapshot, chosen in self._matches:
            of_word = np.array([ranks[word] for word in snapshot.words[self.order]], np.int64)
            parts.append(of_word[snapshot.codes[self.order]][snapshot.group[chosen]])
        return np.concatenate(parts)


def _fits(dataset: DatasetOfRows, filters: FrameFilters) -> bool:
    for name, column in WORDS.items():
        if not column.startswith(OF_DATASET):
            continue
        values = getattr(filters, name)
        if values and dataset.words[column] not in meant_words(name, values):
            return False
    return True


def _page(values: Array, keys: Array, start: int, stop: int, descending: bool) -> Array:
    """Return the keys at places ``start:stop`` of an order, without sorting everything.

    Frames without a value come last; equal ones by their key, in the direction of the order.
    """
    sign = -1 if descending else 1
    if values is keys or values.dtype.kind == "i":
        values = values * sign
    else:
        values = np.where(np.isnan(values), np.inf, values * sign)
    keys = keys * sign
    bounds = np.partition(values, (start, stop - 1))
    low, high = bounds[start], bounds[stop - 1]
    near = np.flatnonzero((values >= low) & (values <= high))
    skipped = start - int(np.count_nonzero(values < low))
    wanted = slice(skipped, skipped + stop - start)
    if low == high:  # many frames with one value: their keys alone decide
        equal = np.partition(keys[near], (wanted.start, wanted.stop - 1))[wanted]
        return np.sort(equal) * sign
    order = np.lexsort((keys[near], values[near]))[wanted]
    return np.asarray(keys[near[order]] * sign)
