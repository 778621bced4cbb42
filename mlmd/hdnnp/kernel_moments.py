"""Wide angular terms with whole ζ through moments of the neighbour density.

2^(1−ζ)(1 + λc)^ζ = Σ_l a_l P_l(c) is exact for l ≤ ζ, and the addition theorem
P_l(cos θ_jik) = Σ_m Y_lm(j) Y_lm(k) (real harmonics, scaled so that no factor is left) turns
the sum over pairs into products of sums over neighbours:

    A_x,lm(e) = Σ_{j of e} f_x(r_ij) Y_lm(r̂_ij),  f_x = exp[−η(r − r_s)²] f_c(r)
    G = Σ_l a_l Σ_m A_lm(e1) A_lm(e2),             e1 ≠ e2
    G = ½ [Σ_l a_l Σ_m A_lm(e)² − Σ_l a_l Σ_j f_x(r_ij)²]

The last subtracts j = k, where P_l(1) = 1. Cost is linear in the number of neighbours.
Source of the idea: Bartók, Kondor, Csányi, PRB 87, 184115 (2013), doi:10.1103/PhysRevB.87.184115.
"""

from __future__ import annotations

from typing import NamedTuple

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import fast_exp
from mlmd.hdnnp.neighborhood import (
    ALONG,
    DX,
    DY,
    DZ,
    GX,
    GY,
    GZ,
    INVERSE_R,
    Neighborhood,
    R,
)
from mlmd.hdnnp.tables import MomentTables

# Rows of MomentSpace.rows: the radial part of dE/dr, over r; dE/d(unit vector), which holds the
# unit vector itself while harmonics are made; sums over l of real and imaginary parts; workspace.
ALONG_R, UX, UY, UZ, REAL, IMAGINARY, REAL_UP, IMAGINARY_UP, WORK = range(9)


class MomentSpace(NamedTuple):
    """Workspace for one atom; (…, neighbours) rows are per neighbour.

    Args:
        legendre: Π_lm = N_lm P_l^m(cos ϑ)/sin^m ϑ, shape (degree + 2, degree + 2, neighbours).
        cosine: Re (x + iy)^m of the unit vector, shape (degree + 2, neighbours).
        sine: Im (x + iy)^m.
        harmonics: Y_lm; row l² is m = 0, l² + 2m − 1 and l² + 2m its two parts.
        factors: f_x, shape (radials, neighbours).
        moments: A, shape (elements, radials, (degree + 1)²).
        pull: dE/dA, same shape.
        rows: shape (9, neighbours).
        norms: N_lm without (2m−1)!!, shape (degree + 1, degree + 1).
    """

    legendre: FloatArray
    cosine: FloatArray
    sine: FloatArray
    harmonics: FloatArray
    factors: FloatArray
    moments: FloatArray
    pull: FloatArray
    rows: FloatArray
    norms: FloatArray


@subkernel
def moment_functions(
    tables: MomentTables,
    block: int,
    elements: int,
    near: Neighborhood,
    space: MomentSpace,
    g_values: FloatArray,
) -> None:
    """Add a block's terms to one atom's symmetry functions, keeping A for the forces."""
    degree = tables.degree[block]
    n = near.segments[elements]
    _harmonics(degree, n, near.values, space)
    x0 = tables.radial_first[block]
    for x in range(x0, tables.radial_first[block + 1]):
        _radial_factor(
            near.values[R, :n],
            near.cutoff[tables.cutoff[block], :n],
            tables.eta[x],
            tables.rs[x],
            space.factors[x - x0, :n],
        )
        for e in range(elements):
            start = near.segments[e]
            stop = near.segments[e + 1]
            f = space.factors[x - x0, start:stop]
            for q in range((degree + 1) * (degree + 1)):
                space.moments[e, x - x0, q] = _dot(f, space.harmonics[q, start:stop])
    for term in range(tables.term_first[block], tables.term_first[block + 1]):
        e1 = tables.first_element[term]
        e2 = tables.second_element[term]
        x = tables.radial[term]
        a = space.moments[e1, x]
        b = space.moments[e2, x]
        total = 0.0
        at_one = 0.0
        for l in range(tables.zeta[term] + 1):  # noqa: E741
            coefficient = tables.legendre[term, l]
            total += coefficient * _dot(a[l * l : (l + 1) * (l + 1)], b[l * l : (l + 1) * (l + 1)])
            at_one += coefficient
        if e1 == e2:
            f = space.factors[x, near.segments[e1] : near.segments[e1 + 1]]
            total = 0.5 * (total - at_one * _dot(f, f))
        g_values[tables.out[term]] += total


@subkernel
def moment_gradient(
    tables: MomentTables,
    block: int,
    elements: int,
    near: Neighborhood,
    space: MomentSpace,
    gradient: FloatArray,
) -> None:
    """Add what dE/dG of a block's terms gives on each neighbour to ALONG, GX, GY, GZ.

    The block's `moment_functions` must have come just before where an atom has several blocks.
    """
    degree = tables.degree[block]
    radials = tables.radial_first[block + 1] - tables.radial_first[block]
    _pull(tables, block, elements, degree, radials, space, gradient)
    for e in range(elements):
        start = near.segments[e]
        stop = near.segments[e + 1]
        if stop == start:
            continue
        for row in range(UX, UZ + 1):
            space.rows[row, start:stop] = 0.0
        space.rows[ALONG_R, start:stop] = 0.0
        _pull_radial(tables, block, e, degree, radials, near, space, gradient)
        for m in range(degree + 1):
            _pull_angular(degree, radials, e, m, start, stop, space)
        _project(start, stop, near.values, space.rows)


@subkernel
def _dot(a: FloatArray, b: FloatArray) -> float:
    total = 0.0
    for t in range(a.shape[0]):
        total += a[t] * b[t]
    return total


@subkernel
def _radial_factor(r: FloatArray, f: FloatArray, eta: float, rs: float, out: FloatArray) -> None:
    for a in range(out.shape[0]):
        d = r[a] - rs
        out[a] = f[a] * fast_exp(-eta * d * d)


@subkernel
def _harmonics(degree: int, n: int, values: FloatArray, space: MomentSpace) -> None:
    u = space.rows[UX, :n]
    v = space.rows[UY, :n]
    w = space.rows[UZ, :n]
    _product(values[DX, :n], values[INVERSE_R, :n], u)
    _product(values[DY, :n], values[INVERSE_R, :n], v)
    _product(values[DZ, :n], values[INVERSE_R, :n], w)
    space.cosine[0, :n] = 1.0
    space.sine[0, :n] = 0.0
    for m in range(1, degree + 1):
        c = space.cosine[m - 1, :n]
        d = space.sine[m - 1, :n]
        _combine(u, c, v, d, -1.0, space.cosine[m, :n])
        _combine(u, d, v, c, 1.0, space.sine[m, :n])
    # P_l^m/sin^m by (l − m) P_l = (2l − 1) w P_(l−1) − (l + m − 1) P_(l−2), from (2m − 1)!!
    start = 1.0
    for m in range(degree + 1):
        if m > 0:
            start *= 2 * m - 1
        space.legendre[m, m, :n] = start
        if m < degree:
            _scaled(w, start * (2 * m + 1), space.legendre[m + 1, m, :n])
        for l in range(m + 2, degree + 1):  # noqa: E741
            _recur(
                w,
                (2 * l - 1) / (l - m),
                (l + m - 1) / (l - m),
                space.legendre[l - 1, m, :n],
                space.legendre[l - 2, m, :n],
                space.legendre[l, m, :n],
            )
    for l in range(degree + 1):  # noqa: E741
        for m in range(l + 1):
            norm = space.norms[l, m]
            p = space.legendre[l, m, :n]
            if m == 0:
                _scaled(p, norm, space.harmonics[l * l, :n])
            else:
                _scaled_product(
                    p, space.cosine[m, :n], norm, space.harmonics[l * l + 2 * m - 1, :n]
                )
                _scaled_product(p, space.sine[m, :n], norm, space.harmonics[l * l + 2 * m, :n])


@subkernel
def _product(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    for t in range(out.shape[0]):
        out[t] = a[t] * b[t]


@subkernel
def _scaled(a: FloatArray, factor: float, out: FloatArray) -> None:
    for t in range(out.shape[0]):
        out[t] = factor * a[t]


@subkernel
def _scaled_product(a: FloatArray, b: FloatArray, factor: float, out: FloatArray) -> None:
    for t in range(out.shape[0]):
        out[t] = factor * a[t] * b[t]


@subkernel
def _combine(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray, sign: float, out: FloatArray
) -> None:
    for t in range(out.shape[0]):
        out[t] = a[t] * b[t] + sign * c[t] * d[t]


@subkernel
def _recur(
    w: FloatArray, up: float, down: float, p1: FloatArray, p2: FloatArray, out: FloatArray
) -> None:
    for t in range(out.shape[0]):
        out[t] = up * w[t] * p1[t] - down * p2[t]


@subkernel
def _pull(
    tables: MomentTables,
    block: int,
    elements: int,
    degree: int,
    radials: int,
    space: MomentSpace,
    gradient: FloatArray,
) -> None:
    """Fill pull = dE/dA."""
    space.pull[:elements, :radials, : (degree + 1) * (degree + 1)] = 0.0
    for term in range(tables.term_first[block], tables.term_first[block + 1]):
        e1 = tables.first_element[term]
        e2 = tables.second_element[term]
        x = tables.radial[term]
        for l in range(tables.zeta[term] + 1):  # noqa: E741
            c = gradient[tables.out[term]] * tables.legendre[term, l]
            for q in range(l * l, (l + 1) * (l + 1)):
                # e1 = e2: the factor ½ and the two equal factors cancel.
                space.pull[e1, x, q] += c * space.moments[e2, x, q]
                if e1 != e2:
                    space.pull[e2, x, q] += c * space.moments[e1, x, q]


@subkernel
def _pull_radial(
    tables: MomentTables,
    block: int,
    e: int,
    degree: int,
    radials: int,
    near: Neighborhood,
    space: MomentSpace,
    gradient: FloatArray,
) -> None:
    """Add Σ_x dE/df_x · f_x'/r of one element's neighbours to row ALONG_R."""
    start = near.segments[e]
    stop = near.segments[e + 1]
    along = space.rows[ALONG_R, start:stop]
    work = space.rows[WORK, start:stop]
    slope = near.log_slope[tables.cutoff[block], start:stop]
    inverse = near.values[INVERSE_R, start:stop]
    for x in range(radials):
        own = 0.0
        for term in range(tables.term_first[block], tables.term_first[block + 1]):
            if (
                tables.radial[term] == x
                and tables.first_element[term] == e
                and tables.second_element[term] == e
            ):
                at_one = 0.0
                for l in range(tables.zeta[term] + 1):  # noqa: E741
                    at_one += tables.legendre[term, l]
                own += gradient[tables.out[term]] * at_one
        f = space.factors[x, start:stop]
        _scaled(f, -own, work)
        for q in range((degree + 1) * (degree + 1)):
            _add_scaled(space.harmonics[q, start:stop], space.pull[e, x, q], work)
        eta2 = 2.0 * tables.eta[tables.radial_first[block] + x]
        rs = tables.rs[tables.radial_first[block] + x]
        _add_radial(work, f, slope, inverse, eta2, rs, along)


@subkernel
def _add_scaled(a: FloatArray, factor: float, out: FloatArray) -> None:
    for t in range(out.shape[0]):
        out[t] += factor * a[t]


@subkernel
def _add_radial(
    pull: FloatArray,
    f: FloatArray,
    slope: FloatArray,
    inverse: FloatArray,
    eta2: float,
    rs: float,
    along: FloatArray,
) -> None:
    for t in range(along.shape[0]):
        along[t] += pull[t] * f[t] * (slope[t] - eta2 * (1.0 - rs * inverse[t]))


@subkernel
def _pull_angular(
    degree: int, radials: int, e: int, m: int, start: int, stop: int, space: MomentSpace
) -> None:
    """Add Σ_lm dE/dY_lm · ∂Y_lm/∂(unit vector) of one m to rows UX, UY, UZ.

    With Y_lm = N Π_lm(w) c_m(u, v): ∂Π_lm/∂w = Π_l,m+1, ∂c_m/∂u = m c_(m−1),
    ∂c_m/∂v = −m s_(m−1), ∂s_m/∂u = m s_(m−1), ∂s_m/∂v = m c_(m−1).
    """
    real = space.rows[REAL, start:stop]
    imaginary = space.rows[IMAGINARY, start:stop]
    real_up = space.rows[REAL_UP, start:stop]
    imaginary_up = space.rows[IMAGINARY_UP, start:stop]
    work = space.rows[WORK, start:stop]
    real[:] = 0.0
    imaginary[:] = 0.0
    real_up[:] = 0.0
    imaginary_up[:] = 0.0
    for l in range(m, degree + 1):  # noqa: E741
        norm = space.norms[l, m]
        p = space.legendre[l, m, start:stop]
        up = space.legendre[l, m + 1, start:stop]
        first = l * l + (2 * m - 1 if m > 0 else 0)
        _weighted_factors(space, e, first, radials, norm, start, stop, work)
        if m > 0:
            _add_product(work, p, 1.0, real)
        if l > m:
            _add_product(work, up, 1.0, real_up)
        if m > 0:
            _weighted_factors(space, e, first + 1, radials, norm, start, stop, work)
            _add_product(work, p, 1.0, imaginary)
            if l > m:
                _add_product(work, up, 1.0, imaginary_up)
    _add_product(real_up, space.cosine[m, start:stop], 1.0, space.rows[UZ, start:stop])
    if m > 0:
        c = space.cosine[m - 1, start:stop]
        s = space.sine[m - 1, start:stop]
        _add_product(imaginary_up, space.sine[m, start:stop], 1.0, space.rows[UZ, start:stop])
        _add_product(real, c, 1.0 * m, space.rows[UX, start:stop])
        _add_product(imaginary, s, 1.0 * m, space.rows[UX, start:stop])
        _add_product(imaginary, c, 1.0 * m, space.rows[UY, start:stop])
        _add_product(real, s, -1.0 * m, space.rows[UY, start:stop])


@subkernel
def _weighted_factors(
    space: MomentSpace,
    e: int,
    q: int,
    radials: int,
    norm: float,
    start: int,
    stop: int,
    out: FloatArray,
) -> None:
    """Fill out = N Σ_x dE/dA_x,q f_x, the pull on Y_q of each neighbour."""
    _scaled(space.factors[0, start:stop], norm * space.pull[e, 0, q], out)
    for x in range(1, radials):
        _add_scaled(space.factors[x, start:stop], norm * space.pull[e, x, q], out)


@subkernel
def _add_product(a: FloatArray, b: FloatArray, factor: float, out: FloatArray) -> None:
    for t in range(out.shape[0]):
        out[t] += factor * a[t] * b[t]


@subkernel
def _project(start: int, stop: int, values: FloatArray, rows: FloatArray) -> None:
    """Turn gradients by distance and by unit vector into gradients by position.

    ∂/∂r = r̂ ∂/∂r + (1 − r̂ r̂ᵀ)/r ∂/∂r̂.
    """
    for t in range(start, stop):
        inverse = values[INVERSE_R, t]
        gx = rows[UX, t] * inverse
        gy = rows[UY, t] * inverse
        gz = rows[UZ, t] * inverse
        outward = gx * values[DX, t] + gy * values[DY, t] + gz * values[DZ, t]
        values[ALONG, t] += rows[ALONG_R, t] - outward * inverse * inverse
        values[GX, t] += gx
        values[GY, t] += gy
        values[GZ, t] += gz
