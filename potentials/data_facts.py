"""What a selection of frames amounts to, before anything is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ase.data import atomic_numbers
from django.db.models import Count, Q, Sum

from datasets.selections import Selection


@dataclass(frozen=True)
class DataFacts:
    """Size and make-up of a selection.

    Args:
        frames: how many.
        atoms: in all frames together.
        elements: symbols, sorted by atomic number.
        without_energy: frames that have none.
        kinds: distinct kinds of configuration.
        levels: distinct levels of theory (`compat_key`).
    """

    frames: int
    atoms: int
    elements: tuple[str, ...]
    without_energy: int
    kinds: tuple[str, ...]
    levels: tuple[str, ...]


def data_facts(selection: Selection, user: Any) -> DataFacts:
    """Count what a selection holds, in the database.

    Raises:
        labs.exceptions.Refused: a version that can't be used.
    """
    rows = selection.queryset(user).order_by()
    sums = rows.aggregate(
        frames=Count("pk"), atoms=Sum("n_atoms"), bare=Count("pk", filter=Q(energy=None))
    )
    keys = rows.values_list("elements_key", flat=True).distinct()
    symbols = {symbol for key in keys for symbol in key.split("|") if symbol}
    return DataFacts(
        frames=sums["frames"],
        atoms=sums["atoms"] or 0,
        elements=tuple(sorted(symbols, key=atomic_numbers.__getitem__)),
        without_energy=sums["bare"],
        kinds=tuple(sorted(rows.values_list("kind", flat=True).distinct())),
        levels=tuple(selection.levels_of_theory(user)),
    )
