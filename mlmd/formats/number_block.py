"""Numbers out of the body of a ``<varray>``: exactly what `float` gives, without calling it.

VASP writes rows of fixed width, so a block is a rectangle of characters: digits of the same
place stand in the same column, and a whole block is a few operations on columns. A block that
isn't such a rectangle in every detail is read number by number instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlmd.frame import FloatArray

_SMALLEST = 1024  # bytes; below it the plain way is faster
_NUMBER_BYTES = b"0123456789+-.eE \t\r\n"
_SPACE, _MINUS, _POINT, _ZERO = 32, 45, 46, 48
# Whole numbers up to 2⁵³ and powers of ten up to 10²² are exact in a double, so that
# mantissa / 10^decimals rounds once, as the decimal number itself does.
_LARGEST_MANTISSA = float(1 << 53)
_MOST_COLUMNS = 22

Characters = NDArray[np.uint8]


def parse_block(body: bytes) -> FloatArray | str | None:
    """Return (n, 3) numbers, or what stands there instead; None where other markup is inside."""
    if len(body) > _SMALLEST:
        values = _parse_rectangle(body)
        if values is not None:
            return values
    text = body.replace(b"<v>", b" ").replace(b"</v>", b" ")
    return None if b"<" in text or b"&" in text else parse_text(text)


def parse_text(text: bytes) -> FloatArray | str:
    """Return (n, 3) numbers out of plain text, or what stands there instead."""
    if text.translate(None, _NUMBER_BYTES):
        wrong = next(w for w in text.split() if w.translate(None, _NUMBER_BYTES))
        return f"“{wrong[:20].decode('ascii', 'replace')}” where a number should be"
    try:
        values = np.array(text.split(), dtype=np.float64)
    except ValueError:
        return "numbers that run into each other"
    return (
        values.reshape(-1, 3) if values.size % 3 == 0 else f"{values.size} numbers, not rows of 3"
    )


def _parse_rectangle(body: bytes) -> FloatArray | None:
    """Return the rows of a block of fixed width, or None where it isn't one."""
    start = body.find(b"<v>")
    pitch = body.find(b"<v>", start + 3) - start
    width = body.find(b"</v>", start) + 4 - start
    stop = body.rfind(b"</v>") + 4
    if start < 0 or pitch < width or width < 8 or body[:start].strip() or body[stop:].strip():
        return None
    rows, odd = divmod(stop - start - width, pitch)
    if odd:
        return None
    rectangle = np.frombuffer(
        body[start:stop] + body[start + width : start + pitch], dtype=np.uint8
    ).reshape(rows + 1, pitch)
    # Characters of one column side by side in memory: every step below runs along columns.
    columns = np.ascontiguousarray(rectangle.T)
    tags = np.r_[0:3, width - 4 : pitch]
    if not (columns[tags] == columns[tags, :1]).all():
        return None
    first = bytes(rectangle[0])
    if first[width:].strip():
        return None
    return _parse_fields(columns[3 : width - 4], first[3 : width - 4])


def _parse_fields(columns: Characters, first: bytes) -> FloatArray | None:
    points = [i for i, c in enumerate(first) if c == _POINT]
    if len(points) != 3:
        return None
    values = np.empty((columns.shape[1], 3))
    begin = 0
    for axis, point in enumerate(points):
        end = point + 1
        while end < len(first) and 0 <= first[end] - _ZERO <= 9:
            end += 1
        numbers = _parse_field(columns[begin:end], point - begin)
        if numbers is None:
            return None
        values[:, axis] = numbers
        begin = end
    return values if (columns[begin:] == _SPACE).all() else None


def _parse_field(field: Characters, point: int) -> FloatArray | None:
    """Return the numbers of one field of text, whose decimal point is in column ``point``."""
    decimals = len(field) - point - 1
    if not 0 < point <= _MOST_COLUMNS or decimals > _MOST_COLUMNS:
        return None
    digits = field - np.uint8(_ZERO)  # wraps round, so that only digits are below 10
    is_digit = digits < 10
    minus = field[:point] == _MINUS
    # Spaces, at most one sign, digits: after the first mark only digits may follow.
    marked = is_digit[:point] | minus
    well_formed = (
        (field[point] == _POINT).all()
        and is_digit[point + 1 :].all()
        and is_digit[point - 1].all()
        and not is_digit[0].any()
        and (marked | (field[:point] == _SPACE)).all()
        and (is_digit[1:point] | ~marked[:-1]).all()
    )
    if not well_formed:
        return None
    places = np.zeros(len(field))
    places[:point] = 10.0 ** (decimals + np.arange(point - 1, -1, -1))
    places[point + 1 :] = 10.0 ** np.arange(decimals - 1, -1, -1)
    mantissa: FloatArray = places @ (digits * is_digit).astype(np.float64)
    if mantissa.max() >= _LARGEST_MANTISSA:
        return None
    values: FloatArray = np.where(minus.any(axis=0), -mantissa, mantissa) / 10.0**decimals
    return values
