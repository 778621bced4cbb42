"""Cutoff functions and activations of one number, in single precision.

The formulas are those of `mlmd.hdnnp.kernel_math`, written in y = 1 − x, so that nothing
cancels where a cutoff function is small. Constants are single precision by name: a plain 0.5 would
turn the whole expression into double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import numpy as np

from mlmd.hdnnp.gpu.lanes import device_function
from mlmd.hdnnp.kernel_math import TANH_SCALE
from mlmd.hdnnp.kernel_math import TWIST_INNER as INNER
from mlmd.hdnnp.kernel_math import TWIST_OUTER as OUTER
from mlmd.hdnnp.kernel_math import TWIST_SLOPE as SLOPE

# To a checker they are plain numbers, as everything in a kernel is.
F32: Callable[[float], float] = cast(Callable[[float], float], np.float32)
ZERO, HALF, ONE, TWO, THREE = F32(0.0), F32(0.5), F32(1.0), F32(2.0), F32(3.0)
TINY = F32(1e-30)
LEAST_SQUARE = F32(1e-12)
HALF_PI = F32(math.pi / 2.0)
S3, S5, S7, S9, S11 = (F32((-1.0) ** n / math.factorial(2 * n + 1)) for n in range(1, 6))
TANH_TO_ONE = F32(TANH_SCALE)
TWIST_OUTER, TWIST_INNER, TWIST_SLOPE = F32(OUTER), F32(INNER), F32(SLOPE)
(C6, C10, C15, C20, C30, C35, C70, C84, C126, C140, C315, C420, C540, C630) = (
    F32(c) for c in (6, 10, 15, 20, 30, 35, 70, 84, 126, 140, 315, 420, 540, 630)
)
# e^x of less is nothing in single precision.
LEAST_EXPONENT = F32(-87.0)


@device_function
def quick_exp(x: float) -> float:
    """Return e^x for x ≤ 88; nothing below −87."""
    return math.exp(max(x, LEAST_EXPONENT)) if x > LEAST_EXPONENT else ZERO


@device_function
def _sine(z: float) -> float:
    """Return sin z for 0 ≤ z ≤ π/2; the hardware's own loses digits near zero."""
    q = z * z
    return z + z * q * (S3 + q * (S5 + q * (S7 + q * (S9 + q * S11))))


@device_function
def cutoff_pair(kind: int, inner: float, w: float, r: float) -> tuple[float, float]:
    """Return f_c(r) and f_c'(r)/(f_c(r)·r); beyond the cutoff 0 and any finite number.

    Args:
        kind: n2p2's cutoff type.
        inner: inner cutoff radius, Å.
        w: 1/(r_c − r_ci), 1/Å.
        r: distance, Å.
    """
    d = ONE - (r - inner) * w
    y = min(max(d, TINY), ONE)
    x = ONE - y
    value = ONE
    slope = ZERO
    if kind == 0:
        value = ONE
    elif kind == 1:
        s = max(_sine(HALF_PI * y), TINY)
        value = s * s
        slope = -TWO * HALF_PI * w * _sine(HALF_PI * x) / (s * r)
    elif kind == 2 or kind == 3:
        q = math.exp(-TWO * y)
        th = max((ONE - q) / (ONE + q), TINY)
        value = th * th * th * (ONE if kind == 2 else TANH_TO_ONE)
        slope = THREE * w * (th * th - ONE) / (th * r)
    elif kind == 4:
        u = max(y * (TWO - y), TINY)
        value = quick_exp(ONE - ONE / u)
        # Where u² would vanish, so does the value.
        slope = -TWO * w * x / (max(u * u, LEAST_SQUARE) * r)
    elif kind == 5:
        s = THREE - TWO * y
        value = y * y * s
        slope = -C6 * w * x / (y * s * r)
    elif kind == 6:
        s = C10 + y * (C6 * y - C15)
        value = y * y * y * s
        slope = -C30 * w * x * x / (y * s * r)
    elif kind == 7:
        s = C35 + y * (y * (C70 - C20 * y) - C84)
        value = y * y * y * y * s
        slope = -C140 * w * x * x * x / (y * s * r)
    else:
        s = C126 + y * (y * (C540 + y * (C70 * y - C315)) - C420)
        value = y * y * y * y * y * s
        slope = -C630 * w * x * x * x * x / (y * s * r)
    if d <= ZERO:
        return ZERO, ZERO
    return value, slope


@device_function
def _tanh(z: float) -> float:
    """Return tanh z; the hardware's own keeps three digits."""
    q = math.exp(-TWO * abs(z))
    th = (ONE - q) / (ONE + q)
    return th if z > ZERO else -th


@device_function
def activation_pair(kind: int, z: float) -> tuple[float, float]:
    """Return an activation function and its derivative; kinds number `Activation` in order."""
    value = z
    slope = ONE
    if kind == 1:
        value = _tanh(z)
        slope = ONE - value * value
    elif kind == 2 or kind == 7:
        q = math.exp(-abs(z))
        small = q / (ONE + q)
        slope = small * (ONE - small)
        value = small
        if (z > ZERO) == (kind == 2):
            value = ONE - small
        if kind == 7:
            slope = -slope
    elif kind == 3:
        q = math.exp(-abs(z))
        value = max(z, ZERO) + math.log1p(q)
        slope = (ONE if z > ZERO else q) / (ONE + q)
    elif kind == 4:
        value = max(z, ZERO)
        slope = ONE if z > ZERO else ZERO
    elif kind == 5:
        value = quick_exp(-HALF * z * z)
        slope = -z * value
    elif kind == 6:
        value = math.cos(z)
        slope = -math.sin(z)
    elif kind == 8:
        value = quick_exp(-z)
        slope = -value
    elif kind == 9:
        value = z * z
        slope = TWO * z
    elif kind == 10:
        th = _tanh(TWIST_INNER * z)
        slope = TWIST_OUTER * TWIST_INNER * (ONE - th * th) + TWIST_SLOPE
        value = TWIST_OUTER * th + TWIST_SLOPE * z
    return value, slope
