"""Cutoff functions of one distance, as n2p2 defines them.

The engine's own loops use the array form in `kernel_math`; this one is for code that goes
through pairs one by one.
"""

from __future__ import annotations

import math

from mlmd.compiled import kernel

# tanh³ scaled so that the cutoff function is 1 at r = 0.
TANH_SCALE = math.tanh(1.0) ** -3


@kernel
def cutoff_and_slope(kind: int, alpha: float, r: float, r_c: float) -> tuple[float, float]:
    """Return f_c(r) and df_c/dr.

    With x = (r − αr_c)/(r_c − αr_c), held at 0 below the inner cutoff αr_c, and y = 1 − x.

    Args:
        kind: n2p2's cutoff type, 0 to 8.
        alpha: inner cutoff as a fraction of r_c; types 2 and 3 ignore it.
        r: distance, any unit.
        r_c: cutoff radius, the same unit.

    Returns:
        Value, no dimension, and slope, 1/length; both zero from r_c on.
    """
    if r >= r_c:
        return 0.0, 0.0
    if kind == 0:
        return 1.0, 0.0
    if kind == 2 or kind == 3:
        scale = 1.0 if kind == 2 else TANH_SCALE
        th = math.tanh(1.0 - r / r_c)
        return scale * th * th * th, scale * 3.0 * th * th * (th * th - 1.0) / r_c
    width = r_c * (1.0 - alpha)
    x = (r - alpha * r_c) / width
    if x <= 0.0:
        return 1.0, 0.0
    value, slope = _inside(kind, x, 1.0 - x)
    return value, slope / width


@kernel
def _inside(kind: int, x: float, y: float) -> tuple[float, float]:
    """Return f and df/dx for 0 < x < 1, written in y = 1 − x where that keeps digits."""
    if kind == 1:
        s = math.sin(0.5 * math.pi * y)
        return s * s, -math.pi * s * math.cos(0.5 * math.pi * y)
    if kind == 4:
        u = y * (2.0 - y)
        f = math.exp(1.0 - 1.0 / u)
        return f, -2.0 * x * f / (u * u)
    if kind == 5:
        return y * y * (3.0 - 2.0 * y), -6.0 * x * y
    if kind == 6:
        return y * y * y * (10.0 + y * (6.0 * y - 15.0)), -30.0 * (x * y) ** 2
    if kind == 7:
        return (
            y**4 * (35.0 + y * (y * (70.0 - 20.0 * y) - 84.0)),
            -140.0 * (x * y) ** 3,
        )
    return (
        y**5 * (126.0 + y * (y * (540.0 + y * (70.0 * y - 315.0)) - 420.0)),
        -630.0 * (x * y) ** 4,
    )
