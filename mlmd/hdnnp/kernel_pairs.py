"""Angular terms summed over pairs of neighbours: narrow ones, and wide ones of any ζ.

For one atom and one group (two neighbour elements, one cutoff) all pairs (j, k) lie in rows,
one row per j, in arrays of the same length:

    c      cos θ_jik
    f, l   f_c(r_jk) and its log slope (1 and 0 in wide groups)
    x      per exponential, exp[−η(…)] f_c(r_ij) f_c(r_ik) (f_c(r_jk))

The product of exponentials factorises into one factor per neighbour and one per pair. After
dE/dG is known, the sums over a group's terms

    y0 = Σ w x p^ζ,  y1 = Σ 2η w x p^ζ,  y2 = Σ w ζ λ x p^(ζ−1),  y3 = Σ 2η r_s w x p^ζ

with p = 1 + λc, w = dE/dG · weight, give every force of the pair: no derivative is stored.
"""

from __future__ import annotations

from typing import NamedTuple

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import cutoff_values
from mlmd.hdnnp.kernel_narrow import NarrowSpace, narrow_functions
from mlmd.hdnnp.kernel_narrow_gradient import narrow_gradient
from mlmd.hdnnp.kernel_rows import (
    INVERSE_JK,
    POWER,
    R2_JK,
    Y0,
    Y1,
    Y2,
    Y3,
    C,
    F,
    L,
    fill_along_jk,
    fill_geometry,
    fill_inverses,
    fill_roots,
    fill_rows,
    fill_shifted_gaussian,
    multiply_rows,
    neighbor_factors,
    scatter_across,
    scatter_along,
    scatter_shift,
    subtract_product,
)
from mlmd.hdnnp.kernel_terms import add_scaled, add_term_slopes, term_sum
from mlmd.hdnnp.neighborhood import FACTOR, Neighborhood
from mlmd.hdnnp.tables import CutoffTables, IndexArray, PairTables


class PairSpace(NamedTuple):
    """Workspace for one atom's pairs.

    Args:
        pairs: rows `C` … `POWER` of `kernel_rows`, shape (rows, pairs of all groups).
        products: x of every exponential, group by group, flat.
        starts: per group of this atom, where its pairs and its products start, (groups + 1, 2).
        narrow: of narrow groups without shift, which have fewer pairs (see `kernel_narrow`).
    """

    pairs: FloatArray
    products: FloatArray
    starts: IndexArray
    narrow: NarrowSpace


@subkernel
def pairs_needed(
    tables: PairTables, element: int, segments: IndexArray, starts: IndexArray
) -> None:
    """Fill ``starts`` for an atom: its last row holds the space that its pairs need."""
    pairs = 0
    products = 0
    row = 0
    for g in range(tables.group_first[element], tables.group_first[element + 1]):
        starts[row, 0] = pairs
        starts[row, 1] = products
        e1 = tables.first_element[g]
        e2 = tables.second_element[g]
        n1 = segments[e1 + 1] - segments[e1]
        n2 = segments[e2 + 1] - segments[e2]
        count = n1 * (n1 - 1) // 2 if e1 == e2 else n1 * n2
        pairs += count
        products += count * (tables.exponential_first[g + 1] - tables.exponential_first[g])
        row += 1
    starts[row, 0] = pairs
    starts[row, 1] = products


@subkernel
def pair_functions(
    tables: PairTables,
    cutoffs: CutoffTables,
    element: int,
    near: Neighborhood,
    space: PairSpace,
    g_values: FloatArray,
) -> None:
    """Add the pair terms of one atom to its symmetry functions, keeping x for the forces."""
    first_group = tables.group_first[element]
    for g in range(first_group, tables.group_first[element + 1]):
        m0 = space.starts[g - first_group, 0]
        m1 = space.starts[g - first_group + 1, 0]
        if m1 == m0:
            continue
        segments = near.segments
        e1, e2 = ordered(tables.first_element[g], tables.second_element[g], segments)
        x0 = space.starts[g - first_group, 1]
        if tables.narrow[g] == 1 and tables.shifted[g] == 0:
            narrow_functions(
                tables,
                cutoffs,
                g,
                e1,
                e2,
                near,
                m0,
                space.narrow.row_first[g - first_group],
                space.products[x0 : space.starts[g - first_group + 1, 1]],
                space.narrow,
                g_values,
            )
            continue
        cutoff = tables.cutoff[g]
        fill_geometry(near.values, segments, e1, e2, m0, space.pairs)
        c = space.pairs[C, m0:m1]
        r2_jk = space.pairs[R2_JK, m0:m1]
        f = space.pairs[F, m0:m1]
        work = space.pairs[POWER, m0:m1]
        narrow = tables.narrow[g] == 1
        if narrow:
            fill_roots(r2_jk, work)
            cutoff_values(
                cutoffs.kind,
                cutoffs.inner[cutoff],
                cutoffs.inverse_width[cutoff],
                work,
                f,
                space.pairs[L, m0:m1],
            )
            fill_inverses(work, space.pairs[INVERSE_JK, m0:m1])
        for x in range(tables.exponential_first[g], tables.exponential_first[g + 1]):
            product = space.products[x0 : x0 + m1 - m0]
            x0 += m1 - m0
            eta = tables.eta[x]
            rs = tables.rs[x]
            neighbor_factors(near, cutoff, e1, e2, eta, rs)
            if narrow:
                fill_shifted_gaussian(r2_jk, f, eta, rs, product)
                multiply_rows(near.values[FACTOR], segments, e1, e2, product)
            else:
                fill_rows(near.values[FACTOR], segments, e1, e2, product)
            for term in range(tables.term_first[x], tables.term_first[x + 1]):
                total = term_sum(
                    tables.whole_zeta[term], tables.zeta[term], tables.lam[term], c, product, work
                )
                g_values[tables.out[term]] += tables.weight[term] * total


@subkernel
def pair_gradient(
    tables: PairTables,
    element: int,
    near: Neighborhood,
    space: PairSpace,
    gradient: FloatArray,
) -> None:
    """Add what dE/dG of the pair terms gives on each neighbour to ALONG, GX, GY, GZ."""
    first_group = tables.group_first[element]
    for g in range(first_group, tables.group_first[element + 1]):
        m0 = space.starts[g - first_group, 0]
        m1 = space.starts[g - first_group + 1, 0]
        if m1 == m0:
            continue
        e1, e2 = ordered(tables.first_element[g], tables.second_element[g], near.segments)
        x0 = space.starts[g - first_group, 1]
        if tables.narrow[g] == 1 and tables.shifted[g] == 0:
            narrow_gradient(
                tables,
                g,
                e1,
                e2,
                near,
                m0,
                space.narrow.row_first[g - first_group],
                space.products[x0 : space.starts[g - first_group + 1, 1]],
                space.narrow,
                gradient,
            )
            continue
        # Rows are cut one by one: a slice of the whole table has no known stride.
        c = space.pairs[C, m0:m1]
        along_jk = space.pairs[L, m0:m1]
        y0 = space.pairs[Y0, m0:m1]
        y1 = space.pairs[Y1, m0:m1]
        y2 = space.pairs[Y2, m0:m1]
        y3 = space.pairs[Y3, m0:m1]
        work = space.pairs[POWER, m0:m1]
        y0[:] = 0.0
        y1[:] = 0.0
        y2[:] = 0.0
        if tables.shifted[g] == 1:
            y3[:] = 0.0
        for x in range(tables.exponential_first[g], tables.exponential_first[g + 1]):
            product = space.products[x0 : x0 + m1 - m0]
            x0 += m1 - m0
            # y1 grows by Σ 2η w x p^ζ of this exponential, y3 by r_s times that growth.
            if tables.rs[x] != 0.0:
                add_scaled(y1, -tables.rs[x], y3)
            for term in range(tables.term_first[x], tables.term_first[x + 1]):
                add_term_slopes(
                    tables.whole_zeta[term],
                    tables.zeta[term],
                    tables.lam[term],
                    gradient[tables.out[term]] * tables.weight[term],
                    2.0 * tables.eta[x],
                    c,
                    product,
                    y0,
                    y1,
                    y2,
                    work,
                )
            if tables.rs[x] != 0.0:
                add_scaled(y1, tables.rs[x], y3)
        shifted = tables.shifted[g] == 1
        if tables.narrow[g] == 1:
            fill_along_jk(y0, y1, along_jk)
            if shifted:
                subtract_product(y3, space.pairs[INVERSE_JK, m0:m1], along_jk)
        else:
            along_jk[:] = 0.0
        slope = near.log_slope[tables.cutoff[g]]
        if shifted:
            scatter_shift(near.values, near.segments, e1, e2, y3)
        scatter_along(near.values, slope, near.segments, e1, e2, c, y0, y1, y2, along_jk)
        scatter_across(near.values, near.segments, e1, e2, along_jk)


@subkernel
def ordered(first: int, second: int, segments: IndexArray) -> tuple[int, int]:
    """Return the two elements of a pair, the one with fewer neighbours first."""
    # Long rows vectorise better.
    if segments[first + 1] - segments[first] > segments[second + 1] - segments[second]:
        return second, first
    return first, second
