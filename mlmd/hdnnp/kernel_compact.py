"""Terms with compact support: windows of distances, and of angles between pairs of neighbours.

For one atom and one group (two neighbour elements) pairs (j, k) are taken some rows at a time, one
row per j. Of these pairs θ and every window of angles A(θ) that a term of the group has are worked
out once, for all windows of distances C. A term is then a sum over rows,

    Σ_j C(r_ij) Σ_k A(θ) C(r_ik) (C(r_jk)),

without those j that its window of distances leaves out. After dE/dG is known, Σ w A and Σ w A'
of a window's terms give all forces of its pairs.
"""

from __future__ import annotations

import numpy as np

from mlmd.compiled import kernel, subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.compact_tables import CompactTables, WindowTables
from mlmd.hdnnp.kernel_compact_rows import (
    ACROSS,
    BEND,
    INVERSE_JK,
    INVERSE_SINE,
    JK,
    JK_SLOPE,
    PAIR_ROWS,
    R_JK,
    THETA,
    C,
    CompactSpace,
    Rows,
    fill_angles,
    fill_geometry,
    fill_sides,
    filled,
    finish_rows,
    row_slopes,
    row_start,
    row_sums,
)
from mlmd.hdnnp.kernel_pairs import ordered
from mlmd.hdnnp.kernel_windows import window_rows, window_values
from mlmd.hdnnp.neighborhood import ALONG, INVERSE_R, Neighborhood, R

FORWARDS, BACKWARDS = range(2)
# So many pairs at a time, or one row: what is known of them stays in the nearer caches.
BATCH = 256


@kernel
def compact_space(tables: CompactTables, most: int) -> CompactSpace:
    """Return workspace for rows of ``most`` neighbours."""
    windows = 1
    angles = 0
    for g in range(tables.first_element.shape[0]):
        windows = max(windows, tables.window_first[g + 1] - tables.window_first[g])
        angles = max(angles, tables.angle_first[g + 1] - tables.angle_first[g])
    # An odd number of cache lines: see `_row_length` of `kernel_atoms`.
    pairs = (BATCH + most + 8 + 511) // 512 * 512 + 184
    return CompactSpace(
        np.zeros((2 * windows, most)),
        np.zeros(windows, dtype=np.int64),
        np.zeros(angles, dtype=np.int64),
        np.zeros((PAIR_ROWS, pairs)),
        np.zeros((angles, pairs)),
        np.zeros((angles, pairs)),
        np.zeros(tables.out.shape[0]),
    )


@subkernel
def compact_terms(
    direction: int,
    tables: CompactTables,
    element: int,
    elements: int,
    near: Neighborhood,
    space: CompactSpace,
    g: FloatArray,
) -> None:
    """Go through the compact terms of one atom; both directions are one kernel to compile.

    Args:
        direction: `FORWARDS` or `BACKWARDS`.
        tables: the terms.
        element: of the atom.
        elements: how many there are.
        near: the atom's neighbours. Backwards: what dE/dG gives on each is added to its rows
            ALONG, GX, GY, GZ.
        space: workspace.
        g: forwards: symmetry functions, added to. Backwards: dE/dG.
    """
    for e in range(elements):
        a0 = near.segments[e]
        a1 = near.segments[e + 1]
        value = space.own[0, a0:a1]
        slope = space.own[1, a0:a1]
        pair = element * elements + e
        for q in range(tables.radial_first[pair], tables.radial_first[pair + 1]):
            _window(tables.radial, q, near.values[R, a0:a1], value, slope)
            out = tables.radial_out[q]
            weight = tables.radial_weight[q]
            if direction == FORWARDS:
                g[out] += weight * _sum(value)
            else:
                _add_slopes(
                    g[out] * weight, slope, near.values[INVERSE_R, a0:a1], near.values[ALONG, a0:a1]
                )
    for group in range(tables.group_first[element], tables.group_first[element + 1]):
        _group(direction, tables, group, near, space, g)


@subkernel
def _group(
    direction: int,
    tables: CompactTables,
    group: int,
    near: Neighborhood,
    space: CompactSpace,
    g: FloatArray,
) -> None:
    e1, e2 = ordered(tables.first_element[group], tables.second_element[group], near.segments)
    first = -1 if e1 == e2 else near.segments[e2]
    last = near.segments[e2 + 1]
    _fill_own(tables, group, near, e1, space)
    if e1 != e2:
        _fill_own(tables, group, near, e2, space)
    if direction == BACKWARDS:
        for x in range(tables.window_first[group], tables.window_first[group + 1]):
            for term in range(tables.term_first[x], tables.term_first[x + 1]):
                space.factors[term] = g[tables.out[term]] * tables.weight[term]
    start = near.segments[e1]
    stop = near.segments[e1 + 1]
    while start < stop:
        rows = Rows(start, start, first, last)
        count = 0
        j = start
        while j < stop and (j == start or count + filled(last - row_start(rows, j)) <= BATCH):
            count += filled(max(last - row_start(rows, j), 0))
            j += 1
        _batch(direction, tables, group, Rows(start, j, first, last), count, near, space, g)
        start = j


@subkernel
def _fill_own(
    tables: CompactTables, group: int, near: Neighborhood, e: int, space: CompactSpace
) -> None:
    """Work out the group's windows of distances at the neighbours of one element."""
    a0 = near.segments[e]
    a1 = near.segments[e + 1]
    first = tables.window_first[group]
    for x in range(first, tables.window_first[group + 1]):
        own = 2 * (x - first)
        value = space.own[own, a0:a1]
        _window(tables.windows, x, near.values[R, a0:a1], value, space.own[own + 1, a0:a1])


@subkernel
def _batch(
    direction: int,
    tables: CompactTables,
    group: int,
    rows: Rows,
    count: int,
    near: Neighborhood,
    space: CompactSpace,
    g: FloatArray,
) -> None:
    angles = tables.angle_first[group]
    if not _find_needed(tables, group, rows, space) or count == 0:
        return
    narrow = tables.narrow[group]
    # Slices of single rows: they are known to be contiguous, those of the table are not.
    theta = space.pairs[THETA, :count]
    sides = space.pairs[R_JK, :count]
    jk = space.pairs[JK, :count]
    jk_slope = space.pairs[JK_SLOPE, :count]
    fill_geometry(near.values, rows, narrow, space.pairs)
    fill_angles(space.pairs[C, :count], theta, space.pairs[INVERSE_SINE, :count])
    if narrow == 1:
        fill_sides(sides, space.pairs[INVERSE_JK, :count])
    for a in range(tables.angle_first[group + 1] - angles):
        if space.needed[a] == 1:
            window_rows(
                tables.angles.shape[angles + a],
                tables.angles.center[angles + a],
                tables.angles.inverse_width[angles + a],
                theta,
                direction == BACKWARDS,
                space.values[a, :count],
                space.slopes[a, :count],
            )
    if direction == BACKWARDS:
        space.pairs[BEND, :count] = 0.0
        space.pairs[ACROSS, :count] = 0.0
    first = tables.window_first[group]
    for x in range(first, tables.window_first[group + 1]):
        if space.active[x - first] == 0:
            continue
        if narrow == 1:
            _window(tables.windows, x, sides, jk, jk_slope)
        own = 2 * (x - first)
        if direction == FORWARDS:
            row_sums(tables, x, own, angles, rows, narrow, space, g)
        else:
            row_slopes(tables, x, own, angles, rows, narrow, space, near.values)
    if direction == BACKWARDS:
        finish_rows(near.values, rows, space.pairs)


@subkernel
def _find_needed(tables: CompactTables, group: int, rows: Rows, space: CompactSpace) -> bool:
    """Find which windows a batch has rows in; return whether there is any."""
    angles = tables.angle_first[group]
    space.needed[:] = 0
    found = False
    first = tables.window_first[group]
    for x in range(first, tables.window_first[group + 1]):
        active = 0
        for j in range(rows.start, rows.stop):
            active |= 1 if space.own[2 * (x - first), j] != 0.0 else 0
        space.active[x - first] = active
        if active == 1:
            found = True
            for term in range(tables.term_first[x], tables.term_first[x + 1]):
                space.needed[tables.angle[term] - angles] = 1
    return found


@subkernel
def _window(
    windows: WindowTables, index: int, a: FloatArray, value: FloatArray, slope: FloatArray
) -> None:
    window_values(
        windows.shape[index], windows.center[index], windows.inverse_width[index], a, value, slope
    )


@subkernel
def _sum(values: FloatArray) -> float:
    total = 0.0
    for t in range(values.shape[0]):
        total += values[t]
    return total


@subkernel
def _add_slopes(w: float, slope: FloatArray, inverse: FloatArray, along: FloatArray) -> None:
    for t in range(along.shape[0]):
        along[t] += w * slope[t] * inverse[t]
