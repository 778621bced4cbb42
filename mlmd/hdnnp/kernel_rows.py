"""The loops of `kernel_pairs` that go row by row: one row of pairs (j, k) per neighbour j.

Where both neighbours are of one element, row j holds the k > j only.
"""

from __future__ import annotations

import math

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import fast_exp
from mlmd.hdnnp.neighborhood import (
    ALONG,
    DX,
    DY,
    DZ,
    FACTOR,
    GX,
    INVERSE_R,
    R2,
    Neighborhood,
    R,
)
from mlmd.hdnnp.tables import IndexArray

# Rows of a table of pairs, shape (PAIR_ROWS, pairs); see `kernel_pairs`.
C, R2_JK, F, L, INVERSE_JK, Y0, Y1, Y2, Y3, POWER = range(10)
PAIR_ROWS = 10


@subkernel
def fill_geometry(
    values: FloatArray, segments: IndexArray, e1: int, e2: int, start: int, pairs: FloatArray
) -> None:
    m = start
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        k1 = segments[e2 + 1]
        n = k1 - k0
        row_distances(
            values[DX, k0:k1],
            values[DY, k0:k1],
            values[DZ, k0:k1],
            values[DX, j],
            values[DY, j],
            values[DZ, j],
            pairs[R2_JK, m : m + n],
        )
        _row_cosines(
            values[R2, k0:k1],
            values[INVERSE_R, k0:k1],
            pairs[R2_JK, m : m + n],
            values[R2, j],
            0.5 * values[INVERSE_R, j],
            pairs[C, m : m + n],
        )
        m += n


@subkernel
def row_distances(
    x: FloatArray,
    y: FloatArray,
    z: FloatArray,
    xj: float,
    yj: float,
    zj: float,
    r2_jk: FloatArray,
) -> None:
    for k in range(r2_jk.shape[0]):
        u = x[k] - xj
        v = y[k] - yj
        w = z[k] - zj
        r2_jk[k] = u * u + v * v + w * w


@subkernel
def _row_cosines(
    r2: FloatArray,
    inverse_r: FloatArray,
    r2_jk: FloatArray,
    r2_j: float,
    half_inverse_j: float,
    c: FloatArray,
) -> None:
    for k in range(c.shape[0]):
        c[k] = (r2_j + r2[k] - r2_jk[k]) * half_inverse_j * inverse_r[k]


@subkernel
def fill_roots(squares: FloatArray, roots: FloatArray) -> None:
    for t in range(squares.shape[0]):
        # Two neighbours on one spot: the forces of a shifted function have no direction there.
        roots[t] = math.sqrt(max(squares[t], 1e-20))


@subkernel
def fill_inverses(r: FloatArray, inverse: FloatArray) -> None:
    for t in range(r.shape[0]):
        inverse[t] = 1.0 / r[t]


@subkernel
def neighbor_factors(
    near: Neighborhood, cutoff: int, e1: int, e2: int, eta: float, rs: float
) -> None:
    _factors_of(near, cutoff, near.segments[e1], near.segments[e1 + 1], eta, rs)
    if e1 != e2:
        _factors_of(near, cutoff, near.segments[e2], near.segments[e2 + 1], eta, rs)


@subkernel
def _factors_of(
    near: Neighborhood, cutoff: int, start: int, stop: int, eta: float, rs: float
) -> None:
    _gaussian_of(
        near.values[R, start:stop],
        near.cutoff[cutoff, start:stop],
        eta,
        rs,
        near.values[FACTOR, start:stop],
    )


@subkernel
def _gaussian_of(r: FloatArray, f: FloatArray, eta: float, rs: float, out: FloatArray) -> None:
    for a in range(out.shape[0]):
        d = r[a] - rs
        out[a] = f[a] * fast_exp(-eta * d * d)


@subkernel
def fill_shifted_gaussian(
    r2: FloatArray, f: FloatArray, eta: float, rs: float, out: FloatArray
) -> None:
    for t in range(out.shape[0]):
        d = math.sqrt(r2[t]) - rs
        out[t] = f[t] * fast_exp(-eta * d * d)


@subkernel
def multiply_rows(
    factor: FloatArray, segments: IndexArray, e1: int, e2: int, product: FloatArray
) -> None:
    m = 0
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        n = segments[e2 + 1] - k0
        row = product[m : m + n]
        other = factor[k0 : k0 + n]
        p = factor[j]
        for k in range(row.shape[0]):
            row[k] *= p * other[k]
        m += n


@subkernel
def fill_rows(
    factor: FloatArray, segments: IndexArray, e1: int, e2: int, product: FloatArray
) -> None:
    m = 0
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        n = segments[e2 + 1] - k0
        row = product[m : m + n]
        other = factor[k0 : k0 + n]
        p = factor[j]
        for k in range(row.shape[0]):
            row[k] = p * other[k]
        m += n


@subkernel
def fill_along_jk(y0: FloatArray, y1: FloatArray, log_slope: FloatArray) -> None:
    """Replace the log slope of f_c(r_jk) by −(dE/dr_jk)/r_jk without the part from cos θ."""
    for t in range(y0.shape[0]):
        log_slope[t] = y1[t] - y0[t] * log_slope[t]


@subkernel
def subtract_product(a: FloatArray, b: FloatArray, target: FloatArray) -> None:
    for t in range(target.shape[0]):
        target[t] -= a[t] * b[t]


@subkernel
def scatter_shift(
    values: FloatArray, segments: IndexArray, e1: int, e2: int, y3: FloatArray
) -> None:
    """Add y3/r to (dE/dr)/r of both neighbours of each pair."""
    m = 0
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        n = segments[e2 + 1] - k0
        row = y3[m : m + n]
        inverse = values[INVERSE_R, k0 : k0 + n]
        along = values[ALONG, k0 : k0 + n]
        total = 0.0
        for k in range(row.shape[0]):
            total += row[k]
            along[k] += row[k] * inverse[k]
        values[ALONG, j] += total * values[INVERSE_R, j]
        m += n


@subkernel
def scatter_along(
    values: FloatArray,
    slope: FloatArray,
    segments: IndexArray,
    e1: int,
    e2: int,
    c: FloatArray,
    y0: FloatArray,
    y1: FloatArray,
    y2: FloatArray,
    along_jk: FloatArray,
) -> None:
    """Add (dE/dr_ij)/r_ij and (dE/dr_ik)/r_ik, and complete −(dE/dr_jk)/r_jk.

    cos θ is a function of the three sides: ∂c/∂r_ij/r_ij = 1/(r_ij r_ik) − c/r_ij²,
    ∂c/∂r_jk/r_jk = −1/(r_ij r_ik).
    """
    m = 0
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        n = segments[e2 + 1] - k0
        values[ALONG, j] += _row_along(
            c[m : m + n],
            y0[m : m + n],
            y1[m : m + n],
            y2[m : m + n],
            along_jk[m : m + n],
            values[INVERSE_R, k0 : k0 + n],
            slope[k0 : k0 + n],
            values[ALONG, k0 : k0 + n],
            values[INVERSE_R, j],
            slope[j],
        )
        m += n


@subkernel
def _row_along(
    c: FloatArray,
    y0: FloatArray,
    y1: FloatArray,
    y2: FloatArray,
    across: FloatArray,
    inverse_k: FloatArray,
    slope_k: FloatArray,
    along_k: FloatArray,
    inverse_j: float,
    slope_j: float,
) -> float:
    total = 0.0
    square_j = inverse_j * inverse_j
    for k in range(c.shape[0]):
        both = y2[k] * inverse_j * inverse_k[k]
        bend = y2[k] * c[k]
        common = both - y1[k]
        total += common + y0[k] * slope_j - bend * square_j
        along_k[k] += common + y0[k] * slope_k[k] - bend * inverse_k[k] * inverse_k[k]
        across[k] += both
    return total


@subkernel
def scatter_across(
    values: FloatArray, segments: IndexArray, e1: int, e2: int, across: FloatArray
) -> None:
    """Add the force between the two neighbours of each pair, along r_jk."""
    m = 0
    for j in range(segments[e1], segments[e1 + 1]):
        k0 = segments[e2] if e1 != e2 else j + 1
        n = segments[e2 + 1] - k0
        row = across[m : m + n]
        for axis in range(3):
            values[GX + axis, j] += row_across(
                row,
                values[DX + axis, k0 : k0 + n],
                values[DX + axis, j],
                values[GX + axis, k0 : k0 + n],
            )
        m += n


@subkernel
def row_across(row: FloatArray, d: FloatArray, dj: float, g: FloatArray) -> float:
    total = 0.0
    for k in range(row.shape[0]):
        u = row[k] * (d[k] - dj)
        total += u
        g[k] -= u
    return total
