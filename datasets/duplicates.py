"""Frames that answer the same question, and in what the levels of theory of frames differ."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, F, Max, Min

from datasets.models import Calculation, Frame
from datasets.querysets import FrameQuerySet
from mlmd.documents import calculation_from_document, describe_mixture

MOST_LISTED = 50
MOST_COMPARED = 1000  # calculations whose settings are looked at
DISAGREE = 1e-3  # eV/atom between labels of one structure that are no rounding


@dataclass(frozen=True)
class Duplicates:
    """Frames of one structure, level of theory, charge and spin.

    Args:
        frame: the first of them.
        count: how many there are.
        spread: highest less lowest energy, eV/atom; None where none has an energy.
    """

    frame: Frame
    count: int
    spread: float | None

    @property
    def spread_mev(self) -> float | None:
        return None if self.spread is None else 1000 * self.spread

    @property
    def disagree(self) -> bool:
        return self.spread is not None and self.spread > DISAGREE


def duplicates_find(frames: FrameQuerySet) -> list[Duplicates]:
    """Return groups of duplicates, those that disagree most first, at most `MOST_LISTED`."""
    groups = (
        frames.order_by()
        .values("label_identity")
        .annotate(
            count=Count("pk"),
            first=Min("pk"),
            spread=Max("energy_per_atom") - Min("energy_per_atom"),
        )
        .filter(count__gt=1)
        .order_by(F("spread").desc(nulls_last=True), "first")[:MOST_LISTED]
    )
    found = list(groups)
    rows = Frame.objects.in_bulk([group["first"] for group in found])
    return [Duplicates(rows[g["first"]], g["count"], g["spread"]) for g in found]


def duplicates_but_first(frames: FrameQuerySet) -> FrameQuerySet:
    """Return all duplicates but the first of each group."""
    several = (
        frames.order_by().values("label_identity").annotate(count=Count("pk"), first=Min("pk"))
    )
    several = several.filter(count__gt=1)
    rest: FrameQuerySet = frames.filter(
        label_identity__in=several.values("label_identity")
    ).exclude(pk__in=several.values("first"))
    return rest


def mixture_of(frames: FrameQuerySet) -> tuple[str, ...]:
    """Say in what the levels of theory of frames differ; empty when they are of one piece."""
    keys = frames.order_by().values("calculation_id").distinct()
    rows = Calculation.objects.filter(pk__in=keys).order_by("pk")[:MOST_COMPARED]
    documents = rows.values_list("document", flat=True)
    return describe_mixture(calculation_from_document(document) for document in documents)
