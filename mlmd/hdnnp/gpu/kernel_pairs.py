"""Radial terms, and angular terms summed over pairs of neighbours.

The sums y0 … y3 are those of `mlmd.hdnnp.kernel_pairs`, but nothing of a pair is kept: the way back
computes it again, which costs less than memory would. A lane always has the same neighbours,
so what flows back to a neighbour k is added without waiting; what flows to j is summed over lanes.
"""

from __future__ import annotations

import math

from mlmd.hdnnp.gpu.kernel_moments import Words
from mlmd.hdnnp.gpu.lanes import LANES, at, device_function, lane_sum, sync_lanes
from mlmd.hdnnp.gpu.layout import (
    ALONG,
    DX,
    DY,
    DZ,
    GX,
    GY,
    GZ,
    INVERSE_R,
    VALUES,
    GpuTables,
    Layout,
    R,
)
from mlmd.hdnnp.gpu.math32 import LEAST_SQUARE, ONE, TINY, TWO, ZERO, cutoff_pair, quick_exp


@device_function
def radial_functions(
    t: GpuTables, element: int, lane: int, here: Layout, base: int, s: Words, whole: Words
) -> None:
    """Add radial terms to one atom's symmetry functions."""
    radial = t.functions.radial
    for e in range(t.elements):
        start = whole[at(base + here.segments + e)]
        stop = whole[at(base + here.segments + e + 1)]
        row = element * t.elements + e
        for q in range(t.wholes[at(radial.first + row)], t.wholes[at(radial.first + row + 1)]):
            values = base + (VALUES + 2 * t.wholes[at(radial.cutoff + q)]) * here.room
            total = ZERO
            for a in range(start + lane, stop, LANES):
                d = s[at(base + R * here.room + a)] - t.reals[at(radial.rs + q)]
                total += s[at(values + a)] * quick_exp(-t.reals[at(radial.eta + q)] * d * d)
            total = lane_sum(total)
            if lane == 0:
                s[at(base + here.functions + t.wholes[at(radial.out + q)])] += (
                    t.reals[at(radial.weight + q)] * total
                )
    sync_lanes()


@device_function
def radial_gradient(
    t: GpuTables, element: int, lane: int, here: Layout, base: int, s: Words, whole: Words
) -> None:
    """Add what dE/dG of radial terms gives on each neighbour to ALONG."""
    radial = t.functions.radial
    for e in range(t.elements):
        start = whole[at(base + here.segments + e)]
        stop = whole[at(base + here.segments + e + 1)]
        row = element * t.elements + e
        for a in range(start + lane, stop, LANES):
            r = s[at(base + R * here.room + a)]
            inverse = s[at(base + INVERSE_R * here.room + a)]
            along = ZERO
            for q in range(t.wholes[at(radial.first + row)], t.wholes[at(radial.first + row + 1)]):
                place = base + (VALUES + 2 * t.wholes[at(radial.cutoff + q)]) * here.room + a
                d = r - t.reals[at(radial.rs + q)]
                value = s[at(place)] * quick_exp(-t.reals[at(radial.eta + q)] * d * d)
                slope = s[at(place + here.room)] - TWO * t.reals[at(radial.eta + q)] * d * inverse
                along += (
                    s[at(base + here.gradient + t.wholes[at(radial.out + q)])]
                    * t.reals[at(radial.weight + q)]
                    * value
                    * slope
                )
            s[at(base + ALONG * here.room + a)] += along


@device_function
def pair_functions(
    t: GpuTables, element: int, lane: int, here: Layout, base: int, s: Words, whole: Words
) -> None:
    """Add pair terms to one atom's symmetry functions."""
    pairs = t.functions.pairs
    room = here.room
    for g in range(
        t.wholes[at(pairs.group_first + element)], t.wholes[at(pairs.group_first + element + 1)]
    ):
        e1 = t.wholes[at(pairs.first_element + g)]
        e2 = t.wholes[at(pairs.second_element + g)]
        first_term = t.wholes[at(pairs.term_first + t.wholes[at(pairs.exponential_first + g)])]
        last_term = t.wholes[at(pairs.term_first + t.wholes[at(pairs.exponential_first + g + 1)])]
        sums = base + here.space + lane
        for term in range(first_term, last_term):
            s[at(sums + (term - first_term) * LANES)] = ZERO
        start = whole[at(base + here.segments + e2)]
        stop = whole[at(base + here.segments + e2 + 1)]
        for j in range(
            whole[at(base + here.segments + e1)], whole[at(base + here.segments + e1 + 1)]
        ):
            for k in range(first_lane(start, j, e1 == e2) + lane, stop, LANES):
                if e1 != e2 or k > j:
                    _add_terms(t, g, base + j, base + k, room, sums, s)
        for term in range(first_term, last_term):
            total = lane_sum(s[at(sums + (term - first_term) * LANES)])
            if lane == 0:
                s[at(base + here.functions + t.wholes[at(pairs.out + term)])] += (
                    t.reals[at(pairs.weight + term)] * total
                )
        sync_lanes()


@device_function
def first_lane(start: int, j: int, same: bool) -> int:
    """Return where a row of pairs begins, a whole number of lanes from ``start``."""
    if same and j > start:
        return start + (j - start) // LANES * LANES
    return start


@device_function
def _add_terms(t: GpuTables, g: int, j: int, k: int, room: int, sums: int, s: Words) -> None:
    pairs = t.functions.pairs
    c, r_jk = _corner(j, k, room, s)
    f, _ = _far_side(t, g, r_jk)
    cutoff = (VALUES + 2 * t.wholes[at(pairs.cutoff + g)]) * room
    f *= s[at(cutoff + j)] * s[at(cutoff + k)]
    first_term = t.wholes[at(pairs.term_first + t.wholes[at(pairs.exponential_first + g)])]
    for x in range(
        t.wholes[at(pairs.exponential_first + g)], t.wholes[at(pairs.exponential_first + g + 1)]
    ):
        product = f * _exponential(t, g, x, j, k, room, r_jk, s)
        for term in range(
            t.wholes[at(pairs.term_first + x)], t.wholes[at(pairs.term_first + x + 1)]
        ):
            p = max(ONE + t.reals[at(pairs.lam + term)] * c, TINY)
            power = _power(t.wholes[at(pairs.whole_zeta + term)], t.reals[at(pairs.zeta + term)], p)
            s[at(sums + (term - first_term) * LANES)] += product * power * p


@device_function
def _corner(j: int, k: int, room: int, s: Words) -> tuple[float, float]:
    """Return cos θ_jik and r_jk."""
    xj, yj, zj = s[at(DX * room + j)], s[at(DY * room + j)], s[at(DZ * room + j)]
    xk, yk, zk = s[at(DX * room + k)], s[at(DY * room + k)], s[at(DZ * room + k)]
    c = (xj * xk + yj * yk + zj * zk) * s[at(INVERSE_R * room + j)] * s[at(INVERSE_R * room + k)]
    square = (xk - xj) * (xk - xj) + (yk - yj) * (yk - yj) + (zk - zj) * (zk - zj)
    # Two neighbours on one spot: a shifted function's force has no direction there.
    return c, math.sqrt(max(square, LEAST_SQUARE))


@device_function
def _far_side(t: GpuTables, g: int, r_jk: float) -> tuple[float, float]:
    """Return f_c(r_jk) and its log slope; 1 and 0 in wide groups."""
    if t.wholes[at(t.functions.pairs.narrow + g)] == 0:
        return ONE, ZERO
    cutoffs = t.functions.cutoffs
    cutoff = t.wholes[at(t.functions.pairs.cutoff + g)]
    return cutoff_pair(
        cutoffs.kind,
        t.reals[at(cutoffs.inner + cutoff)],
        t.reals[at(cutoffs.inverse_width + cutoff)],
        r_jk,
    )


@device_function
def _exponential(
    t: GpuTables, g: int, x: int, j: int, k: int, room: int, r_jk: float, s: Words
) -> float:
    pairs = t.functions.pairs
    rs = t.reals[at(pairs.rs + x)]
    dj = s[at(R * room + j)] - rs
    dk = s[at(R * room + k)] - rs
    square = dj * dj + dk * dk
    if t.wholes[at(pairs.narrow + g)] == 1:
        square += (r_jk - rs) * (r_jk - rs)
    return quick_exp(-t.reals[at(pairs.eta + x)] * square)


@device_function
def _power(whole: int, zeta: float, p: float) -> float:
    """Return p^(ζ − 1)."""
    if whole == 0:
        return math.pow(p, zeta - ONE)
    power = ONE
    rest = whole - 1
    while rest > 0:
        if rest & 1:
            power *= p
        p *= p
        rest >>= 1
    return power


@device_function
def pair_gradient(
    t: GpuTables, element: int, lane: int, here: Layout, base: int, s: Words, whole: Words
) -> None:
    """Add what dE/dG of pair terms gives on each neighbour to ALONG, GX, GY, GZ."""
    pairs = t.functions.pairs
    room = here.room
    for g in range(
        t.wholes[at(pairs.group_first + element)], t.wholes[at(pairs.group_first + element + 1)]
    ):
        e1 = t.wholes[at(pairs.first_element + g)]
        e2 = t.wholes[at(pairs.second_element + g)]
        start = whole[at(base + here.segments + e2)]
        stop = whole[at(base + here.segments + e2 + 1)]
        first = whole[at(base + here.segments + e1)]
        for j in range(first, whole[at(base + here.segments + e1 + 1)]):
            along, gx, gy, gz = ZERO, ZERO, ZERO, ZERO
            for k in range(first_lane(start, j, e1 == e2) + lane, stop, LANES):
                if e1 != e2 or k > j:
                    more, across = _pair_slopes(
                        t, g, base + j, base + k, room, base + here.gradient, s
                    )
                    along += more
                    ux = across * (s[at(base + DX * room + k)] - s[at(base + DX * room + j)])
                    uy = across * (s[at(base + DY * room + k)] - s[at(base + DY * room + j)])
                    uz = across * (s[at(base + DZ * room + k)] - s[at(base + DZ * room + j)])
                    gx += ux
                    gy += uy
                    gz += uz
                    s[at(base + GX * room + k)] -= ux
                    s[at(base + GY * room + k)] -= uy
                    s[at(base + GZ * room + k)] -= uz
            along = lane_sum(along)
            gx = lane_sum(gx)
            gy = lane_sum(gy)
            gz = lane_sum(gz)
            if lane == (j - first) % LANES:
                s[at(base + ALONG * room + j)] += along
                s[at(base + GX * room + j)] += gx
                s[at(base + GY * room + j)] += gy
                s[at(base + GZ * room + j)] += gz


@device_function
def _pair_slopes(
    t: GpuTables, g: int, j: int, k: int, room: int, gradient: int, s: Words
) -> tuple[float, float]:
    """Add (dE/dr_ik)/r_ik to k; return the same of j, and −(dE/dr_jk)/r_jk."""
    pairs = t.functions.pairs
    c, r_jk = _corner(j, k, room, s)
    f, slope_jk = _far_side(t, g, r_jk)
    cutoff = (VALUES + 2 * t.wholes[at(pairs.cutoff + g)]) * room
    f *= s[at(cutoff + j)] * s[at(cutoff + k)]
    y0, y1, y2, y3 = ZERO, ZERO, ZERO, ZERO
    for x in range(
        t.wholes[at(pairs.exponential_first + g)], t.wholes[at(pairs.exponential_first + g + 1)]
    ):
        product = f * _exponential(t, g, x, j, k, room, r_jk, s)
        value, bend = ZERO, ZERO
        for term in range(
            t.wholes[at(pairs.term_first + x)], t.wholes[at(pairs.term_first + x + 1)]
        ):
            p = max(ONE + t.reals[at(pairs.lam + term)] * c, TINY)
            w = s[at(gradient + t.wholes[at(pairs.out + term)])] * t.reals[at(pairs.weight + term)]
            w *= product * _power(
                t.wholes[at(pairs.whole_zeta + term)], t.reals[at(pairs.zeta + term)], p
            )
            value += w * p
            bend += w * t.reals[at(pairs.zeta + term)] * t.reals[at(pairs.lam + term)]
        y0 += value
        y1 += TWO * t.reals[at(pairs.eta + x)] * value
        y2 += bend
        y3 += TWO * t.reals[at(pairs.eta + x)] * t.reals[at(pairs.rs + x)] * value
    inverse_j, inverse_k = s[at(INVERSE_R * room + j)], s[at(INVERSE_R * room + k)]
    both = y2 * inverse_j * inverse_k
    across = both
    if t.wholes[at(pairs.narrow + g)] == 1:
        across += y1 - y0 * slope_jk - y3 / r_jk
    s[at(ALONG * room + k)] += (
        both - y1 + y0 * s[at(cutoff + room + k)] - y2 * c * inverse_k * inverse_k + y3 * inverse_k
    )
    along = (
        both - y1 + y0 * s[at(cutoff + room + j)] - y2 * c * inverse_j * inverse_j + y3 * inverse_j
    )
    return along, across
