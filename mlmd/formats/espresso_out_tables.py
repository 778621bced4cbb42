"""The tables in pw.x's text output: what a row of each looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from mlmd.frame import FloatArray


def _force_row(line: str, words: list[str]) -> list[str] | None:
    return line.split("=")[1].split()[:3] if words[0] == "atom" and "force =" in line else None


def _axis_row(line: str, words: list[str]) -> list[str] | None:
    if not words[0].startswith("a("):
        return None
    return line.split("=")[1].strip().strip("()").split()[:3]


def _site_row(line: str, words: list[str]) -> list[str] | None:
    if "tau(" not in line or "=" not in line:
        return None
    return [words[1], *line.split("=")[1].strip().strip("()").split()[:3]]


def _plain_row(_line: str, words: list[str]) -> list[str] | None:
    return words[:3] if len(words) >= 3 and _is_number(words[0]) else None


def _position_row(_line: str, words: list[str]) -> list[str] | None:
    return words if len(words) >= 4 and _is_number(words[1]) else None


ROWS: Mapping[str, Callable[[str, list[str]], list[str] | None]] = {
    "forces": _force_row,
    "axes": _axis_row,
    "sites": _site_row,
    "stress": _plain_row,
    "cell": _plain_row,
    "positions": _position_row,
}


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return word.startswith("*")
    return True


def table_numbers(rows: list[list[str]]) -> FloatArray:
    """Return (n, 3) numbers.

    Raises:
        ValueError: a row that isn't three numbers.
    """
    values = np.array(rows, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != 3:
        raise ValueError("a row without three numbers")
    return values
