"""Narrow angular terms (a factor f_c(r_jk)) without shift, over the pairs within the cutoff only.

Less than half of the pairs (j, k) of an atom's neighbours are within the cutoff of each other. Those
are written one after another, row by row (one row per j), in arrays of the same length:

    S, Q   r_jk²;  r_ij² + r_ik² + r_jk²
    V      1/(r_ij r_ik), so that cos θ = (Q − 2S) V/2
    C, F   cos θ;  f_c(r_ij) f_c(r_ik) f_c(r_jk)
    L      log slope of f_c(r_jk)
    x      per exponential, exp(−ηQ) F; where η are multiples, powers of one exponential

After dE/dG is known, y0 = Σ w x p^ζ, y1 = Σ 2η w x p^ζ and y2 = Σ w ζ λ x p^(ζ−1), with p = 1 + λC,
give every force of a pair (see `kernel_pairs`). For whole ζ up to `SERIES_UP_TO` all terms of an
exponential are one polynomial in C.
"""

from __future__ import annotations

from typing import NamedTuple

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import cutoff_values, fast_exp
from mlmd.hdnnp.kernel_rows import fill_roots
from mlmd.hdnnp.kernel_terms import couple_sums, term_sum
from mlmd.hdnnp.neighborhood import (
    DX,
    DY,
    DZ,
    INVERSE_R,
    R2,
    Neighborhood,
)
from mlmd.hdnnp.tables import CutoffTables, IndexArray, PairTables
from mlmd.vectors import (
    LANES,
    below8,
    count8,
    keep8,
    load8,
    same8,
)

# Rows of NarrowSpace.pairs.
S, Q, V, C, F, L, E, Y0, Y1, Y2, WORK = range(11)
NARROW_ROWS = 11


class NarrowSpace(NamedTuple):
    """Workspace for one atom's pairs.

    Args:
        pairs: rows `S` … `WORK`, shape (rows, pairs of all groups).
        masks: of each eight pairs of a row, which are within the cutoff, in bits; those of a
            group start where its pairs do, shape (pairs of all groups,).
        row_first: where each row of a group starts, shape (groups, neighbours + 1).
        series: polynomial of one exponential, shape (SERIES_UP_TO + 1,).
    """

    pairs: FloatArray
    masks: IndexArray
    row_first: IndexArray
    series: FloatArray


@subkernel
def narrow_functions(
    tables: PairTables,
    cutoffs: CutoffTables,
    g: int,
    e1: int,
    e2: int,
    near: Neighborhood,
    start: int,
    row_first: IndexArray,
    products: FloatArray,
    space: NarrowSpace,
    g_values: FloatArray,
) -> None:
    """Add one group's terms to an atom's symmetry functions, keeping what forces need.

    Args:
        tables: all groups.
        cutoffs: all cutoff radii.
        g: which group.
        e1: element of the rows.
        e2: element within the rows.
        near: the atom's neighbours.
        start: where the group's pairs start in ``space``.
        row_first: of this group; filled.
        products: space for x, exponential by exponential.
        space: workspace.
        g_values: added to.
    """
    cutoff = tables.cutoff[g]
    stop = _collect(cutoffs.radius[cutoff], cutoff, e1, e2, near, start, row_first, space)
    if stop == start:
        return
    s = space.pairs[S, start:stop]
    q = space.pairs[Q, start:stop]
    f = space.pairs[F, start:stop]
    c = space.pairs[C, start:stop]
    base = space.pairs[E, start:stop]
    work = space.pairs[WORK, start:stop]
    fill_roots(s, work)
    cutoff_values(
        cutoffs.kind,
        cutoffs.inner[cutoff],
        cutoffs.inverse_width[cutoff],
        work,
        base,
        space.pairs[L, start:stop],
    )
    _complete(s, q, space.pairs[V, start:stop], base, c, f)
    count = stop - start
    first = tables.exponential_first[g]
    for x in range(first, tables.exponential_first[g + 1]):
        product = products[(x - first) * count : (x - first + 1) * count]
        if x == first:
            _first_gaussian(q, f, tables.eta[x], base, product)
        elif tables.power[x] == 0:
            _gaussian(q, f, tables.eta[x], product)
        else:
            before = products[(x - first - 1) * count : (x - first) * count]
            _times_power(before, base, tables.power[x], product)
        term = tables.term_first[x]
        last = tables.term_first[x + 1]
        while term < last:
            whole = tables.whole_zeta[term]
            zeta = tables.zeta[term]
            lam = tables.lam[term]
            if term + 1 < last and tables.zeta[term + 1] == zeta and tables.lam[term + 1] == -lam:
                one, other = couple_sums(whole, zeta, lam, c, product, work)
                g_values[tables.out[term]] += tables.weight[term] * one
                g_values[tables.out[term + 1]] += tables.weight[term + 1] * other
                term += 2
            else:
                total = term_sum(whole, zeta, lam, c, product, work)
                g_values[tables.out[term]] += tables.weight[term] * total
                term += 1


@subkernel
def _collect(
    radius: float,
    cutoff: int,
    e1: int,
    e2: int,
    near: Neighborhood,
    start: int,
    row_first: IndexArray,
    space: NarrowSpace,
) -> int:
    """Write the pairs within the cutoff one after another; return where they end."""
    limit = same8(radius * radius)
    dx = near.values[DX]
    dy = near.values[DY]
    dz = near.values[DZ]
    r2 = near.values[R2]
    inverse = near.values[INVERSE_R]
    f = near.cutoff[cutoff]
    s_pairs = space.pairs[S]
    q_pairs = space.pairs[Q]
    v_pairs = space.pairs[V]
    f_pairs = space.pairs[F]
    m = start
    block = start
    a0 = near.segments[e1]
    for j in range(a0, near.segments[e1 + 1]):
        row_first[j - a0] = m
        x = same8(dx[j])
        y = same8(dy[j])
        z = same8(dz[j])
        r2_j = same8(r2[j])
        inverse_j = same8(inverse[j])
        f_j = same8(f[j])
        stop = near.segments[e2 + 1]
        for k in range(near.segments[e2] if e1 != e2 else j + 1, stop, LANES):
            u = load8(dx, k) - x
            v = load8(dy, k) - y
            w = load8(dz, k) - z
            s = u * u + v * v + w * w
            # What stands beyond the row doesn't count.
            mask = below8(s, limit) & (255 >> max(k + LANES - stop, 0))
            space.masks[block] = mask
            block += 1
            keep8(mask, s, s_pairs, m)
            keep8(mask, s + (load8(r2, k) + r2_j), q_pairs, m)
            keep8(mask, load8(inverse, k) * inverse_j, v_pairs, m)
            keep8(mask, load8(f, k) * f_j, f_pairs, m)
            m += count8(mask)
    row_first[near.segments[e1 + 1] - a0] = m
    return m


@subkernel
def _complete(
    s: FloatArray, q: FloatArray, v: FloatArray, f_jk: FloatArray, c: FloatArray, f: FloatArray
) -> None:
    for t in range(s.shape[0]):
        c[t] = (0.5 * q[t] - s[t]) * v[t]
        f[t] *= f_jk[t]


@subkernel
def _first_gaussian(
    q: FloatArray, f: FloatArray, eta: float, base: FloatArray, out: FloatArray
) -> None:
    for t in range(q.shape[0]):
        e = fast_exp(-eta * q[t])
        base[t] = e
        out[t] = f[t] * e


@subkernel
def _gaussian(q: FloatArray, f: FloatArray, eta: float, out: FloatArray) -> None:
    for t in range(q.shape[0]):
        out[t] = f[t] * fast_exp(-eta * q[t])


@subkernel
def _times_power(before: FloatArray, base: FloatArray, power: int, out: FloatArray) -> None:
    """Fill out = before · base^power, 1 ≤ power < 32."""
    if power == 2:
        for t in range(out.shape[0]):
            out[t] = before[t] * (base[t] * base[t])
        return
    if power == 4:
        for t in range(out.shape[0]):
            e2 = base[t] * base[t]
            out[t] = before[t] * (e2 * e2)
        return
    one = (power & 1) != 0
    two = (power & 2) != 0
    four = (power & 4) != 0
    eight = (power & 8) != 0
    sixteen = (power & 16) != 0
    for t in range(out.shape[0]):
        e = base[t]
        y = before[t] * (e if one else 1.0)
        e *= e
        y *= e if two else 1.0
        e *= e
        y *= e if four else 1.0
        e *= e
        y *= e if eight else 1.0
        out[t] = y * (e * e if sixteen else 1.0)
