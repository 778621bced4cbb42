"""Which columns of a table tell the others, from their correlations alone.

With standardised columns z (mean 0, norm 1) everything follows from C = zᵀz. Farthest points: the
distance of two columns is |z_i ∓ z_j| = √(2 − 2|ρ_ij|), whichever sign brings them nearer, and the
next one is that whose nearest chosen one is farthest. CUR: the next one has the highest score
π_i = Σ_k v_ki² over the leading eigenvectors v_k of C; then its part is taken out of all others,
C ← C − c_i c_iᵀ / C_ii, and what remains on the diagonal is 1 − R², the variance that the chosen
ones together don't tell. It ends when √(1 − R²) is below 1 − limit for every column: the limit is
the share of a column's spread that has to be told.

Source: Imbalzano et al., J. Chem. Phys. 148, 241730 (2018), doi:10.1063/1.5024611.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from mlmd.frame import FloatArray

IntArray = NDArray[np.int64]

# Eigenvectors in CUR's score.
LEADING = 4
# Variance, of 1 in the beginning, below which nothing but rounding is left.
NOTHING_LEFT = 1e-9


def uncorrelated(correlation: FloatArray, prices: Sequence[Any], limit: float) -> IntArray:
    """Return the columns that are left when of two alike ones the dearer one is dropped.

    Args:
        correlation: ρ, shape (S, S).
        prices: what each costs, in any terms that sort.
        limit: above which |ρ| says the same.

    Returns:
        Ascending indices.
    """
    alike = np.abs(correlation)
    kept: list[int] = []
    for i in sorted(range(len(prices)), key=lambda index: (prices[index], index)):
        if not kept or alike[i, kept].max() <= limit:
            kept.append(i)
    return np.sort(np.array(kept, np.int64))


def farthest_points(correlation: FloatArray, count: int, limit: float) -> IntArray:
    """Return the columns that are farthest from each other, beginning with the most telling one.

    Args:
        correlation: ρ, shape (S, S).
        count: how many at most.
        limit: it ends when every column has |ρ| above it with a chosen one.

    Returns:
        Indices in the order of choice.
    """
    alike = np.abs(correlation)
    chosen = [int((alike**2).sum(axis=0).argmax())]
    nearest = alike[chosen[0]].copy()
    while len(chosen) < min(count, len(alike)):
        nearest[chosen] = np.inf
        following = int(nearest.argmin())
        if nearest[following] > limit:
            break
        chosen.append(following)
        nearest = np.maximum(nearest, alike[following])
    return np.array(chosen, np.int64)


def cur(correlation: FloatArray, count: int, limit: float) -> IntArray:
    """Return the columns that tell most of all columns, by CUR.

    Args:
        correlation: ρ, shape (S, S).
        count: how many at most.
        limit: it ends when the chosen ones tell this share of every column's spread,
            1 − √(1 − R²).

    Returns:
        Indices in the order of choice.
    """
    left = correlation.copy()
    size = len(left)
    least = max((1.0 - limit) ** 2, NOTHING_LEFT)
    chosen: list[int] = []
    while len(chosen) < min(count, size) and (not chosen or left.diagonal().max() > least):
        values, vectors = eigh(left, subset_by_index=[max(0, size - LEADING), size - 1])
        scores = (vectors[:, values > NOTHING_LEFT] ** 2).sum(axis=1)
        # What is told already has a score of rounding alone.
        scores[left.diagonal() <= NOTHING_LEFT] = -1.0
        best = int(scores.argmax())
        chosen.append(best)
        left -= np.outer(left[best], left[best]) / left[best, best]
        left[best], left[:, best] = 0.0, 0.0
    return np.array(chosen, np.int64)
