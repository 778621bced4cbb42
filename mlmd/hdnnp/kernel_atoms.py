"""The whole way of one atom, for a range of atoms: neighbours, functions, network, forces.

Nothing is kept between atoms, so memory doesn't grow with their number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlmd.compiled import kernel, subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.compact_tables import CompactTables
from mlmd.hdnnp.kernel_chebyshev import (
    ChebyshevTables,
    chebyshev_functions,
    chebyshev_gradient,
)
from mlmd.hdnnp.kernel_compact import (
    BACKWARDS,
    FORWARDS,
    compact_space,
    compact_terms,
)
from mlmd.hdnnp.kernel_moments import moment_functions, moment_space
from mlmd.hdnnp.kernel_moments_gradient import moment_gradient
from mlmd.hdnnp.kernel_narrow import NARROW_ROWS, NarrowSpace
from mlmd.hdnnp.kernel_network import NetworkTables, network_energy, network_gradient
from mlmd.hdnnp.kernel_pairs import PairSpace, pair_functions, pair_gradient, pairs_needed
from mlmd.hdnnp.kernel_radial import most_radial, radial_functions, radial_gradient
from mlmd.hdnnp.kernel_rows import PAIR_ROWS
from mlmd.hdnnp.neighborhood import (
    ALONG,
    DX,
    DY,
    DZ,
    GX,
    GY,
    GZ,
    ROWS,
    Neighborhood,
    SmallIndexArray,
    Surround,
    gather,
    prepare,
)
from mlmd.hdnnp.tables import (
    SERIES_UP_TO,
    FunctionTables,
    IndexArray,
    PairTables,
)

# How far `evaluate_atoms` goes.
FUNCTIONS, ENERGIES, FORCES = range(3)


class Results(NamedTuple):
    """Where the results go; each thread has its own.

    Args:
        energies: network outputs, shape (atoms,).
        forces: −dE/dr in network energy per Å, shape (entries, 3), added to.
        functions: raw symmetry functions, shape (atoms, functions), or (0, functions) for none.
        outside: extrapolations: atom, function; shape (capacity, 2).
        outside_values: their values, shape (capacity,).
        counts: number of extrapolations found; largest number of neighbours; shape (2,).
        closest: smallest squared distance seen, shape (1,), Å².
    """

    energies: FloatArray
    forces: FloatArray
    functions: FloatArray
    outside: SmallIndexArray
    outside_values: FloatArray
    counts: IndexArray
    closest: FloatArray


@kernel
def evaluate_atoms(  # noqa: C901  one atom's way, step by step: Numba drops branches on None here only
    functions: FunctionTables,
    compact: CompactTables | None,
    chebyshev: ChebyshevTables | None,
    networks: NetworkTables,
    around: Surround,
    start: int,
    stop: int,
    depth: int,
    results: Results,
) -> None:
    """Evaluate atoms start … stop − 1.

    Args:
        functions: the potential's symmetry functions.
        compact: those with compact support. Most potentials have none: their kernel is
            compiled without this part, in three quarters of the time.
        chebyshev: radial functions of another family, or None.
        networks: its networks.
        around: atoms, ghosts and neighbours.
        start: first sorted atom.
        stop: one past the last.
        depth: `FUNCTIONS`, `ENERGIES` or `FORCES`.
        results: filled.
    """
    elements = functions.counts.shape[0]
    most = _most_neighbors(around, start, stop, elements)
    near = Neighborhood(
        np.zeros((ROWS, most)),
        np.zeros((functions.cutoffs.radius.shape[0], most)),
        np.zeros((functions.cutoffs.radius.shape[0], most)),
        np.zeros(elements + 1, dtype=np.int64),
    )
    entries = np.zeros(most, dtype=np.int32)
    radial = np.zeros((most_radial(functions.radial, elements), most))
    groups = functions.pairs.first_element.shape[0]
    starts = np.zeros((groups + 1, 2), dtype=np.int64)
    room = 0
    pairs = _pair_space(functions.pairs, most, starts, 0, 0)
    moments = moment_space(functions.moments, elements, most)
    if compact is not None:
        space = compact_space(compact, most)
    widest = max(networks.sizes.max(), 1)
    depth_of_nets = networks.activations.shape[1]
    sums = np.zeros((depth_of_nets, widest))
    values = np.zeros((depth_of_nets + 1, widest))
    slopes = np.zeros((depth_of_nets, widest))
    g = np.zeros(functions.low.shape[1])
    gradient = np.zeros(functions.low.shape[1])
    for i in range(start, stop):
        element = around.elements[i]
        n = gather(i, elements, functions.cutoffs.radius, around, near, entries, results.closest)
        results.counts[1] = max(results.counts[1], n)
        prepare(n, functions, near)
        g[:] = 0.0
        radial_functions(functions.radial, element, elements, near, radial, g)
        pairs_needed(functions.pairs, element, near.segments, starts)
        last = functions.pairs.group_first[element + 1] - functions.pairs.group_first[element]
        if starts[last, 0] > room or starts[last, 1] > pairs.products.shape[0]:
            room = starts[last, 0] * 5 // 4
            pairs = _pair_space(functions.pairs, most, starts, starts[last, 0], starts[last, 1])
        pair_functions(functions.pairs, functions.cutoffs, element, near, pairs, g)
        first_block = functions.moments.block_first[element]
        last_block = functions.moments.block_first[element + 1]
        for block in range(first_block, last_block):
            moment_functions(functions.moments, block, elements, near, moments, g)
        if chebyshev is not None:
            chebyshev_functions(chebyshev, element, elements, near, g)
        if compact is not None:
            compact_terms(FORWARDS, compact, element, elements, near, space, g)
        _keep_functions(i, element, functions, g, results)
        if depth == FUNCTIONS:
            continue
        results.energies[i] = network_energy(networks, element, g, sums, values, slopes)
        if depth == ENERGIES:
            continue
        network_gradient(networks, element, slopes, sums, gradient)
        for row in range(ALONG, GZ + 1):
            near.values[row, :n] = 0.0
        radial_gradient(functions.radial, element, elements, near, radial, gradient)
        pair_gradient(functions.pairs, element, near, pairs, gradient)
        for block in range(first_block, last_block):
            if last_block - first_block > 1:
                # Workspace holds the last block only; g is done with and serves as a bin.
                moment_functions(functions.moments, block, elements, near, moments, g)
            moment_gradient(functions.moments, block, elements, near, moments, gradient)
        if chebyshev is not None:
            chebyshev_gradient(chebyshev, element, elements, near, gradient)
        if compact is not None:
            compact_terms(BACKWARDS, compact, element, elements, near, space, gradient)
        _add_forces(i, n, near.values, entries, results.forces)


@subkernel
def _most_neighbors(around: Surround, start: int, stop: int, elements: int) -> int:
    most = 8
    for i in range(start, stop):
        most = max(most, around.first[(i + 1) * elements] - around.first[i * elements])
    return _row_length(most)


@subkernel
def _row_length(entries: int) -> int:
    """Return a length for the rows of a table, at least ``entries``.

    Processors mistake a load for one of a recent store when their addresses agree modulo
    4096 bytes. Rows that start 23 cache lines apart, modulo that, keep out of each other's way.
    """
    return (entries + 8 - 184 + 511) // 512 * 512 + 184


@kernel
def _pair_space(
    tables: PairTables, most: int, starts: IndexArray, pairs: int, products: int
) -> PairSpace:
    """Return workspace for a quarter more than what one atom needs."""
    groups = starts.shape[0] - 1
    length = _row_length(pairs * 5 // 4)
    # Most potentials have one kind only.
    dense = 0
    near = 0
    for g in range(groups):
        if tables.narrow[g] == 1 and tables.shifted[g] == 0:
            near = length
        else:
            dense = length
    return PairSpace(
        np.empty((PAIR_ROWS, dense)),
        np.empty(products * 5 // 4),
        starts,
        NarrowSpace(
            np.empty((NARROW_ROWS, near)),
            np.empty(near, dtype=np.int64),
            np.zeros((groups, most + 1), dtype=np.int64),
            np.empty(SERIES_UP_TO + 1),
        ),
    )


@subkernel
def _keep_functions(
    i: int, element: int, functions: FunctionTables, g: FloatArray, results: Results
) -> None:
    """Store the functions where asked, and note those outside the training data's range."""
    count = functions.counts[element]
    if results.functions.shape[0] > 0:
        for s in range(count):
            results.functions[i, s] = g[s]
    outside = 0
    for s in range(count):
        outside += 1 if g[s] < functions.low[element, s] or g[s] > functions.high[element, s] else 0
    if outside == 0:
        return
    for s in range(count):
        if g[s] < functions.low[element, s] or g[s] > functions.high[element, s]:
            slot = results.counts[0]
            if slot < results.outside.shape[0]:
                results.outside[slot, 0] = i
                results.outside[slot, 1] = s
                results.outside_values[slot] = g[s]
            results.counts[0] += 1


@subkernel
def _add_forces(
    i: int, n: int, values: FloatArray, entries: SmallIndexArray, forces: FloatArray
) -> None:
    fx = 0.0
    fy = 0.0
    fz = 0.0
    for a in range(n):
        along = values[ALONG, a]
        u = along * values[DX, a] + values[GX, a]
        v = along * values[DY, a] + values[GY, a]
        w = along * values[DZ, a] + values[GZ, a]
        fx += u
        fy += v
        fz += w
        j = entries[a]
        forces[j, 0] -= u
        forces[j, 1] -= v
        forces[j, 2] -= w
    forces[i, 0] += fx
    forces[i, 1] += fy
    forces[i, 2] += fz
