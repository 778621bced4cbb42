"""Atoms sorted into bins, the base of every search for pairs.

The cell is cut into bins along its lattice vectors. A bin is looked at together with
all bins that a sphere can reach, images included, so the radius may exceed half the cell or the
whole of it, and the cell may have any angles. Bins along directions that aren't periodic
span the atoms' extent and have no images.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mlmd.errors import InvalidInput

FloatArray = NDArray[np.float64]
T = TypeVar("T")

# Handing work to another thread isn't worth it for fewer atoms.
LEAST_ATOMS_PER_THREAD = 4000


@dataclass(frozen=True)
class Bins:
    """Atoms sorted into bins.

    Args:
        positions: wrapped positions in bin order, shape (N, 3), Å.
        order: original index of each sorted atom, shape (N,).
        first: where each bin starts in the sorted atoms, shape (bins + 1,).
        counts: bins along each lattice vector, shape (3,).
        offsets: offsets of the bins in reach that come after the bin itself, shape (S, 3).
        cell: the vectors that were cut, shape (3, 3), Å.
        pbc: periodic along each of them, shape (3,).
    """

    positions: FloatArray
    order: NDArray[np.int64]
    first: NDArray[np.int64]
    counts: NDArray[np.int64]
    offsets: NDArray[np.int64]
    cell: FloatArray
    pbc: NDArray[np.bool_]


def bounding_cell(
    positions: FloatArray, cell: FloatArray, pbc: tuple[bool, bool, bool]
) -> tuple[FloatArray, FloatArray]:
    """Return a cell with volume and an origin, for any mix of periodic directions.

    Periodic vectors stay. The others are replaced by perpendicular ones, or rescaled, so
    that they span the atoms.

    Args:
        positions: shape (N, 3), Å.
        cell: shape (3, 3), Å; rows of directions that aren't periodic may be zero.
        pbc: periodic along each lattice vector.

    Raises:
        InvalidInput: periodic vectors are zero or lie in a plane.
    """
    full = np.array(cell, dtype=np.float64)
    free = [axis for axis in range(3) if not pbc[axis]]
    for axis in free:
        full[axis] = 0.0
    for axis in free:
        # The right singular vector of the smallest singular value is perpendicular to all rows.
        full[axis] = np.linalg.svd(full)[2][-1]
    lengths = np.linalg.norm(full, axis=1)
    if np.any(lengths == 0) or abs(np.linalg.det(full / lengths[:, None])) < 1e-6:
        raise InvalidInput(
            "cell", f"vectors {np.round(cell, 4).tolist()} Å", "periodic vectors that span space"
        )
    origin = np.zeros(3)
    if free:
        fractional = np.linalg.solve(full.T, positions.T).T
        for axis in free:
            low, high = fractional[:, axis].min(), fractional[:, axis].max()
            margin = 1e-6 + 1e-9 * (high - low)
            origin += (low - margin) * full[axis]
            full[axis] *= max(high - low, 1e-3) + 2 * margin
    return full, origin


def make_bins(
    positions: FloatArray,
    cell: FloatArray,
    pbc: tuple[bool, bool, bool],
    radius: float,
    divisions: int = 2,
) -> Bins:
    """Sort atoms into bins of about ``radius / divisions``.

    Args:
        positions: shape (N, 3), Å; wrapped or not.
        cell: shape (3, 3), Å.
        pbc: periodic along each lattice vector.
        radius: the reach of a pair, Å.
        divisions: bins per radius; more follow the sphere closer but cost more bins.

    Raises:
        InvalidInput: positions aren't finite, or the cell has no volume.
    """
    if not np.all(np.isfinite(positions)):
        raise InvalidInput("positions", "values that aren't finite", "numbers in Å")
    full, origin = bounding_cell(positions, cell, pbc)
    volume = abs(np.linalg.det(full))
    heights = volume / np.linalg.norm(np.cross(full[[1, 2, 0]], full[[2, 0, 1]]), axis=1)
    # A thin gas would otherwise get far more bins than atoms.
    edge = max(radius / divisions, (volume / (4 * len(positions) + 8)) ** (1 / 3))
    counts = np.maximum(np.floor(heights / edge), 1).astype(np.int64)
    reach = np.ceil(radius / (heights / counts) - 1e-12).astype(np.int64)
    periodic = np.asarray(pbc, dtype=np.bool_)
    reach = np.where(periodic, reach, np.minimum(reach, counts - 1))
    fractional = np.linalg.solve(full.T, (positions - origin).T).T
    fractional -= np.floor(fractional) * periodic
    # -1e-17 wraps to exactly 1.
    fractional[fractional >= 1] = 0.0
    index = np.clip((fractional * counts).astype(np.int64), 0, counts - 1)
    flat = (index[:, 0] * counts[1] + index[:, 1]) * counts[2] + index[:, 2]
    order = np.argsort(flat, kind="stable")
    first = np.searchsorted(flat[order], np.arange(int(np.prod(counts)) + 1))
    return Bins(
        positions=np.ascontiguousarray(fractional[order] @ full),
        order=order,
        first=first.astype(np.int64),
        counts=counts,
        offsets=_offsets_in_reach(reach, full / counts[:, None], radius),
        cell=full,
        pbc=periodic,
    )


def _offsets_in_reach(
    reach: NDArray[np.int64], bin_vectors: FloatArray, radius: float
) -> NDArray[np.int64]:
    """Return one of each pair ±offset whose bins a sphere around any point can touch."""
    axes = [np.arange(-r, r + 1) for r in reach]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    after = np.array([tuple(row) > (0, 0, 0) for row in grid.tolist()], dtype=np.bool_)
    grid = grid[after] if len(grid) else grid
    # Two bins are no nearer than their centres less one bin's diagonal.
    corners = np.array([[x, y, z] for x in (0, 1) for y in (-1, 1) for z in (-1, 1)])
    diagonal = np.linalg.norm(corners[corners[:, 0] == 1] @ bin_vectors, axis=1).max()
    distance = np.linalg.norm(grid @ bin_vectors, axis=1)
    return np.ascontiguousarray(grid[distance - diagonal < radius])


def share_bins(binned: Bins, count: Callable[[int, int], T]) -> list[T]:
    """Call a kernel for all bins, in threads where there are many atoms.

    Plain threads and not Numba's own: those wait for each other by spinning, which costs
    a hundred times the work of a small frame on a busy machine.
    """
    total = len(binned.first) - 1
    threads = min(available_threads(), len(binned.positions) // LEAST_ATOMS_PER_THREAD)
    if threads < 2:
        return [count(0, total)]
    # More parts than threads, since dense and empty regions differ.
    bounds = np.linspace(0, total, 4 * threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(count, bounds[:-1], bounds[1:]))


def available_threads() -> int:
    """Return how many threads may work: ``NUMBA_NUM_THREADS``, or the cores of this process."""
    said = os.environ.get("NUMBA_NUM_THREADS", "")
    if said.isdigit() and int(said) > 0:
        return int(said)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def rows_in_reach(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join offsets that differ in the last index only, shape (R, 4): x, y, first z, last z.

    Bins are stored with the last index running fastest, so a row's atoms lie side by side. The
    row through the bin itself begins with it.
    """
    rows: dict[tuple[int, int], list[int]] = {(0, 0): [0]}
    for x, y, z in offsets.tolist():
        rows.setdefault((x, y), []).append(z)
    return np.array([(x, y, min(z), max(z)) for (x, y), z in rows.items()], dtype=np.int64)
