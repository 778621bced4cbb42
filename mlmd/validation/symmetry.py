"""Space groups, standard cells and repeats of crystals."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import spglib
from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray

TIGHT, LOOSE = 1e-3, 0.1  # Å


@dataclass(frozen=True)
class StandardCell:
    """A crystal in spglib's standard setting, symmetric to rounding.

    Args:
        number: of the space group.
        symbol: of the space group, ``"Fd-3m"``.
        primitive: the smallest cell, in the orientation of the conventional one.
        conventional: the cell of the textbooks.
    """

    number: int
    symbol: str
    primitive: Atoms
    conventional: Atoms

    @property
    def formula(self) -> str:
        """Reduced formula, metals first."""
        return str(self.primitive.symbols.formula.reduce()[0].format("metal"))

    @property
    def name(self) -> str:
        """Formula and space group, ``"Si (Fd-3m)"``."""
        return f"{self.formula} ({self.symbol})"

    @property
    def system(self) -> str:
        """Crystal system."""
        limits = (
            (2, "triclinic"), (15, "monoclinic"), (74, "orthorhombic"), (142, "tetragonal"),
            (167, "trigonal"), (194, "hexagonal"), (230, "cubic"),
        )  # fmt: skip
        return next(name for last, name in limits if self.number <= last)


def standard_cell(atoms: Atoms, precision: float = TIGHT) -> StandardCell:
    """Return the standard cells of a crystal.

    Args:
        atoms: periodic throughout.
        precision: within which atoms count as equivalent, Å.

    Raises:
        InvalidInput: no symmetry can be determined, as with atoms on one spot.
    """
    cell = _cell(atoms)
    dataset = _dataset(atoms, precision)
    with _quiet():
        primitive = spglib.standardize_cell(cell, to_primitive=True, symprec=precision)
        conventional = spglib.standardize_cell(cell, to_primitive=False, symprec=precision)
    if primitive is None or conventional is None:
        raise InvalidInput(atoms.get_chemical_formula(), "no standard cell", "a crystal")
    return StandardCell(
        int(dataset.number), str(dataset.international), _atoms(primitive), _atoms(conventional)
    )


def same_crystal(one: StandardCell, other: StandardCell, tolerance: float = 0.03) -> bool:
    """Return whether two crystals are the same at another volume.

    Args:
        one: a crystal.
        other: a crystal.
        tolerance: by how much ratios of lengths and cosines of angles may differ.
    """
    if one.number != other.number or one.formula != other.formula:
        return False
    if Counter(one.primitive.numbers.tolist()) != Counter(other.primitive.numbers.tolist()):
        return False
    difference = np.abs(_shape(one.conventional) - _shape(other.conventional))
    return bool(difference.max() < tolerance)


def rotations(crystal: StandardCell) -> FloatArray:
    """Return the point group as Cartesian rotations, shape (R, 3, 3), for the standard axes."""
    found = _dataset(crystal.primitive, TIGHT).rotations
    lattice = crystal.primitive.cell.array.T
    return np.array([lattice @ r @ np.linalg.inv(lattice) for r in found])


def inequivalent_atoms(atoms: Atoms, precision: float = TIGHT) -> tuple[int, ...]:
    """Return one atom of each kind of site, ascending.

    Raises:
        InvalidInput: no symmetry can be determined.
    """
    return tuple(sorted({int(k) for k in _dataset(atoms, precision).equivalent_atoms}))


def repeats_for_width(atoms: Atoms, width: float, most: int) -> tuple[int, int, int]:
    """Return how often to repeat a cell so that it is at least so wide in every direction.

    Args:
        atoms: the cell.
        width: distance between opposite faces, Å.
        most: atoms that the supercell may have; the width gives way to it.
    """
    heights = widths(atoms)
    while True:
        counts = [max(1, math.ceil(width / height - 1e-6)) for height in heights]
        if math.prod(counts) * len(atoms) <= most or counts == [1, 1, 1]:
            return (counts[0], counts[1], counts[2])
        width *= 0.95


def repeats_for_atoms(atoms: Atoms, least: int) -> tuple[int, int, int]:
    """Return repeats that give at least so many atoms in the most cube-like supercell."""
    heights = widths(atoms)
    counts = [1, 1, 1]
    while math.prod(counts) * len(atoms) < least:
        thinnest = int(np.argmin(heights * counts))
        counts[thinnest] += 1
    return (counts[0], counts[1], counts[2])


def widths(atoms: Atoms) -> FloatArray:
    """Return the distances between opposite faces of a cell, shape (3,), Å."""
    return np.asarray(1.0 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0))


def _shape(atoms: Atoms) -> FloatArray:
    a, b, c, *angles = atoms.cell.cellpar()
    return np.array([b / a, c / a, *np.cos(np.radians(angles))])


def _dataset(atoms: Atoms, precision: float) -> Any:
    try:
        with _quiet():
            found = spglib.get_symmetry_dataset(_cell(atoms), symprec=precision)
    except spglib.SpglibError:
        found = None
    if found is None:
        raise InvalidInput(
            atoms.get_chemical_formula(), "no symmetry could be determined", "a crystal"
        )
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    # spglib 2.8 warns of the error handling of 3.0, which is the one relied on here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _cell(atoms: Atoms) -> tuple[Any, Any, Any]:
    return atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers


def _atoms(cell: tuple[Any, Any, Any]) -> Atoms:
    lattice, fractions, numbers = cell
    return Atoms(numbers=numbers, cell=lattice, scaled_positions=fractions, pbc=True)
