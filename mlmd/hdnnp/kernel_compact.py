"""Terms with compact support: windows of distances, and of angles between pairs of neighbours.

For one atom and one group (two neighbour elements) all pairs (j, k) lie in rows as in
`kernel_pairs`. Of each window of distances only the pairs inside it are kept, one after another,
with

    x  C(r_ij) C(r_ik) (C(r_jk)),   the angle θ,   and where in the rows the pair stands.

Then every term is one sum over short, dense arrays. After dE/dG is known, Σ w C_θ and
Σ w C_θ' x of a window's terms give all forces of its pairs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mlmd.compiled import kernel, subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.compact_tables import CompactTables, IndexArray, WindowTables
from mlmd.hdnnp.kernel_pairs import ordered
from mlmd.hdnnp.kernel_rows import (
    R2_JK,
    C,
    fill_geometry,
    fill_roots,
    scatter_across,
    scatter_along,
)
from mlmd.hdnnp.kernel_windows import window_values
from mlmd.hdnnp.neighborhood import ALONG, INVERSE_R, Neighborhood, R, SmallIndexArray

FORWARDS, BACKWARDS = range(2)

# Rows of a table of pairs; the first two are those of `kernel_rows`.
THETA, INVERSE_SINE, R_JK, JK, JK_SLOPE = range(2, 7)
TERMS = 7  # Σ w C_θ of one window
BEND = 8  # dE/d cos θ
ACROSS = 9  # −(dE/dr_jk)/r_jk
NOTHING = 10  # zeros
ROWS = 11
# Rows of a table of the pairs inside a window.
X, ANGLE, VALUE, SLOPE, SUM, SLOPE_SUM = range(6)
INSIDE_ROWS = 6


class CompactSpace(NamedTuple):
    """Workspace for one atom.

    Args:
        own: value and slope of a window at each neighbour, shape (2, neighbours).
        pairs: rows `C` … `NOTHING`, shape (rows, pairs of the largest group).
        inside: rows `X` … `SLOPE_SUM`, shape (rows, pairs of the largest group).
        place: where in ``pairs`` each pair inside a window stands, shape (pairs,).
    """

    own: FloatArray
    pairs: FloatArray
    inside: FloatArray
    place: SmallIndexArray


@kernel
def compact_space(tables: CompactTables, most: int, pairs: int) -> CompactSpace:
    """Return workspace for ``most`` neighbours and ``pairs`` pairs of them."""
    if tables.radial_out.shape[0] + tables.out.shape[0] == 0:
        most = 0
    return CompactSpace(
        np.zeros((2, most)),
        np.zeros((ROWS, pairs)),
        np.zeros((INSIDE_ROWS, pairs)),
        np.zeros(pairs, dtype=np.int32),
    )


@subkernel
def compact_pairs_needed(tables: CompactTables, element: int, segments: IndexArray) -> int:
    """Return the number of pairs in an atom's largest group."""
    most = 0
    for g in range(tables.group_first[element], tables.group_first[element + 1]):
        most = max(most, _count(tables, g, segments))
    return most


@subkernel
def _count(tables: CompactTables, g: int, segments: IndexArray) -> int:
    e1 = tables.first_element[g]
    e2 = tables.second_element[g]
    n1 = int(segments[e1 + 1] - segments[e1])
    n2 = int(segments[e2 + 1] - segments[e2])
    return n1 * (n1 - 1) // 2 if e1 == e2 else n1 * n2


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
        count = _count(tables, group, near.segments)
        if count > 0:
            _group(direction, tables, group, count, near, space, g)


@subkernel
def _group(
    direction: int,
    tables: CompactTables,
    group: int,
    count: int,
    near: Neighborhood,
    space: CompactSpace,
    g: FloatArray,
) -> None:
    e1, e2 = ordered(tables.first_element[group], tables.second_element[group], near.segments)
    fill_geometry(near.values, near.segments, e1, e2, 0, space.pairs)
    fill_roots(space.pairs[R2_JK, :count], space.pairs[R_JK, :count])
    _fill_angles(
        space.pairs[C, :count], space.pairs[THETA, :count], space.pairs[INVERSE_SINE, :count]
    )
    bend = space.pairs[BEND, :count]
    across = space.pairs[ACROSS, :count]
    nothing = space.pairs[NOTHING, :count]
    bend[:] = 0.0
    across[:] = 0.0
    nothing[:] = 0.0
    narrow = tables.narrow[group]
    for x in range(tables.window_first[group], tables.window_first[group + 1]):
        inside = _fill_inside(tables, x, narrow, near, e1, e2, count, space)
        if inside == 0:
            continue
        value = space.inside[VALUE, :inside]
        slope = space.inside[SLOPE, :inside]
        total = space.inside[SUM, :inside]
        slope_total = space.inside[SLOPE_SUM, :inside]
        total[:] = 0.0
        slope_total[:] = 0.0
        for term in range(tables.term_first[x], tables.term_first[x + 1]):
            _window(tables.angles, term, space.inside[ANGLE, :inside], value, slope)
            out = tables.out[term]
            if direction == FORWARDS:
                g[out] += tables.weight[term] * _dot(value, space.inside[X, :inside])
            else:
                _add_both(g[out] * tables.weight[term], value, slope, total, slope_total)
        if direction == BACKWARDS:
            _spread(inside, count, space)
            _scatter_window(near.values, near.segments, e1, e2, space, narrow)
    if direction == BACKWARDS:
        scatter_along(
            near.values,
            nothing,
            near.segments,
            e1,
            e2,
            space.pairs[C, :count],
            nothing,
            nothing,
            bend,
            across,
        )
        scatter_across(near.values, near.segments, e1, e2, across)


@subkernel
def _window(
    windows: WindowTables, index: int, a: FloatArray, value: FloatArray, slope: FloatArray
) -> None:
    window_values(
        windows.shape[index], windows.center[index], windows.inverse_width[index], a, value, slope
    )


@subkernel
def _fill_angles(c: FloatArray, theta: FloatArray, inverse_sine: FloatArray) -> None:
    for t in range(c.shape[0]):
        cosine = min(max(c[t], -1.0), 1.0)
        theta[t] = math.acos(cosine)
        # A window's slope vanishes with sin θ where it covers 0 or π.
        inverse_sine[t] = 1.0 / math.sqrt(max((1.0 - cosine) * (1.0 + cosine), 1e-30))


@subkernel
def _fill_inside(
    tables: CompactTables,
    x: int,
    narrow: int,
    near: Neighborhood,
    e1: int,
    e2: int,
    count: int,
    space: CompactSpace,
) -> int:
    """Collect the pairs inside a window of distances; return their number."""
    for segment in range(2 if e1 != e2 else 1):
        e = e1 if segment == 0 else e2
        a0 = near.segments[e]
        a1 = near.segments[e + 1]
        _window(tables.windows, x, near.values[R, a0:a1], space.own[0, a0:a1], space.own[1, a0:a1])
    jk = space.pairs[JK, :count]
    if narrow == 1:
        _window(tables.windows, x, space.pairs[R_JK, :count], jk, space.pairs[JK_SLOPE, :count])
    else:
        jk[:] = 1.0
    value = space.own[0]
    product = space.inside[X]
    angle = space.inside[ANGLE]
    theta = space.pairs[THETA]
    inside = 0
    m = 0
    for j in range(near.segments[e1], near.segments[e1 + 1]):
        k0 = near.segments[e2] if e1 != e2 else j + 1
        n = near.segments[e2 + 1] - k0
        if value[j] != 0.0:
            for k in range(n):
                p = value[j] * value[k0 + k] * jk[m + k]
                # Written always, kept only where inside: no branch to mispredict.
                product[inside] = p
                angle[inside] = theta[m + k]
                space.place[inside] = m + k
                inside += 1 if p != 0.0 else 0
        m += n
    return inside


@subkernel
def _add_both(
    w: float, value: FloatArray, slope: FloatArray, total: FloatArray, slope_total: FloatArray
) -> None:
    for t in range(value.shape[0]):
        total[t] += w * value[t]
        slope_total[t] += w * slope[t]


@subkernel
def _spread(inside: int, count: int, space: CompactSpace) -> None:
    """Put a window's sums where its pairs stand; dθ/d cos θ = −1/sin θ."""
    terms = space.pairs[TERMS, :count]
    bend = space.pairs[BEND, :count]
    inverse_sine = space.pairs[INVERSE_SINE, :count]
    terms[:] = 0.0
    for q in range(inside):
        t = space.place[q]
        terms[t] = space.inside[SUM, q]
        bend[t] -= space.inside[X, q] * space.inside[SLOPE_SUM, q] * inverse_sine[t]


@subkernel
def _scatter_window(
    values: FloatArray,
    segments: IndexArray,
    e1: int,
    e2: int,
    space: CompactSpace,
    narrow: int,
) -> None:
    """Add what the slopes of a window of distances give along the sides of each pair."""
    m = 0
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        k1 = segments[e2 + 1]
        n = k1 - k0
        value_j = space.own[0, j]
        if value_j != 0.0:
            terms = space.pairs[TERMS, m : m + n]
            jk = space.pairs[JK, m : m + n]
            total = _row_slopes(
                terms,
                jk,
                space.own[0, k0:k1],
                space.own[1, k0:k1],
                values[INVERSE_R, k0:k1],
                values[ALONG, k0:k1],
                value_j,
            )
            values[ALONG, j] += total * space.own[1, j] * values[INVERSE_R, j]
            if narrow == 1:
                _row_across(
                    terms,
                    space.pairs[JK_SLOPE, m : m + n],
                    space.pairs[R_JK, m : m + n],
                    space.own[0, k0:k1],
                    value_j,
                    space.pairs[ACROSS, m : m + n],
                )
        m += n


@subkernel
def _row_slopes(
    terms: FloatArray,
    jk: FloatArray,
    value_k: FloatArray,
    slope_k: FloatArray,
    inverse_k: FloatArray,
    along_k: FloatArray,
    value_j: float,
) -> float:
    total = 0.0
    for k in range(terms.shape[0]):
        w = terms[k] * jk[k]
        total += w * value_k[k]
        along_k[k] += w * value_j * slope_k[k] * inverse_k[k]
    return total


@subkernel
def _row_across(
    terms: FloatArray,
    slope_jk: FloatArray,
    r_jk: FloatArray,
    value_k: FloatArray,
    value_j: float,
    across: FloatArray,
) -> None:
    for k in range(terms.shape[0]):
        across[k] -= terms[k] * value_j * value_k[k] * slope_jk[k] / r_jk[k]


@subkernel
def _sum(values: FloatArray) -> float:
    total = 0.0
    for t in range(values.shape[0]):
        total += values[t]
    return total


@subkernel
def _dot(one: FloatArray, two: FloatArray) -> float:
    total = 0.0
    for t in range(one.shape[0]):
        total += one[t] * two[t]
    return total


@subkernel
def _add_slopes(w: float, slope: FloatArray, inverse: FloatArray, along: FloatArray) -> None:
    for t in range(along.shape[0]):
        along[t] += w * slope[t] * inverse[t]
