"""How many neighbours atoms have: the distribution behind the average."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from numpy.typing import ArrayLike

from mlmd.analysis.bins import FloatArray
from mlmd.analysis.pairs import count_neighbors
from mlmd.analysis.radial import Pbc, RadialDistribution
from mlmd.errors import InvalidInput


@dataclass(frozen=True)
class CoordinationDistribution:
    """Neighbours of one element around another.

    Args:
        center: element of the atom in the middle.
        neighbor: element that is counted, or ``"*"`` for all of them.
        cutoff: distance up to which is counted, Å (for ``"*"``, the largest used).
        fractions: share of atoms with 0, 1, 2, … neighbours; sums to 1.
        mean: average number.
    """

    center: str
    neighbor: str
    cutoff: float
    fractions: tuple[float, ...]
    mean: float


@dataclass(frozen=True)
class CoordinationNumbers:
    """All distributions, averaged over frames."""

    distributions: tuple[CoordinationDistribution, ...]
    frames: int


def bond_cutoffs(
    numbers: ArrayLike, distribution: RadialDistribution | None = None
) -> dict[tuple[str, str], float]:
    """Return up to which distance two elements count as neighbours, Å.

    The first minimum of g(r) where there is one; otherwise 1.3 times the sum of the covalent
    radii, which separates bonded from second neighbours in most solids.

    Args:
        numbers: atomic numbers, shape (N,).
        distribution: g(r) of the same atoms.
    """
    elements = [chemical_symbols[n] for n in np.unique(np.asarray(numbers, dtype=np.int64))]
    cutoffs = {
        (a, b): 1.3 * float(covalent_radii[atomic_numbers[a]] + covalent_radii[atomic_numbers[b]])
        for a in elements
        for b in elements
    }
    if distribution is not None:
        for pair, peak in zip(distribution.pairs, distribution.peaks, strict=True):
            limit = 2 * cutoffs[pair]
            # A "first" minimum far out belongs to a pair that never bonds: keep the radii.
            if peak is not None and peak.minimum is not None and peak.minimum < limit:
                cutoffs[pair] = peak.minimum
    return cutoffs


def coordination_numbers(
    positions: Iterable[FloatArray],
    cells: FloatArray | Iterable[FloatArray],
    numbers: ArrayLike,
    cutoffs: Mapping[tuple[str, str], float] | float,
    pbc: Pbc = (True, True, True),
) -> CoordinationNumbers:
    """Return how many neighbours atoms have, per pair of elements and in all.

    Args:
        positions: shape (F, N, 3), Å; or anything that gives F frames one by one.
        cells: shape (F, 3, 3), or (3, 3) for all frames, Å; or likewise.
        numbers: atomic numbers, shape (N,).
        cutoffs: one distance for all, or one per element pair (either order), Å. Pairs that
            aren't named aren't counted.
        pbc: periodic along each lattice vector.

    Raises:
        InvalidInput: no frames, or no positive cutoff.
    """
    elements, kinds = np.unique(np.asarray(numbers, dtype=np.int64), return_inverse=True)
    symbols = [chemical_symbols[number] for number in elements]
    table = _cutoff_table(symbols, cutoffs)
    if not table.max() > 0:
        raise InvalidInput(
            "coordination numbers", "no cutoff above zero", "at least one positive cutoff"
        )
    size = len(elements)
    histograms = np.zeros((size, size + 1, 1))
    same = isinstance(cells, np.ndarray) and cells.ndim == 2
    all_cells: Iterable[FloatArray] = repeat(np.asarray(cells)) if same else cells
    frames = 0
    for frame, cell in zip(positions, all_cells, strict=not same):
        frames += 1
        counts = count_neighbors(frame, cell, pbc, kinds, table)
        counts = np.column_stack([counts, counts.sum(axis=1)])
        top = int(counts.max()) + 1
        if top > histograms.shape[2]:
            extra = top - histograms.shape[2]
            histograms = np.pad(histograms, ((0, 0), (0, 0), (0, extra)))
        for a in range(size):
            for b in range(size + 1):
                found = np.bincount(counts[kinds == a, b], minlength=histograms.shape[2])
                histograms[a, b] += found
    if not frames:
        raise InvalidInput("coordination numbers", "no frames", "at least one frame")
    distributions = [
        _distribution(symbols[a], (*symbols, "*")[b], table, (a, b), histograms[a, b])
        for a in range(size)
        for b in range(size + 1)
        if b == size or table[a, b] > 0
    ]
    return CoordinationNumbers(tuple(distributions), frames)


def _cutoff_table(
    symbols: list[str], cutoffs: Mapping[tuple[str, str], float] | float
) -> FloatArray:
    table = np.zeros((len(symbols), len(symbols)))
    for a, first in enumerate(symbols):
        for b, second in enumerate(symbols):
            if isinstance(cutoffs, Mapping):
                table[a, b] = cutoffs.get((first, second), cutoffs.get((second, first), 0.0))
            else:
                table[a, b] = cutoffs
    return table


def _distribution(
    center: str, neighbor: str, table: FloatArray, pair: tuple[int, int], histogram: FloatArray
) -> CoordinationDistribution:
    row, column = pair
    cutoff = float(table[row].max() if neighbor == "*" else table[row, column])
    filled = np.trim_zeros(histogram, "b")
    fractions = filled / filled.sum()
    mean = float(fractions @ np.arange(len(fractions)))
    return CoordinationDistribution(center, neighbor, cutoff, tuple(fractions.tolist()), mean)
