"""Meshes of k-points."""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms


def k_mesh(atoms: Atoms, spacing: float) -> tuple[int, int, int]:
    """Return divisions with neighbouring k-points at most `spacing` (1/Å, with 2π) apart.

    One along directions that aren't periodic.
    """
    lengths = 2 * math.pi * np.linalg.norm(np.linalg.inv(atoms.cell.array).T, axis=1)
    first, second, third = (
        max(1, math.ceil(length / spacing - 1e-6)) if periodic else 1
        for length, periodic in zip(lengths, atoms.pbc, strict=True)
    )
    return first, second, third
