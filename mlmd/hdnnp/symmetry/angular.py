"""Types 3 and 9: narrow and wide angular functions.

G = 2^(1−ζ) Σ_{j<k} (1 + λ cos θ_ijk)^ζ exp[−η(…)] f_c(r_ij) f_c(r_ik) (f_c(r_jk)); the
narrow kind has r_jk in the exponent and its cutoff, the wide one has neither.
Source: Behler, J. Chem. Phys. 134, 074106 (2011), doi:10.1063/1.3553717.
"""

from collections.abc import Sequence

from ase.data import atomic_numbers

from mlmd.errors import InvalidInput
from mlmd.hdnnp.potential import SymmetryFunction
from mlmd.hdnnp.symmetry.kind import AngularTerm, FunctionKind, read_numbers, write_numbers


def _angular(number: int, name: str) -> FunctionKind:
    def parse(where: str, center: str, words: Sequence[str]) -> SymmetryFunction:
        if len(words) < 2:
            raise InvalidInput(where, "fewer than two neighbour elements", "two")
        eta, lam, zeta, cutoff, *shift = read_numbers(where, words[2:], "η λ ζ r_c [r_s]")
        unknown = [word for word in words[:2] if word not in atomic_numbers]
        if unknown:
            raise InvalidInput(where, f"neighbour {unknown[0]!r}", "an element symbol")
        pair = sorted(words[:2], key=lambda symbol: atomic_numbers[symbol])
        rs = shift[0] if shift else 0.0
        return SymmetryFunction(number, center, tuple(pair), eta, rs, lam, zeta, cutoff)

    def words(function: SymmetryFunction) -> tuple[str, ...]:
        f = function
        numbers = [f.eta, f.lam, f.zeta, f.cutoff] + ([f.rs] if f.rs else [])
        return (*f.neighbors, *write_numbers(*numbers))

    def terms(function: SymmetryFunction, elements: tuple[str, ...]) -> tuple[AngularTerm, ...]:
        f = function
        first, second = sorted(elements.index(symbol) for symbol in f.neighbors)
        narrow = number == 3
        return (AngularTerm(first, second, f.eta, f.rs, f.lam, f.zeta, f.cutoff, narrow, 1.0),)

    return FunctionKind(number, name, parse, words, terms)


ANGULAR_NARROW = _angular(3, "narrow angular")
ANGULAR_WIDE = _angular(9, "wide angular")
