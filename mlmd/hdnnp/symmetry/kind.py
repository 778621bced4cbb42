"""What a kind of symmetry function has to offer, and the terms it is made of.

The kernels know four sums only. A function is the sum of its terms, each with a weight:

    radial   Σ_j     w · exp[−η(r_ij − r_s)²] · f_c(r_ij)
    angular  Σ_{j<k} w · 2^(1−ζ) (1 + λ cos θ_ijk)^ζ · exp[−η(Δ_ij² + Δ_ik² (+ Δ_jk²))]
                       · f_c(r_ij) f_c(r_ik) (f_c(r_jk)),   Δ = r − r_s

    compact radial   Σ_j     w · C(r_ij)
    compact angular  Σ_{j<k} w · C_θ(θ_ijk) · C(r_ij) C(r_ik) (C(r_jk))

with the bracketed parts in narrow terms only. C is zero outside its window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlmd.errors import InvalidInput
from mlmd.hdnnp.potential import SymmetryFunction


@dataclass(frozen=True)
class RadialTerm:
    """A radial sum over neighbours of one element (an index into the potential's elements)."""

    neighbor: int
    eta: float
    rs: float
    cutoff: float
    weight: float


@dataclass(frozen=True)
class AngularTerm:
    """An angular sum over pairs of neighbours of elements ``first`` ≤ ``second`` (indices)."""

    first: int
    second: int
    eta: float
    rs: float
    lam: float
    zeta: float
    cutoff: float
    narrow: bool
    weight: float


@dataclass(frozen=True)
class Window:
    """A function that is 1 in the middle of an interval and falls to 0 at both ends.

    Args:
        left: start, of the unit of what it is a function of.
        right: end.
        shape: one of `SHAPES`.
    """

    left: float
    right: float
    shape: str


@dataclass(frozen=True)
class CompactRadialTerm:
    """A sum of a window of distances over neighbours of one element (an index)."""

    neighbor: int
    window: Window
    weight: float

    @property
    def cutoff(self) -> float:
        """Where the window ends."""
        return self.window.right


@dataclass(frozen=True)
class CompactAngularTerm:
    """A sum over pairs of neighbours of elements ``first`` ≤ ``second`` (indices).

    ``angles`` is a window of angles in radians.
    """

    first: int
    second: int
    window: Window
    angles: Window
    narrow: bool
    weight: float

    @property
    def cutoff(self) -> float:
        """Where the window of distances ends."""
        return self.window.right


Term = RadialTerm | AngularTerm | CompactRadialTerm | CompactAngularTerm

# Polynomials with 1 to 4 steady slopes at the ends, and an exponential; a: fall faster.
SHAPES = ("e", "p1", "p2", "p3", "p4", "p1a", "p2a", "p3a", "p4a")


@dataclass(frozen=True)
class FunctionKind:
    """One type of ``symfunction_short``.

    Args:
        number: n2p2's type number.
        name: for people.
        parse: words of a line after the type number, centre element → function.
        words: function → the words that ``parse`` takes.
        terms: function, elements of the potential → the sums it is made of.
    """

    number: int
    name: str
    parse: Callable[[str, str, Sequence[str]], SymmetryFunction]
    words: Callable[[SymmetryFunction], tuple[str, ...]]
    terms: Callable[[SymmetryFunction, tuple[str, ...]], tuple[Term, ...]]


def read_numbers(where: str, words: Sequence[str], names: str) -> list[float]:
    """Return the words as floats; ``names`` lists them, the optional last in brackets."""
    expected = names.replace("[", "").replace("]", "").split()
    least = len(expected) - names.count("[")
    if not least <= len(words) <= len(expected):
        raise InvalidInput(where, f"{len(words)} parameters", f"{names} after the elements")
    numbers = []
    for name, word in zip(expected, words, strict=False):
        try:
            numbers.append(float(word))
        except ValueError:
            raise InvalidInput(where, f"{name} = {word!r}", "a number") from None
    return numbers


def write_numbers(*numbers: float) -> tuple[str, ...]:
    """Return the shortest words that read back as the same numbers."""
    return tuple(repr(float(number)) for number in numbers)
