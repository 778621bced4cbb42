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

import math
from typing import NamedTuple

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import cutoff_values, fast_exp
from mlmd.hdnnp.tables import CutoffTables, IndexArray, PairTables


class Neighborhood(NamedTuple):
    """One atom's neighbours, sorted by element, and what flows back to them.

    Rows of ``values``, each shape (neighbours,): see the constants of this module. ``cutoff``
    and ``log_slope`` have one row per cutoff radius.
    """

    values: FloatArray
    cutoff: FloatArray
    log_slope: FloatArray
    segments: IndexArray  # (elements + 1,)


# Rows of Neighborhood.values.
DX, DY, DZ, R2, R, INVERSE_R = range(6)
ALONG = 6  # (dE/dr_ij)/r_ij, apart from what is in GX, GY, GZ
GX, GY, GZ = 7, 8, 9  # the rest of dE/dr_j
FACTOR = 10  # workspace: one factor per neighbour
ROWS = 11


class PairSpace(NamedTuple):
    """Workspace for one atom's pairs.

    Args:
        pairs: rows of `C` … `POWER`, shape (rows, pairs of all groups).
        products: x of every exponential, group by group, flat.
        starts: per group of this atom, where its pairs and its products start, (groups + 1, 2).
    """

    pairs: FloatArray
    products: FloatArray
    starts: IndexArray


# Rows of PairSpace.pairs.
C, R2_JK, F, L, INVERSE_JK, Y0, Y1, Y2, Y3, POWER = range(10)
PAIR_ROWS = 10


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
        e1, e2 = _ordered(tables.first_element[g], tables.second_element[g], segments)
        cutoff = tables.cutoff[g]
        _geometry(near.values, segments, e1, e2, m0, space.pairs)
        c = space.pairs[C, m0:m1]
        r2_jk = space.pairs[R2_JK, m0:m1]
        f = space.pairs[F, m0:m1]
        work = space.pairs[POWER, m0:m1]
        narrow = tables.narrow[g] == 1
        if narrow:
            _roots(r2_jk, work)
            cutoff_values(
                cutoffs.kind,
                cutoffs.inner[cutoff],
                cutoffs.inverse_width[cutoff],
                work,
                f,
                space.pairs[L, m0:m1],
            )
            if tables.shifted[g] == 1:
                _inverses(work, space.pairs[INVERSE_JK, m0:m1])
        x0 = space.starts[g - first_group, 1]
        for x in range(tables.exponential_first[g], tables.exponential_first[g + 1]):
            product = space.products[x0 : x0 + m1 - m0]
            x0 += m1 - m0
            eta = tables.eta[x]
            rs = tables.rs[x]
            _neighbor_factors(near, cutoff, e1, e2, eta, rs)
            if narrow:
                if rs == 0.0:
                    _gaussian_squared(r2_jk, f, eta, product)
                else:
                    _gaussian(space.pairs[R2_JK, m0:m1], f, eta, rs, product)
                _multiply_rows(near.values[FACTOR], segments, e1, e2, product)
            else:
                _fill_rows(near.values[FACTOR], segments, e1, e2, product)
            for term in range(tables.term_first[x], tables.term_first[x + 1]):
                total = _term_sum(
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
        e1, e2 = _ordered(tables.first_element[g], tables.second_element[g], near.segments)
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
        x0 = space.starts[g - first_group, 1]
        for x in range(tables.exponential_first[g], tables.exponential_first[g + 1]):
            product = space.products[x0 : x0 + m1 - m0]
            x0 += m1 - m0
            # y1 grows by Σ 2η w x p^ζ of this exponential, y3 by r_s times that growth.
            if tables.rs[x] != 0.0:
                _add_scaled(y1, -tables.rs[x], y3)
            for term in range(tables.term_first[x], tables.term_first[x + 1]):
                _term_slopes(
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
                _add_scaled(y1, tables.rs[x], y3)
        shifted = tables.shifted[g] == 1
        if tables.narrow[g] == 1:
            _along_jk(y0, y1, along_jk)
            if shifted:
                _subtract_product(y3, space.pairs[INVERSE_JK, m0:m1], along_jk)
        else:
            along_jk[:] = 0.0
        slope = near.log_slope[tables.cutoff[g]]
        if shifted:
            _scatter_shift(near.values, near.segments, e1, e2, y3)
        _scatter_along(near.values, slope, near.segments, e1, e2, c, y0, y1, y2, along_jk)
        _scatter_across(near.values, near.segments, e1, e2, along_jk)


@subkernel
def _ordered(first: int, second: int, segments: IndexArray) -> tuple[int, int]:
    # Long rows vectorise better.
    if segments[first + 1] - segments[first] > segments[second + 1] - segments[second]:
        return second, first
    return first, second


@subkernel
def _geometry(
    values: FloatArray, segments: IndexArray, e1: int, e2: int, start: int, pairs: FloatArray
) -> None:
    m = start
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        k1 = segments[e2 + 1]
        n = k1 - k0
        _row_distances(
            values[DX, k0:k1],
            values[DY, k0:k1],
            values[DZ, k0:k1],
            values[DX, j],
            values[DY, j],
            values[DZ, j],
            pairs[R2_JK, m : m + n],
        )
        _row_cosines(
            values[R2, k0:k1],
            values[INVERSE_R, k0:k1],
            pairs[R2_JK, m : m + n],
            values[R2, j],
            0.5 * values[INVERSE_R, j],
            pairs[C, m : m + n],
        )
        m += n


@subkernel
def _row_distances(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    xj: float,
    yj: float,
    zj: float,
    r2_jk: FloatArray,
) -> None:
    for k in range(r2_jk.shape[0]):
        u = x[k] - xj
        v = y[k] - yj
        w = z[k] - zj
        r2_jk[k] = u * u + v * v + w * w


@subkernel
def _row_cosines(
    r2: FloatArray,
    inverse_r: FloatArray,
    r2_jk: FloatArray,
    r2_j: float,
    half_inverse_j: float,
    c: FloatArray,
) -> None:
    for k in range(c.shape[0]):
        c[k] = (r2_j + r2[k] - r2_jk[k]) * half_inverse_j * inverse_r[k]


@subkernel
def _roots(squares: FloatArray, roots: FloatArray) -> None:
    for t in range(squares.shape[0]):
        # Two neighbours on one spot: the forces of a shifted function have no direction there.
        roots[t] = math.sqrt(max(squares[t], 1e-20))


@subkernel
def _inverses(r: FloatArray, inverse: FloatArray) -> None:
    for t in range(r.shape[0]):
        inverse[t] = 1.0 / r[t]


@subkernel
def _neighbor_factors(
    near: Neighborhood, cutoff: int, e1: int, e2: int, eta: float, rs: float
) -> None:
    _factors_of(near, cutoff, near.segments[e1], near.segments[e1 + 1], eta, rs)
    if e1 != e2:
        _factors_of(near, cutoff, near.segments[e2], near.segments[e2 + 1], eta, rs)


@subkernel
def _factors_of(
    near: Neighborhood, cutoff: int, start: int, stop: int, eta: float, rs: float
) -> None:
    _gaussian_of(
        near.values[R, start:stop],
        near.cutoff[cutoff, start:stop],
        eta,
        rs,
        near.values[FACTOR, start:stop],
    )


@subkernel
def _gaussian_of(r: FloatArray, f: FloatArray, eta: float, rs: float, out: FloatArray) -> None:
    for a in range(out.shape[0]):
        d = r[a] - rs
        out[a] = f[a] * fast_exp(-eta * d * d)


@subkernel
def _gaussian_squared(r2: FloatArray, f: FloatArray, eta: float, out: FloatArray) -> None:
    for t in range(out.shape[0]):
        out[t] = f[t] * fast_exp(-eta * r2[t])


@subkernel
def _gaussian(r2: FloatArray, f: FloatArray, eta: float, rs: float, out: FloatArray) -> None:
    for t in range(out.shape[0]):
        d = math.sqrt(r2[t]) - rs
        out[t] = f[t] * fast_exp(-eta * d * d)


@subkernel
def _multiply_rows(
    factor: FloatArray, segments: IndexArray, e1: int, e2: int, product: FloatArray
) -> None:
    m = 0
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        n = segments[e2 + 1] - k0
        row = product[m : m + n]
        other = factor[k0 : k0 + n]
        p = factor[j]
        for k in range(row.shape[0]):
            row[k] *= p * other[k]
        m += n


@subkernel
def _fill_rows(
    factor: FloatArray, segments: IndexArray, e1: int, e2: int, product: FloatArray
) -> None:
    m = 0
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        n = segments[e2 + 1] - k0
        row = product[m : m + n]
        other = factor[k0 : k0 + n]
        p = factor[j]
        for k in range(row.shape[0]):
            row[k] = p * other[k]
        m += n


@subkernel
def _power(whole: int, zeta: float, lam: float, c: FloatArray, power: FloatArray) -> None:
    """Fill power = (1 + λc)^(ζ−1)."""
    if whole == 0:
        for t in range(c.shape[0]):
            power[t] = max(1.0 + lam * c[t], 1e-300) ** (zeta - 1.0)
        return
    for t in range(c.shape[0]):
        power[t] = 1.0
    # Square and multiply, from the highest bit of ζ − 1.
    bit = 128
    while bit > 0:
        if (whole - 1) >= bit:
            for t in range(c.shape[0]):
                power[t] *= power[t]
        if (whole - 1) & bit:
            for t in range(c.shape[0]):
                power[t] *= 1.0 + lam * c[t]
        bit //= 2


@subkernel
def _term_sum(
    whole: int, zeta: float, lam: float, c: FloatArray, product: FloatArray, power: FloatArray
) -> float:
    """Return Σ x (1 + λc)^ζ."""
    total = 0.0
    if whole == 1:
        for t in range(c.shape[0]):
            total += product[t] * (1.0 + lam * c[t])
    elif whole == 2:
        for t in range(c.shape[0]):
            p = 1.0 + lam * c[t]
            total += product[t] * (p * p)
    elif whole == 4:
        for t in range(c.shape[0]):
            p = 1.0 + lam * c[t]
            p *= p
            total += product[t] * (p * p)
    else:
        _power(whole, zeta, lam, c, power)
        for t in range(c.shape[0]):
            total += product[t] * power[t] * (1.0 + lam * c[t])
    return total


@subkernel
def _term_slopes(
    whole: int,
    zeta: float,
    lam: float,
    w: float,
    eta2: float,
    c: FloatArray,
    x: FloatArray,
    y0: FloatArray,
    y1: FloatArray,
    y2: FloatArray,
    power: FloatArray,
) -> None:
    """Add a term to y0, y1, y2."""
    w_slope = w * zeta * lam
    if whole == 1:
        for t in range(x.shape[0]):
            y = w * x[t] * (1.0 + lam * c[t])
            y0[t] += y
            y1[t] += eta2 * y
            y2[t] += w_slope * x[t]
    elif whole == 2:
        for t in range(x.shape[0]):
            p = 1.0 + lam * c[t]
            q = p * x[t]
            y = w * p * q
            y0[t] += y
            y1[t] += eta2 * y
            y2[t] += w_slope * q
    elif whole == 4:
        for t in range(x.shape[0]):
            p = 1.0 + lam * c[t]
            q = p * p * p * x[t]
            y = w * p * q
            y0[t] += y
            y1[t] += eta2 * y
            y2[t] += w_slope * q
    else:
        _power(whole, zeta, lam, c, power)
        for t in range(x.shape[0]):
            q = power[t] * x[t]
            y = w * q * (1.0 + lam * c[t])
            y0[t] += y
            y1[t] += eta2 * y
            y2[t] += w_slope * q


@subkernel
def _add_scaled(source: FloatArray, factor: float, target: FloatArray) -> None:
    for t in range(target.shape[0]):
        target[t] += factor * source[t]


@subkernel
def _along_jk(y0: FloatArray, y1: FloatArray, log_slope: FloatArray) -> None:
    """Replace the log slope of f_c(r_jk) by −(dE/dr_jk)/r_jk without the part from cos θ."""
    for t in range(y0.shape[0]):
        log_slope[t] = y1[t] - y0[t] * log_slope[t]


@subkernel
def _subtract_product(a: FloatArray, b: FloatArray, target: FloatArray) -> None:
    for t in range(target.shape[0]):
        target[t] -= a[t] * b[t]


@subkernel
def _scatter_shift(
    values: FloatArray, segments: IndexArray, e1: int, e2: int, y3: FloatArray
) -> None:
    """Add y3/r to (dE/dr)/r of both neighbours of each pair."""
    m = 0
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        n = segments[e2 + 1] - k0
        row = y3[m : m + n]
        inverse = values[INVERSE_R, k0 : k0 + n]
        along = values[ALONG, k0 : k0 + n]
        total = 0.0
        for k in range(row.shape[0]):
            total += row[k]
            along[k] += row[k] * inverse[k]
        values[ALONG, j] += total * values[INVERSE_R, j]
        m += n


@subkernel
def _scatter_along(
    values: FloatArray,
    slope: FloatArray,
    segments: IndexArray,
    e1: int,
    e2: int,
    c: FloatArray,
    y0: FloatArray,
    y1: FloatArray,
    y2: FloatArray,
    along_jk: FloatArray,
) -> None:
    """Add (dE/dr_ij)/r_ij and (dE/dr_ik)/r_ik, and complete −(dE/dr_jk)/r_jk.

    cos θ is a function of the three sides: ∂c/∂r_ij/r_ij = 1/(r_ij r_ik) − c/r_ij²,
    ∂c/∂r_jk/r_jk = −1/(r_ij r_ik).
    """
    m = 0
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        n = segments[e2 + 1] - k0
        values[ALONG, j] += _row_along(
            c[m : m + n],
            y0[m : m + n],
            y1[m : m + n],
            y2[m : m + n],
            along_jk[m : m + n],
            values[INVERSE_R, k0 : k0 + n],
            slope[k0 : k0 + n],
            values[ALONG, k0 : k0 + n],
            values[INVERSE_R, j],
            slope[j],
        )
        m += n


@subkernel
def _row_along(
    c: FloatArray,
    y0: FloatArray,
    y1: FloatArray,
    y2: FloatArray,
    across: FloatArray,
    inverse_k: FloatArray,
    slope_k: FloatArray,
    along_k: FloatArray,
    inverse_j: float,
    slope_j: float,
) -> float:
    total = 0.0
    square_j = inverse_j * inverse_j
    for k in range(c.shape[0]):
        both = y2[k] * inverse_j * inverse_k[k]
        bend = y2[k] * c[k]
        common = both - y1[k]
        total += common + y0[k] * slope_j - bend * square_j
        along_k[k] += common + y0[k] * slope_k[k] - bend * inverse_k[k] * inverse_k[k]
        across[k] += both
    return total


@subkernel
def _scatter_across(
    values: FloatArray, segments: IndexArray, e1: int, e2: int, across: FloatArray
) -> None:
    """Add the force between the two neighbours of each pair, along r_jk."""
    m = 0
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        n = segments[e2 + 1] - k0
        row = across[m : m + n]
        for axis in range(3):
            values[GX + axis, j] += _row_across(
                row,
                values[DX + axis, k0 : k0 + n],
                values[DX + axis, j],
                values[GX + axis, k0 : k0 + n],
            )
        m += n


@subkernel
def _row_across(row: FloatArray, d: FloatArray, dj: float, g: FloatArray) -> float:
    total = 0.0
    for k in range(row.shape[0]):
        u = row[k] * (d[k] - dj)
        total += u
        g[k] -= u
    return total
