"""Numbers about a set of frames: distributions, composition, levels of theory."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from django.db.models import Count, Max, Min

from datasets.querysets import FrameQuerySet
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


def levels(frames: FrameQuerySet) -> list[Level]:
    """Return the levels of theory, the most frequent first."""
    rows = frames.order_by().values("compat_key", "code", "functional").annotate(frames=Count("pk"))
    return [Level(**row) for row in rows.order_by("-frames", "compat_key")]


def groups(frames: FrameQuerySet, column: str, most: int = 30) -> list[Group]:
    """Return how many frames have which value of a column, the most frequent first."""
    rows = frames.order_by().values(column).annotate(frames=Count("pk"))
    return [Group(row[column], row["frames"]) for row in rows.order_by("-frames", column)[:most]]


def extremes(frames: FrameQuerySet) -> Extremes:
    found = frames.aggregate(
        a=Min("n_atoms"),
        b=Max("n_atoms"),
        c=Min("energy_per_atom"),
        d=Max("energy_per_atom"),
        e=Max("max_force"),
    )
    return Extremes((found["a"], found["b"]), (found["c"], found["d"]), found["e"])


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
