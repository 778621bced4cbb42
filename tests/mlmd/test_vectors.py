"""Eight numbers at once do what loops over numbers do."""

from __future__ import annotations

from typing import Any, cast

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from mlmd import vectors
from mlmd.compiled import kernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.tables import LARGEST_POWER, SERIES_UP_TO, _powers, _series
from mlmd.vectors import (
    LANES,
    below8,
    count8,
    keep8,
    load8,
    same8,
    spread8,
    store8,
    sum8,
)


@kernel
def _squeezed(x: FloatArray, limit: float, kept: FloatArray, back: FloatArray) -> int:
    m = 0
    for k in range(0, x.shape[0], LANES):
        value = load8(x, k)
        mask = below8(value, same8(limit))
        keep8(mask, value, kept, m)
        store8(back, k, spread8(mask, kept, m))
        m += count8(mask)
    return m


@kernel
def _combine(x: FloatArray, y: FloatArray, out: FloatArray) -> float:
    total = same8(0.0)
    for k in range(0, x.shape[0], LANES):
        value = (load8(x, k) - load8(y, k)) * same8(3.0) + load8(y, k)
        store8(out, k, value)
        total += value
        total -= same8(0.5)
        total *= same8(1.0)
    return sum8(total)


@pytest.mark.parametrize("at_once", [True, False])
def test_every_pattern_of_eight_is_kept_in_order_and_put_back(
    at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both ways, whatever processor this is: with one instruction and lane by lane.
    monkeypatch.setattr(vectors, "_packs_at_once", lambda: at_once)
    _squeeze = numba.njit(cast(Any, _squeezed).py_func, fastmath=True, error_model="numpy")
    numbers = np.arange(1.0, 9.0)
    kept, back = np.zeros(16), np.zeros(8)
    for pattern in range(256):
        inside = np.array([bool(pattern >> lane & 1) for lane in range(LANES)])
        x = np.where(inside, numbers, 100.0 + numbers)

        count = _squeeze(x, 50.0, kept, back)

        assert count == inside.sum()
        assert np.array_equal(kept[:count], numbers[inside])
        assert np.array_equal(back, np.where(inside, numbers, 0.0))


def test_nothing_infinitely_far_is_kept() -> None:
    kept, back = np.zeros(16), np.zeros(8)
    x = np.full(8, np.inf)
    assert _squeezed(x, 50.0, kept, back) == 0


def test_arithmetic_of_eights() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 40))
    out = np.zeros(40)

    total = _combine(x, y, out)

    assert np.allclose(out, (x - y) * 3.0 + y, rtol=1e-14)
    assert total == pytest.approx(out.sum() - 0.5 * 40, rel=1e-13)


@pytest.mark.parametrize(
    ("etas", "powers"),
    [
        ([0.01, 0.03, 0.07, 0.2], [0, 2, 4, 13]),
        ([0.001, 0.03], [0, 29]),
        ([0.0165, 0.0408, 0.2222], [0, 0, 0]),
        ([0.01, 0.01 * (1 + 1e-10) * 2], [0, 0]),
        ([0.0, 0.1, 0.2], [0, 0, 0]),
        ([1.0, 2.0 + LARGEST_POWER], [0, 0]),
    ],
)
def test_only_whole_multiples_of_the_first_width_share_an_exponential(
    etas: list[float], powers: list[int]
) -> None:
    assert _powers(etas) == powers


def test_series_are_the_terms() -> None:
    whole: NDArray[np.float64] = np.array([1.0, 4.0, 6.0, 0.0, 7.0])
    lam = np.array([-1.0, 1.0, -1.0, 1.0, 1.0])
    weight = np.array([1.0, 0.125, 2.0, 1.0, 1.0])

    series = _series(lam, whole, weight)

    c = np.linspace(-1.0, 1.0, 7)
    for row, z, sign, w in zip(series[:3], whole, lam, weight, strict=False):
        expected = w * (1.0 + sign * c) ** z
        assert np.allclose(np.polynomial.polynomial.polyval(c, row), expected, atol=1e-13)
    assert series.shape == (5, SERIES_UP_TO + 1)
    assert not series[3:].any(), "other ζ have no series"
