"""Forces of narrow angular terms without shift (see `kernel_narrow`)."""

from __future__ import annotations

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_narrow import WORK, Y0, Y1, Y2, C, L, NarrowSpace, V
from mlmd.hdnnp.kernel_terms import add_term_slopes
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
)
from mlmd.hdnnp.tables import IndexArray, PairTables
from mlmd.vectors import (
    LANES,
    count8,
    load8,
    same8,
    spread8,
    store8,
    sum8,
)


@subkernel
def narrow_gradient(
    tables: PairTables,
    g: int,
    e1: int,
    e2: int,
    near: Neighborhood,
    start: int,
    row_first: IndexArray,
    products: FloatArray,
    space: NarrowSpace,
    gradient: FloatArray,
) -> None:
    """Add what dE/dG of one group's terms gives on each neighbour to ALONG, GX, GY, GZ.

    Args: as `narrow_functions`; gradient is dE/dG.
    """
    stop = row_first[near.segments[e1 + 1] - near.segments[e1]]
    if stop == start:
        return
    c = space.pairs[C, start:stop]
    y0 = space.pairs[Y0, start:stop]
    y1 = space.pairs[Y1, start:stop]
    y2 = space.pairs[Y2, start:stop]
    y0[:] = 0.0
    y1[:] = 0.0
    y2[:] = 0.0
    count = stop - start
    first = tables.exponential_first[g]
    for x in range(first, tables.exponential_first[g + 1]):
        product = products[(x - first) * count : (x - first + 1) * count]
        if tables.degree[x] > 0:
            series = space.series
            series[:] = 0.0
            for term in range(tables.term_first[x], tables.term_first[x + 1]):
                w = gradient[tables.out[term]]
                for n in range(tables.degree[x] + 1):
                    series[n] += w * tables.series[term, n]
            if tables.degree[x] == 1:
                _add_line(series, 2.0 * tables.eta[x], c, product, y0, y1, y2)
            else:
                _add_series(series, 2.0 * tables.eta[x], c, product, y0, y1, y2)
            continue
        for term in range(tables.term_first[x], tables.term_first[x + 1]):
            add_term_slopes(
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
                space.pairs[WORK, start:stop],
            )
    _sides(
        c,
        space.pairs[V, start:stop],
        space.pairs[L, start:stop],
        y0,
        y1,
        y2,
        space.pairs[WORK, start:stop],
    )
    _scatter(e1, e2, near, near.log_slope[tables.cutoff[g]], start, row_first, space)


@subkernel
def _add_line(
    series: FloatArray,
    eta2: float,
    c: FloatArray,
    x: FloatArray,
    y0: FloatArray,
    y1: FloatArray,
    y2: FloatArray,
) -> None:
    a0 = series[0]
    a1 = series[1]
    for t in range(c.shape[0]):
        y = x[t] * (a0 + a1 * c[t])
        y0[t] += y
        y1[t] += eta2 * y
        y2[t] += a1 * x[t]


@subkernel
def _add_series(
    series: FloatArray,
    eta2: float,
    c: FloatArray,
    x: FloatArray,
    y0: FloatArray,
    y1: FloatArray,
    y2: FloatArray,
) -> None:
    a0, a1, a2, a3 = series[0], series[1], series[2], series[3]
    a4, a5, a6 = series[4], series[5], series[6]
    for t in range(c.shape[0]):
        z = c[t]
        high = a4 + z * (a5 + z * a6)
        y = x[t] * (a0 + z * (a1 + z * (a2 + z * (a3 + z * high))))
        slope = a1 + z * (
            2.0 * a2 + z * (3.0 * a3 + z * (4.0 * a4 + z * (5.0 * a5 + z * 6.0 * a6)))
        )
        y0[t] += y
        y1[t] += eta2 * y
        y2[t] += x[t] * slope


@subkernel
def _sides(
    c: FloatArray,
    v: FloatArray,
    log_slope: FloatArray,
    y0: FloatArray,
    y1: FloatArray,
    y2: FloatArray,
    across: FloatArray,
) -> None:
    """Turn y1 into what both near sides share, y2 into dE/d cos θ · cos θ."""
    for t in range(c.shape[0]):
        both = y2[t] * v[t]
        across[t] = both + y1[t] - y0[t] * log_slope[t]
        y1[t] = both - y1[t]
        y2[t] *= c[t]


@subkernel
def _scatter(
    e1: int,
    e2: int,
    near: Neighborhood,
    log_slope: FloatArray,
    start: int,
    row_first: IndexArray,
    space: NarrowSpace,
) -> None:
    """Add the forces of all pairs to the rows ALONG, GX, GY, GZ of both neighbours."""
    dx = near.values[DX]
    dy = near.values[DY]
    dz = near.values[DZ]
    inverse = near.values[INVERSE_R]
    along = near.values[ALONG]
    gx = near.values[GX]
    gy = near.values[GY]
    gz = near.values[GZ]
    common_pairs = space.pairs[Y1]
    share_pairs = space.pairs[Y0]
    bend_pairs = space.pairs[Y2]
    across_pairs = space.pairs[WORK]
    block = start
    a0 = near.segments[e1]
    for j in range(a0, near.segments[e1 + 1]):
        m = row_first[j - a0]
        x = same8(dx[j])
        y = same8(dy[j])
        z = same8(dz[j])
        slope_j = same8(log_slope[j])
        square_j = same8(inverse[j] * inverse[j])
        along_j = same8(0.0)
        gx_j = same8(0.0)
        gy_j = same8(0.0)
        gz_j = same8(0.0)
        stop = near.segments[e2 + 1]
        for k in range(near.segments[e2] if e1 != e2 else j + 1, stop, LANES):
            mask = space.masks[block]
            block += 1
            across = spread8(mask, across_pairs, m)
            common = spread8(mask, common_pairs, m) - across
            share = spread8(mask, share_pairs, m)
            bend = spread8(mask, bend_pairs, m)
            m += count8(mask)
            along_j += common + share * slope_j - bend * square_j
            inverse_k = load8(inverse, k)
            own = common + share * load8(log_slope, k) - bend * (inverse_k * inverse_k)
            store8(along, k, load8(along, k) + own)
            gx_j += across * load8(dx, k)
            gy_j += across * load8(dy, k)
            gz_j += across * load8(dz, k)
            store8(gx, k, load8(gx, k) + across * x)
            store8(gy, k, load8(gy, k) + across * y)
            store8(gz, k, load8(gz, k) + across * z)
        along[j] += sum8(along_j)
        gx[j] += sum8(gx_j)
        gy[j] += sum8(gy_j)
        gz[j] += sum8(gz_j)
