"""Wide angular terms through moments; the mathematics is that of `mlmd.hdnnp.kernel_moments`.

A tile of neighbours at a time: each lane makes the harmonics of its own neighbour and puts them
in shared memory; then each lane owns some of the moments and sums them over the tile.
"""

from __future__ import annotations

from typing import Any

from mlmd.hdnnp.gpu.lanes import LANES, at, device_function, sync_lanes
from mlmd.hdnnp.gpu.layout import (
    ALONG,
    DX,
    DY,
    DZ,
    GX,
    GY,
    GZ,
    INVERSE_R,
    LEGENDRE_ROW,
    ROW,
    VALUES,
    GpuTables,
    Layout,
    R,
)
from mlmd.hdnnp.gpu.math32 import HALF, ONE, TWO, ZERO, quick_exp

# One group's part of shared memory, in single precision; and its whole numbers.
Words = Any


@device_function
def moment_functions(
    t: GpuTables, block: int, lane: int, here: Layout, base: int, s: Words, whole: Words
) -> None:
    """Add a block's terms to one atom's symmetry functions, keeping A for the forces."""
    tables = t.functions.moments
    count = (t.wholes[at(tables.degree + block)] + 1) * (t.wholes[at(tables.degree + block)] + 1)
    radials = (
        t.wholes[at(tables.radial_first + block + 1)] - t.wholes[at(tables.radial_first + block)]
    )
    stage = base + here.space
    factors = stage + count * ROW
    moments = base + here.moments + t.wholes[at(t.extras.first + block)]
    own = base + here.own + t.wholes[at(t.extras.own_first + block)]
    for o in range(lane, t.elements * radials * count, LANES):
        s[at(moments + o)] = ZERO
    for o in range(lane, t.elements * radials, LANES):
        s[at(own + o)] = ZERO
    for e in range(t.elements):
        stop = whole[at(base + here.segments + e + 1)]
        for tile in range(whole[at(base + here.segments + e)], stop, LANES):
            a = tile + lane
            if a < stop:
                _stage_harmonics(
                    t, t.wholes[at(tables.degree + block)], base + a, here.room, stage + lane, s
                )
                _stage_factors(t, block, radials, base + a, here.room, factors + lane, s)
            sync_lanes()
            n = min(stop - tile, LANES)
            _sum_tile(count, radials, n, lane, stage, moments + e * radials * count, s)
            _sum_squares(radials, n, lane, factors, own + e * radials, s)
            sync_lanes()
    _add_products(t, block, lane, count, radials, moments, own, base + here.functions, s)
    sync_lanes()


@device_function
def _sum_tile(
    count: int, radials: int, n: int, lane: int, stage: int, moments: int, s: Words
) -> None:
    """Add Σ_j f_x Y_q over a tile of n neighbours of one element to their moments."""
    for o in range(lane, radials * count, LANES):
        f = stage + (count + o // count) * ROW
        s[at(moments + o)] += _dot(f, stage + (o % count) * ROW, n, s)


@device_function
def _sum_squares(radials: int, n: int, lane: int, factors: int, own: int, s: Words) -> None:
    """Add Σ_j f_x² over a tile."""
    for x in range(lane, radials, LANES):
        s[at(own + x)] += _dot(factors + x * ROW, factors + x * ROW, n, s)


@device_function
def _dot(p: int, q: int, n: int, s: Words) -> float:
    """Return the scalar product of two rows."""
    total = ZERO
    stop = p + n
    # In the loops that count most: ``range`` keeps books that CUDA's compiler can't drop.
    while p < stop:
        total += s[at(p)] * s[at(q)]
        p += 1
        q += 1
    return total


@device_function
def _add_products(
    t: GpuTables,
    block: int,
    lane: int,
    count: int,
    radials: int,
    moments: int,
    own: int,
    functions: int,
    s: Words,
) -> None:
    """Add Σ_l a_l Σ_m A_lm A_lm of a block's terms to the symmetry functions."""
    tables = t.functions.moments
    for term in range(
        t.wholes[at(tables.term_first + block)] + lane,
        t.wholes[at(tables.term_first + block + 1)],
        LANES,
    ):
        e1 = t.wholes[at(tables.first_element + term)]
        e2 = t.wholes[at(tables.second_element + term)]
        x = t.wholes[at(tables.radial + term)]
        p = moments + (e1 * radials + x) * count
        q = moments + (e2 * radials + x) * count
        total = ZERO
        for l in range(t.wholes[at(tables.zeta + term)] + 1):  # noqa: E741
            part = _dot(p + l * l, q + l * l, 2 * l + 1, s)
            total += t.reals[at(tables.legendre + term * LEGENDRE_ROW + l)] * part
        if e1 == e2:
            total = HALF * (
                total - t.reals[at(t.extras.at_one + term)] * s[at(own + e1 * radials + x)]
            )
        # No other term of this pass has the same place: a function has one term of each pair.
        s[at(functions + t.wholes[at(tables.out + term)])] += total


@device_function
def moment_pull(t: GpuTables, block: int, lane: int, here: Layout, base: int, s: Words) -> None:
    """Fill dE/dA of a block, and what the neighbours' squares take away."""
    tables = t.functions.moments
    count = (t.wholes[at(tables.degree + block)] + 1) * (t.wholes[at(tables.degree + block)] + 1)
    radials = (
        t.wholes[at(tables.radial_first + block + 1)] - t.wholes[at(tables.radial_first + block)]
    )
    moments = base + here.moments + t.wholes[at(t.extras.first + block)]
    pull = base + here.pull + t.wholes[at(t.extras.first + block)]
    own = base + here.own + t.wholes[at(t.extras.own_first + block)]
    for o in range(lane, t.elements * radials * count, LANES):
        s[at(pull + o)] = ZERO
    for o in range(lane, t.elements * radials, LANES):
        s[at(own + o)] = ZERO
    sync_lanes()
    for term in range(
        t.wholes[at(tables.term_first + block)], t.wholes[at(tables.term_first + block + 1)]
    ):
        e1 = t.wholes[at(tables.first_element + term)]
        e2 = t.wholes[at(tables.second_element + term)]
        x = t.wholes[at(tables.radial + term)]
        slope = s[at(base + here.gradient + t.wholes[at(tables.out + term)])]
        p = (e1 * radials + x) * count
        q = (e2 * radials + x) * count
        top = t.wholes[at(tables.zeta + term)] + 1
        # Lane k always has the same moments, so the terms need not wait for each other.
        for k in range(lane, top * top, LANES):
            c = (
                slope
                * t.reals[
                    at(tables.legendre + term * LEGENDRE_ROW + t.wholes[at(t.extras.degree_of + k)])
                ]
            )
            if e1 == e2:
                s[at(pull + p + k)] += c * s[at(moments + p + k)]
            else:
                s[at(pull + p + k)] += c * s[at(moments + q + k)]
                s[at(pull + q + k)] += c * s[at(moments + p + k)]
        if e1 == e2 and lane == 0:
            s[at(own + e1 * radials + x)] += slope * t.reals[at(t.extras.at_one + term)]
    sync_lanes()


@device_function
def moment_gradient(
    t: GpuTables, block: int, lane: int, here: Layout, base: int, s: Words, whole: Words
) -> None:
    """Add what dE/dA of a block gives on each neighbour, after `moment_pull`."""
    tables = t.functions.moments
    count = (t.wholes[at(tables.degree + block)] + 1) * (t.wholes[at(tables.degree + block)] + 1)
    radials = (
        t.wholes[at(tables.radial_first + block + 1)] - t.wholes[at(tables.radial_first + block)]
    )
    factors = base + here.space
    slopes = factors + radials * ROW
    for e in range(t.elements):
        pull = base + here.pull + t.wholes[at(t.extras.first + block)] + e * radials * count
        own = base + here.own + t.wholes[at(t.extras.own_first + block)] + e * radials
        stop = whole[at(base + here.segments + e + 1)]
        for a in range(whole[at(base + here.segments + e)] + lane, stop, LANES):
            along = ZERO
            _stage_factors(t, block, radials, base + a, here.room, factors + lane, s)
            slope = s[
                at(base + (VALUES + 2 * t.wholes[at(tables.cutoff + block)] + 1) * here.room + a)
            ]
            inverse = s[at(base + INVERSE_R * here.room + a)]
            for x in range(radials):
                f = s[at(factors + x * ROW + lane)]
                q = t.wholes[at(tables.radial_first + block)] + x
                h = f * (
                    slope
                    - TWO
                    * t.reals[at(tables.eta + q)]
                    * (ONE - t.reals[at(tables.rs + q)] * inverse)
                )
                s[at(slopes + x * ROW + lane)] = h
                along -= s[at(own + x)] * f * h
            _add_gradient(
                t,
                t.wholes[at(tables.degree + block)],
                radials,
                base + a,
                here.room,
                pull,
                factors + lane,
                along,
                s,
            )


@device_function
def _stage_factors(
    t: GpuTables, block: int, radials: int, a: int, room: int, place: int, s: Words
) -> None:
    tables = t.functions.moments
    r = s[at(R * room + a)]
    f = s[at((VALUES + 2 * t.wholes[at(tables.cutoff + block)]) * room + a)]
    for x in range(radials):
        d = r - t.reals[at(tables.rs + t.wholes[at(tables.radial_first + block)] + x)]
        s[at(place + x * ROW)] = f * quick_exp(
            -t.reals[at(tables.eta + t.wholes[at(tables.radial_first + block)] + x)] * d * d
        )


@device_function
def _stage_harmonics(t: GpuTables, degree: int, a: int, room: int, place: int, s: Words) -> None:
    """Write Y_lm of neighbour a; row l² is m = 0, l² + 2m − 1 and l² + 2m its two parts."""
    extras = t.extras
    inverse = s[at(INVERSE_R * room + a)]
    u = s[at(DX * room + a)] * inverse
    v = s[at(DY * room + a)] * inverse
    w = s[at(DZ * room + a)] * inverse
    cosine = ONE
    sine = ZERO
    for m in range(degree + 1):
        if m > 0:
            turned = u * cosine - v * sine
            sine = u * sine + v * cosine
            cosine = turned
        below = ZERO
        p = t.reals[at(extras.start + m)]
        row = m * t.degrees
        l = m  # noqa: E741
        while l <= degree:
            if l > m:
                new = (
                    t.reals[at(extras.up + row + l)] * w * p
                    - t.reals[at(extras.down + row + l)] * below
                )
                below = p
                p = new
            y = t.reals[at(extras.norms + row + l)] * p
            if m == 0:
                s[at(place + l * l * ROW)] = y
            else:
                s[at(place + (l * l + 2 * m - 1) * ROW)] = y * cosine
                s[at(place + (l * l + 2 * m) * ROW)] = y * sine
            l += 1  # noqa: E741


@device_function
def _add_gradient(
    t: GpuTables,
    degree: int,
    radials: int,
    a: int,
    room: int,
    pull: int,
    place: int,
    along: float,
    s: Words,
) -> None:
    """Add dE/dr of neighbour a from the pull on its harmonics and factors.

    At ``place`` lie its factors f_x, a row each, then f_x'/r.
    """
    extras = t.extras
    count = (degree + 1) * (degree + 1)
    inverse = s[at(INVERSE_R * room + a)]
    u = s[at(DX * room + a)] * inverse
    v = s[at(DY * room + a)] * inverse
    w = s[at(DZ * room + a)] * inverse
    gx, gy, gz = ZERO, ZERO, ZERO
    cosine, sine, cosine_below, sine_below = ONE, ZERO, ZERO, ZERO
    order = ZERO
    for m in range(degree + 1):
        if m > 0:
            order += ONE
            cosine_below, sine_below = cosine, sine
            cosine = u * cosine_below - v * sine_below
            sine = u * sine_below + v * cosine_below
        below, p = ZERO, t.reals[at(extras.start + m)]
        above_below, above = ZERO, ZERO
        real, imaginary, real_up, imaginary_up = ZERO, ZERO, ZERO, ZERO
        row = m * t.degrees
        l = m  # noqa: E741
        while l <= degree:
            if l > m:
                new = (
                    t.reals[at(extras.up + row + l)] * w * p
                    - t.reals[at(extras.down + row + l)] * below
                )
                below = p
                p = new
                # The same of m + 1, which starts at l = m + 1.
                new = t.reals[at(extras.start + m + 1)]
                if l > m + 1:
                    new = (
                        t.reals[at(extras.up + row + t.degrees + l)] * w * above
                        - t.reals[at(extras.down + row + t.degrees + l)] * above_below
                    )
                above_below = above
                above = new
            norm = t.reals[at(extras.norms + row + l)]
            q = pull + l * l
            if m > 0:
                q += 2 * m - 1
            pulled, sloped = _pulled(q, count, place, radials, s)
            along += norm * p * cosine * sloped
            real += norm * pulled * p
            real_up += norm * pulled * above
            if m > 0:
                pulled, sloped = _pulled(q + 1, count, place, radials, s)
                along += norm * p * sine * sloped
                imaginary += norm * pulled * p
                imaginary_up += norm * pulled * above
            l += 1  # noqa: E741
        gz += real_up * cosine + imaginary_up * sine
        gx += order * (real * cosine_below + imaginary * sine_below)
        gy += order * (imaginary * cosine_below - real * sine_below)
    # ∂/∂r = r̂ ∂/∂r + (1 − r̂ r̂ᵀ)/r ∂/∂r̂
    gx *= inverse
    gy *= inverse
    gz *= inverse
    outward = (gx * u + gy * v + gz * w) * inverse
    s[at(ALONG * room + a)] += along - outward
    s[at(GX * room + a)] += gx
    s[at(GY * room + a)] += gy
    s[at(GZ * room + a)] += gz


@device_function
def _pulled(q: int, count: int, place: int, radials: int, s: Words) -> tuple[float, float]:
    """Return Σ_x dE/dA_xq f_x and the same with f_x'/r."""
    pulled, sloped = ZERO, ZERO
    step = radials * ROW
    stop = place + step
    # Three at a time: as many widths as the default descriptors have.
    while place + 2 * ROW < stop:
        one, two, three = s[at(q)], s[at(q + count)], s[at(q + 2 * count)]
        pulled += one * s[at(place)] + two * s[at(place + ROW)] + three * s[at(place + 2 * ROW)]
        slope = place + step
        sloped += one * s[at(slope)] + two * s[at(slope + ROW)] + three * s[at(slope + 2 * ROW)]
        q += 3 * count
        place += 3 * ROW
    while place < stop:
        strength = s[at(q)]
        pulled += strength * s[at(place)]
        sloped += strength * s[at(place + step)]
        q += count
        place += ROW
    return pulled, sloped
