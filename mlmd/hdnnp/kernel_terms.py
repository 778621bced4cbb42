"""Sums over the terms (1 + λ cos θ)^ζ of angular functions, and their slopes."""

from __future__ import annotations

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray


@subkernel
def _power(whole: int, zeta: float, lam: float, c: FloatArray, power: FloatArray) -> None:
    """Fill power = (1 + λc)^(ζ−1)."""
    if whole == 0:
        for t in range(c.shape[0]):
            power[t] = max(1.0 + lam * c[t], 1e-300) ** (zeta - 1.0)
        return
    if whole <= 16:
        one = ((whole - 1) & 1) != 0
        two = ((whole - 1) & 2) != 0
        four = ((whole - 1) & 4) != 0
        eight = ((whole - 1) & 8) != 0
        for t in range(c.shape[0]):
            p = 1.0 + lam * c[t]
            y = p if one else 1.0
            p *= p
            y *= p if two else 1.0
            p *= p
            y *= p if four else 1.0
            power[t] = y * (p * p if eight else 1.0)
        return
    for t in range(c.shape[0]):
        power[t] = 1.0
    # Square and multiply, from the highest bit of ζ − 1.
    bit = 128
    while bit > 0:
        if (whole - 1) >= bit:
            for t in range(c.shape[0]):
                power[t] *= power[t]
        if (whole - 1) & bit:
            for t in range(c.shape[0]):
                power[t] *= 1.0 + lam * c[t]
        bit //= 2


@subkernel
def couple_sums(
    whole: int, zeta: float, lam: float, c: FloatArray, product: FloatArray, power: FloatArray
) -> tuple[float, float]:
    """Return Σ x (1 + λc)^ζ and Σ x (1 − λc)^ζ."""
    one = 0.0
    other = 0.0
    if whole == 1:
        total = 0.0
        first = 0.0
        for t in range(c.shape[0]):
            total += product[t]
            first += product[t] * c[t]
        return total + lam * first, total - lam * first
    if whole == 4:
        for t in range(c.shape[0]):
            p = 1.0 + lam * c[t]
            q = 1.0 - lam * c[t]
            p *= p
            q *= q
            one += product[t] * (p * p)
            other += product[t] * (q * q)
        return one, other
    one = term_sum(whole, zeta, lam, c, product, power)
    other = term_sum(whole, zeta, -lam, c, product, power)
    return one, other


@subkernel
def term_sum(
    whole: int, zeta: float, lam: float, c: FloatArray, product: FloatArray, power: FloatArray
) -> float:
    """Return Σ x (1 + λc)^ζ."""
    total = 0.0
    if whole == 1:
        for t in range(c.shape[0]):
            total += product[t] * (1.0 + lam * c[t])
    elif whole == 2:
        for t in range(c.shape[0]):
            p = 1.0 + lam * c[t]
            total += product[t] * (p * p)
    elif whole == 4:
        for t in range(c.shape[0]):
            p = 1.0 + lam * c[t]
            p *= p
            total += product[t] * (p * p)
    else:
        _power(whole, zeta, lam, c, power)
        for t in range(c.shape[0]):
            total += product[t] * power[t] * (1.0 + lam * c[t])
    return total


@subkernel
def add_term_slopes(
    whole: int,
    zeta: float,
    lam: float,
    w: float,
    eta2: float,
    c: FloatArray,
    x: FloatArray,
    y0: FloatArray,
    y1: FloatArray,
    y2: FloatArray,
    power: FloatArray,
) -> None:
    """Add a term to y0, y1, y2."""
    w_slope = w * zeta * lam
    if whole == 1:
        for t in range(x.shape[0]):
            y = w * x[t] * (1.0 + lam * c[t])
            y0[t] += y
            y1[t] += eta2 * y
            y2[t] += w_slope * x[t]
    elif whole == 2:
        for t in range(x.shape[0]):
            p = 1.0 + lam * c[t]
            q = p * x[t]
            y = w * p * q
            y0[t] += y
            y1[t] += eta2 * y
            y2[t] += w_slope * q
    elif whole == 4:
        for t in range(x.shape[0]):
            p = 1.0 + lam * c[t]
            q = p * p * p * x[t]
            y = w * p * q
            y0[t] += y
            y1[t] += eta2 * y
            y2[t] += w_slope * q
    else:
        _power(whole, zeta, lam, c, power)
        for t in range(x.shape[0]):
            q = power[t] * x[t]
            y = w * q * (1.0 + lam * c[t])
            y0[t] += y
            y1[t] += eta2 * y
            y2[t] += w_slope * q


@subkernel
def add_scaled(source: FloatArray, factor: float, target: FloatArray) -> None:
    for t in range(target.shape[0]):
        target[t] += factor * source[t]
