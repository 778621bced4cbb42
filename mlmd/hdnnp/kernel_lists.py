"""What every step does with a neighbour list: place entries, and bring forces of ghosts home."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import kernel
from mlmd.frame import FloatArray

IndexArray = NDArray[np.int64]
SmallIndexArray = NDArray[np.int32]


@kernel
def place_entries(
    start: int,
    stop: int,
    x: FloatArray,
    source: IndexArray,
    shifts: SmallIndexArray,
    cell: FloatArray,
    places: FloatArray,
) -> None:
    """Fill the places of entries start … stop − 1.

    Args:
        start: first entry.
        stop: one past the last.
        x: of the atoms in their own order, shape (N, 3), Å.
        source: the atom that each entry is an image of, shape (M,).
        shifts: shape (M, 3), whole lattice vectors.
        cell: rows of vectors that aren't periodic are zero, shape (3, 3), Å.
        places: shape (M, 3), Å; filled.
    """
    for m in range(start, stop):
        a = source[m]
        for axis in range(3):
            places[m, axis] = (
                x[a, axis]
                + shifts[m, 0] * cell[0, axis]
                + shifts[m, 1] * cell[1, axis]
                + shifts[m, 2] * cell[2, axis]
            )


@kernel
def add_parts(
    start: int,
    stop: int,
    parts: FloatArray,
    places: FloatArray,
    origin: FloatArray,
    total: FloatArray,
    virial: FloatArray,
) -> None:
    """Add up what threads found for entries start … stop − 1, and Σ F r.

    Args:
        start: first entry.
        stop: one past the last.
        parts: forces that each thread found, shape (threads, M, 3).
        places: of all entries, shape (M, 3), Å.
        origin: that places are taken from, shape (3,), Å.
        total: shape (M, 3); filled.
        virial: shape (3, 3), added to.
    """
    for m in range(start, stop):
        for axis in range(3):
            force = 0.0
            for part in range(parts.shape[0]):
                force += parts[part, m, axis]
            total[m, axis] = force
            for other in range(3):
                virial[axis, other] += force * (places[m, other] - origin[other])


@kernel
def fold_ghosts(
    atoms: int, owners: SmallIndexArray, order: IndexArray, entries: FloatArray, folded: FloatArray
) -> None:
    """Give atoms what fell on them and on their ghosts, in the atoms' own order.

    Args:
        atoms: how many entries are atoms.
        owners: the sorted atom that each entry is an image of, shape (M,).
        order: original index of each sorted atom, shape (N,).
        entries: forces on all entries, shape (M, 3).
        folded: shape (N, 3); filled.
    """
    for i in range(atoms):
        for axis in range(3):
            folded[order[i], axis] = entries[i, axis]
    for m in range(atoms, owners.shape[0]):
        for axis in range(3):
            folded[order[owners[m]], axis] += entries[m, axis]
