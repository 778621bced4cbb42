"""Blocks of numbers are read to the last bit, by columns or one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlmd.formats import number_block
from mlmd.formats.number_block import parse_block


def block(rows, format="%16.8f", indent=3, between=" "):
    lines = "".join(
        f"{' ' * indent}<v>{between}{between.join(format % x for x in row)} </v>\n" for row in rows
    )
    return f"\n{lines}  ".encode()


def one_by_one(body):
    return [float(w) for w in body.replace(b"<v>", b" ").replace(b"</v>", b" ").split()]


@given(
    values=arrays(np.float64, (60, 3), elements=st.floats(-99999, 99999)),
    format=st.sampled_from(["%16.8f", "%20.12f", "%12.3f", "%16.7f"]),
)
@settings(max_examples=60, deadline=None)
def test_columns_give_what_float_gives(values, format):
    body = block(values, format)
    assert parse_block(body).ravel().tolist() == one_by_one(body)


def test_the_rows_that_vasp_writes_are_read_by_columns():
    values = np.random.default_rng(0).normal(scale=100, size=(500, 3))
    assert number_block._parse_rectangle(block(values)) is not None


def test_numbers_that_fill_their_width_are_told_apart():
    body = block(np.full((40, 3), -123456.5), "%12.4f", between="")
    assert (parse_block(body) == -123456.5).all()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"1.50000000", b"*.********", "“*.********”"),
        (b"1.50000000", b"1.5000 000", "numbers, not rows of 3"),
        (b"1.50000000", b"1-50000000", "run into each other"),
        (b"1.50000000", b"1.5000.000", "run into each other"),
        (b" 1.50000000", b"--.50000000", "run into each other"),
        (b"1.50000000", b"1.5000000x", "“1.5000000x”"),
    ],
)
def test_a_single_wrong_number_is_found(old, new, expected):
    rows = np.full((60, 3), 2.25)
    rows[17, 1] = 1.5
    body = block(rows).replace(old, new)
    assert expected in parse_block(body)


@pytest.mark.parametrize(
    "change", [(b"1.50000000", b"1.5E000000"), (b"  1.50000000", b"+1.500000000")]
)
def test_unusual_but_valid_numbers_are_read_one_by_one(change):
    rows = np.full((60, 3), 2.25)
    rows[17, 1] = 1.5
    body = block(rows).replace(*change)
    assert number_block._parse_rectangle(body) is None
    assert parse_block(body)[17, 1] == 1.5


def test_uneven_rows_and_other_markup_are_not_forced_into_columns():
    rows = np.full((60, 3), 2.25)
    body = block(rows)
    np.testing.assert_array_equal(parse_block(body.replace(b"   <v>", b"<v>", 1)), rows)
    np.testing.assert_array_equal(
        parse_block(body + block(rows[:1], indent=9)), np.full((61, 3), 2.25)
    )
    assert parse_block(body.replace(b"</v>", b"</v><!-- -->", 1)) is None
    assert parse_block(body + b"<w/>") is None


def test_more_digits_than_a_double_holds_are_rounded_once():
    rows = [["0.12345678901234567891", "-9007199254740993.0", "1.0"]] * 30
    body = block(rows, "%40s")
    assert parse_block(body).ravel().tolist() == one_by_one(body)
