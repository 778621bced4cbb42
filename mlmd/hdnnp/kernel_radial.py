"""Radial terms: Σ_j w · exp[−η(r_ij − r_s)²] · f_c(r_ij) over neighbours of one element."""

from __future__ import annotations

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import exp8
from mlmd.hdnnp.neighborhood import ALONG, INVERSE_R, Neighborhood, R
from mlmd.hdnnp.tables import RadialTables
from mlmd.vectors import (
    LANES,
    lanes8,
    load8,
    only8,
    same8,
    store8,
    sum8,
)


@subkernel
def radial_functions(
    tables: RadialTables,
    element: int,
    elements: int,
    near: Neighborhood,
    radial: FloatArray,
    g: FloatArray,
) -> None:
    base = tables.first[element * elements]
    for e in range(elements):
        a0 = near.segments[e]
        a1 = near.segments[e + 1]
        for q in range(
            tables.first[element * elements + e], tables.first[element * elements + e + 1]
        ):
            g[tables.out[q]] += tables.weight[q] * _gaussian_sum(
                a0,
                a1,
                near.values[R],
                near.cutoff[tables.cutoff[q]],
                tables.eta[q],
                tables.rs[q],
                radial[q - base],
            )


@subkernel
def _gaussian_sum(
    start: int, stop: int, r: FloatArray, f: FloatArray, eta: float, rs: float, out: FloatArray
) -> float:
    total = same8(0.0)
    for a in range(start, stop, LANES):
        d = load8(r, a) - same8(rs)
        value = load8(f, a) * exp8(same8(-eta) * (d * d))
        store8(out, a, value)
        total += only8(lanes8(stop - a), value)
    return sum8(total)


@subkernel
def radial_gradient(
    tables: RadialTables,
    element: int,
    elements: int,
    near: Neighborhood,
    radial: FloatArray,
    gradient: FloatArray,
) -> None:
    base = tables.first[element * elements]
    for e in range(elements):
        a0 = near.segments[e]
        a1 = near.segments[e + 1]
        for q in range(
            tables.first[element * elements + e], tables.first[element * elements + e + 1]
        ):
            _gaussian_slope(
                gradient[tables.out[q]] * tables.weight[q],
                2.0 * tables.eta[q],
                tables.rs[q],
                a0,
                a1,
                radial[q - base],
                near.log_slope[tables.cutoff[q]],
                near.values[INVERSE_R],
                near.values[ALONG],
            )


@subkernel
def _gaussian_slope(
    w: float,
    eta2: float,
    rs: float,
    start: int,
    stop: int,
    value: FloatArray,
    log_slope: FloatArray,
    inverse: FloatArray,
    along: FloatArray,
) -> None:
    for a in range(start, stop, LANES):
        slope = load8(log_slope, a) - same8(eta2) + same8(eta2 * rs) * load8(inverse, a)
        pull = only8(lanes8(stop - a), same8(w) * load8(value, a) * slope)
        store8(along, a, load8(along, a) + pull)


@subkernel
def most_radial(radial: RadialTables, elements: int) -> int:
    most = 1
    for element in range(elements):
        most = max(most, radial.first[(element + 1) * elements] - radial.first[element * elements])
    return most
