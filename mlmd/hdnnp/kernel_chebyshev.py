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
from mlmd.vectors import LANES, lanes8, load8, only8, same8, store8, sum8


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
    cutoff = near.cutoff[tables.cutoff[element]]
    r = near.values[R]
    slope_of_x = same8(2.0 * tables.inverse_radius[element])
    for e in range(elements):
        weight = tables.weight[element, e]
        stop = near.segments[e + 1]
        for a in range(near.segments[e], stop, LANES):
            x = load8(r, a) * slope_of_x - same8(1.0)
            # f T_n obeys the recursion of T_n.
            now = only8(lanes8(stop - a), load8(cutoff, a))
            before = x * now
            for n in range(order + 1):
                total = sum8(now)
                g[first + n] += total
                if second >= 0:
                    g[second + n] += weight * total
                after = same8(2.0) * x * now - before
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
    cutoff = near.cutoff[tables.cutoff[element]]
    log_slope = near.log_slope[tables.cutoff[element]]
    r = near.values[R]
    inverse_r = near.values[INVERSE_R]
    along = near.values[ALONG]
    slope_of_x = same8(2.0 * tables.inverse_radius[element])
    two = same8(2.0)
    for e in range(elements):
        weight = tables.weight[element, e]
        stop = near.segments[e + 1]
        for a in range(near.segments[e], stop, LANES):
            x = load8(r, a) * slope_of_x - same8(1.0)
            now = same8(1.0)
            before = x
            slope_now = same8(0.0)
            slope_before = same8(1.0)
            total = same8(0.0)
            slope = same8(0.0)
            for n in range(order + 1):
                w = gradient[first + n]
                if second >= 0:
                    w += weight * gradient[second + n]
                total += same8(w) * now
                slope += same8(w) * slope_now
                after = two * x * now - before
                slope_after = two * now + two * x * slope_now - slope_before
                before = now
                now = after
                slope_before = slope_now
                slope_now = slope_after
            pull = total * load8(log_slope, a) + slope * slope_of_x * load8(inverse_r, a)
            pull = only8(lanes8(stop - a), load8(cutoff, a) * pull)
            store8(along, a, load8(along, a) + pull)
