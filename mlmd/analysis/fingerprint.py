"""A vector that says what a structure looks like, for maps and for finding similar ones.

Two structures that differ by a rotation, by the order of their atoms or by repeating the cell
have the same fingerprint; similar structures have near ones. It is made for looking at sets,
not for fitting energies: it averages over atoms.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlmd.analysis.fingerprint_kernel import (
    DEGREES,
    PAIRS,
    RADII,
    sum_environments,
)
from mlmd.elements import SYMBOLS
from mlmd.frame import FloatArray
from mlmd.neighbors import neighbor_list

CUTOFF = 5.0  # Å: two to three shells of neighbours of most solids
CHANNELS = 3
COMPOSITION = 5
RADIAL = CHANNELS * CHANNELS * RADII
ANGULAR = CHANNELS * PAIRS * DEGREES
LENGTH = COMPOSITION + RADIAL + ANGULAR
BLOCKS = (COMPOSITION, RADIAL, ANGULAR)
"""Lengths of the parts, in order: what the atoms are, how far apart, at what angles."""

VERSION = 1
"""Raised when the same structure gets another vector."""

_NOBLE = (2, 10, 18, 36, 54, 86, 118)


def fingerprint(
    numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike
) -> FloatArray:
    """Return the fingerprint of a structure.

    Every atom sees its neighbours as densities in three channels: one that counts them, one
    weighted by their period, one by their place along it, so that neighbours in the periodic
    table look alike. The vector joins averages over atoms: of the element's places
    themselves, of the densities' radial parts, weighted by the places of the atom, and of the
    densities' power spectra, which see angles and don't change when everything is turned.

    Args:
        numbers: atomic numbers, shape (N,).
        positions: shape (N, 3), Å.
        cell: lattice vectors as rows, shape (3, 3), Å; ignored where not periodic.
        pbc: periodic along each lattice vector, shape (3,).

    Returns:
        Shape (`LENGTH`,), dimensionless; intensive: repeating the cell changes nothing.

    Raises:
        InvalidInput: as `mlmd.neighbors.neighbor_list`.

    Source: power spectra as in Bartók, Kondor, Csányi, Phys. Rev. B 87, 184115 (2013),
        doi:10.1103/PhysRevB.87.184115; few channels for many elements as in Willatt, Musil,
        Ceriotti, Phys. Chem. Chem. Phys. 20, 29661 (2018), doi:10.1039/C8CP05921G.
    """
    species = np.asarray(numbers, dtype=np.int64)
    pairs = neighbor_list(positions, cell, pbc, CUTOFF)
    weights = element_places()[species]
    radial = np.zeros((CHANNELS, CHANNELS, RADII))
    angular = np.zeros((CHANNELS, PAIRS, DEGREES))
    sum_environments(pairs.first, pairs.neighbors, pairs.vectors, weights, CUTOFF, radial, angular)
    period, place = weights[:, 1], weights[:, 2]
    atoms = np.array(
        [
            period.mean(),
            place.mean(),
            (period**2).mean(),
            (place**2).mean(),
            (period * place).mean(),
        ]
    )
    return np.concatenate([atoms, radial.ravel() / len(species), angular.ravel() / len(species)])


@cache
def element_places() -> NDArray[np.float64]:
    """Return 1, the period and the place along it of each atomic number, shape (119, 3).

    The latter two lie between −1 and 1; no two elements have the same pair.
    """
    places = np.ones((len(SYMBOLS), CHANNELS))
    places[0, 1:] = 0.0  # an unknown atom
    before = 0
    for period, noble in enumerate(_NOBLE, 1):
        for number in range(before + 1, noble + 1):
            along = (number - before - 1) / (noble - before - 1)
            places[number, 1:] = (period - 4) / 3, 2 * along - 1
        before = noble
    return places
