"""Type 2: radial functions.

G = Σ_j exp[−η(r_ij − r_s)²] f_c(r_ij).
Source: Behler, J. Chem. Phys. 134, 074106 (2011), doi:10.1063/1.3553717.
"""

from collections.abc import Sequence

from mlmd.errors import InvalidInput
from mlmd.hdnnp.potential import SymmetryFunction
from mlmd.hdnnp.symmetry.kind import FunctionKind, RadialTerm, read_numbers, write_numbers


def _parse(where: str, center: str, words: Sequence[str]) -> SymmetryFunction:
    if not words:
        raise InvalidInput(where, "no neighbour element", "element η r_s r_c")
    eta, rs, cutoff = read_numbers(where, words[1:], "η r_s r_c")
    return SymmetryFunction(2, center, (words[0],), eta, rs, 0.0, 0.0, cutoff)


def _words(function: SymmetryFunction) -> tuple[str, ...]:
    f = function
    return (f.neighbors[0], *write_numbers(f.eta, f.rs, f.cutoff))


def _terms(function: SymmetryFunction, elements: tuple[str, ...]) -> tuple[RadialTerm, ...]:
    f = function
    return (RadialTerm(elements.index(f.neighbors[0]), f.eta, f.rs, f.cutoff, 1.0),)


RADIAL = FunctionKind(2, "radial", _parse, _words, _terms)
