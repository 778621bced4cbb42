"""Radial terms: Σ_j w · exp[−η(r_ij − r_s)²] · f_c(r_ij) over neighbours of one element."""

from __future__ import annotations

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import fast_exp
from mlmd.hdnnp.neighborhood import ALONG, INVERSE_R, Neighborhood, R
from mlmd.hdnnp.tables import RadialTables


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
        r = near.values[R, a0:a1]
        for q in range(
            tables.first[element * elements + e], tables.first[element * elements + e + 1]
        ):
            g[tables.out[q]] += tables.weight[q] * _gaussian_sum(
                r,
                near.cutoff[tables.cutoff[q], a0:a1],
                tables.eta[q],
                tables.rs[q],
                radial[q - base, a0:a1],
            )


@subkernel
def _gaussian_sum(r: FloatArray, f: FloatArray, eta: float, rs: float, out: FloatArray) -> float:
    total = 0.0
    for a in range(r.shape[0]):
        d = r[a] - rs
        value = f[a] * fast_exp(-eta * d * d)
        out[a] = value
        total += value
    return total


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
                radial[q - base, a0:a1],
                near.log_slope[tables.cutoff[q], a0:a1],
                near.values[INVERSE_R, a0:a1],
                near.values[ALONG, a0:a1],
            )


@subkernel
def _gaussian_slope(
    w: float,
    eta2: float,
    rs: float,
    value: FloatArray,
    log_slope: FloatArray,
    inverse: FloatArray,
    along: FloatArray,
) -> None:
    for a in range(along.shape[0]):
        along[a] += w * value[a] * (log_slope[a] - eta2 * (1.0 - rs * inverse[a]))


@subkernel
def most_radial(radial: RadialTables, elements: int) -> int:
    most = 1
    for element in range(elements):
        most = max(most, radial.first[(element + 1) * elements] - radial.first[element * elements])
    return most
