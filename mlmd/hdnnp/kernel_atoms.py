"""The whole way of one atom, for a range of atoms: neighbours, functions, network, forces.

Nothing is kept between atoms, so memory doesn't grow with their number.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import kernel, subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import cutoff_values, fast_exp
from mlmd.hdnnp.kernel_moments import MomentSpace, moment_functions, moment_gradient
from mlmd.hdnnp.kernel_network import NetworkTables, network_energy, network_gradient
from mlmd.hdnnp.kernel_pairs import (
    ALONG,
    DX,
    DY,
    DZ,
    GX,
    GY,
    GZ,
    INVERSE_R,
    PAIR_ROWS,
    R2,
    ROWS,
    Neighborhood,
    PairSpace,
    R,
    pair_functions,
    pair_gradient,
    pairs_needed,
)
from mlmd.hdnnp.tables import FunctionTables, IndexArray, MomentTables, RadialTables

SmallIndexArray = NDArray[np.int32]

# How far `evaluate_atoms` goes.
FUNCTIONS, ENERGIES, FORCES = range(3)


class Surround(NamedTuple):
    """Sorted atoms with their ghosts, and who is near whom (see `mlmd.neighbors`)."""

    positions: FloatArray  # (entries, 3), Å
    elements: SmallIndexArray  # (entries,)
    first: IndexArray  # (atoms·elements + 1,)
    neighbors: SmallIndexArray


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
def evaluate_atoms(
    functions: FunctionTables,
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
    radial = np.zeros((_most_radial(functions.radial, elements), most))
    groups = functions.pairs.first_element.shape[0]
    starts = np.zeros((groups + 1, 2), dtype=np.int64)
    pairs = PairSpace(np.zeros((PAIR_ROWS, 0)), np.zeros(0), starts)
    moments = _moment_space(functions.moments, elements, most)
    widest = max(networks.sizes.max(), 1)
    depth_of_nets = networks.activations.shape[1]
    sums = np.zeros((depth_of_nets, widest))
    values = np.zeros((depth_of_nets + 1, widest))
    slopes = np.zeros((depth_of_nets, widest))
    g = np.zeros(functions.low.shape[1])
    gradient = np.zeros(functions.low.shape[1])
    for i in range(start, stop):
        element = around.elements[i]
        n = _gather(i, elements, functions.cutoffs.radius, around, near, entries, results.closest)
        results.counts[1] = max(results.counts[1], n)
        _prepare(n, functions, near)
        g[:] = 0.0
        _radial_functions(functions.radial, element, elements, near, radial, g)
        pairs_needed(functions.pairs, element, near.segments, starts)
        last = functions.pairs.group_first[element + 1] - functions.pairs.group_first[element]
        if starts[last, 0] > pairs.pairs.shape[1] or starts[last, 1] > pairs.products.shape[0]:
            pairs = PairSpace(
                np.empty((PAIR_ROWS, _row_length(starts[last, 0] * 5 // 4))),
                np.empty(starts[last, 1] * 5 // 4),
                starts,
            )
        pair_functions(functions.pairs, functions.cutoffs, element, near, pairs, g)
        first_block = functions.moments.block_first[element]
        last_block = functions.moments.block_first[element + 1]
        for block in range(first_block, last_block):
            moment_functions(functions.moments, block, elements, near, moments, g)
        _keep_functions(i, element, functions, g, results)
        if depth == FUNCTIONS:
            continue
        results.energies[i] = network_energy(networks, element, g, sums, values, slopes)
        if depth == ENERGIES:
            continue
        network_gradient(networks, element, slopes, sums, gradient)
        for row in range(ALONG, GZ + 1):
            near.values[row, :n] = 0.0
        _radial_gradient(functions.radial, element, elements, near, radial, gradient)
        pair_gradient(functions.pairs, element, near, pairs, gradient)
        for block in range(first_block, last_block):
            if last_block - first_block > 1:
                # Workspace holds the last block only; g is done with and serves as a bin.
                moment_functions(functions.moments, block, elements, near, moments, g)
            moment_gradient(functions.moments, block, elements, near, moments, gradient)
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


@subkernel
def _most_radial(radial: RadialTables, elements: int) -> int:
    most = 1
    for element in range(elements):
        most = max(most, radial.first[(element + 1) * elements] - radial.first[element * elements])
    return most


@kernel
def _moment_space(tables: MomentTables, elements: int, most: int) -> MomentSpace:
    blocks = tables.degree.shape[0]
    degree = 0
    radials = 1
    for block in range(blocks):
        degree = max(degree, tables.degree[block])
        radials = max(radials, tables.radial_first[block + 1] - tables.radial_first[block])
    if blocks == 0:
        most = 1
    count = (degree + 1) * (degree + 1)
    norms = np.zeros((degree + 1, degree + 1))
    for l in range(degree + 1):  # noqa: E741
        ratio = 1.0
        norms[l, 0] = 1.0
        for m in range(1, l + 1):
            # 2 (l − m)!/(l + m)!
            ratio /= (l + m) * (l - m + 1.0)
            norms[l, m] = math.sqrt(2.0 * ratio)
    return MomentSpace(
        np.zeros((degree + 2, degree + 2, most)),
        np.zeros((degree + 2, most)),
        np.zeros((degree + 2, most)),
        np.zeros((count, most)),
        np.zeros((radials, most)),
        np.zeros((elements, radials, count)),
        np.zeros((elements, radials, count)),
        np.zeros((9, most)),
        norms,
    )


@subkernel
def _gather(
    i: int,
    elements: int,
    radii: FloatArray,
    around: Surround,
    near: Neighborhood,
    entries: SmallIndexArray,
    closest: FloatArray,
) -> int:
    """Collect the neighbours within the largest cutoff, by element; return their number."""
    limit = radii[radii.shape[0] - 1] ** 2
    dx = near.values[DX]
    dy = near.values[DY]
    dz = near.values[DZ]
    r2 = near.values[R2]
    x = around.positions[i, 0]
    y = around.positions[i, 1]
    z = around.positions[i, 2]
    smallest = closest[0]
    n = 0
    for e in range(elements):
        near.segments[e] = n
        row = around.neighbors[around.first[i * elements + e] : around.first[i * elements + e + 1]]
        for slot in range(row.shape[0]):
            j = row[slot]
            u = around.positions[j, 0] - x
            v = around.positions[j, 1] - y
            w = around.positions[j, 2] - z
            d = u * u + v * v + w * w
            # Written always, kept only where inside: no branch to mispredict.
            dx[n] = u
            dy[n] = v
            dz[n] = w
            r2[n] = d
            entries[n] = j
            smallest = min(smallest, d)
            n += 1 if d < limit else 0
    near.segments[elements] = n
    closest[0] = smallest
    return n


@subkernel
def _prepare(n: int, functions: FunctionTables, near: Neighborhood) -> None:
    """Fill distances and cutoff functions."""
    r2 = near.values[R2, :n]
    r = near.values[R, :n]
    inverse = near.values[INVERSE_R, :n]
    for a in range(n):
        r[a] = math.sqrt(r2[a])
    for a in range(n):
        inverse[a] = 1.0 / r[a]
    cutoffs = functions.cutoffs
    for c in range(cutoffs.radius.shape[0]):
        cutoff_values(
            cutoffs.kind,
            cutoffs.inner[c],
            cutoffs.inverse_width[c],
            r,
            near.cutoff[c, :n],
            near.log_slope[c, :n],
        )


@subkernel
def _radial_functions(
    tables: RadialTables,
    element: int,
    elements: int,
    near: Neighborhood,
    radial: FloatArray,
    g: FloatArray,
) -> None:
    base = tables.first[element * elements]
    for e in range(elements):
        a0 = near.segments[e]
        a1 = near.segments[e + 1]
        r = near.values[R, a0:a1]
        for q in range(
            tables.first[element * elements + e], tables.first[element * elements + e + 1]
        ):
            g[tables.out[q]] += tables.weight[q] * _gaussian_sum(
                r,
                near.cutoff[tables.cutoff[q], a0:a1],
                tables.eta[q],
                tables.rs[q],
                radial[q - base, a0:a1],
            )


@subkernel
def _gaussian_sum(r: FloatArray, f: FloatArray, eta: float, rs: float, out: FloatArray) -> float:
    total = 0.0
    for a in range(r.shape[0]):
        d = r[a] - rs
        value = f[a] * fast_exp(-eta * d * d)
        out[a] = value
        total += value
    return total


@subkernel
def _radial_gradient(
    tables: RadialTables,
    element: int,
    elements: int,
    near: Neighborhood,
    radial: FloatArray,
    gradient: FloatArray,
) -> None:
    base = tables.first[element * elements]
    for e in range(elements):
        a0 = near.segments[e]
        a1 = near.segments[e + 1]
        for q in range(
            tables.first[element * elements + e], tables.first[element * elements + e + 1]
        ):
            _gaussian_slope(
                gradient[tables.out[q]] * tables.weight[q],
                2.0 * tables.eta[q],
                tables.rs[q],
                radial[q - base, a0:a1],
                near.log_slope[tables.cutoff[q], a0:a1],
                near.values[INVERSE_R, a0:a1],
                near.values[ALONG, a0:a1],
            )


@subkernel
def _gaussian_slope(
    w: float,
    eta2: float,
    rs: float,
    value: FloatArray,
    log_slope: FloatArray,
    inverse: FloatArray,
    along: FloatArray,
) -> None:
    for a in range(along.shape[0]):
        along[a] += w * value[a] * (log_slope[a] - eta2 * (1.0 - rs * inverse[a]))


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
