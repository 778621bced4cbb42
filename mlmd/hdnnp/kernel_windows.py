"""Windows: functions that are 1 in the middle of an interval and fall to 0 at both ends.

With x = |a − centre|/half width: polynomials f(x) of degree 3, 5, 7 and 9, the exponential
exp(1 + 1/(x² − 1)), and the polynomials of (2 − x)x, which fall faster.
Source: Bircher, Singraber, Dellago, Mach. Learn.: Sci. Technol. 2, 035026 (2021),
doi:10.1088/2632-2153/abf817.
"""

from __future__ import annotations

import numpy as np

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import fast_exp
from mlmd.vectors import LANES, below8, larger8, load8, only8, same8, store8

# The polynomial with n steady slopes is y^(n+1) (r₀ + r₁ y + …) of y = 1 − x: r₀ … r₄, row n.
# One loop for all n: each loop of its own would cost a second to compile.
REST = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [3.0, -2.0, 0.0, 0.0, 0.0],
        [10.0, -15.0, 6.0, 0.0, 0.0],
        [35.0, -84.0, 70.0, -20.0, 0.0],
        [126.0, -420.0, 540.0, -315.0, 70.0],
    ]
)
# Its derivative is this times (xy)ⁿ.
STEEPEST = np.array([0.0, -6.0, -30.0, -140.0, -630.0])


@subkernel
def window_rows(
    shape: int,
    center: float,
    inverse_width: float,
    a: FloatArray,
    with_slope: bool,
    value: FloatArray,
    slope: FloatArray,
) -> None:
    """Fill as `window_values` does, in half the time; slopes only where wanted.

    Args:
        shape: an index of `SHAPES`.
        center: middle of the window, the unit of ``a``.
        inverse_width: 1 over half its width.
        a: shape (P,), P in whole eights.
        with_slope: is ``slope`` wanted?
        value: shape (P,).
        slope: shape (P,).
    """
    if shape == 0:
        _exponential(center, inverse_width, a, value, slope)
        return
    n = shape - 4 if shape > 4 else shape
    zero, unit = same8(0.0), same8(1.0)
    # Where the window falls faster, y = (1 − |s|)².
    square = same8(1.0 if shape > 4 else 0.0)
    # yⁿ = y (y or 1)(y² or 1) for n up to 4.
    one, two = same8(1.0 - n % 2), same8(0.0 if n < 3 else 1.0)
    r0, r1, r2 = same8(REST[n, 0]), same8(REST[n, 1]), same8(REST[n, 2])
    r3, r4 = same8(REST[n, 3]), same8(REST[n, 4])
    steepest = same8(STEEPEST[n] * inverse_width)
    middle, scale = same8(center), same8(inverse_width)
    for t in range(0, a.shape[0], LANES):
        s = (load8(a, t) - middle) * scale
        below = larger8(unit - larger8(s, zero - s), zero)
        y = below * (unit - square + square * below)
        power = y * (unit - one + one * y) * (unit - two + two * (y * y))
        store8(value, t, y * power * (r0 + y * (r1 + y * (r2 + y * (r3 + y * r4)))))
        if with_slope:
            p = y * (unit - y)
            fall = p * (unit - one + one * p) * (unit - two + two * (p * p))
            fall = fall * steepest * (unit - square + square * (below + below))
            up = only8(below8(zero, s), fall)
            store8(slope, t, up + up - fall)


@subkernel
def window_values(
    shape: int,
    center: float,
    inverse_width: float,
    a: FloatArray,
    value: FloatArray,
    slope: FloatArray,
) -> None:
    """Fill value = C(a) and slope = dC/da; both are 0 outside the window.

    Args:
        shape: an index of `SHAPES`.
        center: middle of the window, the unit of ``a``.
        inverse_width: 1 over half its width.
        a: distances or angles, shape (P,).
        value: shape (P,).
        slope: shape (P,), 1 over the unit of ``a``.
    """
    if shape == 0:
        _exponential(center, inverse_width, a, value, slope)
        return
    n = shape - 4 if shape > 4 else shape
    square = 1.0 if shape > 4 else 0.0
    one, two = 1.0 - n % 2, 0.0 if n < 3 else 1.0
    r0, r1, r2, r3, r4 = REST[n, 0], REST[n, 1], REST[n, 2], REST[n, 3], REST[n, 4]
    steepest = STEEPEST[n] * inverse_width
    for t in range(a.shape[0]):
        s = (a[t] - center) * inverse_width
        below = max(1.0 - abs(s), 0.0)
        y = below * (1.0 - square + square * below)
        power = y * (1.0 - one + one * y) * (1.0 - two + two * y * y)
        value[t] = y * power * (r0 + y * (r1 + y * (r2 + y * (r3 + y * r4))))
        p = y * (1.0 - y)
        fall = p * (1.0 - one + one * p) * (1.0 - two + two * p * p)
        fall *= steepest * (1.0 - square + 2.0 * square * below)
        slope[t] = fall if s > 0.0 else -fall


@subkernel
def _exponential(
    center: float, inverse_width: float, a: FloatArray, value: FloatArray, slope: FloatArray
) -> None:
    for t in range(a.shape[0]):
        s = (a[t] - center) * inverse_width
        x = min(abs(s), 1.0)
        u = (1.0 - x) * (1.0 + x)
        # Below 1e-3 it is less than 1e-400.
        inverse = 1.0 / max(u, 1e-3)
        f = fast_exp(1.0 - inverse) if u > 1e-3 else 0.0
        value[t] = f
        fall = -2.0 * x * f * inverse * inverse * inverse_width
        slope[t] = fall if s > 0.0 else -fall
