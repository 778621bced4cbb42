"""Sorting atoms into bins and listing who is near whom; one thread an atom.

There are no ghosts here: bins lie in the cell, the search goes on round it, and a neighbour is a
sorted atom with a lattice shift. So a cell smaller than the cutoff is no special case.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import cuda

from mlmd.hdnnp.gpu.lanes import at, device_function, device_kernel
from mlmd.hdnnp.gpu.layout import DeviceArray


class Grid(NamedTuple):
    """Bins over a cell, in fractions of its vectors.

    Args:
        counts: bins along the vectors.
        reach: how many of them the search reaches.
        low: fraction where the bins start; 0 where periodic.
        scale: bins per fraction.
        periodic: 1 or 0.
        most: largest shift along each vector.
    """

    counts: tuple[int, int, int]
    reach: tuple[int, int, int]
    low: tuple[float, float, float]
    scale: tuple[float, float, float]
    periodic: tuple[int, int, int]
    most: tuple[int, int, int]


@device_kernel
def put_in_bins(
    positions: DeviceArray,
    inverse: DeviceArray,
    grid: Grid,
    wraps: DeviceArray,
    bin_of: DeviceArray,
    counts: DeviceArray,
) -> None:
    """Find each atom's bin and the cells it has wandered, and count."""
    i = cuda.grid(1)
    if i >= positions.shape[0]:
        return
    flat = 0
    for axis in range(3):
        fraction = (
            positions[i, 0] * inverse[0, axis]
            + positions[i, 1] * inverse[1, axis]
            + positions[i, 2] * inverse[2, axis]
        )
        wrap = 0
        if grid.periodic[axis] == 1:
            wrap = int(math.floor(fraction))  # noqa: RUF046  a float on the GPU
            fraction -= wrap
        wraps[i, axis] = wrap
        place = int((fraction - grid.low[axis]) * grid.scale[axis])
        flat = flat * grid.counts[axis] + min(max(place, 0), grid.counts[axis] - 1)
    bin_of[i] = flat
    cuda.atomic.add(counts, flat, 1)


@device_kernel
def fill_bins(
    bin_of: DeviceArray, first: DeviceArray, cursors: DeviceArray, order: DeviceArray
) -> None:
    """Put every atom into its bin, in any order."""
    i = cuda.grid(1)
    if i < bin_of.shape[0]:
        order[first[bin_of[i]] + cuda.atomic.add(cursors, bin_of[i], 1)] = i


@device_kernel
def sort_bins(first: DeviceArray, order: DeviceArray) -> None:
    """Sort each bin by atom, so that the order isn't that in which threads came."""
    b = cuda.grid(1)
    if b >= first.shape[0] - 1:
        return
    for end in range(first[b] + 1, first[b + 1]):
        atom = order[end]
        slot = end
        while slot > first[b] and order[slot - 1] > atom:
            order[slot] = order[slot - 1]
            slot -= 1
        order[slot] = atom


@device_kernel
def take_along(
    order: DeviceArray,
    kinds: DeviceArray,
    bin_of: DeviceArray,
    elements: DeviceArray,
    bins: DeviceArray,
) -> None:
    """Bring elements and bins into sorted order."""
    i = cuda.grid(1)
    if i < order.shape[0]:
        elements[i] = kinds[order[i]]
        bins[i] = bin_of[order[i]]


@device_kernel
def place_atoms(
    positions: DeviceArray,
    cell: DeviceArray,
    order: DeviceArray,
    wraps: DeviceArray,
    built: DeviceArray,
    deformation: DeviceArray,
    places: DeviceArray,
    farthest: DeviceArray,
) -> None:
    """Refresh sorted positions; find how far any atom has moved against a deformed lattice, Å²."""
    largest = 0.0
    for i in range(cuda.grid(1), order.shape[0], cuda.gridsize(1)):
        atom = order[i]
        square = 0.0
        for axis in range(3):
            x = positions[atom, axis]
            moved = x
            for k in range(3):
                moved -= built[atom, k] * deformation[k, axis]
                x -= wraps[atom, k] * cell[k, axis]
            places[i, axis] = x
            square += moved * moved
        largest = max(largest, square)
    cuda.atomic.max(farthest, 0, largest)


@device_function
def _search(
    places: DeviceArray,
    shifts: DeviceArray,
    elements: DeviceArray,
    first: DeviceArray,
    flat: int,
    i: int,
    grid: Grid,
    limit: float,
    bits: int,
    kinds: int,
    cursors: DeviceArray,
    codes: DeviceArray,
) -> None:
    """Advance an atom's cursor of a kind for every neighbour, writing it where asked."""
    write = codes.shape[0] > 0
    nx, ny, nz = grid.counts
    bz = flat % nz
    by = flat // nz % ny
    bx = flat // (ny * nz)
    for a in range(bx - grid.reach[0], bx + grid.reach[0] + 1):
        sa = a // nx
        if sa != 0 and grid.periodic[0] == 0:
            continue
        for b in range(by - grid.reach[1], by + grid.reach[1] + 1):
            sb = b // ny
            if sb != 0 and grid.periodic[1] == 0:
                continue
            for c in range(bz - grid.reach[2], bz + grid.reach[2] + 1):
                sc = c // nz
                if sc != 0 and grid.periodic[2] == 0:
                    continue
                shift = sa + grid.most[0]
                shift = shift * (2 * grid.most[1] + 1) + sb + grid.most[1]
                shift = shift * (2 * grid.most[2] + 1) + sc + grid.most[2]
                x = places[i, 0] - shifts[shift, 0]
                y = places[i, 1] - shifts[shift, 1]
                z = places[i, 2] - shifts[shift, 2]
                other = ((a - sa * nx) * ny + b - sb * ny) * nz + c - sc * nz
                home = sa == 0 and sb == 0 and sc == 0
                j = first[at(other)]
                stop = first[at(other + 1)]
                while j < stop:
                    u = places[at(j), 0] - x
                    v = places[at(j), 1] - y
                    w = places[at(j), 2] - z
                    if u * u + v * v + w * w < limit and not (home and j == i):
                        slot = i * kinds + elements[at(j)]
                        if write:
                            codes[at(cursors[at(slot)])] = (j << bits) | shift
                        cursors[at(slot)] += 1
                    j += 1


@device_kernel
def list_neighbors(
    places: DeviceArray,
    shifts: DeviceArray,
    elements: DeviceArray,
    bins: DeviceArray,
    first: DeviceArray,
    grid: Grid,
    limit: float,
    bits: int,
    kinds: int,
    cursors: DeviceArray,
    codes: DeviceArray,
) -> None:
    """Count the neighbours of each atom by element, or list them where ``codes`` has room.

    Args:
        places: sorted positions, shape (N, 3), Å.
        shifts: lattice shifts, shape (shifts, 3), Å.
        elements: shape (N,).
        bins: each atom's bin, shape (N,).
        first: where each bin's atoms start, shape (bins + 1,).
        grid: the bins.
        limit: square of cutoff and skin, Å².
        bits: how many the shift takes in a code.
        kinds: number of elements.
        cursors: shape (N·kinds,), where the next neighbour goes; advanced.
        codes: neighbours, or nothing.
    """
    i = cuda.grid(1)
    if i < places.shape[0]:
        _search(
            places, shifts, elements, first, bins[i], i, grid, limit, bits, kinds, cursors, codes
        )


@device_kernel
def unsort_forces(order: DeviceArray, sums: DeviceArray, unit: float, forces: DeviceArray) -> None:
    """Bring forces into the original order, as numbers."""
    i = cuda.grid(1)
    if i < order.shape[0]:
        for axis in range(3):
            forces[order[i], axis] = sums[i, axis] * unit
