"""Tables of numbers as text: exactly what ``repr`` writes, for every double."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmd.number_text import table_text

EDGES = [
    *(0.0, -0.0, 1.0, -1.0, 10.0, 0.1, 2 / 3, 4.35, 1e-3, 1e-4, 1e-5, 1.5e-5, 12345678.9),
    *(1e15, 1e16, 1e17, 123456789012345678.0, 1e21, 1e22, 1e23, 9007199254740993.0, 2.0**60),
    *(5e-324, 2.225073858507201e-308, 2.2250738585072014e-308, 1.7976931348623157e308, 1e100),
    *(math.nan, math.inf, -math.inf, -1.25e-7, 9.5e-5, 99999999999999990.0, 1e-100),
]


def written(values: list[float]) -> list[str]:
    return table_text(np.array(values)[:, None], ("", "\n")).split("\n")[:-1]


def test_edges_are_written_as_repr_writes_them():
    assert written(EDGES) == [repr(value) for value in EDGES]


@given(st.lists(st.floats(), min_size=1, max_size=50))
def test_any_number_is_written_as_repr_writes_it(values):
    assert written(values) == [repr(value) for value in values]


def test_powers_of_two_and_random_bits_too():
    powers = [2.0**e for e in range(-1074, 1024)]
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2**64, size=100_000, dtype=np.uint64).view(np.float64).tolist()
    usual = (rng.normal(size=50_000) * 10.0 ** rng.integers(-8, 18, size=50_000)).tolist()
    for values in (powers, bits, usual):
        assert written(values) == [repr(value) for value in values]


def test_texts_stand_between_the_numbers():
    species = ["Si ", "O "], np.array([0, 1, 1])
    text = table_text([[1.0, 2.5], [-3.0, 0.0], [1e-7, 4.0]], (species, " · ", "\n"))
    assert text == "Si 1.0 · 2.5\nO -3.0 · 0.0\nO 1e-07 · 4.0\n"
    assert table_text(np.empty((0, 2)), ("", " ", "\n")) == ""


@pytest.mark.parametrize("value", [1.2345678901234567, -9.876e-300, 4.9e-324])
def test_the_text_reads_back_to_the_same_bits(value):
    (text,) = written([value])
    assert struct.pack("<d", float(text)) == struct.pack("<d", value)
