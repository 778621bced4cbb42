"""Chemical formulas as OPTIMADE defines them."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from math import gcd

import numpy as np
from numpy.typing import NDArray

from mlmd.elements import SYMBOLS


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


def _number(count: int) -> str:
    return str(count) if count != 1 else ""


def _letters(index: int) -> str:
    first = chr(ord("A") + index % 26)
    return first if index < 26 else first + chr(ord("a") + index // 26 - 1)
