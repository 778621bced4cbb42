"""The loops of `kernel_compact` over rows of pairs (j, k), one row per neighbour j.

Rows are filled up to whole eights, so that none begins within another's; what stands behind a
row's last pair is finite, and is multiplied by zero wherever it could count.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from mlmd.compiled import inline_kernel, subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.compact_tables import CompactTables, IndexArray
from mlmd.hdnnp.kernel_math import arc_cosine
from mlmd.hdnnp.neighborhood import ALONG, DX, DY, DZ, GX, INVERSE_R, R2
from mlmd.vectors import LANES, lanes8, load8, only8, same8, store8, sum8

# Rows of CompactSpace.pairs.
C, THETA, INVERSE_SINE, R_JK, INVERSE_JK, JK, JK_SLOPE, BEND, ACROSS, PRODUCT = range(10)
PAIR_ROWS = 10


class CompactSpace(NamedTuple):
    """Workspace for one atom.

    Args:
        own: value and slope of every window of distances of a group at each neighbour, in turn,
            shape (2 · windows, neighbours).
        active: whether any row of a batch is inside a window, shape (windows,).
        needed: whether a window of angles has to be worked out, shape (windows of angles,).
        pairs: rows `C` … `PRODUCT`, shape (rows, pairs of a batch).
        values: windows of angles at each pair, shape (windows of angles, pairs of a batch).
        slopes: their derivatives, 1/radian, same shape.
        factors: dE/dG times weight of every term of a group, shape (terms,).
    """

    own: FloatArray
    active: IndexArray
    needed: IndexArray
    pairs: FloatArray
    values: FloatArray
    slopes: FloatArray
    factors: FloatArray


class Rows(NamedTuple):
    """Neighbours j of a batch, and who their partners k are.

    Args:
        start: first j.
        stop: one past the last.
        first: first k where j and k are of different elements; −1 where k starts at j + 1.
        last: one past the last k.
    """

    start: int
    stop: int
    first: int
    last: int


@inline_kernel
def row_start(rows: Rows, j: int) -> int:
    """Return the first k of a row."""
    return j + 1 if rows.first < 0 else rows.first


@inline_kernel
def filled(count: int) -> int:
    """Return a count filled up to whole eights."""
    return (count + LANES - 1) // LANES * LANES


@subkernel
def fill_geometry(near: FloatArray, rows: Rows, narrow: int, pairs: FloatArray) -> None:
    """Fill `C`, and in narrow groups `R_JK` with r_jk²."""
    dx, dy, dz = near[DX], near[DY], near[DZ]
    r2, inverse = near[R2], near[INVERSE_R]
    cosines, squares = pairs[C], pairs[R_JK]
    half = same8(0.5)
    m = 0
    for j in range(rows.start, rows.stop):
        x, y, z = same8(dx[j]), same8(dy[j]), same8(dz[j])
        r2_j = same8(r2[j])
        inverse_j = same8(inverse[j]) * half
        for k in range(row_start(rows, j), rows.last, LANES):
            u = load8(dx, k) - x
            v = load8(dy, k) - y
            w = load8(dz, k) - z
            s = u * u + v * v + w * w
            store8(cosines, m, (load8(r2, k) + r2_j - s) * (inverse_j * load8(inverse, k)))
            if narrow == 1:
                store8(squares, m, s)
            m += LANES


@subkernel
def fill_angles(c: FloatArray, theta: FloatArray, inverse_sine: FloatArray) -> None:
    """Fill θ and 1/sin θ."""
    for t in range(c.shape[0]):
        cosine = min(max(c[t], -1.0), 1.0)
        theta[t] = arc_cosine(cosine)
        # A window's slope vanishes with sin θ where it covers 0 or π.
        inverse_sine[t] = 1.0 / math.sqrt(max((1.0 - cosine) * (1.0 + cosine), 1e-30))


@subkernel
def fill_sides(r: FloatArray, inverse: FloatArray) -> None:
    """Replace r_jk² by r_jk, and fill 1/r_jk."""
    for t in range(r.shape[0]):
        # Two neighbours on one spot: the force between them has no direction there.
        r[t] = math.sqrt(max(r[t], 1e-20))
        inverse[t] = 1.0 / r[t]


@subkernel
def row_sums(
    tables: CompactTables, x: int, own: int, angles: int, rows: Rows, narrow: int,
    space: CompactSpace, g: FloatArray,
) -> None:  # fmt: skip
    """Add the terms of a window of distances to the symmetry functions.

    Args:
        tables: the terms.
        x: the window.
        own: its row in ``space.own``.
        angles: the group's first window of angles.
        rows: the batch.
        narrow: 1 or 0.
        space: filled up to windows of angles; `PRODUCT` is overwritten.
        g: added to.
    """
    values = space.own[own]
    jk, product = space.pairs[JK], space.pairs[PRODUCT]
    first, last = tables.term_first[x], tables.term_first[x + 1]
    m = 0
    for j in range(rows.start, rows.stop):
        k0 = row_start(rows, j)
        n = rows.last - k0
        if values[j] != 0.0:
            value_j = same8(values[j])
            for b in range(0, n, LANES):
                p = value_j * load8(values, k0 + b)
                if narrow == 1:
                    p = p * load8(jk, m + b)
                store8(product, b, only8(lanes8(n - b), p))
            # Four at once: their sums don't wait for each other.
            for term in range(first, last, 4):
                t1, t2, t3 = (
                    min(term + 1, last - 1),
                    min(term + 2, last - 1),
                    min(term + 3, last - 1),
                )
                a0 = space.values[tables.angle[term] - angles]
                a1 = space.values[tables.angle[t1] - angles]
                a2 = space.values[tables.angle[t2] - angles]
                a3 = space.values[tables.angle[t3] - angles]
                s0 = s1 = s2 = s3 = same8(0.0)
                for b in range(0, n, LANES):
                    p = load8(product, b)
                    s0 = s0 + p * load8(a0, m + b)
                    s1 = s1 + p * load8(a1, m + b)
                    s2 = s2 + p * load8(a2, m + b)
                    s3 = s3 + p * load8(a3, m + b)
                g[tables.out[term]] += tables.weight[term] * sum8(s0)
                if term + 1 < last:
                    g[tables.out[t1]] += tables.weight[t1] * sum8(s1)
                if term + 2 < last:
                    g[tables.out[t2]] += tables.weight[t2] * sum8(s2)
                if term + 3 < last:
                    g[tables.out[t3]] += tables.weight[t3] * sum8(s3)
        m += filled(n)


@subkernel
def row_slopes(
    tables: CompactTables, x: int, own: int, angles: int, rows: Rows, narrow: int,
    space: CompactSpace, near: FloatArray,
) -> None:  # fmt: skip
    """Add what the terms of a window of distances give to `BEND`, `ACROSS` and along the sides.

    Args:
        tables: the terms.
        x: the window.
        own: its row in ``space.own``; its slopes are in the next.
        angles: the group's first window of angles.
        rows: the batch.
        narrow: 1 or 0.
        space: filled, with the terms' factors from the group's first on.
        near: the atom's neighbours; added to row ALONG.
    """
    values, slopes = space.own[own], space.own[own + 1]
    jk, jk_slope, inverse_jk = space.pairs[JK], space.pairs[JK_SLOPE], space.pairs[INVERSE_JK]
    bend, across = space.pairs[BEND], space.pairs[ACROSS]
    inverse, along = near[INVERSE_R], near[ALONG]
    first, last = tables.term_first[x], tables.term_first[x + 1]
    m = 0
    for j in range(rows.start, rows.stop):
        k0 = row_start(rows, j)
        n = rows.last - k0
        if values[j] != 0.0:
            value_j = same8(values[j])
            total_j = same8(0.0)
            for b in range(0, n, LANES):
                total = slope_total = same8(0.0)
                for term in range(first, last):
                    factor = same8(space.factors[term])
                    angle = tables.angle[term] - angles
                    total = total + factor * load8(space.values[angle], m + b)
                    slope_total = slope_total + factor * load8(space.slopes[angle], m + b)
                total = only8(lanes8(n - b), total)
                value_k = load8(values, k0 + b)
                product = only8(lanes8(n - b), value_j * value_k)
                if narrow == 1:
                    by_jk = total * product * load8(jk_slope, m + b) * load8(inverse_jk, m + b)
                    store8(across, m + b, load8(across, m + b) - by_jk)
                    total = total * load8(jk, m + b)
                    product = product * load8(jk, m + b)
                store8(bend, m + b, load8(bend, m + b) + product * slope_total)
                total_j = total_j + total * value_k
                by_k = total * value_j * load8(slopes, k0 + b) * load8(inverse, k0 + b)
                store8(along, k0 + b, load8(along, k0 + b) + by_k)
            along[j] += sum8(total_j) * slopes[j] * inverse[j]
        m += filled(n)


@subkernel
def finish_rows(near: FloatArray, rows: Rows, pairs: FloatArray) -> None:
    """Turn `BEND` and `ACROSS` into forces; dθ/d cos θ = −1/sin θ (see `scatter_along`)."""
    inverse, along = near[INVERSE_R], near[ALONG]
    c, inverse_sine, bend, across = pairs[C], pairs[INVERSE_SINE], pairs[BEND], pairs[ACROSS]
    m = 0
    for j in range(rows.start, rows.stop):
        k0 = row_start(rows, j)
        inverse_j = same8(inverse[j])
        total_j = same8(0.0)
        for k in range(k0, rows.last, LANES):
            inverse_k = load8(inverse, k)
            bent = load8(bend, m) * load8(inverse_sine, m)
            both = bent * inverse_j * inverse_k
            turn = bent * load8(c, m)
            total_j = total_j + (turn * inverse_j * inverse_j - both)
            store8(along, k, load8(along, k) + (turn * inverse_k * inverse_k - both))
            store8(across, m, load8(across, m) - both)
            m += LANES
        along[j] += sum8(total_j)
    for axis in range(3):
        _finish_axis(near[DX + axis], near[GX + axis], rows, across)


@subkernel
def _finish_axis(d: FloatArray, g: FloatArray, rows: Rows, across: FloatArray) -> None:
    """Add the forces between the two neighbours of each pair along one axis."""
    m = 0
    for j in range(rows.start, rows.stop):
        d_j = same8(d[j])
        total_j = same8(0.0)
        for k in range(row_start(rows, j), rows.last, LANES):
            u = load8(across, m) * (load8(d, k) - d_j)
            total_j = total_j + u
            store8(g, k, load8(g, k) - u)
            m += LANES
        g[j] += sum8(total_j)
