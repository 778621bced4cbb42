"""What a structure is, in numbers a scientist checks at a glance."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import spglib
from ase import Atoms
from ase.data import atomic_masses, covalent_radii

from mlmd.documents.formula import element_counts, formula_hill, formula_reduced
from mlmd.elements import MAXIMUM_NUMBER, SYMBOLS
from mlmd.structure.distance import ClosestPair, closest_pair
from mlmd.units import AMU_PER_A3_IN_G_CM3

MOST_ATOMS_FOR_SYMMETRY = 2000
SYMMETRY_PRECISION = 1e-3  # Å
_OVERLAP = 0.5  # of the sum of covalent radii
_CLOSE = 0.75
_THIN, _DENSE = 0.05, 30.0  # g/cm³


class WarningCode(StrEnum):
    """Kinds of remarks, for programs and translations."""

    NO_ATOMS = "no-atoms"
    NOT_FINITE = "not-finite"
    NO_CELL = "no-cell"
    FLAT_CELL = "flat-cell"
    LEFT_HANDED = "left-handed"
    OVERLAP = "overlap"
    CLOSE = "close"
    THIN = "thin"
    DENSE = "dense"
    UNKNOWN_ELEMENT = "unknown-element"
    SYMMETRY_SKIPPED = "symmetry-skipped"


@dataclass(frozen=True)
class StructureWarning:
    """One remark on a structure."""

    code: WarningCode
    message: str


@dataclass(frozen=True)
class StructureReport:
    """What a structure is.

    Args:
        atoms: their number.
        species: element → count.
        formula: Hill formula of the cell.
        formula_reduced: divided by the common factor.
        pbc: periodic along each lattice vector.
        lengths: a, b, c in Å.
        angles: α, β, γ in degrees; 0 where undefined.
        volume: Å³; None without a full cell.
        density: g/cm³; None unless periodic in all directions.
        space_group: for example ``"Fd-3m (227)"``; empty where it wasn't determined.
        closest: the closest pair of atoms.
        warnings: what to look at.
    """

    atoms: int
    species: dict[str, int]
    formula: str
    formula_reduced: str
    pbc: tuple[bool, bool, bool]
    lengths: tuple[float, float, float]
    angles: tuple[float, float, float]
    volume: float | None
    density: float | None
    space_group: str
    closest: ClosestPair | None
    warnings: tuple[StructureWarning, ...]

    @property
    def shortest_distance(self) -> float | None:
        """Distance of the closest pair, Å."""
        return None if self.closest is None else self.closest.distance


def structure_report(atoms: Atoms) -> StructureReport:
    """Describe a structure; never fails on one that could be read.

    Space groups are determined up to 2000 atoms, within 0.001 Å; a warning says
    where this was left out.
    """
    notes: list[StructureWarning] = []
    numbers = np.clip(atoms.get_atomic_numbers(), 0, MAXIMUM_NUMBER).astype(np.uint8)
    if (numbers == 0).any():
        _warn(notes, WarningCode.UNKNOWN_ELEMENT, "An atom has no known element.")
    cell = np.asarray(atoms.cell.array, dtype=np.float64)
    x, y, z = (bool(p) for p in atoms.pbc)
    counts = element_counts(numbers) if len(numbers) else {}
    finite = bool(np.isfinite(cell).all() and np.isfinite(atoms.positions).all())
    if not finite:
        _warn(notes, WarningCode.NOT_FINITE, "A coordinate is not a finite number.")
    if not len(numbers):
        _warn(notes, WarningCode.NO_ATOMS, "There are no atoms.")
    volume = _volume(cell, (x, y, z), notes) if finite else None
    usable = finite and len(numbers) > 0
    closest = None
    if usable and not (any((x, y, z)) and volume is None):
        closest = closest_pair(np.asarray(atoms.positions, np.float64), cell, (x, y, z))
        _judge_distance(closest, numbers.tolist(), notes)
    density = None
    if volume is not None and all((x, y, z)) and usable:
        mass = float(atomic_masses[numbers].sum())
        density = mass / volume * AMU_PER_A3_IN_G_CM3
        _judge_density(density, notes)
    group = ""
    if volume is not None and all((x, y, z)) and usable:
        group = _space_group(atoms, notes)
    parameters = [float(v) for v in atoms.cell.cellpar()] if finite else [0.0] * 6
    return StructureReport(
        atoms=len(numbers),
        species=counts,
        formula=formula_hill(counts) if counts else "",
        formula_reduced=formula_reduced(counts) if counts else "",
        pbc=(x, y, z),
        lengths=(parameters[0], parameters[1], parameters[2]),
        angles=(parameters[3], parameters[4], parameters[5]),
        volume=volume,
        density=density,
        space_group=group,
        closest=closest,
        warnings=tuple(notes),
    )


def _warn(notes: list[StructureWarning], code: WarningCode, message: str) -> None:
    notes.append(StructureWarning(code, message))


def _volume(
    cell: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    pbc: tuple[bool, bool, bool],
    notes: list[StructureWarning],
) -> float | None:
    determinant = float(np.linalg.det(cell))
    if not cell.any():
        if any(pbc):
            _warn(notes, WarningCode.NO_CELL, "It is periodic but has no cell.")
        return None
    if abs(determinant) < 1e-6:
        if any(pbc):
            _warn(notes, WarningCode.FLAT_CELL, "The lattice vectors span no volume.")
        return None
    if determinant < 0:
        _warn(
            notes,
            WarningCode.LEFT_HANDED,
            "The lattice vectors are left-handed; LAMMPS and some other programs refuse that.",
        )
    return abs(determinant)


def _judge_distance(
    closest: ClosestPair | None, numbers: list[int], notes: list[StructureWarning]
) -> None:
    if closest is None:
        return
    first, second = numbers[closest.first], numbers[closest.second]
    bond = float(covalent_radii[first] + covalent_radii[second])
    names = f"{SYMBOLS[first]}{closest.first + 1} and {SYMBOLS[second]}{closest.second + 1}"
    if closest.distance < _OVERLAP * bond:
        _warn(
            notes,
            WarningCode.OVERLAP,
            f"Atoms overlap: {names} are {closest.distance:.3f} Å apart; a bond between them "
            f"is about {bond:.2f} Å.",
        )
    elif closest.distance < _CLOSE * bond:
        _warn(
            notes,
            WarningCode.CLOSE,
            f"{names} are only {closest.distance:.3f} Å apart; a bond between them is about "
            f"{bond:.2f} Å.",
        )


def _judge_density(density: float, notes: list[StructureWarning]) -> None:
    if density < _THIN:
        _warn(
            notes,
            WarningCode.THIN,
            f"The density is {density:.2g} g/cm³: a molecule or a slab in vacuum?",
        )
    elif density > _DENSE:
        _warn(
            notes,
            WarningCode.DENSE,
            f"The density is {density:.3g} g/cm³; are the lengths in Å?",
        )


def _space_group(atoms: Atoms, notes: list[StructureWarning]) -> str:
    if len(atoms) > MOST_ATOMS_FOR_SYMMETRY:
        _warn(
            notes,
            WarningCode.SYMMETRY_SKIPPED,
            f"Symmetry is determined up to {MOST_ATOMS_FOR_SYMMETRY} atoms.",
        )
        return ""
    cell = (
        atoms.cell.array.tolist(),
        atoms.get_scaled_positions().tolist(),
        atoms.get_atomic_numbers().tolist(),
    )
    try:
        # spglib 2.8 warns of the error handling of 3.0, which is the one relied on here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            found = spglib.get_symmetry_dataset(cell, symprec=SYMMETRY_PRECISION)
    except spglib.SpglibError:
        found = None
    if found is None:
        _warn(notes, WarningCode.SYMMETRY_SKIPPED, "The symmetry could not be determined.")
        return ""
    return f"{found.international} ({found.number})"
