"""What a person writes about atoms and bonds that are held, and which atoms that means."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from mlmd.errors import InvalidInput

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_BOND = re.compile(r"([A-Z][a-z]?)\s*-\s*([A-Z][a-z]?)(?:\s*=?\s*([0-9.]+))?")


@dataclass(frozen=True)
class BondRule:
    """Bonds between two elements that keep their length.

    Args:
        pair: symbols.
        length: Å; None where each bond keeps the length that it begins with.
    """

    pair: tuple[str, str]
    length: float | None = None


def parse_indices(text: str, where: str) -> list[tuple[int, int]]:
    """Return first and last index of each range of ``0-15 20, 31``.

    Raises:
        InvalidInput: another word, or a range that runs backwards.
    """
    ranges = []
    for word in text.replace(",", " ").split():
        found = _RANGE.fullmatch(word)
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise InvalidInput(where, repr(word), "numbers and ranges from 0, such as 0-15 20")
        ranges.append((int(found[1]), int(found[2] or found[1])))
    return ranges


def parse_elements(text: str, where: str) -> list[str]:
    """Return the symbols of ``Pt, O``.

    Raises:
        InvalidInput: a word is no element.
    """
    words = text.replace(",", " ").split()
    for word in words:
        if word not in atomic_numbers or word == "X":
            raise InvalidInput(where, repr(word), "symbols of elements, such as Pt O")
    return words


def parse_bonds(text: str, where: str) -> list[BondRule]:
    """Return the rules of ``O-H 0.9572, H-H 1.5139``.

    Raises:
        InvalidInput: another form, no element, a length that no bond has, a pair twice.
    """
    rules: list[BondRule] = []
    for part in filter(None, (words.strip() for words in re.split(r"[,;]", text))):
        found = _BOND.fullmatch(part)
        if found is None:
            raise InvalidInput(where, repr(part), "pairs with lengths, such as O-H 0.9572")
        pair = (found[1], found[2])
        for symbol in pair:
            if symbol not in atomic_numbers or symbol == "X":
                raise InvalidInput(where, repr(symbol), "the symbol of an element")
        try:
            length = None if found[3] is None else float(found[3])
        except ValueError:
            length = math.nan
        if length is not None and not 0.3 <= length <= 5.0:
            raise InvalidInput(where, repr(part), "a length of 0.3 to 5 Å")
        if any(sorted(rule.pair) == sorted(pair) for rule in rules):
            raise InvalidInput(where, f"{pair[0]}-{pair[1]} twice", "each pair once")
        rules.append(BondRule(pair, length))
    return rules


def held_atoms(
    atoms: Atoms, indices: str, elements: str, below: float | None, where: str
) -> NDArray[np.intp]:
    """Return the atoms that are held, ascending.

    Args:
        atoms: the structure.
        indices: as of `parse_indices`.
        elements: as of `parse_elements`.
        below: atoms with a smaller z are held, Å; None for none.
        where: how errors name the settings.

    Raises:
        InvalidInput: an index or element that the structure doesn't have.
    """
    held = np.zeros(len(atoms), dtype=np.bool_)
    for first, last in parse_indices(indices, f"{where}: fixed_atoms"):
        if last >= len(atoms):
            raise InvalidInput(
                f"{where}: fixed_atoms", f"atom {last}", f"atoms from 0 to {len(atoms) - 1}"
            )
        held[first : last + 1] = True
    symbols = np.array(atoms.get_chemical_symbols())
    for symbol in parse_elements(elements, f"{where}: fixed_elements"):
        if symbol not in symbols:
            raise InvalidInput(
                f"{where}: fixed_elements", symbol, f"one of {', '.join(sorted(set(symbols)))}"
            )
        held |= symbols == symbol
    if below is not None:
        held |= atoms.positions[:, 2] < below
    return np.flatnonzero(held)


def with_held(atoms: Atoms, held: NDArray[np.intp]) -> Atoms:
    """Return a copy of the structure in which further atoms are fixed."""
    if not len(held):
        return atoms
    fixed: Atoms = atoms.copy()
    fixed.set_constraint([*atoms.constraints, FixAtoms(held)])
    return fixed
