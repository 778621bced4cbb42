"""Radial functions made of Chebyshev polynomials: Σ_j w_j T_n(2r_ij/r_c − 1) f_c(r_ij).

Each order stands twice, with weight 1 and with a weight of the neighbour's element.
Source: Artrith, Urban, Ceder, PRB 96, 014112 (2017), doi:10.1103/PhysRevB.96.014112.
"""

from __future__ import annotations

from typing import NamedTuple

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.compact_tables import IndexArray
from mlmd.hdnnp.neighborhood import ALONG, INVERSE_R, Neighborhood, R


class ChebyshevTables(NamedTuple):
    """The radial functions of every central element."""

    order: IndexArray  # (elements,), largest n
    cutoff: IndexArray  # (elements,), which of the cutoff radii
    inverse_radius: FloatArray  # (elements,), 1/r_c, 1/Å
    out: IndexArray  # (elements, 2), where n = 0 stands; the second −1 where not weighted
    weight: FloatArray  # (elements, elements), of the neighbour's element


@subkernel
def chebyshev_functions(
    tables: ChebyshevTables, element: int, elements: int, near: Neighborhood, g: FloatArray
) -> None:
    """Add one atom's functions to g."""
    order = tables.order[element]
    first = tables.out[element, 0]
    second = tables.out[element, 1]
    value = near.cutoff[tables.cutoff[element]]
    for e in range(elements):
        weight = tables.weight[element, e]
        for a in range(near.segments[e], near.segments[e + 1]):
            x = 2.0 * near.values[R, a] * tables.inverse_radius[element] - 1.0
            f = value[a]
            now = 1.0
            before = x
            for n in range(order + 1):
                g[first + n] += f * now
                if second >= 0:
                    g[second + n] += weight * f * now
                after = 2.0 * x * now - before
                before = now
                now = after


@subkernel
def chebyshev_gradient(
    tables: ChebyshevTables, element: int, elements: int, near: Neighborhood, gradient: FloatArray
) -> None:
    """Add what dE/dG gives on each neighbour to ALONG."""
    order = tables.order[element]
    first = tables.out[element, 0]
    second = tables.out[element, 1]
    slope_of_x = 2.0 * tables.inverse_radius[element]
    value = near.cutoff[tables.cutoff[element]]
    log_slope = near.log_slope[tables.cutoff[element]]
    for e in range(elements):
        weight = tables.weight[element, e]
        for a in range(near.segments[e], near.segments[e + 1]):
            x = near.values[R, a] * slope_of_x - 1.0
            now = 1.0
            before = x
            slope_now = 0.0
            slope_before = 1.0
            total = 0.0
            slope = 0.0
            for n in range(order + 1):
                w = gradient[first + n]
                if second >= 0:
                    w += weight * gradient[second + n]
                total += w * now
                slope += w * slope_now
                after = 2.0 * x * now - before
                slope_after = 2.0 * now + 2.0 * x * slope_now - slope_before
                before = now
                now = after
                slope_before = slope_now
                slope_now = slope_after
            pull = total * log_slope[a] + slope * slope_of_x * near.values[INVERSE_R, a]
            near.values[ALONG, a] += value[a] * pull
