"""Fast loops against plain ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlmd.compiled import kernel
from mlmd.hdnnp.cutoffs import cutoff_and_slope
from mlmd.hdnnp.kernel_math import (
    activate,
    activation_number,
    arc_cosine,
    cutoff_parameters,
    cutoff_values,
)
from mlmd.hdnnp.kernel_windows import window_rows, window_values
from mlmd.hdnnp.potential import Activation, CutoffType
from mlmd.hdnnp.symmetry.kind import SHAPES
from mlmd.hdnnp.tables import legendre_series

PLAIN = {
    Activation.LINEAR: lambda x: x,
    Activation.TANH: np.tanh,
    Activation.LOGISTIC: lambda x: 1 / (1 + np.exp(-x)),
    Activation.SOFTPLUS: lambda x: np.logaddexp(0, x),
    Activation.RELU: lambda x: np.maximum(x, 0),
    Activation.GAUSSIAN: lambda x: np.exp(-x * x / 2),
    Activation.COSINE: np.cos,
    Activation.REVERSED_LOGISTIC: lambda x: 1 - 1 / (1 + np.exp(-x)),
    Activation.EXPONENTIAL: lambda x: np.exp(-x),
    Activation.HARMONIC: lambda x: x * x,
    Activation.TWISTED_TANH: lambda x: 1.7159 * np.tanh(0.666666666666667 * x) + 0.1 * x,
}


@pytest.mark.parametrize("letter", list(Activation))
def test_an_activation_and_its_slope_are_right(letter):
    x = np.concatenate([np.linspace(-8, 8, 1001), [-30.0, 30.0]])
    value, slope = np.zeros_like(x), np.zeros_like(x)
    activate(activation_number(letter), x, value, slope)
    np.testing.assert_allclose(value, PLAIN[letter](x), rtol=1e-13, atol=1e-15)
    step = 1e-5
    numerical = (PLAIN[letter](x + step) - PLAIN[letter](x - step)) / (2 * step)
    smooth = np.abs(x) > 2 * step
    np.testing.assert_allclose(slope[smooth], numerical[smooth], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("alpha", [0.0, 0.35])
@pytest.mark.parametrize("kind", list(CutoffType))
def test_cutoff_loops_agree_with_the_plain_function(kind, alpha):
    r = np.concatenate([np.linspace(0.3, 7.0, 997), [6.0 - 1e-9, 6.0]])
    value, log_slope = np.zeros_like(r), np.zeros_like(r)
    cutoff_values(
        int(kind), *map(float, cutoff_parameters(int(kind), 6.0, alpha)), r, value, log_slope
    )
    plain = np.array([cutoff_and_slope(int(kind), alpha, float(x), 6.0) for x in r])
    np.testing.assert_allclose(value, plain[:, 0], atol=1e-13)
    np.testing.assert_allclose(value * log_slope * r, plain[:, 1], atol=1e-13)
    assert np.isfinite(log_slope).all()
    # At r_c itself rounding may leave a trace.
    assert value[r >= 6.0].max() < 1e-30


@pytest.mark.parametrize(
    ("kind", "middle"),
    [
        (CutoffType.COSINE, 0.5),
        (CutoffType.TANH_U, math.tanh(0.5) ** 3),
        (CutoffType.TANH, (math.tanh(0.5) / math.tanh(1.0)) ** 3),
        (CutoffType.EXPONENTIAL, math.exp(1 + 1 / (0.25 - 1))),
        (CutoffType.POLY1, 0.5),
        (CutoffType.POLY2, 0.5),
        (CutoffType.POLY3, 0.5),
        (CutoffType.POLY4, 0.5),
    ],
)
def test_cutoff_functions_have_their_textbook_values(kind, middle):
    assert cutoff_and_slope(int(kind), 0.0, 3.0, 6.0)[0] == pytest.approx(middle, rel=1e-14)
    # With α = 0.5 the middle of what is left lies at 4.5; the two tanh types ignore α.
    at = 3.0 if kind in (CutoffType.TANH_U, CutoffType.TANH) else 4.5
    assert cutoff_and_slope(int(kind), 0.5, at, 6.0)[0] == pytest.approx(middle, rel=1e-14)


@pytest.mark.parametrize("kind", list(CutoffType))
def test_the_slope_is_that_of_the_value(kind):
    for r in np.linspace(0.5, 5.9, 23):
        up, down = (cutoff_and_slope(int(kind), 0.2, r + d, 6.0)[0] for d in (1e-5, -1e-5))
        slope = cutoff_and_slope(int(kind), 0.2, r, 6.0)[1]
        assert slope == pytest.approx((up - down) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("lam", [-1.0, 1.0])
@pytest.mark.parametrize("zeta", range(1, 9))
def test_a_power_of_the_cosine_is_its_legendre_series(zeta, lam):
    c = np.linspace(-1, 1, 41)
    series = np.polynomial.legendre.legval(c, legendre_series(zeta, lam))
    np.testing.assert_allclose(series, 2.0 ** (1 - zeta) * (1 + lam * c) ** zeta, atol=1e-14)


@kernel
def _arc_cosines(c, out):
    for t in range(c.shape[0]):
        out[t] = arc_cosine(c[t])


def test_the_arc_cosine_is_right_everywhere():
    c = np.concatenate([np.linspace(-1, 1, 4001), [0.5, -0.5, 1 - 1e-15, 1e-300, -1e-17]])
    out = np.zeros_like(c)
    _arc_cosines(c, out)
    np.testing.assert_allclose(out, np.arccos(c), rtol=0, atol=9e-16)


@kernel
def _windows(shape, center, inverse_width, a, value, slope, by_rows, with_slope):
    if by_rows:
        window_rows(shape, center, inverse_width, a, with_slope, value, slope)
    else:
        window_values(shape, center, inverse_width, a, value, slope)


# In x, the distance from the middle over half the width: Bircher, Singraber, Dellago (2021), Table 1.
POLYNOMIALS = {
    "p1": lambda x: (2 * x - 3) * x**2 + 1,
    "p2": lambda x: ((15 - 6 * x) * x - 10) * x**3 + 1,
    "p3": lambda x: (x * (x * (20 * x - 70) + 84) - 35) * x**4 + 1,
    "p4": lambda x: (x * (x * ((315 - 70 * x) * x - 540) + 420) - 126) * x**5 + 1,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("by_rows", [True, False])
def test_a_window_and_its_slope_are_right(shape, by_rows):
    center, half = 1.3, 0.7
    a = np.linspace(0.3, 2.4, 1024)
    x = np.minimum(np.abs(a - center) / half, 1.0)
    if shape == "e":
        with np.errstate(divide="ignore"):
            expected = np.exp(1 + 1 / np.minimum(x**2 - 1, -1e-300))
    else:
        expected = POLYNOMIALS[shape[:2]](x if len(shape) == 2 else (2 - x) * x)
    value, slope = np.zeros_like(a), np.zeros_like(a)
    _windows(SHAPES.index(shape), center, 1 / half, a, value, slope, by_rows, True)
    np.testing.assert_allclose(value, expected, rtol=0, atol=2e-13)
    step, high, low, unused = 1e-6, np.zeros_like(a), np.zeros_like(a), np.zeros_like(a)
    _windows(SHAPES.index(shape), center, 1 / half, a + step, high, unused, by_rows, True)
    _windows(SHAPES.index(shape), center, 1 / half, a - step, low, unused, by_rows, True)
    np.testing.assert_allclose(slope, (high - low) / (2 * step), rtol=0, atol=1e-5)
    assert np.all(value[np.abs(a - center) >= half] == 0.0)
    if by_rows:
        alone = np.zeros_like(a)
        _windows(SHAPES.index(shape), center, 1 / half, a, alone, slope, by_rows, False)
        np.testing.assert_array_equal(alone, value)
