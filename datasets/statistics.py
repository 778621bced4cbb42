"""Numbers about a set of frames: distributions, composition, levels of theory."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from django.db.models import Count

from datasets.querysets import FrameQuerySet
from datasets.snapshots import CatalogRows
from mlmd.frame import FloatArray

MOST_VALUES = 200_000


@dataclass(frozen=True)
class Level:
    """Frames of one level of theory."""

    compat_key: str
    code: str
    functional: str
    frames: int


@dataclass(frozen=True)
class Group:
    """Frames that share a word."""

    name: str
    frames: int


@dataclass(frozen=True)
class Extremes:
    """Smallest and largest values, None where nothing is known."""

    atoms: tuple[int | None, int | None]
    energy_per_atom: tuple[float | None, float | None]
    max_force: float | None


@dataclass(frozen=True)
class Overview:
    """What the page of a dataset says of its frames.

    Args:
        count: how many there are.
        levels: of theory, the most frequent first.
        extremes: smallest and largest values.
        kinds: of configurations, the most frequent first.
        compositions: formulas, the most frequent first.
    """

    count: int
    levels: list[Level]
    extremes: Extremes
    kinds: list[Group]
    compositions: list[Group]


def overview(rows: CatalogRows, most: int = 12) -> Overview:
    """Return the overview of frames from the catalog's arrays, however many they are."""
    level_counts = rows.combinations("compat_key", "code", "functional")
    least, largest = rows.extremes("n_atoms")
    return Overview(
        count=rows.count(),
        levels=[Level(*words, frames=n) for words, n in _ranked(level_counts)],
        extremes=Extremes(
            (None if least is None else int(least), None if largest is None else int(largest)),
            rows.extremes("energy_per_atom"),
            rows.extremes("max_force")[1],
        ),
        kinds=[Group(word, n) for (word,), n in _ranked(rows.combinations("kind"))[:most]],
        compositions=[
            Group(word, n) for (word,), n in _ranked(rows.combinations("formula"))[:most]
        ],
    )


def _ranked(counts: Counter[tuple[str, ...]]) -> list[tuple[tuple[str, ...], int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def levels(frames: FrameQuerySet) -> list[Level]:
    """Return the levels of theory, the most frequent first."""
    rows = frames.order_by().values("compat_key", "code", "functional").annotate(frames=Count("pk"))
    return [Level(**row) for row in rows.order_by("-frames", "compat_key")]


def groups(frames: FrameQuerySet, column: str, most: int = 30) -> list[Group]:
    """Return how many frames have which value of a column, the most frequent first."""
    rows = frames.order_by().values(column).annotate(frames=Count("pk"))
    return [Group(row[column], row["frames"]) for row in rows.order_by("-frames", column)[:most]]


def grouped_values(
    frames: FrameQuerySet, by: str, *columns: str, most_groups: int = 7
) -> dict[str, FloatArray]:
    """Return columns as arrays of shape (n, len(columns)), by group; rare groups are joined.

    Rows without one of the values are left out; at most `MOST_VALUES` rows are read.
    """
    known = frames.filter(**{f"{column}__isnull": False for column in columns})
    rows = known.order_by("pk").values_list(by, *columns)[:MOST_VALUES]
    collected: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for name, *values in rows.iterator(chunk_size=5000):
        collected[name].append(tuple(values))
    ranked = sorted(collected, key=lambda name: -len(collected[name]))
    merged: dict[str, list[tuple[float, ...]]] = {}
    for rank, name in enumerate(ranked):
        merged.setdefault(name if rank < most_groups else "…", []).extend(collected[name])
    return {name: np.array(values, dtype=float) for name, values in merged.items()}
