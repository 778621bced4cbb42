"""The filters of the catalog, judged on arrays; `FrameFilters.apply` says the same to a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any

import numpy as np
from django.db.models import Q
from django.utils import timezone

from datasets.filters import NUMBERS, WORDS, FrameFilters, elements_test, held_words, meant_words
from datasets.models import Frame
from datasets.snapshots.columns import OF_CALCULATION, OF_DATASET
from datasets.snapshots.snapshot import Array, Snapshot

_CONVERGED = {"yes": True, "no": False, "unknown": None}


@dataclass(frozen=True)
class Found:
    """What the database had to be asked for first.

    Args:
        words: for each word of the free text, which datasets and which calculations hold it.
        twins: ids of the frames with the identity that is asked for, or None.
    """

    words: list[tuple[str, set[int], Array]]
    twins: Array | None


def found_first(filters: FrameFilters, dataset_ids: list[int]) -> Found:
    """Ask for what lies outside the snapshots: names of datasets and files, hashes."""
    words = []
    for word in filters.q.split():
        datasets, calculations = held_words(word)
        keys = calculations.values_list("pk", flat=True)
        words.append(
            (
                word,
                set(datasets.values_list("pk", flat=True)),
                np.fromiter(keys, np.int64),
            )
        )
    twins = None
    if filters.identity:
        same = Q(structure_hash=filters.identity) | Q(label_identity=filters.identity)
        rows = Frame.objects.filter(same, dataset_id__in=dataset_ids)
        twins = np.fromiter(rows.values_list("pk", flat=True), np.int64)
    return Found(words, twins)


def groups_chosen(
    filters: FrameFilters, found: Found, snapshot: Snapshot, dataset_id: int
) -> Array | None:
    """Return which groups of a snapshot fit, shape (g,); None where nothing is asked of them."""
    masks = [_judged(snapshot, column, test) for column, test in _word_tests(filters)]
    for name, (lookup, _kind) in NUMBERS.items():
        column, side = lookup.rsplit("__", 1)
        bound = getattr(filters, name)
        if bound is not None and column in snapshot.levels:
            masks.append(_within(snapshot.levels[column], side, bound))
    for word, datasets, calculations in found.words:
        if dataset_id not in datasets:
            masks.append(
                np.isin(snapshot.calculation, calculations)
                | _judged(snapshot, "kind", partial(_holds, word.lower()))
                | _judged(snapshot, "formula", word.__eq__)
            )
    return np.logical_and.reduce(masks) if masks else None


def _word_tests(filters: FrameFilters) -> Iterator[tuple[str, Callable[[Any], bool]]]:
    """Yield columns of words, each with the test that its words must pass."""
    if filters.elements:
        yield "elements_key", elements_test(filters.elements, filters.mode)
    if filters.formula:
        yield "formula", filters.formula.__eq__
    for name, column in WORDS.items():
        if (values := getattr(filters, name)) and not column.startswith(OF_DATASET):
            yield column, set(meant_words(name, values)).__contains__
    if filters.converged:
        # Databases give 0 and 1 for these; both equal what they mean.
        yield "scf_converged", {_CONVERGED[filters.converged]}.__contains__
    if filters.hubbard:
        yield OF_CALCULATION + "hubbard", partial(_is_said, filters.hubbard == "yes")
    if filters.stress:
        yield "has_stress", partial(_is_said, filters.stress == "yes")


def _is_said(wanted: bool, word: Any) -> bool:
    return bool(word) == wanted


def _holds(part: str, word: str) -> bool:
    return part in word.lower()


def _judged(snapshot: Snapshot, column: str, test: Callable[[Any], bool]) -> Array:
    """Return which groups have a word that passes, shape (g,)."""
    fits = np.array([test(word) for word in snapshot.words[column]], bool)
    return fits[snapshot.codes[column]]


def frames_chosen(filters: FrameFilters, found: Found, snapshot: Snapshot) -> list[Array]:
    """Return the conditions on single frames, each of shape (n,)."""
    masks: list[Array] = []
    for name, (lookup, _kind) in NUMBERS.items():
        column, side = lookup.rsplit("__", 1)
        bound = getattr(filters, name)
        if bound is not None and column in snapshot.numbers:
            masks.append(_within(snapshot.numbers[column], side, bound))
    if filters.since:
        masks.append(snapshot.created >= _midnight(filters.since, 0))
    if filters.until:
        masks.append(snapshot.created < _midnight(filters.until, 1))
    if found.twins is not None:
        masks.append(np.isin(snapshot.keys, found.twins))
    return masks


def _within(values: Array, side: str, bound: float) -> Array:
    # A comparison with NaN is false, as one with NULL is.
    return np.asarray(values >= bound if side == "gte" else values <= bound)


def _midnight(day: str, later: int) -> int:
    """Return the start of a day in the site's time zone, microseconds since 1970."""
    date = datetime.fromisoformat(day).date() + timedelta(days=later)
    start = datetime.combine(date, time(), timezone.get_current_timezone())
    return round((start - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
