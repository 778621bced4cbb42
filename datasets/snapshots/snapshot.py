"""One dataset's frames as arrays, taken from its rows with one query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from datasets.models import Calculation, Frame
from datasets.snapshots.columns import (
    CALCULATION_NUMBERS,
    CALCULATION_WORDS,
    FRAME_NUMBERS,
    FRAME_WORDS,
    OF_CALCULATION,
)

Array = npt.NDArray[Any]
NEVER = np.iinfo(np.int32).max  # as `removed` of what is still there
_BATCH = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Snapshot:
    """Frames of one dataset by ascending id, and the groups that they form.

    Frames of one group share their calculation and every word, so that a condition on words is
    judged once for a group.

    Args:
        keys: ids of the frames, shape (n,).
        group: place of each frame's group, shape (n,).
        added: number of the version that brought the frame, shape (n,).
        removed: number of the version that left it out, or `NEVER`, shape (n,).
        created: microseconds since 1970, shape (n,).
        numbers: column → values, shape (n,), NaN where there is none.
        calculation: id of each group's calculation, shape (g,).
        levels: column of the calculation → values, shape (g,), NaN where there is none.
        codes: column → place of each group's word in `words`, shape (g,).
        words: column → its different values.
    """

    keys: Array
    group: Array
    added: Array
    removed: Array
    created: Array
    numbers: dict[str, Array]
    calculation: Array
    levels: dict[str, Array]
    codes: dict[str, Array]
    words: dict[str, list[Any]]

    @cached_property
    def current(self) -> Array:
        """Which frames the dataset holds now, shape (n,)."""
        return np.asarray(self.removed == NEVER)

    @cached_property
    def current_counts(self) -> Array:
        """How many of them each group has, shape (g,)."""
        return self.counts(self.current)

    def in_version(self, number: int) -> Array:
        return np.asarray((self.added <= number) & (self.removed > number))

    def counts(self, chosen: Array) -> Array:
        """Return how many of the chosen frames each group has, shape (g,)."""
        return np.bincount(self.group[chosen], minlength=len(self.calculation))


def snapshot_take(dataset_id: int) -> Snapshot:
    """Read the accepted frames of a dataset: one statement, hence one state of the database."""
    names = ("pk", "added_in", "removed_in", "created_at", "calculation_id")
    columns = (*names, *FRAME_NUMBERS, *FRAME_WORDS)
    rows = Frame.objects.filter(dataset_id=dataset_id).accepted().order_by("pk")
    numbers = len(FRAME_NUMBERS)
    groups: dict[tuple[Any, ...], int] = {}
    parts: list[tuple[Array, ...]] = []
    for batch in _batches(rows.values_list(*columns)):
        keys, added, removed, created, calculation, *rest = zip(*batch, strict=True)
        tuples = zip(calculation, *rest[numbers:], strict=True)
        parts.append(
            (
                np.array(keys, np.int64),
                np.array([groups.setdefault(g, len(groups)) for g in tuples], np.int32),
                np.array(added, np.int32),
                np.array([NEVER if n is None else n for n in removed], np.int32),
                _microseconds(created),
                *(np.array(values, np.float64) for values in rest[:numbers]),
            )
        )
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)] or _nothing()
    calculations, *words = zip(*groups, strict=True) if groups else [()] * (1 + len(FRAME_WORDS))
    frame_words = dict(zip(FRAME_WORDS, (_read(column) for column in words), strict=True))
    return _with_groups(dataset_id, joined, np.array(calculations, np.int64), frame_words)


def _with_groups(
    dataset_id: int, joined: list[Array], calculation: Array, words: dict[str, list[Any]]
) -> Snapshot:
    columns = (*CALCULATION_WORDS, *CALCULATION_NUMBERS)
    rows = Calculation.objects.filter(dataset_id=dataset_id).values_list("pk", *columns)
    known = {key: values for key, *values in rows}
    of_group = [known[key] for key in calculation.tolist()]
    for place, name in enumerate(CALCULATION_WORDS):
        words[OF_CALCULATION + name] = [values[place] for values in of_group]
    start, end = 5, 5 + len(FRAME_NUMBERS)
    coded = {name: _coded(values) for name, values in words.items()}
    return Snapshot(
        *joined[:start],
        numbers=dict(zip(FRAME_NUMBERS, joined[start:end], strict=True)),
        calculation=calculation,
        levels={
            OF_CALCULATION + name: np.array([values[place] for values in of_group], np.float64)
            for place, name in enumerate(CALCULATION_NUMBERS, len(CALCULATION_WORDS))
        },
        codes={name: codes for name, (codes, _words) in coded.items()},
        words={name: found for name, (_codes, found) in coded.items()},
    )


def _batches(rows: Any) -> Iterator[list[tuple[Any, ...]]]:
    """Yield rows as the database's driver gives them: a million go through here."""
    statement, values = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        while batch := cursor.fetchmany(_BATCH):
            yield batch


def _nothing() -> list[Array]:
    kinds = (np.int64, np.int32, np.int32, np.int32, np.int64)
    return [np.empty(0, kind) for kind in (*kinds, *[np.float64] * len(FRAME_NUMBERS))]


def _microseconds(values: tuple[Any, ...]) -> Array:
    """Return moments as numbers; a chunk of frames shares one, and SQLite gives text."""
    different = {}
    for value in set(values):
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        different[value] = round((known - _EPOCH).total_seconds() * 1e6)
    return np.array([different[value] for value in values], np.int64)


def _read(values: tuple[Any, ...]) -> list[Any]:
    return list(values)


def _coded(values: list[Any]) -> tuple[Array, list[Any]]:
    places: dict[Any, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values]
    return np.array(codes, np.int32), list(places)
