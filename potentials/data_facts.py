"""What a selection of frames amounts to, before anything is read from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ase.data import atomic_numbers
from django.db.models import Count, Q, Sum

from datasets.querysets import FrameQuerySet
from datasets.selections import Selection
from mlmd.documents.formula import formula_counts
from mlmd.errors import InvalidInput


@dataclass(frozen=True)
class DataFacts:
    """Size and make-up of a selection.

    Args:
        frames: how many.
        atoms: in all frames together.
        elements: symbols, sorted by atomic number.
        without_energy: frames that have none.
        without_forces: frames that have none.
        kinds: distinct kinds of configuration.
        levels: distinct levels of theory (`compat_key`).
        frames_with: element → how many frames have it.
        atoms_of: element → how many atoms of it all frames have together.
    """

    frames: int
    atoms: int
    elements: tuple[str, ...]
    without_energy: int
    without_forces: int
    kinds: tuple[str, ...]
    levels: tuple[str, ...]
    frames_with: Mapping[str, int]
    atoms_of: Mapping[str, int]


def data_facts(selection: Selection, user: Any) -> DataFacts:
    """Count what a selection holds, in the database.

    Raises:
        labs.exceptions.Refused: a version that can't be used.
    """
    rows = selection.queryset(user).order_by()
    sums = rows.aggregate(
        frames=Count("pk"),
        atoms=Sum("n_atoms"),
        bare=Count("pk", filter=Q(energy=None)),
        forceless=Count("pk", filter=Q(max_force=None)),
    )
    keys = rows.values_list("elements_key", flat=True).distinct()
    symbols = {symbol for key in keys for symbol in key.split("|") if symbol}
    frames_with, atoms_of = _by_element(rows)
    return DataFacts(
        frames=sums["frames"],
        atoms=sums["atoms"] or 0,
        elements=tuple(sorted(symbols, key=atomic_numbers.__getitem__)),
        without_energy=sums["bare"],
        without_forces=sums["forceless"],
        kinds=tuple(sorted(rows.values_list("kind", flat=True).distinct())),
        levels=tuple(selection.levels_of_theory(user)),
        frames_with=frames_with,
        atoms_of=atoms_of,
    )


def _by_element(rows: FrameQuerySet) -> tuple[dict[str, int], dict[str, int]]:
    """Return element → frames with it, and element → its atoms in all frames."""
    frames: Counter[str] = Counter()
    atoms: Counter[str] = Counter()
    for formula, count in rows.values_list("formula").annotate(Count("pk")):
        try:
            counts = formula_counts(formula)
        except InvalidInput:
            continue  # cut where a mixture of very many elements made it too long
        frames.update(dict.fromkeys(counts, count))
        atoms.update({element: count * number for element, number in counts.items()})
    return dict(frames), dict(atoms)
