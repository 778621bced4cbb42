"""How often a small cell is repeated before it can stand for the bulk."""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms

BULK_WIDTH = 10.0  # Å; phonons and a liquid's first shells need about as much


def bulk_repeats(atoms: Atoms, width: float = BULK_WIDTH) -> tuple[int, int, int]:
    """Return the fewest repeats that make a cell at least so wide in every periodic direction.

    Args:
        atoms: with their cell.
        width: smallest distance between opposite faces, Å.

    Returns:
        Counts along a, b, c; 1 where the cell isn't periodic.
    """
    periodic = np.asarray(atoms.pbc)
    if not periodic.any():
        return 1, 1, 1
    # Vectors that aren't periodic may be zero; any complement does for the faces' distance.
    cell = np.array(atoms.cell.complete())
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    # A hair less, so that a cell of exactly that width isn't doubled by rounding.
    a, b, c = (
        max(1, math.ceil(width / height - 1e-9)) if axis_periodic else 1
        for height, axis_periodic in zip(heights, periodic, strict=True)
    )
    return a, b, c
