"""Exponential, cutoff functions and activations, as loops over arrays that a compiler vectorises.

Conventions of all kernels: r_ij = r_j − r_i; "log slope" is f'(r)/(f(r)·r), so that a force is
a number times a vector. Loops are kept small, over few arrays, with no call that isn't inlined.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mlmd.compiled import inline_kernel, kernel, subkernel
from mlmd.frame import FloatArray
from mlmd.vectors import Eight, floor8, larger8, same8, two_to8

LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
# 1.5·2^52: added to a small whole number, its low mantissa bits are that number.
WHOLE_NUMBER = 6755399441055744.0
C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12 = (1.0 / math.factorial(n) for n in range(2, 13))
S3, S5, S7, S9, S11, S13, S15, S17, S19, S21 = (
    (-1.0) ** n / math.factorial(2 * n + 1) for n in range(1, 11)
)
HALF_PI = math.pi / 2.0
# (arcsin x − x)/x³ as a polynomial in x², 0 ≤ x ≤ 1/2, to 3e-16: its Chebyshev expansion there.
A0, A1, A2, A3, A4, A5 = (
    0.1666666666666665, 0.07500000000020764, 0.044642857103423646,
    0.03038194736709848, 0.02237204763174451, 0.017355259955786323,
)  # fmt: skip
A6, A7, A8, A9, A10, A11 = (
    0.013929652902326633, 0.011875494382636922, 0.0078029494773533175,
    0.01603551434914882, -0.010749050339697808, 0.028169218060881414,
)  # fmt: skip
# tanh³ scaled so that the cutoff function is 1 at r = 0.
TANH_SCALE = math.tanh(1.0) ** -3


def _bitcast(source: Any, target: Any) -> Callable[[Any, Any], Any]:
    def typed(_context: Any, _value: Any) -> Any:
        def build(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            kind = ir.DoubleType() if target is types.float64 else ir.IntType(64)
            return builder.bitcast(arguments[0], kind)

        return target(source), build

    return typed


_to_float = cast(Callable[[int], float], intrinsic(_bitcast(types.int64, types.float64)))
_to_bits = cast(Callable[[float], int], intrinsic(_bitcast(types.float64, types.int64)))


@inline_kernel
def fast_exp(x: float) -> float:
    """Return e^x to 2e-16 relative for −700 < x < 700; smaller x count as −700.

    e^x = 2^n e^r with |r| ≤ ln 2/2; e^r by its Taylor polynomial; 2^n by its bits. Unlike
    the C library's, it takes part in vectorised loops.
    """
    x = max(x, -700.0)
    n = math.floor(x * LOG2_E + 0.5)
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = C9 + r * (C10 + r * (C11 + r * C12))
    p = C5 + r * (C6 + r * (C7 + r * (C8 + r * p)))
    p = 1.0 + r * (1.0 + r * (C2 + r * (C3 + r * (C4 + r * p))))
    return p * _to_float((_to_bits(n + WHOLE_NUMBER) + 1023) << 52)


@subkernel
def exp8(x: Eight) -> Eight:
    """Return e^x as `fast_exp` does."""
    x = larger8(x, same8(-700.0))
    n = floor8(x * same8(LOG2_E) + same8(0.5))
    r = x - n * same8(LN2_HIGH) - n * same8(LN2_LOW)
    p = same8(C9) + r * (same8(C10) + r * (same8(C11) + r * same8(C12)))
    p = same8(C5) + r * (same8(C6) + r * (same8(C7) + r * (same8(C8) + r * p)))
    one = same8(1.0)
    p = one + r * (one + r * (same8(C2) + r * (same8(C3) + r * (same8(C4) + r * p))))
    return p * two_to8(n)


@inline_kernel
def arc_cosine(c: float) -> float:
    """Return arccos c, −1 ≤ c ≤ 1, to 4e-16; takes part in vectorised loops.

    By arcsin x, with x = |c| up to 1/2 and sin(arccos(|c|)/2) above.
    """
    a = abs(c)
    small = a < 0.5
    z = a * a if small else 0.5 - 0.5 * a
    x = math.sqrt(z)
    p = A6 + z * (A7 + z * (A8 + z * (A9 + z * (A10 + z * A11))))
    p = A0 + z * (A1 + z * (A2 + z * (A3 + z * (A4 + z * (A5 + z * p)))))
    p = x + x * z * p
    y = HALF_PI - p if small else 2.0 * p
    return y if c >= 0.0 else math.pi - y


@inline_kernel
def _sine(z: float) -> float:
    """Return sin z for 0 ≤ z ≤ π/2 by its Taylor polynomial, to 2e-16."""
    q = z * z
    p = S13 + q * (S15 + q * (S17 + q * (S19 + q * S21)))
    p = S3 + q * (S5 + q * (S7 + q * (S9 + q * (S11 + q * p))))
    return z + z * q * p


@kernel
def cutoff_values(
    kind: int,
    inner: float,
    inverse_width: float,
    r: FloatArray,
    value: FloatArray,
    log_slope: FloatArray,
) -> None:
    """Fill value = f_c(r) and log_slope = f_c'(r)/(f_c(r)·r).

    In terms of y = (r_c − r)/(r_c − r_ci), which is 1 at the inner cutoff and 0 at the
    cutoff: so written, no digits are lost where f_c is small, and the logarithmic slope of
    every type is finite. Beyond the cutoff value is 0 and log_slope any finite number.

    Args:
        kind: n2p2's cutoff type.
        inner: r_ci.
        inverse_width: 1/(r_c − r_ci).
        r: distances, shape (P,), Å.
        value: shape (P,).
        log_slope: shape (P,), 1/Å².
    """
    w = inverse_width
    if kind == 0:
        for t in range(r.shape[0]):
            value[t] = 1.0 if (r[t] - inner) * w < 1.0 else 0.0
            log_slope[t] = 0.0
    elif kind == 1:
        _cosine(inner, w, r, value, log_slope)
    elif kind == 2 or kind == 3:
        _tanh_cubed(1.0 if kind == 2 else TANH_SCALE, w, r, value, log_slope)
    elif kind == 4:
        _exponential(inner, w, r, value, log_slope)
    else:
        _polynomial(kind, inner, w, r, value, log_slope)


@subkernel
def _cosine(
    inner: float, w: float, r: FloatArray, value: FloatArray, log_slope: FloatArray
) -> None:
    # ½[cos(πx) + 1] = sin²(πy/2)
    for t in range(r.shape[0]):
        d = 1.0 - (r[t] - inner) * w
        y = min(max(d, 1e-30), 1.0)
        s = _sine(HALF_PI * y)
        c = _sine(HALF_PI * (1.0 - y))
        value[t] = s * s if d > 0.0 else 0.0
        log_slope[t] = -2.0 * HALF_PI * w * c / (s * r[t])


@subkernel
def _tanh_cubed(
    scale: float, w: float, r: FloatArray, value: FloatArray, log_slope: FloatArray
) -> None:
    # tanh y = (1 − q)/(1 + q), q = e^(−2y); n2p2 ignores α for these two. One division for all.
    for t in range(r.shape[0]):
        y = 1.0 - r[t] * w
        q = fast_exp(-2.0 * min(max(y, 0.0), 1.0))
        rest = max(1.0 - q, 1e-30)
        inverse = 1.0 / ((1.0 + q) * rest * r[t])
        th = rest * rest * r[t] * inverse
        value[t] = scale * th * th * th if y > 0.0 else 0.0
        # (th² − 1)/th = −4q/((1 + q)(1 − q))
        log_slope[t] = -12.0 * w * q * inverse


@subkernel
def _exponential(
    inner: float, w: float, r: FloatArray, value: FloatArray, log_slope: FloatArray
) -> None:
    # exp(1 + 1/(x² − 1)); x² − 1 = −u
    for t in range(r.shape[0]):
        d = 1.0 - (r[t] - inner) * w
        y = min(max(d, 1e-30), 1.0)
        u = y * (2.0 - y)
        value[t] = fast_exp(1.0 - 1.0 / u) if d > 0.0 else 0.0
        log_slope[t] = -2.0 * w * (1.0 - y) / (u * u * r[t])


@subkernel
def _polynomial(
    kind: int, inner: float, w: float, r: FloatArray, value: FloatArray, log_slope: FloatArray
) -> None:
    # POLY1 … POLY4 as polynomials in y, so that nothing cancels at the cutoff.
    if kind == 5:
        for t in range(r.shape[0]):
            d = 1.0 - (r[t] - inner) * w
            y = min(max(d, 1e-30), 1.0)
            s = 3.0 - 2.0 * y
            value[t] = y * y * s if d > 0.0 else 0.0
            log_slope[t] = -6.0 * w * (1.0 - y) / (y * s * r[t])
    elif kind == 6:
        for t in range(r.shape[0]):
            d = 1.0 - (r[t] - inner) * w
            y = min(max(d, 1e-30), 1.0)
            x = 1.0 - y
            s = 10.0 + y * (6.0 * y - 15.0)
            value[t] = y * y * y * s if d > 0.0 else 0.0
            log_slope[t] = -30.0 * w * x * x / (y * s * r[t])
    elif kind == 7:
        for t in range(r.shape[0]):
            d = 1.0 - (r[t] - inner) * w
            y = min(max(d, 1e-30), 1.0)
            x = 1.0 - y
            s = 35.0 + y * (y * (70.0 - 20.0 * y) - 84.0)
            value[t] = y * y * y * y * s if d > 0.0 else 0.0
            log_slope[t] = -140.0 * w * x * x * x / (y * s * r[t])
    else:
        for t in range(r.shape[0]):
            d = 1.0 - (r[t] - inner) * w
            y = min(max(d, 1e-30), 1.0)
            x = 1.0 - y
            s = 126.0 + y * (y * (540.0 + y * (70.0 * y - 315.0)) - 420.0)
            value[t] = y * y * y * y * y * s if d > 0.0 else 0.0
            log_slope[t] = -630.0 * w * x * x * x * x / (y * s * r[t])


# aenet's twisted tanh, a·tanh(bx) + cx, with its digits.
TWIST_OUTER, TWIST_INNER, TWIST_SLOPE = 1.7159, 0.666666666666667, 0.1


@kernel
def activate(kind: int, x: FloatArray, value: FloatArray, slope: FloatArray) -> None:
    """Fill an activation function and its derivative; kinds number `Activation` in order."""
    if kind == 0:
        for k in range(x.shape[0]):
            value[k] = x[k]
            slope[k] = 1.0
    elif kind == 1:
        for k in range(x.shape[0]):
            q = fast_exp(-2.0 * abs(x[k]))
            th = math.copysign((1.0 - q) / (1.0 + q), x[k])
            value[k] = th
            slope[k] = 1.0 - th * th
    elif kind == 2 or kind == 7:
        sign = 1.0 if kind == 2 else -1.0
        for k in range(x.shape[0]):
            q = fast_exp(-abs(x[k]))
            small = q / (1.0 + q)
            value[k] = 1.0 - small if sign * x[k] > 0.0 else small
            slope[k] = sign * small * (1.0 - small)
    else:
        _activate_rarely(kind, x, value, slope)


@subkernel
def _activate_rarely(kind: int, x: FloatArray, value: FloatArray, slope: FloatArray) -> None:
    for k in range(x.shape[0]):
        z = x[k]
        if kind == 3:
            q = fast_exp(-abs(z))
            value[k] = max(z, 0.0) + math.log1p(q)
            slope[k] = (1.0 if z > 0.0 else q) / (1.0 + q)
        elif kind == 4:
            value[k] = max(z, 0.0)
            slope[k] = 1.0 if z > 0.0 else 0.0
        elif kind == 5:
            value[k] = fast_exp(-0.5 * z * z)
            slope[k] = -z * value[k]
        elif kind == 6:
            value[k] = math.cos(z)
            slope[k] = -math.sin(z)
        elif kind == 8:
            value[k] = fast_exp(-max(z, -700.0))
            slope[k] = -value[k]
        elif kind == 9:
            value[k] = z * z
            slope[k] = 2.0 * z
        else:
            q = fast_exp(-2.0 * TWIST_INNER * abs(z))
            th = math.copysign((1.0 - q) / (1.0 + q), z)
            value[k] = TWIST_OUTER * th + TWIST_SLOPE * z
            slope[k] = TWIST_OUTER * TWIST_INNER * (1.0 - th * th) + TWIST_SLOPE


def activation_number(letter: str) -> int:
    """Return the number that `activate` knows a letter by."""
    return (*"ltsprgcSeh", "twist").index(letter)


def cutoff_parameters(kind: int, radius: float, alpha: float) -> tuple[float, float]:
    """Return (inner, inverse_width) of `cutoff_values` for a cutoff radius and α."""
    inner = 0.0 if kind in (2, 3) else alpha * radius
    return inner, 1.0 / np.float64(radius - inner)
