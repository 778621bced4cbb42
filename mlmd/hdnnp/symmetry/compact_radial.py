"""Types 20 and 23: radial functions with compact support, the second weighted by atomic number.

G = Σ_j C(r_ij) and Σ_j Z_j C(r_ij), C a window from r_l to r_c (`Window`).
Source: Bircher, Singraber, Dellago, Mach. Learn.: Sci. Technol. 2, 035026 (2021),
doi:10.1088/2632-2153/abf817.
"""

from collections.abc import Sequence

from ase.data import atomic_numbers

from mlmd.errors import InvalidInput
from mlmd.hdnnp.potential import SymmetryFunction
from mlmd.hdnnp.symmetry.kind import (
    SHAPES,
    CompactRadialTerm,
    FunctionKind,
    Window,
    read_numbers,
    write_numbers,
)


def read_shape(where: str, words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the shape, a line's last word, and the words before it."""
    if not words or words[-1] not in SHAPES:
        found = repr(words[-1]) if words else "nothing"
        raise InvalidInput(where, f"{found} at the end", f"a subtype among {' '.join(SHAPES)}")
    return words[-1], words[:-1]


def check_window(where: str, left: float, right: float) -> None:
    """Refuse a window of distances that ends before it starts.

    Raises:
        InvalidInput: it does.
    """
    if not left < right:
        raise InvalidInput(where, f"r_l = {left:g} and r_c = {right:g}", "r_l below r_c")


def _parse(where: str, center: str, words: Sequence[str]) -> SymmetryFunction:
    if not words:
        raise InvalidInput(where, "no neighbour element", "element r_l r_c subtype")
    return _function(20, where, center, words[:1], words[1:])


def _parse_weighted(where: str, center: str, words: Sequence[str]) -> SymmetryFunction:
    return _function(23, where, center, (), words)


def _function(
    number: int, where: str, center: str, neighbors: Sequence[str], words: Sequence[str]
) -> SymmetryFunction:
    shape, rest = read_shape(where, words)
    left, cutoff = read_numbers(where, rest, "r_l r_c")
    check_window(where, left, cutoff)
    return SymmetryFunction(
        number, center, tuple(neighbors), 0.0, 0.0, 0.0, 0.0, cutoff, left, shape=shape
    )


def _words(function: SymmetryFunction) -> tuple[str, ...]:
    f = function
    return (*f.neighbors, *write_numbers(f.left, f.cutoff), f.shape)


def _terms(function: SymmetryFunction, elements: tuple[str, ...]) -> tuple[CompactRadialTerm, ...]:
    f = function
    window = Window(f.left, f.cutoff, f.shape)
    if f.neighbors:
        return (CompactRadialTerm(elements.index(f.neighbors[0]), window, 1.0),)
    return tuple(
        CompactRadialTerm(index, window, float(atomic_numbers[symbol]))
        for index, symbol in enumerate(elements)
    )


COMPACT_RADIAL = FunctionKind(20, "compact radial", _parse, _words, _terms)
COMPACT_WEIGHTED_RADIAL = FunctionKind(
    23, "weighted compact radial", _parse_weighted, _words, _terms
)
