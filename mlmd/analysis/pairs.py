"""Pairs of atoms closer than a radius: cell lists for any cell, and counts made from them.

The cell is cut into bins along its lattice vectors. A bin is looked at together with
all bins that a sphere can reach, images included, so the radius may exceed half the cell or the
whole of it, and the cell may have any angles. Bins along directions that aren't periodic
span the atoms' extent and have no images.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import exact_kernel, kernel
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


def _share_bins(binned: Bins, count: Callable[[int, int], T]) -> list[T]:
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


def _rows_in_reach(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join offsets that differ in the last index only, shape (R, 4): x, y, first z, last z.

    Bins are stored with the last index running fastest, so a row's atoms lie side by side. The
    row through the bin itself begins with it.
    """
    rows: dict[tuple[int, int], list[int]] = {(0, 0): [0]}
    for x, y, z in offsets.tolist():
        rows.setdefault((x, y), []).append(z)
    return np.array([(x, y, min(z), max(z)) for (x, y), z in rows.items()], dtype=np.int64)


@kernel
def _count_distances(
    coordinates: Any,
    kinds: Any,
    first: Any,
    counts: Any,
    rows: Any,
    cell: Any,
    pbc: Any,
    kinds_count: int,
    radius: float,
    bins: int,
    start_bin: int,
    stop_bin: int,
) -> Any:
    """Count each pair and image of some bins' atoms once, shape (K, K·bins).

    The distances of a row are computed first, many at a time, and counted then: counting
    is a scattered write that would keep the processor from doing several at once.
    """
    histograms = np.zeros((kinds_count, kinds_count * bins), dtype=np.int64)
    xs, ys, zs = coordinates[0], coordinates[1], coordinates[2]
    scaled = np.empty(len(xs))
    scale = bins / radius
    n_x, n_y, n_z = counts[0], counts[1], counts[2]
    for c in range(start_bin, stop_bin):
        begin, end = first[c], first[c + 1]
        if begin == end:
            continue
        cz, cy, cx = c % n_z, (c // n_z) % n_y, c // (n_y * n_z)
        for s in range(len(rows)):
            x, y = cx + rows[s, 0], cy + rows[s, 1]
            wx, wy = x // n_x, y // n_y
            if (wx != 0 and not pbc[0]) or (wy != 0 and not pbc[1]):
                continue
            line = ((x - wx * n_x) * n_y + y - wy * n_y) * n_z
            is_own = rows[s, 0] == 0 and rows[s, 1] == 0
            z, last = cz + rows[s, 2], cz + rows[s, 3]
            while z <= last:
                wz = z // n_z
                stop = min(last, (wz + 1) * n_z - 1)
                if wz == 0 or pbc[2]:
                    from_atom = first[line + z - wz * n_z]
                    to_atom = first[line + stop - wz * n_z + 1]
                    sx = wx * cell[0, 0] + wy * cell[1, 0] + wz * cell[2, 0]
                    sy = wx * cell[0, 1] + wy * cell[1, 1] + wz * cell[2, 1]
                    sz = wx * cell[0, 2] + wy * cell[1, 2] + wz * cell[2, 2]
                    for a in range(begin, end):
                        # In its own row an atom meets only those after it.
                        low = a + 1 if is_own and wz == 0 else from_atom
                        x_b, y_b, z_b = xs[low:to_atom], ys[low:to_atom], zs[low:to_atom]
                        kinds_b = kinds[low:to_atom]
                        xa, ya, za = xs[a] - sx, ys[a] - sy, zs[a] - sz
                        for k in range(len(x_b)):
                            dx, dy, dz = x_b[k] - xa, y_b[k] - ya, z_b[k] - za
                            scaled[k] = math.sqrt(dx * dx + dy * dy + dz * dz) * scale
                        h = histograms[kinds[a]]
                        for k in range(len(kinds_b)):
                            if scaled[k] < bins:
                                h[kinds_b[k] * bins + int(scaled[k])] += 1
                z = stop + 1
    return histograms


def count_distances(
    positions: FloatArray,
    cell: FloatArray,
    pbc: tuple[bool, bool, bool],
    kinds: NDArray[np.int64],
    kinds_count: int,
    radius: float,
    bins: int,
) -> NDArray[np.int64]:
    """Count pairs by the kinds of their atoms and by distance, images included.

    Args:
        positions: shape (N, 3), Å.
        cell: shape (3, 3), Å.
        pbc: periodic along each lattice vector.
        kinds: kind of each atom, 0 to ``kinds_count - 1``, shape (N,).
        kinds_count: number of kinds K.
        radius: largest distance, Å.
        bins: number of equal bins up to the radius.

    Returns:
        Shape (K, K, bins): for kinds a and b, pairs counted from each a (so a pair of
        equal kinds counts twice).
    """
    binned = make_bins(positions, cell, pbc, radius)
    sorted_kinds = np.ascontiguousarray(kinds[binned.order])

    count_some: Callable[..., Any] = _count_distances
    arrays = (
        np.ascontiguousarray(binned.positions.T),
        sorted_kinds,
        binned.first,
        binned.counts,
        _rows_in_reach(binned.offsets),
        binned.cell,
        binned.pbc,
    )

    def count(start: int, stop: int) -> NDArray[np.int64]:
        found = count_some(*arrays, kinds_count, float(radius), bins, start, stop)
        return np.asarray(found)

    parts = _share_bins(binned, count)
    once = np.sum(parts, axis=0).reshape(kinds_count, kinds_count, bins)
    return np.asarray(once + once.transpose(1, 0, 2))


@exact_kernel
def _count_neighbors(
    positions: Any,
    kinds: Any,
    first: Any,
    counts: Any,
    offsets: Any,
    cell: Any,
    pbc: Any,
    cutoffs2: Any,
    found: Any,
    start_bin: int,
    stop_bin: int,
) -> None:
    """Count the neighbours of the atoms of some bins by their kind, into ``found`` (N, K)."""
    for c in range(start_bin, stop_bin):
        begin, end = first[c], first[c + 1]
        cz = c % counts[2]
        cy = (c // counts[2]) % counts[1]
        cx = c // (counts[1] * counts[2])
        # Both ±offset and the bin itself, so that each atom's row is written here only.
        for s in range(-len(offsets), len(offsets) + 1):
            x, y, z = cx, cy, cz
            if s > 0:
                x, y, z = x + offsets[s - 1, 0], y + offsets[s - 1, 1], z + offsets[s - 1, 2]
            elif s < 0:
                x, y, z = x - offsets[-s - 1, 0], y - offsets[-s - 1, 1], z - offsets[-s - 1, 2]
            wx, wy, wz = x // counts[0], y // counts[1], z // counts[2]
            if (wx != 0 and not pbc[0]) or (wy != 0 and not pbc[1]) or (wz != 0 and not pbc[2]):
                continue
            d = ((x - wx * counts[0]) * counts[1] + y - wy * counts[1]) * counts[2]
            d += z - wz * counts[2]
            sx = wx * cell[0, 0] + wy * cell[1, 0] + wz * cell[2, 0]
            sy = wx * cell[0, 1] + wy * cell[1, 1] + wz * cell[2, 1]
            sz = wx * cell[0, 2] + wy * cell[1, 2] + wz * cell[2, 2]
            for a in range(begin, end):
                xa, ya, za = positions[a, 0] - sx, positions[a, 1] - sy, positions[a, 2] - sz
                for b in range(first[d], first[d + 1]):
                    if s == 0 and a == b:
                        continue
                    dx = positions[b, 0] - xa
                    dy = positions[b, 1] - ya
                    dz = positions[b, 2] - za
                    if dx * dx + dy * dy + dz * dz < cutoffs2[kinds[a], kinds[b]]:
                        found[a, kinds[b]] += 1


def count_neighbors(
    positions: FloatArray,
    cell: FloatArray,
    pbc: tuple[bool, bool, bool],
    kinds: NDArray[np.int64],
    cutoffs: FloatArray,
) -> NDArray[np.int32]:
    """Count each atom's neighbours by kind, shape (N, K).

    Args:
        positions: shape (N, 3), Å.
        cell: shape (3, 3), Å.
        pbc: periodic along each lattice vector.
        kinds: kind of each atom, shape (N,).
        cutoffs: largest distance for each pair of kinds, symmetric, shape (K, K), Å; 0 counts none.
    """
    binned = make_bins(positions, cell, pbc, float(cutoffs.max()), divisions=1)
    sorted_kinds = np.ascontiguousarray(kinds[binned.order])
    squares = np.ascontiguousarray(cutoffs**2)
    found = np.zeros((len(positions), len(cutoffs)), dtype=np.int32)

    count_some: Callable[..., Any] = _count_neighbors
    arrays = (
        binned.positions,
        sorted_kinds,
        binned.first,
        binned.counts,
        binned.offsets,
        binned.cell,
        binned.pbc,
    )

    def count(start: int, stop: int) -> None:
        count_some(*arrays, squares, found, start, stop)

    _share_bins(binned, count)
    result = np.empty_like(found)
    result[binned.order] = found
    return np.asarray(result)
