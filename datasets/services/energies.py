"""Energies of a dataset's frames above the convex hull of its compositions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, F, Max, Min

from datasets.querysets import FrameQuerySet
from mlmd.analysis import hull_energies
from mlmd.documents.formula import formula_counts, formula_reduced
from mlmd.errors import InvalidInput

MOST_AT_ONCE = 200  # compositions whose hull is found within a request; more wait for the survey
_BATCH = 500
_SAME = 1e-9  # eV/atom


@dataclass(frozen=True)
class HullChange:
    """Frames that get another reference.

    Args:
        compat_key: their level of theory.
        formulas: of one reduced composition.
        energy: of the hull there, eV/atom.
    """

    compat_key: str
    formulas: tuple[str, ...]
    energy: float


def energies_refer(frames: FrameQuerySet) -> None:
    """Refresh `energy_above` of one dataset's current frames; the caller's transaction.

    The hull is that of all current frames of one level of theory: the energy above it is what
    would be gained per atom by falling apart into other compositions of the dataset. Frames of
    one element, or of a composition alone, stand above the lowest of them. Where compositions are
    many, this is left to the survey.
    """
    energies_store(frames, energies_compare(frames, MOST_AT_ONCE))


def energies_compare(frames: FrameQuerySet, most: int | None = None) -> list[HullChange]:
    """Return what has to change; compositions whose reference is as before are left out.

    Args:
        frames: of one dataset.
        most: compositions at which to give up and return nothing; None for any number.
    """
    lowest: dict[tuple[str, str], float] = {}
    members: dict[tuple[str, str], list[str]] = defaultdict(list)
    settled: dict[tuple[str, str], set[float]] = defaultdict(set)
    reference = F("energy_per_atom") - F("energy_above")
    rows = (
        _known(frames)
        .values_list("formula", "compat_key")
        .annotate(
            Min("energy_per_atom"),
            least=Min(reference),
            most=Max(reference),
            count=Count("pk"),
            referred=Count("energy_above"),
        )
    )
    for formula, level, energy, least, highest, count, referred in rows:
        group = (_reduced(formula), level)
        members[group].append(formula)
        lowest[group] = min(energy, lowest.get(group, energy))
        settled[group] |= {least, highest} if referred == count else {float("nan")}
    if most is not None and len(lowest) > most:
        return []
    return [
        HullChange(group[1], tuple(members[group]), energy)
        for group, energy in _references(lowest).items()
        if not all(abs(before - energy) < _SAME for before in settled[group])
    ]


def energies_store(frames: FrameQuerySet, changes: Iterable[HullChange]) -> None:
    """Write energies above the hull; the caller's transaction."""
    for change in changes:
        for start in range(0, len(change.formulas), _BATCH):
            formulas = change.formulas[start : start + _BATCH]
            some = _known(frames).filter(formula__in=formulas, compat_key=change.compat_key)
            some.update(energy_above=F("energy_per_atom") - change.energy)


def _known(frames: FrameQuerySet) -> FrameQuerySet:
    return frames.filter(energy_per_atom__isnull=False).order_by()


def _references(lowest: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Return the hull's energy per atom of each reduced composition at its level of theory."""
    found = dict(lowest)  # a formula cut short can't be part of a mixture
    by_level: dict[str, list[str]] = defaultdict(list)
    for formula, level in lowest:
        if not formula.endswith("…"):
            by_level[level].append(formula)
    for level, formulas in by_level.items():
        keys = [(formula, level) for formula in formulas]
        hull = hull_energies([formula_counts(f) for f in formulas], [lowest[key] for key in keys])
        found.update(zip(keys, hull.tolist(), strict=True))
    return found


def _reduced(formula: str) -> str:
    try:
        return formula_reduced(formula_counts(formula))
    except InvalidInput:
        return formula  # cut where a mixture of very many elements made it too long
