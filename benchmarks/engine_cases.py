"""The potentials and cells that the engine is timed on."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
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
    """About a million atoms of bcc iron: does memory stay flat?"""
    atoms = bulk("Fe", a=2.8553, cubic=True) * (repeats, repeats, repeats)
    atoms.rattle(0.05, seed=1)
    small = bulk("Fe", a=2.8553, cubic=True) * (4, 4, 4)
    small.rattle(0.05, seed=1)
    potential = fitted_to(
        default_potential(("Fe",), seed=1), small.numbers, small.positions, small.cell.array
    )
    return Case(
        f"iron, {len(atoms)} atoms, default descriptors",
        potential,
        atoms.numbers,
        atoms.positions,
        atoms.cell.array,
    )


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
