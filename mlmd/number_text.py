"""Tables of numbers as text, each number in the shortest form that reads back to the same value.

The text is that of Python's ``repr``, made a table at a time in compiled code, ten times as fast.

Source of the digits: R. Giulietti, "The Schubfach way to render doubles" (2020): one scaled
multiplication gives the interval of decimals that round to a number, and the shortest in it, the
closest of several, is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlmd.compiled import exact_kernel

FloatArray = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
U64 = np.uint64
Texts = str | tuple[Sequence[str], Places]

WIDEST = 26  # characters of a number, with some to spare
_LOWEST, _HIGHEST = -292, 324  # powers of ten that doubles need
_MASK = (1 << 64) - 1


def _powers() -> Words:
    """Return the leading 128 bits of the powers of ten, rounded up, as (high, low)."""
    table = np.empty((_HIGHEST - _LOWEST + 1, 2), np.uint64)
    for row, exponent in enumerate(range(_LOWEST, _HIGHEST + 1)):
        if exponent >= 0:
            excess = (10**exponent).bit_length() - 128
            value = -(-(10**exponent) >> excess) if excess > 0 else 10**exponent << -excess
        else:
            bits = 127 + (10**-exponent).bit_length()
            value = -(-(1 << bits) // 10**-exponent)
        table[row] = value >> 64, value & _MASK
    return table


_POWERS = _powers()


@exact_kernel
def _product(a: U64, b: U64) -> tuple[U64, U64]:
    """Return the high and the low half of the product of two 64-bit numbers."""
    low_bits = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    a_low, a_high = a & low_bits, a >> half
    b_low, b_high = b & low_bits, b >> half
    low, mid, cross = a_low * b_low, a_high * b_low, a_low * b_high
    carry = (low >> half) + (mid & low_bits) + cross
    high = a_high * b_high + (mid >> half) + (carry >> half)
    return high, a * b


@exact_kernel
def _rounded_to_odd(high: U64, low: U64, value: U64) -> U64:
    """Return the product with a 128-bit number, its lost bits noted in the last one."""
    carried, _ = _product(low, value)
    top, bottom = _product(high, value)
    bottom += carried
    if bottom < carried:
        top += np.uint64(1)
    if bottom > np.uint64(1):
        top |= np.uint64(1)
    return top


@exact_kernel
def _shortest(bits: U64) -> tuple[U64, int]:
    """Return digits and a power of ten of a positive, finite, nonzero double given as bits."""
    one, two, four = np.uint64(1), np.uint64(2), np.uint64(4)
    fraction = bits & np.uint64((1 << 52) - 1)
    exponent = int(bits >> np.uint64(52))
    if exponent:
        c, q = fraction | np.uint64(1 << 52), exponent - 1075
    else:
        c, q = fraction, -1074
    even = c & one == np.uint64(0)
    is_power = fraction == np.uint64(0) and exponent > 1
    lower_c = c * four - (one if is_power else two)
    k = (q * 1262611 - (524031 if is_power else 0)) >> 22
    h = np.uint64(q + ((-k * 1741647) >> 19) + 1)
    high, low = _POWERS[-k - _LOWEST, 0], _POWERS[-k - _LOWEST, 1]
    lower = _rounded_to_odd(high, low, lower_c << h)
    middle = _rounded_to_odd(high, low, (c * four) << h)
    upper = _rounded_to_odd(high, low, (c * four + two) << h)
    if not even:
        lower += one
        upper -= one
    s = middle // four
    ten, forty = np.uint64(10), np.uint64(40)
    if s >= ten:
        tens = s // ten
        below = lower <= forty * tens
        above = forty * tens + forty <= upper
        if below != above:
            return tens + (one if above else np.uint64(0)), k + 1
    below, above = lower <= four * s, four * s + four <= upper
    if below != above:
        return s + (one if above else np.uint64(0)), k
    half = four * s + two
    if middle > half or (middle == half and s & one == one):
        s += one
    return s, k


@exact_kernel
def _put(out: Bytes, at: int, value: float, bits: U64) -> int:
    """Write one number at a place; return the place behind it."""
    if bits >> np.uint64(63) and not np.isnan(value):
        out[at] = 45
        at += 1
        bits &= np.uint64((1 << 63) - 1)
    if not np.isfinite(value):
        for letter in (110, 97, 110) if np.isnan(value) else (105, 110, 102):
            out[at] = letter
            at += 1
        return at
    if bits == np.uint64(0):
        out[at], out[at + 1], out[at + 2] = 48, 46, 48
        return at + 3
    digits, exponent = _shortest(bits)
    ten = np.uint64(10)
    while digits % ten == np.uint64(0):
        digits //= ten
        exponent += 1
    count = 0
    rest = digits
    while rest:
        rest //= ten
        count += 1
    if -4 < count + exponent <= 16:
        return _put_plain(out, at, digits, count, exponent)
    return _put_scientific(out, at, digits, count, count + exponent - 1)


@exact_kernel
def _put_plain(out: Bytes, at: int, digits: U64, count: int, exponent: int) -> int:
    """Write digits · 10^exponent without a power of ten."""
    point = at + count + exponent
    if point <= at:
        out[at], out[at + 1] = 48, 46
        for place in range(at + 2, 2 * at + 2 - point):
            out[place] = 48
        return _put_digits(out, 2 * at + 2 - point, digits, count, -1)
    if exponent < 0:
        return _put_digits(out, at, digits, count, point)
    end = _put_digits(out, at, digits, count, -1)
    while end < point:
        out[end] = 48
        end += 1
    out[end], out[end + 1] = 46, 48
    return end + 2


@exact_kernel
def _put_digits(out: Bytes, at: int, digits: U64, count: int, point: int) -> int:
    """Write digits, with a decimal point at that place where it lies among them."""
    end = at + count + (1 if point >= 0 else 0)
    for back in range(1, end - at + 1):
        place = end - back
        if place == point:
            out[place] = 46
        else:
            out[place] = np.uint8(48 + digits % np.uint64(10))
            digits //= np.uint64(10)
    return end


@exact_kernel
def _put_scientific(out: Bytes, at: int, digits: U64, count: int, exponent: int) -> int:
    end = _put_digits(out, at, digits, count, at + 1 if count > 1 else -1)
    out[end] = 101
    out[end + 1] = 45 if exponent < 0 else 43
    end += 2
    size = abs(exponent)
    if size >= 100:
        out[end] = 48 + size // 100
        end += 1
    out[end] = 48 + size // 10 % 10
    out[end + 1] = 48 + size % 10
    return end + 2


@exact_kernel
def _table(
    values: FloatArray, bits: Words, texts: Bytes, lengths: Places, picks: Places, out: Bytes
) -> int:
    at = 0
    rows, columns = values.shape
    for row in range(rows):
        for column in range(columns + 1):
            pick = picks[row, column]
            for i in range(lengths[pick]):
                out[at] = texts[pick, i]
                at += 1
            if column < columns:
                at = _put(out, at, values[row, column], bits[row, column])
    return at


def table_text(values: npt.ArrayLike, between: Sequence[Texts]) -> str:
    """Return rows of numbers with text around them.

    Args:
        values: shape (n, m).
        between: m + 1 texts: before the first number of a row, between them, behind the last.
            Each is one text for all rows, or choices and the place of each row's choice, (n,).

    Returns:
        The rows one after another, numbers as ``repr`` gives them.
    """
    table = np.ascontiguousarray(values, np.float64)
    rows, columns = table.shape
    known: list[bytes] = []
    picks = np.empty((rows, columns + 1), np.int64)
    for column, given in enumerate(between):
        choices, chosen = ([given], np.zeros(1, np.int64)) if isinstance(given, str) else given
        picks[:, column] = len(known) + chosen
        known += [choice.encode() for choice in choices]
    lengths = np.array([len(text) for text in known], np.int64)
    texts = np.zeros((len(known), max(int(lengths.max()), 1)), np.uint8)
    for place, text in enumerate(known):
        texts[place, : len(text)] = np.frombuffer(text, np.uint8)
    size = int(lengths[picks].sum()) + table.size * WIDEST
    out = np.empty(size, np.uint8)
    end = _table(table, table.view(np.uint64), texts, lengths, picks, out)
    return out[:end].tobytes().decode()
