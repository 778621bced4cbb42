"""The two atoms that are closest, through periodic boundaries of any cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mlmd.frame import FloatArray

# d³ = √2·V/N in close packing: no periodic set of atoms keeps farther apart.
_CLOSE_PACKING = 2 ** (1 / 6)
_FEW = 250  # atoms up to which all pairs are quicker than a tree
_MOST_IMAGES = 20_000_000


@dataclass(frozen=True)
class ClosestPair:
    """The closest two atoms, or an atom and its own image.

    Args:
        distance: Å.
        first: index of one.
        second: index of the other; equal to ``first`` for an image of itself.
    """

    distance: float
    first: int
    second: int


def closest_pair(
    positions: FloatArray, cell: FloatArray, pbc: Sequence[bool]
) -> ClosestPair | None:
    """Find the closest pair of atoms; time grows as N log N.

    Args:
        positions: shape (N, 3), Å.
        cell: rows are lattice vectors, shape (3, 3), Å.
        pbc: periodic along each of them; an axis of length zero is never periodic.

    Returns:
        None for a single atom without periodicity, or none at all.
    """
    count = len(positions)
    if count == 0:
        return None
    lengths = np.linalg.norm(cell, axis=1)
    axes = [i for i in range(3) if pbc[i] and lengths[i] > 0]
    if not axes:
        return _closest(positions, positions, np.arange(count))
    wrapped, frame_cell = _wrapped(positions, cell, axes)
    if 2 <= count <= _FEW and (near := _nearest_images(wrapped, frame_cell, axes)):
        return near
    bound = min(lengths[i] for i in axes)
    inside = _closest(wrapped, wrapped, np.arange(count))
    if inside is not None:
        bound = min(bound, inside.distance)
    if len(axes) == 3:
        volume = abs(float(np.linalg.det(cell)))
        bound = min(bound, _CLOSE_PACKING * (volume / count) ** (1 / 3))
    images, origins = _images(wrapped, frame_cell, axes, bound * (1 + 1e-9) + 1e-9)
    return _closest(
        wrapped, np.concatenate([wrapped, images]), np.concatenate([np.arange(count), origins])
    )


def _nearest_images(wrapped: FloatArray, cell: FloatArray, axes: list[int]) -> ClosestPair | None:
    """Return the closest pair of few atoms; None where the cell is too flat to be sure.

    Rounding fractions finds some image of each atom, so an upper bound. Anything nearer than
    half the least height of the cell is less than half a cell away along each axis: there
    rounding finds the nearest image itself.
    """
    inverse = np.linalg.inv(cell)
    fractions = wrapped @ inverse
    first, second = _pairs(len(wrapped))
    steps = fractions[first] - fractions[second]
    steps[:, axes] -= np.round(steps[:, axes])
    squares = np.einsum("ij,ij->i", steps @ cell, steps @ cell)
    found = int(np.argmin(squares))
    distance = float(np.sqrt(squares[found]))
    heights = 1.0 / np.linalg.norm(inverse, axis=0)
    if distance >= 0.5 * min(heights[i] for i in axes):
        return None
    return ClosestPair(distance, int(first[found]), int(second[found]))


@lru_cache(maxsize=8)  # the frames of a run have equally many atoms
def _pairs(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first, second = np.triu_indices(count, 1)
    return first, second


def _closest(
    queries: FloatArray, points: FloatArray, origins: NDArray[np.int64]
) -> ClosestPair | None:
    if len(points) < 2:
        return None
    # Every point is at distance zero from itself, so the second answer counts.
    distances, found = cKDTree(points).query(queries, k=2)
    atom = int(np.argmin(distances[:, 1]))
    pair = (atom, int(origins[found[atom, 1]]))
    if found[atom, 1] == atom:
        pair = (atom, int(origins[found[atom, 0]]))
    return ClosestPair(float(distances[atom, 1]), *pair)


def _wrapped(
    positions: FloatArray, cell: FloatArray, axes: list[int]
) -> tuple[FloatArray, FloatArray]:
    """Return positions inside the cell along ``axes``, and a cell with no zero vectors."""
    full = cell.copy()
    free = [i for i in range(3) if i not in axes]
    if free:
        # Any vectors off the periodic directions do: they only serve to find fractions.
        _, _, complement = np.linalg.svd(full[axes])
        full[free] = complement[len(axes) :]
    fractions = np.linalg.solve(full.T, positions.T).T
    fractions[:, axes] %= 1.0
    return fractions @ full, full


def _images(
    wrapped: FloatArray, cell: FloatArray, axes: list[int], reach: float
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return images outside the cell but within ``reach`` of it, and whose they are."""
    fractions = np.linalg.solve(cell.T, wrapped.T).T
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    margins = reach / heights
    ranges = [
        range(-int(np.ceil(margins[i])), int(np.ceil(margins[i])) + 1) if i in axes else range(1)
        for i in range(3)
    ]
    found: list[FloatArray] = []
    origins: list[NDArray[np.int64]] = []
    total = 0
    for shift in product(*ranges):
        if shift == (0, 0, 0):
            continue
        moved = fractions + shift
        near = np.ones(len(moved), dtype=bool)
        for i in axes:
            near &= (moved[:, i] >= -margins[i]) & (moved[:, i] <= 1 + margins[i])
        indices = np.flatnonzero(near)
        total += len(indices)
        if total > _MOST_IMAGES:
            break
        found.append(moved[indices] @ cell)
        origins.append(indices)
    if not found:
        return np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
    return np.concatenate(found), np.concatenate(origins)
