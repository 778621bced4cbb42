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

# In y = 1 − x, of the polynomial with n steady slopes: coefficients of y² … y⁹.
# One loop for all four: each loop of its own would cost a second to compile.
FALL = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [3.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 10.0, -15.0, 6.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 35.0, -84.0, 70.0, -20.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 126.0, -420.0, 540.0, -315.0, 70.0],
    ]
)
# Its slope −s (xy)ⁿ: coefficients of xy … (xy)⁴.
FALL_SLOPE = np.array(
    [
        [0.0, 0.0, 0.0, 0.0],
        [-6.0, 0.0, 0.0, 0.0],
        [0.0, -30.0, 0.0, 0.0],
        [0.0, 0.0, -140.0, 0.0],
        [0.0, 0.0, 0.0, -630.0],
    ]
)


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
    row = shape - 4 if shape > 4 else shape
    faster = 1.0 if shape > 4 else 0.0
    c2, c3, c4, c5 = FALL[row, 0], FALL[row, 1], FALL[row, 2], FALL[row, 3]
    c6, c7, c8, c9 = FALL[row, 4], FALL[row, 5], FALL[row, 6], FALL[row, 7]
    s1, s2 = FALL_SLOPE[row, 0], FALL_SLOPE[row, 1]
    s3, s4 = FALL_SLOPE[row, 2], FALL_SLOPE[row, 3]
    for t in range(a.shape[0]):
        s = (a[t] - center) * inverse_width
        u = min(abs(s), 1.0)
        # (2 − u)u, or u itself
        x = u * (1.0 + faster * (1.0 - u))
        y = 1.0 - x
        p = x * y
        high = c6 + y * (c7 + y * (c8 + y * c9))
        value[t] = y * y * (c2 + y * (c3 + y * (c4 + y * (c5 + y * high))))
        fall = p * (s1 + p * (s2 + p * (s3 + p * s4)))
        fall *= (1.0 + faster * (1.0 - 2.0 * u)) * inverse_width
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
