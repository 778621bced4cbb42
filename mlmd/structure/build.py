"""New structures from crystals and from other structures: atoms in, atoms out, input untouched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, surface
from ase.data import chemical_symbols, reference_states
from numpy.typing import ArrayLike

from mlmd.elements import atomic_number
from mlmd.errors import InvalidInput

CRYSTALS: tuple[str, ...] = (
    "sc",
    "fcc",
    "bcc",
    "hcp",
    "diamond",
    "zincblende",
    "rocksalt",
    "cesiumchloride",
    "fluorite",
    "wurtzite",
)
_PARTNERS = {"zincblende": 2, "rocksalt": 2, "cesiumchloride": 2, "fluorite": 2, "wurtzite": 2}
_ORTHOGONAL = ("hcp", "wurtzite")
MOST_ATOMS = 1_000_000


def build_bulk(
    elements: Sequence[str],
    crystal: str | None = None,
    a: float | None = None,
    c: float | None = None,
    conventional: bool = True,
) -> Atoms:
    """Build a crystal.

    Args:
        elements: one element, or two for the binary crystals.
        crystal: one of `CRYSTALS`; the element's own structure when None.
        a: lattice constant, Å; the experimental one of the element when None.
        c: second lattice constant of hexagonal crystals, Å.
        conventional: the conventional cell instead of the primitive one, where they differ.

    Raises:
        InvalidInput: unknown element or crystal, or a lattice constant is needed.
    """
    for element in elements:
        if atomic_number(element) is None:
            raise InvalidInput("element", f"“{element}”", "a chemical symbol")
    crystal = crystal or _own_crystal(elements)
    if crystal not in CRYSTALS:
        raise InvalidInput("crystal", f"“{crystal}”", ", ".join(CRYSTALS))
    wanted = _PARTNERS.get(crystal, 1)
    if len(elements) != wanted:
        raise InvalidInput("elements", f"{len(elements)} elements", f"{wanted} for {crystal}")
    for name, value in (("a", a), ("c", c)):
        if value is not None and not 0.5 < value < 1000:
            raise InvalidInput(name, f"{value} Å", "a lattice constant between 0.5 and 1000 Å")
    options: dict[str, Any] = {"crystalstructure": crystal, "a": a}
    if c is not None:
        options["c"] = c
    if conventional and crystal in _ORTHOGONAL:
        options["orthorhombic"] = True
    elif conventional and crystal != "sc":
        options["cubic"] = True
    try:
        crystal_cell: Atoms = bulk(_formula(elements, crystal), **options)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise InvalidInput(
            "crystal", str(error), "a lattice constant", "Give the lattice constant a."
        ) from error
    return crystal_cell


def _own_crystal(elements: Sequence[str]) -> str:
    if len(elements) == 1:
        state = reference_states[chemical_symbols.index(elements[0])]
        if state is not None and state.get("symmetry") in CRYSTALS:
            return str(state["symmetry"])
    raise InvalidInput(
        "crystal", "no crystal named", ", ".join(CRYSTALS), "Choose the crystal structure."
    )


def _formula(elements: Sequence[str], crystal: str) -> str:
    return f"{elements[0]}{elements[1]}2" if crystal == "fluorite" else "".join(elements)


def build_supercell(atoms: Atoms, repeats: Sequence[int]) -> Atoms:
    """Repeat a cell along its lattice vectors.

    Raises:
        InvalidInput: a repeat below 1, a direction without a lattice vector, or more
            than a million atoms.
    """
    na, nb, nc = (int(n) for n in repeats)
    if min(na, nb, nc) < 1:
        raise InvalidInput("repeats", f"{na} × {nb} × {nc}", "whole numbers from 1")
    lengths = np.linalg.norm(atoms.cell.array, axis=1)
    for n, length in zip((na, nb, nc), lengths, strict=True):
        if n > 1 and length == 0:
            raise InvalidInput("repeats", "a direction without a lattice vector", "a full cell")
    _check_size(len(atoms) * na * nb * nc)
    repeated: Atoms = _bare(atoms).repeat((na, nb, nc))
    return repeated


def build_surface(
    atoms: Atoms, miller: Sequence[int], layers: int = 4, vacuum: float = 10.0
) -> Atoms:
    """Cut a slab out of a crystal, with vacuum on both sides along the third direction.

    Args:
        atoms: conventional cell of the crystal.
        miller: indices of the surface.
        layers: repeats of the lattice plane.
        vacuum: on each side, Å.

    Raises:
        InvalidInput: indices all zero, layers outside 1 to 100, negative vacuum, no full cell.
    """
    h, k, ll = (int(i) for i in miller)
    if (h, k, ll) == (0, 0, 0) or max(abs(h), abs(k), abs(ll)) > 20:
        raise InvalidInput("Miller indices", f"({h} {k} {ll})", "small whole numbers, not all 0")
    if not 1 <= layers <= 100:
        raise InvalidInput("layers", str(layers), "1 to 100")
    if not 0 <= vacuum <= 1000:
        raise InvalidInput("vacuum", f"{vacuum} Å", "0 to 1000 Å")
    if abs(float(np.linalg.det(atoms.cell.array))) < 1e-6:
        raise InvalidInput("structure", "no full cell", "a crystal with three lattice vectors")
    slab: Atoms = surface(_bare(atoms), (h, k, ll), layers, vacuum=vacuum, periodic=True)
    _check_size(len(slab))
    slab.wrap()
    return slab


def build_vacancy(atoms: Atoms, index: int = 0) -> Atoms:
    """Remove one atom.

    Raises:
        InvalidInput: no such atom, or it is the only one.
    """
    if not 0 <= index < len(atoms):
        raise InvalidInput("atom", str(index), f"0 to {len(atoms) - 1}")
    if len(atoms) < 2:
        raise InvalidInput("structure", "a single atom", "at least two", "Build a supercell first.")
    rest = _bare(atoms)
    del rest[index]
    return rest


def displace_randomly(atoms: Atoms, amplitude: float, seed: int = 0) -> Atoms:
    """Move every coordinate by a normal deviate.

    Args:
        atoms: the structure.
        amplitude: standard deviation of each Cartesian component, Å.
        seed: the same seed gives the same displacements.

    Raises:
        InvalidInput: an amplitude outside 0 to 2 Å.
    """
    if not 0 <= amplitude <= 2:
        raise InvalidInput("amplitude", f"{amplitude} Å", "0 to 2 Å")
    moved = _bare(atoms)
    moved.positions += np.random.default_rng(seed).normal(scale=amplitude, size=(len(atoms), 3))
    return moved


def strain(atoms: Atoms, components: ArrayLike) -> Atoms:
    """Deform cell and atoms by a small homogeneous strain.

    Args:
        atoms: the structure.
        components: xx, yy, zz, yz, xz, xy (tensor components, not doubled), or one number
            for the same strain in all directions.

    Raises:
        InvalidInput: not 1 or 6 numbers, or one beyond ±0.5.
    """
    values = np.atleast_1d(np.asarray(components, dtype=np.float64)).ravel()
    if values.size == 1:
        values = np.array([values[0]] * 3 + [0.0] * 3)
    if values.size != 6 or not np.isfinite(values).all() or np.abs(values).max() > 0.5:
        raise InvalidInput("strain", str(values.tolist()), "1 or 6 numbers within ±0.5")
    xx, yy, zz, yz, xz, xy = values
    deformation = np.eye(3) + np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    deformed = _bare(atoms)
    deformed.set_cell(atoms.cell.array @ deformation, scale_atoms=False)
    deformed.positions = atoms.positions @ deformation
    return deformed


def _bare(atoms: Atoms) -> Atoms:
    """A copy without labels: they belong to the structure before the change."""
    return Atoms(
        numbers=atoms.get_atomic_numbers(),
        positions=atoms.positions.copy(),
        cell=atoms.cell.array.copy(),
        pbc=atoms.pbc,
    )


def _check_size(count: int) -> None:
    if count > MOST_ATOMS:
        raise InvalidInput("size", f"{count} atoms", f"at most {MOST_ATOMS}")
