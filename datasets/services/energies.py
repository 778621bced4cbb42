"""Energies of a dataset's frames above the lowest of their composition."""

from __future__ import annotations

from collections import defaultdict

from django.db.models import Count, F, Min

from datasets.querysets import FrameQuerySet
from mlmd.documents.formula import formula_counts, formula_reduced
from mlmd.errors import InvalidInput

_MOST_AT_ONCE = 500


def energies_refer(frames: FrameQuerySet) -> None:
    """Refresh `energy_above` of one dataset's current frames; the caller's transaction.

    Frames are compared within one reduced composition and one level of theory. Groups whose
    lowest energy didn't change and that have no new frame are left alone.
    """
    lowest: dict[tuple[str, str], float] = {}
    members: dict[tuple[str, str], list[str]] = defaultdict(list)
    stale: set[tuple[str, str]] = set()
    known = frames.filter(energy_per_atom__isnull=False).order_by()
    rows = known.values_list("formula", "compat_key").annotate(
        Min("energy_per_atom"), Min("energy_above"), Count("pk"), Count("energy_above")
    )
    for formula, level, energy, above, count, referred in rows:
        group = (_reduced(formula), level)
        members[group].append(formula)
        lowest[group] = min(energy, lowest.get(group, energy))
        if above is None or referred < count:
            stale.add(group)
    settled = (
        known.filter(energy_above=0)
        .values_list("formula", "compat_key")
        .annotate(Min("energy_per_atom"))
    )
    floor = {(_reduced(formula), level): energy for formula, level, energy in settled}
    for group, energy in lowest.items():
        if group in stale or floor.get(group) != energy:
            _refer(known, members[group], group[1], energy)


def _refer(frames: FrameQuerySet, formulas: list[str], level: str, energy: float) -> None:
    for start in range(0, len(formulas), _MOST_AT_ONCE):
        some = frames.filter(formula__in=formulas[start : start + _MOST_AT_ONCE], compat_key=level)
        some.update(energy_above=F("energy_per_atom") - energy)


def _reduced(formula: str) -> str:
    try:
        return formula_reduced(formula_counts(formula))
    except InvalidInput:
        return formula  # cut where a mixture of very many elements made it too long
