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

import math
from typing import NamedTuple

import numpy as np

from mlmd.compiled import inline_kernel, kernel, subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import exp8
from mlmd.hdnnp.neighborhood import DX, DY, DZ, INVERSE_R, Neighborhood, R
from mlmd.hdnnp.tables import IndexArray, MomentTables
from mlmd.vectors import (
    LANES,
    lanes8,
    load8,
    only8,
    same8,
    store8,
    sum8,
)

# Rows of MomentSpace.units and turns.
UX, UY, UZ, OUTWARD = range(4)
# Rows of MomentSpace.constants, each (degree + 1)²: N_lm without (2m − 1)!!, and the factors of
# P_(l+1) = up w P_l − down P_(l−1) at m, with P = Π_lm.
NORM, UP, DOWN = range(3)
# So many harmonics are summed at a time: one sum alone waits for itself.
AT_ONCE = 4


class MomentSpace(NamedTuple):
    """Workspace for one atom.

    Neighbours stand in blocks of eight of one element; the last block of an element is filled
    up with places whose f_x is zero. Rows of (…, places) are per place.

    Args:
        starts: first place of each element, shape (elements + 1,).
        units: unit vectors, shape (3, places).
        cosine: Re (x + iy)^m of the unit vector, shape (degree + 1, places).
        sine: Im (x + iy)^m.
        harmonics: Y_lm of a block, one after another; l² is m = 0, l² + 2m − 1 and l² + 2m its
            two parts; then zeros up to a multiple of `AT_ONCE`. Flat.
        factors: f_x, shape (radials, places).
        moments: A, shape (elements, radials, harmonics of a block).
        pull: dE/dA, same shape.
        normed: dE/dA · N_lm, same shape.
        own: what the terms with j = k take from dE/df_x, over f_x, shape (elements, radials).
        spectrum: a sum for each l, shape (degree + 1,).
        constants: shape (3, degree + 1, degree + 1).
        turns: dE/d(unit vector), and (dE/dr)/r along it, shape (4, places).
    """

    starts: IndexArray
    units: FloatArray
    cosine: FloatArray
    sine: FloatArray
    harmonics: FloatArray
    factors: FloatArray
    moments: FloatArray
    pull: FloatArray
    normed: FloatArray
    own: FloatArray
    spectrum: FloatArray
    constants: FloatArray
    turns: FloatArray


@inline_kernel
def harmonics_of(degree: int) -> int:
    """Return how many numbers a place has in ``harmonics``."""
    return ((degree + 1) * (degree + 1) + AT_ONCE - 1) // AT_ONCE * AT_ONCE


@kernel
def moment_space(tables: MomentTables, elements: int, most: int) -> MomentSpace:
    """Return workspace for atoms of at most ``most`` neighbours."""
    blocks = tables.degree.shape[0]
    degree = 0
    radials = 1
    for block in range(blocks):
        degree = max(degree, tables.degree[block])
        radials = max(radials, tables.radial_first[block + 1] - tables.radial_first[block])
    places = most + LANES * elements if blocks > 0 else 0
    count = harmonics_of(degree)
    constants = np.zeros((3, degree + 1, degree + 1))
    for l in range(degree + 1):  # noqa: E741
        ratio = 1.0
        for m in range(l + 1):
            if m > 0:
                # 2 (l − m)!/(l + m)!
                ratio /= (l + m) * (l - m + 1.0)
            constants[NORM, l, m] = math.sqrt(2.0 * ratio) if m > 0 else 1.0
            constants[UP, l, m] = (2.0 * l + 1.0) / (l + 1.0 - m)
            constants[DOWN, l, m] = (l + m) / (l + 1.0 - m)
    return MomentSpace(
        np.zeros(elements + 1, dtype=np.int64),
        np.zeros((3, places)),
        np.zeros((degree + 1, places)),
        np.zeros((degree + 1, places)),
        np.zeros(count * places),
        np.zeros((radials, places)),
        np.zeros((elements, radials, count)),
        np.zeros((elements, radials, count)),
        np.zeros((elements, radials, count)),
        np.zeros((elements, radials)),
        np.zeros(degree + 1),
        constants,
        np.zeros((4, places)),
    )


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
    count = harmonics_of(degree)
    _harmonics(degree, elements, near, space)
    x0 = tables.radial_first[block]
    for x in range(x0, tables.radial_first[block + 1]):
        factors = space.factors[x - x0]
        for e in range(elements):
            _radial_factor(
                near.segments[e],
                near.segments[e + 1],
                space.starts[e],
                near.values[R],
                near.cutoff[tables.cutoff[block]],
                tables.eta[x],
                tables.rs[x],
                factors,
            )
            _sum_moments(
                space.starts[e],
                space.starts[e + 1],
                count,
                factors,
                space.harmonics,
                space.moments[e, x - x0],
            )
    term = tables.term_first[block]
    last = tables.term_first[block + 1]
    while term < last:
        e1 = tables.first_element[term]
        e2 = tables.second_element[term]
        x = tables.radial[term]
        _spectrum(degree, space.moments[e1, x], space.moments[e2, x], space.spectrum)
        itself = 0.0
        if e1 == e2:
            itself = _square(space.starts[e1], space.starts[e1 + 1], space.factors[x])
        # Terms of the same elements and width follow each other.
        while (
            term < last
            and tables.first_element[term] == e1
            and tables.second_element[term] == e2
            and tables.radial[term] == x
        ):
            total = 0.0
            for l in range(tables.zeta[term] + 1):  # noqa: E741
                total += tables.legendre[term, l] * (space.spectrum[l] - itself)
            g_values[tables.out[term]] += 0.5 * total if e1 == e2 else total
            term += 1


@subkernel
def _harmonics(degree: int, elements: int, near: Neighborhood, space: MomentSpace) -> None:
    dx = near.values[DX]
    dy = near.values[DY]
    dz = near.values[DZ]
    inverse_r = near.values[INVERSE_R]
    place = 0
    for e in range(elements):
        space.starts[e] = place
        for k in range(near.segments[e], near.segments[e + 1], LANES):
            inverse = load8(inverse_r, k)
            store8(space.units[UX], place, load8(dx, k) * inverse)
            store8(space.units[UY], place, load8(dy, k) * inverse)
            store8(space.units[UZ], place, load8(dz, k) * inverse)
            place += LANES
    space.starts[elements] = place
    _fill_harmonics(
        degree,
        place,
        space.units,
        space.constants,
        space.cosine,
        space.sine,
        space.harmonics,
    )


@subkernel
def _fill_harmonics(
    degree: int,
    places: int,
    units: FloatArray,
    constants: FloatArray,
    cosine: FloatArray,
    sine: FloatArray,
    harmonics: FloatArray,
) -> None:
    count = harmonics_of(degree)
    for place in range(0, places, LANES):
        u = load8(units[UX], place)
        v = load8(units[UY], place)
        w = load8(units[UZ], place)
        here = place * count
        c = same8(1.0)
        s = same8(0.0)
        first = 1.0
        for m in range(degree + 1):
            if m > 0:
                turned = u * c - v * s
                s = u * s + v * c
                c = turned
                first *= 2.0 * m - 1.0
            store8(cosine[m], place, c)
            store8(sine[m], place, s)
            before = same8(0.0)
            p = same8(first)
            for l in range(m, degree + 1):  # noqa: E741
                normed = p * same8(constants[NORM, l, m])
                if m == 0:
                    store8(harmonics, here + LANES * l * l, normed)
                else:
                    at = here + LANES * (l * l + 2 * m - 1)
                    store8(harmonics, at, normed * c)
                    store8(harmonics, at + LANES, normed * s)
                after = same8(constants[UP, l, m]) * w * p
                after -= same8(constants[DOWN, l, m]) * before
                before = p
                p = after


@subkernel
def _radial_factor(
    start: int,
    stop: int,
    place: int,
    r: FloatArray,
    f: FloatArray,
    eta: float,
    rs: float,
    out: FloatArray,
) -> None:
    for a in range(start, stop, LANES):
        d = load8(r, a) - same8(rs)
        value = load8(f, a) * exp8(same8(-eta) * (d * d))
        store8(out, place + a - start, only8(lanes8(stop - a), value))


@subkernel
def _sum_moments(
    start: int,
    stop: int,
    count: int,
    factors: FloatArray,
    harmonics: FloatArray,
    moments: FloatArray,
) -> None:
    for q in range(0, count, AT_ONCE):
        a = same8(0.0)
        b = same8(0.0)
        c = same8(0.0)
        d = same8(0.0)
        for place in range(start, stop, LANES):
            f = load8(factors, place)
            here = place * count + LANES * q
            a += f * load8(harmonics, here)
            b += f * load8(harmonics, here + LANES)
            c += f * load8(harmonics, here + 2 * LANES)
            d += f * load8(harmonics, here + 3 * LANES)
        moments[q] = sum8(a)
        moments[q + 1] = sum8(b)
        moments[q + 2] = sum8(c)
        moments[q + 3] = sum8(d)


@subkernel
def _square(start: int, stop: int, factors: FloatArray) -> float:
    total = same8(0.0)
    for k in range(start, stop, LANES):
        f = load8(factors, k)
        total += f * f
    return sum8(total)


@subkernel
def _spectrum(degree: int, a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    for l in range(degree + 1):  # noqa: E741
        total = 0.0
        for q in range(l * l, (l + 1) * (l + 1)):
            total += a[q] * b[q]
        out[l] = total
