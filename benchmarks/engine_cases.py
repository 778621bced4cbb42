"""The potentials and cells that the engine is timed on."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers

from mlmd.frame import FloatArray
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.potential import (
    Activation,
    CutoffType,
    ElementNetwork,
    Potential,
    Scaling,
    ScalingMode,
    SymmetryFunction,
    sort_functions,
)

IRON_LATTICE = 2.8553


@dataclass(frozen=True)
class Case:
    """A potential with atoms to evaluate; lengths in Å."""

    name: str
    potential: Potential
    numbers: FloatArray
    positions: FloatArray
    cell: FloatArray


def water(reference: Path) -> Case:
    """8640 atoms of liquid water, types 2 and 3, from the LAMMPS reference run (bohr, Ha)."""
    folder = reference / "n2p2" / "md_lammps"
    atoms = np.load(folder / "H2O_RPBE-D3.npz")["id_type_x_f_step0"]
    potential = load_potential(folder / "H2O_RPBE-D3_hdnnp-data", "bohr", "hartree")
    text = (folder / "h2o_8640_liquid_NpT_RPBE-D3.data").read_text()
    bounds = np.array(re.findall(r"(\S+)\s+(\S+)\s+[xyz]lo", text), dtype=float)
    numbers = np.where(atoms[:, 1] == 1, 1, 8)
    cell = np.diag(bounds[:, 1] - bounds[:, 0])
    return Case("water, 8640 atoms, types 2 and 3", potential, numbers, atoms[:, 2:5], cell)


def copper_sulfide(reference: Path, repeats: int = 3) -> Case:
    """Low chalcocite (144 atoms, skewed) repeated, types 2, 3 and 9, from the reference run."""
    return _chalcocite(
        reference,
        repeats,
        "Cu₂S, {} atoms, types 2, 3 and 9",
        load_potential(reference / "n2p2" / "md_lammps" / "Cu2S_PBE_hdnnp-data", "angstrom", "ev"),
    )


def copper_sulfide_default(reference: Path, repeats: int = 3) -> Case:
    """The same cell with the default descriptors of two elements (type 9)."""
    case = _chalcocite(
        reference,
        repeats,
        "Cu₂S, {} atoms, default descriptors",
        default_potential(("S", "Cu"), seed=1),
    )
    return replace(
        case, potential=fitted_to(case.potential, case.numbers, case.positions, case.cell)
    )


def _chalcocite(reference: Path, repeats: int, name: str, potential: Potential) -> Case:
    folder = reference / "n2p2" / "md_lammps"
    rows = np.load(folder / "Cu2S_PBE.npz")["id_type_x_f_step0"]
    text = (folder / "cu2s_144_low-chalcocite_Evans-1979_PBE.data").read_text()
    bounds = np.array(re.findall(r"(\S+)\s+(\S+)\s+[xyz]lo", text), dtype=float)
    found = re.search(r"(\S+)\s+(\S+)\s+(\S+)\s+xy xz yz", text)
    if found is None:
        raise ValueError("the data file has no tilt")
    cell = np.diag(bounds[:, 1] - bounds[:, 0])
    cell[1, 0], cell[2, 0], cell[2, 1] = (float(tilt) for tilt in found.groups())
    # Types in the file: Cu, S.
    numbers = np.where(rows[:, 1] == 1, 29, 16)
    atoms = Atoms(numbers, rows[:, 2:5], cell=cell, pbc=True) * (repeats, repeats, repeats)
    return Case(
        name.format(len(atoms)), potential, atoms.numbers, atoms.positions, atoms.cell.array
    )


def ethylbenzene(reference: Path) -> Case:
    """288 atoms of liquid ethylbenzene, functions with compact support (types 20 and 22)."""
    folder = reference / "n2p2" / "Ethylbenzene"
    potential = load_potential(folder, "bohr", "hartree")
    first = (folder / "input.data").read_text().split("end")[0]
    rows = [line.split() for line in first.splitlines() if line.startswith("atom ")]
    cell = [line.split()[1:4] for line in first.splitlines() if line.startswith("lattice")]
    unit = potential.units.angstrom
    return Case(
        f"ethylbenzene, {len(rows)} atoms, types 20 and 22",
        potential,
        np.array([atomic_numbers[row[4]] for row in rows]),
        np.array([row[1:4] for row in rows], dtype=float) * unit,
        np.array(cell, dtype=float) * unit,
    )


def silicon(repeats: int = 4) -> Case:
    """Diamond silicon, rattled, with the default descriptors and a network of random weights."""
    atoms = bulk("Si", cubic=True) * (repeats, repeats, repeats)
    atoms.rattle(0.1, seed=1)
    potential = default_potential(("Si",), seed=1)
    return Case(
        f"silicon, {len(atoms)} atoms, default descriptors",
        fitted_to(potential, atoms.numbers, atoms.positions, atoms.cell.array),
        atoms.numbers,
        atoms.positions,
        atoms.cell.array,
    )


def iron(repeats: int = 79) -> Case:
    """About a million atoms of bcc iron with two screw dislocations: does memory stay flat?"""
    atoms = bulk("Fe", a=IRON_LATTICE, cubic=True) * (4, 4, 4)
    atoms.rattle(0.05, seed=1)
    potential = fitted_to(
        default_potential(("Fe",), seed=1), atoms.numbers, atoms.positions, atoms.cell.array
    )
    positions, cell = screw_dipole(repeats)
    return Case(
        f"iron, {len(positions)} atoms, screw dislocations",
        potential,
        np.full(len(positions), 26),
        positions,
        cell,
    )


def screw_dipole(repeats: int) -> tuple[FloatArray, FloatArray]:
    """Return bcc iron with two ½⟨111⟩ screw dislocations of opposite sign, periodic.

    The cell has its edges along [11̄0], [112̄] and [111]; the lines run along the last, at
    a quarter and three quarters of the first. Displacements along [111] are those of a row of
    such pairs in a linear elastic, isotropic solid: b/2π times the angle around each line
    (Hirth and Lothe, Theory of Dislocations, ch. 3).

    Args:
        repeats: size: about 2 repeats³ atoms.

    Returns:
        Positions, shape (N, 3), and cell, shape (3, 3), both Å.
    """
    a = IRON_LATTICE
    edges = np.array([np.sqrt(2.0), np.sqrt(6.0), np.sqrt(3.0) / 2.0]) * a
    # Twelve atoms in √2 × √6 × √3; the same crystal has half that height for its period.
    axes = np.array([[1, -1, 0], [1, 1, -2], [1, 1, 1]], dtype=float)
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    counts = np.maximum(np.round(repeats * a / edges), 1).astype(int)
    counts[0] += counts[0] % 2
    span = np.arange(-4, 5)
    corners = np.array(np.meshgrid(span, span, span)).reshape(3, -1).T
    lattice = np.concatenate([corners, corners + 0.5]) * a @ axes.T
    inside = ((lattice > -1e-6) & (lattice < edges - 1e-6)).all(axis=1)
    motif = lattice[inside]
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), axis=-1)
    positions = (grid.reshape(-1, 1, 3) * edges + motif).reshape(-1, 3)
    lengths = counts * edges
    burgers = edges[2]
    # Between rows of columns, so that no atom stands on a line.
    y0 = lengths[1] / 2 + edges[1] / 12
    for sign, x0 in ((1.0, 0.25), (-1.0, 0.75)):
        x = positions[:, 0] - (x0 * lengths[0] + edges[0] / 12)
        angle = np.zeros(len(positions))
        for image in range(-20, 21):
            angle += np.arctan2(positions[:, 1] - y0, x - image * lengths[0])
        positions[:, 2] += sign * burgers / (2.0 * np.pi) * angle
    cell = np.diag(lengths)
    # Half of the area between the lines has slipped by b: so does the cell, on average.
    cell[1, 2] = burgers / 2.0
    positions[:, 2] %= lengths[2]
    return positions, cell


def default_potential(elements: tuple[str, ...], seed: int, cutoff: float = 6.0) -> Potential:
    """Return a potential with the default descriptors, 20-20 tanh and random weights."""
    elements = tuple(sorted(elements, key=lambda e: atomic_numbers[e]))
    rng = np.random.default_rng(seed)
    functions: defaultdict[str, list[SymmetryFunction]] = defaultdict(list)
    widths = 1.0 / (2.0 * (np.array([0.25, 0.45, 0.80]) * cutoff) ** 2)
    for center in elements:
        for first, a in enumerate(elements):
            functions[center] += [
                SymmetryFunction(2, center, (a,), (8 ** (m / 7) / cutoff) ** 2, 0, 0, 0, cutoff)
                for m in range(8)
            ]
            functions[center] += [
                SymmetryFunction(9, center, (a, b), float(eta), 0, lam, zeta, cutoff)
                for b in elements[first:]
                for eta in widths
                for lam in (-1.0, 1.0)
                for zeta in (1.0, 2.0, 4.0)
            ]
    networks, scaling = {}, {}
    for element in elements:
        count = len(functions[element])
        sizes = (count, 20, 20, 1)
        networks[element] = ElementNetwork(
            tuple(rng.normal(size=s) / np.sqrt(s[0]) for s in pairwise(sizes)),
            tuple(rng.normal(size=n) for n in sizes[1:]),
            (Activation.TANH, Activation.TANH, Activation.LINEAR),
        )
        scaling[element] = Scaling(
            np.zeros(count), np.full(count, 1e3), np.zeros(count), np.ones(count)
        )
    return Potential(
        elements,
        {e: sort_functions(functions[e]) for e in elements},
        scaling,
        networks,
        CutoffType.POLY2,
        scaling_mode=ScalingMode.SIGMA,
    )


def fitted_to(
    potential: Potential, numbers: FloatArray, x: FloatArray, cell: FloatArray
) -> Potential:
    """Return the potential with the scaling that these atoms would give."""
    values = Evaluator(potential, threads=1).symmetry_functions(numbers, x, cell, True)
    scaling = {}
    for element in potential.elements:
        rows = values[np.asarray(numbers) == atomic_numbers[element]]
        rows = rows[:, : len(potential.functions[element])]
        scaling[element] = Scaling(
            rows.min(0), rows.max(0), rows.mean(0), np.maximum(rows.std(0), 1e-12)
        )
    return replace(potential, scaling=scaling)
