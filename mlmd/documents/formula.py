"""Chemical formulas as OPTIMADE defines them."""

from __future__ import annotations

import re
from collections import Counter
from functools import reduce
from math import gcd

import numpy as np
from numpy.typing import NDArray

from mlmd.elements import SYMBOLS, atomic_number
from mlmd.errors import InvalidInput

_PART = re.compile(r"([A-Z][a-z]?)([1-9][0-9]*)?")


def element_counts(numbers: NDArray[np.uint8]) -> dict[str, int]:
    """Return element → count, elements in alphabetical order."""
    counts = Counter(numbers.tolist())
    return dict(sorted((SYMBOLS[z], n) for z, n in counts.items()))


def formula_reduced(counts: dict[str, int]) -> str:
    """Return for example ``O2Si``: alphabetical, divided by the common factor."""
    factor = reduce(gcd, counts.values())
    return "".join(e + _number(n // factor) for e, n in sorted(counts.items()))


def formula_hill(counts: dict[str, int]) -> str:
    """Return the Hill formula: C and H first when there is carbon, then alphabetical."""
    elements = sorted(counts)
    if "C" in counts:
        first = [e for e in ("C", "H") if e in counts]
        elements = first + [e for e in elements if e not in first]
    return "".join(e + _number(counts[e]) for e in elements)


def formula_anonymous(counts: dict[str, int]) -> str:
    """Return for example ``A2B``: reduced, counts descending, then letters A, B, C and so on."""
    factor = reduce(gcd, counts.values())
    ordered = sorted((n // factor for n in counts.values()), reverse=True)
    return "".join(_letters(i) + _number(n) for i, n in enumerate(ordered))


def formula_counts(formula: str) -> dict[str, int]:
    """Return element → count of a formula without brackets, elements in alphabetical order.

    Raises:
        InvalidInput: something else than symbols of elements, each followed by its count.
    """
    found = _PART.findall(formula)
    whole = "".join(symbol + digits for symbol, digits in found)
    if not found or whole != formula or any(atomic_number(s) is None for s, _digits in found):
        raise InvalidInput("formula", f"“{formula[:80]}”", "symbols and counts, such as Si8O16")
    counts: Counter[str] = Counter()
    for symbol, digits in found:
        counts[symbol] += int(digits or 1)
    return dict(sorted(counts.items()))


def _number(count: int) -> str:
    return str(count) if count != 1 else ""


def _letters(index: int) -> str:
    first = chr(ord("A") + index % 26)
    return first if index < 26 else first + chr(ord("a") + index // 26 - 1)
