"""Frames that stand far from the others: a mistyped energy, atoms on top of each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from django.utils.translation import gettext_lazy as _

from datasets.models import Frame
from datasets.querysets import FrameQuerySet
from datasets.statistics import MOST_VALUES
from mlmd.documents.formula import formula_counts, formula_reduced
from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray

FAR = 5.0  # robust standard deviations from the median that count as an outlier
FEWEST = 8  # frames of a group below which nothing is said of it
MOST_LISTED = 100
_TO_SIGMA = 1.4826  # median absolute deviation → σ, for normally distributed numbers


class Criterion(StrEnum):
    """By what a frame stands out."""

    ENERGY = "energy"
    FORCE = "force"
    DISTANCE = "distance"


WORDS = {
    Criterion.ENERGY: _("energy of its composition"),
    Criterion.FORCE: _("largest force"),
    Criterion.DISTANCE: _("shortest distance"),
}
UNITS = {Criterion.ENERGY: "eV/atom", Criterion.FORCE: "eV/Å", Criterion.DISTANCE: "Å"}


@dataclass(frozen=True)
class Outlier:
    """A frame that stands out.

    Args:
        frame: its row.
        criterion: by what.
        group: the frames it is compared with: composition or elements, and level of theory.
        value: its energy (eV/atom), force (eV/Å) or distance (Å).
        median: of the group.
        score: robust z-score: (value − median) / (1.4826 · median absolute deviation); of the
            logarithm where the criterion is the force.
    """

    frame: Frame
    criterion: Criterion
    group: str
    value: float
    median: float
    score: float

    @property
    def words(self) -> str:
        return str(WORDS[self.criterion])

    @property
    def unit(self) -> str:
        return UNITS[self.criterion]


def outliers_find(frames: FrameQuerySet, far: float = FAR) -> list[Outlier]:
    """Return the frames that stand out, the farthest first, at most `MOST_LISTED`.

    Energies are compared within a reduced composition and level of theory, on both sides of the
    median; forces and distances within a set of elements, where only large forces and short
    distances stand out. A group needs `FEWEST` frames.
    """
    columns = ("pk", "formula", "elements_key", "compat_key")
    values = ("energy_per_atom", "max_force", "shortest_distance")
    rows = list(frames.order_by("pk").values_list(*columns, *values)[:MOST_VALUES])
    reduced = {row[1]: _reduced(row[1]) for row in rows}
    found = [
        *_far(((r[0], f"{reduced[r[1]]}, {r[3]}", r[4]) for r in rows), Criterion.ENERGY, far),
        *_far(((r[0], _elements(r[2]), r[5]) for r in rows), Criterion.FORCE, far),
        *_far(((r[0], _elements(r[2]), r[6]) for r in rows), Criterion.DISTANCE, far),
    ]
    found.sort(key=lambda item: (-abs(item[4]), item[0]))
    shown = found[:MOST_LISTED]
    by_key = Frame.objects.in_bulk([item[0] for item in shown])
    return [
        Outlier(by_key[pk], criterion, group, value, median, score)
        for pk, criterion, group, value, score, median in shown
    ]


_Found = tuple[int, Criterion, str, float, float, float]

# What is compared, and on which sides of the median it may stand out.
_SCALES: dict[Criterion, Callable[[FloatArray], FloatArray]] = {
    Criterion.ENERGY: lambda values: values,
    # Forces spread over decades: their logarithm is nearer to a normal distribution.
    Criterion.FORCE: lambda values: np.log10(np.maximum(values, 1e-6)),
    Criterion.DISTANCE: lambda values: values,
}
_SIDES = {Criterion.ENERGY: (-1, 1), Criterion.FORCE: (1,), Criterion.DISTANCE: (-1,)}


def _far(
    rows: Iterable[tuple[int, str, float | None]], criterion: Criterion, far: float
) -> Iterator[_Found]:
    groups: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for pk, group, value in rows:
        if value is not None:
            groups[group].append((pk, value))
    for group, members in groups.items():
        if len(members) < FEWEST:
            continue
        values = np.array([value for _pk, value in members])
        scores = robust_scores(_SCALES[criterion](values))
        median = float(np.median(values))
        for side in _SIDES[criterion]:
            for i in np.flatnonzero(side * scores > far):
                pk, value = members[i]
                yield pk, criterion, group, value, float(scores[i]), median


def robust_scores(values: FloatArray) -> FloatArray:
    """Return (value − median) / (1.4826 · MAD) of values of shape (N,).

    Where more than half of the values are equal the deviation is zero; the mean absolute
    deviation takes its place then, so that one odd value among equal ones still stands out.
    """
    away = values - np.median(values)
    spread = _TO_SIGMA * float(np.median(np.abs(away)))
    if spread == 0:
        spread = float(np.sqrt(np.pi / 2) * np.abs(away).mean())
    return away / spread if spread > 0 else np.zeros_like(away)


def _elements(key: str) -> str:
    return key.strip("|").replace("|", "–")


def _reduced(formula: str) -> str:
    try:
        return formula_reduced(formula_counts(formula))
    except InvalidInput:
        return formula  # cut where a mixture of very many elements made it too long
