"""Types 12 and 13: radial and narrow angular functions weighted by atomic number.

One function sums over neighbours of every element, each term times Z_j (type 12) or
Z_j·Z_k (type 13), so their number doesn't grow with the number of elements.
Source: Gastegger et al., J. Chem. Phys. 148, 241709 (2018), doi:10.1063/1.5019667.
"""

from collections.abc import Sequence
from itertools import combinations_with_replacement

from ase.data import atomic_numbers

from mlmd.hdnnp.potential import SymmetryFunction
from mlmd.hdnnp.symmetry.kind import (
    AngularTerm,
    FunctionKind,
    RadialTerm,
    read_numbers,
    write_numbers,
)


def _parse_radial(where: str, center: str, words: Sequence[str]) -> SymmetryFunction:
    eta, rs, cutoff = read_numbers(where, words, "η r_s r_c")
    return SymmetryFunction(12, center, (), eta, rs, 0.0, 0.0, cutoff)


def _radial_words(function: SymmetryFunction) -> tuple[str, ...]:
    return write_numbers(function.eta, function.rs, function.cutoff)


def _radial_terms(function: SymmetryFunction, elements: tuple[str, ...]) -> tuple[RadialTerm, ...]:
    f = function
    return tuple(
        RadialTerm(index, f.eta, f.rs, f.cutoff, float(atomic_numbers[symbol]))
        for index, symbol in enumerate(elements)
    )


def _parse_angular(where: str, center: str, words: Sequence[str]) -> SymmetryFunction:
    eta, rs, lam, zeta, cutoff = read_numbers(where, words, "η r_s λ ζ r_c")
    return SymmetryFunction(13, center, (), eta, rs, lam, zeta, cutoff)


def _angular_words(function: SymmetryFunction) -> tuple[str, ...]:
    f = function
    return write_numbers(f.eta, f.rs, f.lam, f.zeta, f.cutoff)


def _angular_terms(
    function: SymmetryFunction, elements: tuple[str, ...]
) -> tuple[AngularTerm, ...]:
    f = function
    numbers = [float(atomic_numbers[symbol]) for symbol in elements]
    return tuple(
        AngularTerm(
            a, b, f.eta, f.rs, f.lam, f.zeta, f.cutoff, narrow=True, weight=numbers[a] * numbers[b]
        )
        for a, b in combinations_with_replacement(range(len(elements)), 2)
    )


WEIGHTED_RADIAL = FunctionKind(12, "weighted radial", _parse_radial, _radial_words, _radial_terms)
WEIGHTED_ANGULAR = FunctionKind(
    13, "weighted narrow angular", _parse_angular, _angular_words, _angular_terms
)
