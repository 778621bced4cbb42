"""Forces of wide angular terms through moments (see `kernel_moments`)."""

from __future__ import annotations

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_moments import (
    AT_ONCE,
    DOWN,
    NORM,
    OUTWARD,
    UP,
    UX,
    UY,
    UZ,
    MomentSpace,
    harmonics_of,
)
from mlmd.hdnnp.neighborhood import ALONG, GX, GY, GZ, INVERSE_R, Neighborhood
from mlmd.hdnnp.tables import MomentTables
from mlmd.vectors import LANES, load8, same8, store8


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
    first = tables.radial_first[block]
    radials = tables.radial_first[block + 1] - first
    count = harmonics_of(degree)
    _pull(tables, block, elements, degree, radials, space, gradient)
    for e in range(elements):
        # Few arrays at a time: a call with all of the workspace would cost more than its work.
        start = space.starts[e]
        stop = space.starts[e + 1]
        space.turns[:, start:stop] = 0.0
        for x in range(radials):
            _outward(
                start,
                stop,
                near.segments[e] - start,
                count,
                2.0 * tables.eta[first + x],
                tables.rs[first + x],
                space.own[e, x],
                space.factors[x],
                space.pull[e, x],
                space.harmonics,
                near.log_slope[tables.cutoff[block]],
                near.values[INVERSE_R],
                space.turns[OUTWARD],
            )
        _turn(
            start,
            stop,
            degree,
            radials,
            space.normed[e],
            space.factors,
            space.cosine,
            space.sine,
            space.constants,
            space.units[UZ],
            space.turns,
        )
        _project(start, stop, near.segments[e] - start, space.units, space.turns, near.values)


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
    """Fill pull = dE/dA, normed and own."""
    space.pull[:elements, :radials] = 0.0
    space.own[:elements, :radials] = 0.0
    weights = space.spectrum
    term = tables.term_first[block]
    last = tables.term_first[block + 1]
    while term < last:
        e1 = tables.first_element[term]
        e2 = tables.second_element[term]
        x = tables.radial[term]
        weights[:] = 0.0
        while (
            term < last
            and tables.first_element[term] == e1
            and tables.second_element[term] == e2
            and tables.radial[term] == x
        ):
            g = gradient[tables.out[term]]
            for l in range(tables.zeta[term] + 1):  # noqa: E741
                weights[l] += g * tables.legendre[term, l]
            term += 1
        for l in range(degree + 1):  # noqa: E741
            if e1 == e2:
                space.own[e1, x] += weights[l]
            for q in range(l * l, (l + 1) * (l + 1)):
                # e1 = e2: the factor ½ and the two equal factors cancel.
                space.pull[e1, x, q] += weights[l] * space.moments[e2, x, q]
                if e1 != e2:
                    space.pull[e2, x, q] += weights[l] * space.moments[e1, x, q]
    for e in range(elements):
        for x in range(radials):
            _fill_normed(degree, space.constants, space.pull[e, x], space.normed[e, x])


@subkernel
def _fill_normed(degree: int, constants: FloatArray, pull: FloatArray, normed: FloatArray) -> None:
    for l in range(degree + 1):  # noqa: E741
        normed[l * l] = pull[l * l]
        for m in range(1, l + 1):
            q = l * l + 2 * m
            normed[q - 1] = pull[q - 1] * constants[NORM, l, m]
            normed[q] = pull[q] * constants[NORM, l, m]


@subkernel
def _outward(
    start: int,
    stop: int,
    shift: int,
    count: int,
    eta2: float,
    rs: float,
    own: float,
    factors: FloatArray,
    pull: FloatArray,
    harmonics: FloatArray,
    log_slope: FloatArray,
    inverse_r: FloatArray,
    out: FloatArray,
) -> None:
    """Add dE/df_x · f_x'/r of one radial: dE/df_x = Σ_q dE/dA_q Y_q − own f_x."""
    for place in range(start, stop, LANES):
        f = load8(factors, place)
        a = same8(-own) * f
        b = same8(0.0)
        c = same8(0.0)
        d = same8(0.0)
        here = place * count
        for q in range(0, count, AT_ONCE):
            at = here + LANES * q
            a += same8(pull[q]) * load8(harmonics, at)
            b += same8(pull[q + 1]) * load8(harmonics, at + LANES)
            c += same8(pull[q + 2]) * load8(harmonics, at + 2 * LANES)
            d += same8(pull[q + 3]) * load8(harmonics, at + 3 * LANES)
        slope = load8(log_slope, place + shift) - same8(eta2)
        slope += same8(eta2 * rs) * load8(inverse_r, place + shift)
        store8(out, place, load8(out, place) + ((a + b) + (c + d)) * f * slope)


@subkernel
def _turn(
    start: int,
    stop: int,
    degree: int,
    radials: int,
    normed: FloatArray,
    factors: FloatArray,
    cosine: FloatArray,
    sine: FloatArray,
    constants: FloatArray,
    height: FloatArray,
    turns: FloatArray,
) -> None:
    """Fill Σ_lm dE/dY_lm · ∂Y_lm/∂(unit vector).

    With Y_lm = N Π_lm(w) c_m(u, v): ∂Π_lm/∂w = Π_l,m+1, ∂c_m/∂u = m c_(m−1),
    ∂c_m/∂v = −m s_(m−1), ∂s_m/∂u = m s_(m−1), ∂s_m/∂v = m c_(m−1).
    """
    for place in range(start, stop, LANES):
        u = same8(0.0)
        v = same8(0.0)
        w = same8(0.0)
        z = load8(height, place)
        first = 1.0
        for m in range(degree + 1):
            real = same8(0.0)
            imaginary = same8(0.0)
            real_up = same8(0.0)
            imaginary_up = same8(0.0)
            before = same8(0.0)
            p = same8(first)
            before_up = same8(0.0)
            up = same8(0.0)
            first *= 2.0 * m + 1.0
            for l in range(m, degree + 1):  # noqa: E741
                # Both parts; m = 0 has none but the first, and sine[0] is zero.
                q = l * l + (2 * m - 1 if m > 0 else 0)
                one = same8(0.0)
                other = same8(0.0)
                for x in range(radials):
                    f = load8(factors[x], place)
                    one += same8(normed[x, q]) * f
                    other += same8(normed[x, q + 1]) * f
                real += one * p
                real_up += one * up
                imaginary += other * p
                imaginary_up += other * up
                after = same8(constants[UP, l, m]) * z * p
                after -= same8(constants[DOWN, l, m]) * before
                before = p
                p = after
                if l == m:
                    up = same8(first)
                elif l < degree:
                    after = same8(constants[UP, l, m + 1]) * z * up
                    after -= same8(constants[DOWN, l, m + 1]) * before_up
                    before_up = up
                    up = after
            w += real_up * load8(cosine[m], place) + imaginary_up * load8(sine[m], place)
            if m > 0:
                c = same8(1.0 * m) * load8(cosine[m - 1], place)
                s = same8(1.0 * m) * load8(sine[m - 1], place)
                u += real * c + imaginary * s
                v += imaginary * c - real * s
        store8(turns[UX], place, u)
        store8(turns[UY], place, v)
        store8(turns[UZ], place, w)


@subkernel
def _project(
    start: int, stop: int, shift: int, units: FloatArray, turns: FloatArray, values: FloatArray
) -> None:
    """Turn gradients by distance and by unit vector into gradients by position.

    ∂/∂r = r̂ ∂/∂r + (1 − r̂ r̂ᵀ)/r ∂/∂r̂.
    """
    for place in range(start, stop, LANES):
        k = place + shift
        inverse = load8(values[INVERSE_R], k)
        u = load8(turns[UX], place) * inverse
        v = load8(turns[UY], place) * inverse
        w = load8(turns[UZ], place) * inverse
        tilt = u * load8(units[UX], place) + v * load8(units[UY], place)
        tilt += w * load8(units[UZ], place)
        outward = load8(turns[OUTWARD], place) - tilt * inverse
        store8(values[ALONG], k, load8(values[ALONG], k) + outward)
        store8(values[GX], k, load8(values[GX], k) + u)
        store8(values[GY], k, load8(values[GY], k) + v)
        store8(values[GZ], k, load8(values[GZ], k) + w)
