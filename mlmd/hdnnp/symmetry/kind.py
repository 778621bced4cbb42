"""What a kind of symmetry function has to offer, and the terms it is made of.

A kernel knows two sums only. A function is the sum of its terms, each with a weight:

    radial   Σ_j     w · exp[−η(r_ij − r_s)²] · f_c(r_ij)
    angular  Σ_{j<k} w · 2^(1−ζ) (1 + λ cos θ_ijk)^ζ · exp[−η(Δ_ij² + Δ_ik² (+ Δ_jk²))]
                       · f_c(r_ij) f_c(r_ik) (f_c(r_jk)),   Δ = r − r_s

with the bracketed parts in narrow terms only.
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


Term = RadialTerm | AngularTerm


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
