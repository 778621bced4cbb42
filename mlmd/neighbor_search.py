"""The search through bins that `mlmd.neighbors` fills: who is near whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import kernel, subkernel
from mlmd.frame import FloatArray
from mlmd.vectors import LANES, below8, copy8, count8, lanes8, load8, same8, square8

IndexArray = NDArray[np.int64]
SmallIndexArray = NDArray[np.int32]

# A thread isn't worth its start for fewer atoms.
LEAST_ATOMS_PER_THREAD = 500


class Bins(NamedTuple):
    """Entries sorted by bin.

    Args:
        first: where each bin's entries start, shape (B + 1,).
        entries: shape (M,).
        of: bin of each entry along the three axes, shape (M, 3).
        counts: number of bins along the axes.
        reach: how many bins along each axis the cutoff covers.
    """

    first: IndexArray
    entries: SmallIndexArray
    of: SmallIndexArray
    counts: tuple[int, int, int]
    reach: tuple[int, int, int]


class _Search(NamedTuple):
    """What both passes read; x, y, z and entries in the order of bins, with seven to spare."""

    positions: FloatArray
    kinds: SmallIndexArray
    x: FloatArray
    y: FloatArray
    z: FloatArray
    entries: SmallIndexArray
    first: IndexArray
    of: SmallIndexArray
    counts: tuple[int, int, int]
    reach: tuple[int, int, int]
    cutoff2: float


def find_pairs(
    positions: FloatArray,
    kinds: SmallIndexArray,
    kind_count: int,
    bins: Bins,
    atoms: int,
    cutoff: float,
    threads: int,
) -> tuple[IndexArray, SmallIndexArray]:
    """List the entries around each of the first ``atoms`` entries, grouped by kind.

    Args:
        positions: of all entries, shape (M, 3), Å.
        kinds: of all entries, 0 … kind_count − 1, shape (M,).
        kind_count: number of kinds.
        bins: where the entries are.
        atoms: how many entries are atoms.
        cutoff: Å, not included.
        threads: how many work at a time; the result is the same.

    Returns:
        As `mlmd.neighbors.list_neighbors`.
    """
    spare = np.zeros(LANES - 1)
    sorted_positions = positions[bins.entries]
    x, y, z = (np.concatenate([sorted_positions[:, axis], spare]) for axis in range(3))
    entries = np.concatenate([bins.entries, spare.astype(np.int32)])
    search = _Search(
        positions,
        kinds,
        x,
        y,
        z,
        entries,
        bins.first,
        bins.of,
        bins.counts,
        bins.reach,
        cutoff * cutoff,
    )
    totals = np.zeros(atoms + 1, dtype=np.int64)
    bounds = np.linspace(0, atoms, max(1, min(threads, atoms // LEAST_ATOMS_PER_THREAD)) + 1)
    parts = [(int(a), int(b)) for a, b in pairwise(bounds)]
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(lambda part: count_pairs(search, part[0], part[1], totals[1:]), parts))
        most = int(totals.max())
        starts = np.cumsum(totals)
        first = np.zeros(atoms * kind_count + 1, dtype=np.int64)
        first[-1] = starts[-1]
        found = np.empty(starts[-1], dtype=np.int32)
        list(
            pool.map(
                lambda part: write_pairs(
                    search, part[0], part[1], kind_count, most, starts, first, found
                ),
                parts,
            )
        )
    return first, found


@kernel
def count_pairs(search: _Search, start: int, stop: int, totals: IndexArray) -> None:
    """Count the neighbours of atoms start … stop − 1."""
    nothing = np.empty(LANES, dtype=np.int32)
    for i in range(start, stop):
        # An atom finds itself.
        totals[i] = _near(search, i, nothing, False) - 1


@kernel
def write_pairs(
    search: _Search,
    start: int,
    stop: int,
    kind_count: int,
    most: int,
    starts: IndexArray,
    first: IndexArray,
    found: SmallIndexArray,
) -> None:
    """Write the neighbours of atoms start … stop − 1, kind by kind."""
    near = np.empty(most + 2 * LANES, dtype=np.int32)
    row = np.empty(most + 2 * LANES, dtype=np.int32)
    for i in range(start, stop):
        n = _near(search, i, near, True)
        m = 0
        for kind in range(kind_count):
            first[i * kind_count + kind] = starts[i] + m
            for t in range(n):
                # Written always, kept only where right: no branch to mispredict.
                j = near[t]
                row[m] = j
                m += 1 if search.kinds[j] == kind and j != i else 0
        found[starts[i] : starts[i + 1]] = row[: starts[i + 1] - starts[i]]


@subkernel
def _near(search: _Search, i: int, near: SmallIndexArray, write: bool) -> int:
    """Return how many entries are near an atom, itself included, and write them where asked."""
    x = same8(search.positions[i, 0])
    y = same8(search.positions[i, 1])
    z = same8(search.positions[i, 2])
    limit = same8(search.cutoff2)
    nx, ny, nz = search.counts
    reach_x, reach_y, reach_z = search.reach
    z_low = max(search.of[i, 2] - reach_z, 0)
    z_high = min(search.of[i, 2] + reach_z, nz - 1)
    n = 0
    for a in range(max(search.of[i, 0] - reach_x, 0), min(search.of[i, 0] + reach_x, nx - 1) + 1):
        for b in range(
            max(search.of[i, 1] - reach_y, 0), min(search.of[i, 1] + reach_y, ny - 1) + 1
        ):
            # Bins along the last axis follow each other: one run of entries.
            line = (a * ny + b) * nz
            stop = search.first[line + z_high + 1]
            for slot in range(search.first[line + z_low], stop, LANES):
                square = square8(
                    load8(search.x, slot) - x,
                    load8(search.y, slot) - y,
                    load8(search.z, slot) - z,
                )
                mask = below8(square, limit) & lanes8(stop - slot)
                if write:
                    copy8(mask, search.entries, slot, near, n)
                n += count8(mask)
    return n
