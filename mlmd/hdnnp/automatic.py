"""Symmetry functions for any material, without asking.

Radial: type 2, r_s = 0, widths η_m = ((n − 1)^(m/(n−1))/r_c)², m = 0 … n − 1, per neighbour
element. Angular: type 9, η = 1/(2 (k r_c)²) for a few reaches k, λ = ±1 and a few ζ, per pair
of neighbour elements. Functions that are constant or doubled on the data are dropped.

The radial widths follow Imbalzano et al., J. Chem. Phys. 148, 241730 (2018),
doi:10.1063/1.5024611.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations_with_replacement

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.potential import SymmetryFunction, sort_functions
from mlmd.hdnnp.symmetry import FUNCTION_KINDS

Functions = dict[str, tuple[SymmetryFunction, ...]]

# A function whose spread over the data is below this has nothing to tell.
LEAST_SPREAD = 1e-8
# Standardised values that never differ by more than this are the same function twice.
LEAST_DIFFERENCE = 1e-5


def automatic_functions(
    elements: tuple[str, ...],
    cutoff_radius: float = 6.0,
    radial: int = 8,
    widths: tuple[float, ...] = (0.25, 0.45, 0.80),
    zetas: tuple[float, ...] = (1.0, 2.0, 4.0),
) -> Functions:
    """Return the functions of every element before any is dropped.

    Args:
        elements: symbols sorted by atomic number.
        cutoff_radius: r_c, Å.
        radial: number of radial functions per neighbour element, at least 2.
        widths: reaches of the angular functions as fractions of r_c.
        zetas: exponents of the angular functions.
    """
    r_c = cutoff_radius
    etas = [((radial - 1) ** (m / (radial - 1)) / r_c) ** 2 for m in range(radial)]
    result = {}
    for center in elements:
        functions = [
            SymmetryFunction(2, center, (neighbor,), eta, 0.0, 0.0, 0.0, r_c)
            for neighbor in elements
            for eta in etas
        ]
        functions += [
            SymmetryFunction(9, center, pair, 1.0 / (2.0 * (k * r_c) ** 2), 0.0, lam, zeta, r_c)
            for pair in combinations_with_replacement(elements, 2)
            for k in widths
            for lam in (-1.0, 1.0)
            for zeta in zetas
        ]
        result[center] = sort_functions(functions)
    return result


def function_lines(functions: Mapping[str, tuple[SymmetryFunction, ...]]) -> str:
    """Return the functions as lines of ``input.nn``, as the expert form shows them."""
    return "\n".join(
        f"symfunction_short {element} {f.kind} {' '.join(FUNCTION_KINDS[f.kind].words(f))}"
        for element, members in functions.items()
        for f in members
    )


def parse_function_lines(text: str, elements: tuple[str, ...]) -> Functions:
    """Read lines of ``input.nn``; lengths in Å.

    Raises:
        InvalidInput: a line is wrong, or an element has no function.
    """
    found: dict[str, list[SymmetryFunction]] = {element: [] for element in elements}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split("!", 1)[0].split()
        if not words:
            continue
        where = f"symmetry functions, line {number}"
        if words[0] not in ("symfunction", "symfunction_short") or len(words) < 3:
            raise InvalidInput(where, repr(line.strip()), "symfunction_short ELEMENT TYPE …")
        center, kind = words[1], words[2]
        if not kind.isdigit() or int(kind) not in FUNCTION_KINDS:
            known = ", ".join(map(str, sorted(FUNCTION_KINDS)))
            raise InvalidInput(where, f"type {kind}", f"one of {known}")
        function = FUNCTION_KINDS[int(kind)].parse(where, center, words[3:])
        strange = {center, *function.neighbors} - set(elements)
        if strange:
            # Lines for elements that this data set lacks do no harm.
            continue
        found[center].append(function)
    for element, functions in found.items():
        if not functions:
            raise InvalidInput("symmetry functions", f"none for {element}", "at least one")
    return {element: sort_functions(functions) for element, functions in found.items()}


def elements_of(numbers: NDArray[np.uint8]) -> tuple[str, ...]:
    """Return the symbols of these atomic numbers, sorted by atomic number, each once."""
    return tuple(chemical_symbols[int(z)] for z in np.unique(numbers))


def sort_elements(symbols: set[str]) -> tuple[str, ...]:
    """Return symbols sorted by atomic number."""
    return tuple(sorted(symbols, key=lambda symbol: atomic_numbers[symbol]))


def informative(values: FloatArray) -> NDArray[np.int64]:
    """Return the columns worth keeping: neither constant nor equal to an earlier one.

    Args:
        values: raw functions of one element over the data, shape (A, S).

    Returns:
        Ascending indices; the first column alone where every one is constant, because a
        network needs an input.
    """
    spread = values.std(axis=0)
    scale = np.maximum(np.abs(values).max(axis=0), 1.0)
    varied = np.flatnonzero(spread > LEAST_SPREAD * scale)
    if not len(varied):
        return np.zeros(1, np.int64)
    standard = (values[:, varied] - values[:, varied].mean(axis=0)) / spread[varied]
    kept: list[int] = []
    for column in range(len(varied)):
        others = standard[:, kept] - standard[:, column : column + 1]
        if not kept or np.abs(others).max(axis=0).min() > LEAST_DIFFERENCE:
            kept.append(column)
    return varied[kept].astype(np.int64)
