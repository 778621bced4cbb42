"""Pairs of atoms closer than a radius, counted in any cell, by distance or by atom."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmd.analysis.bins import FloatArray, make_bins, rows_in_reach, share_bins
from mlmd.compiled import exact_kernel, kernel


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
        rows_in_reach(binned.offsets),
        binned.cell,
        binned.pbc,
    )

    def count(start: int, stop: int) -> NDArray[np.int64]:
        found = count_some(*arrays, kinds_count, float(radius), bins, start, stop)
        return np.asarray(found)

    parts = share_bins(binned, count)
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

    share_bins(binned, count)
    result = np.empty_like(found)
    result[binned.order] = found
    return np.asarray(result)
