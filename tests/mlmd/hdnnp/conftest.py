"""Potentials and structures that the engine's tests share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, pairwise

import numpy as np
import pytest
from ase.data import atomic_numbers
from numpy.typing import NDArray

from mlmd.aenet.potential import AenetPotential, ChebyshevBasis, ElementPotential
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.potential import (
    Activation,
    CutoffType,
    ElementNetwork,
    Normalisation,
    Potential,
    Scaling,
    ScalingMode,
    SymmetryFunction,
    sort_functions,
)
from mlmd.hdnnp.symmetry.kind import SHAPES

ELEMENTS = ("H", "O", "Cu")


@dataclass(frozen=True)
class Structure:
    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    cell: NDArray[np.float64]
    pbc: tuple[bool, bool, bool]

    @property
    def arguments(self) -> tuple:
        return self.numbers, self.positions, self.cell, self.pbc


def all_functions(center: str) -> tuple[SymmetryFunction, ...]:
    """Every kind and every path: shifts, two cutoffs, whole and broken ζ, small and large."""
    functions = [
        SymmetryFunction(12, center, (), 0.4, 0.8, 0, 0, 4.0),
        SymmetryFunction(13, center, (), 0.05, 0.3, -1.0, 2.0, 3.5),
    ]
    for neighbor in ELEMENTS:
        functions += [
            SymmetryFunction(2, center, (neighbor,), 0.3, 0.0, 0, 0, 4.0),
            SymmetryFunction(2, center, (neighbor,), 1.3, 1.1, 0, 0, 3.5),
        ]
    for pair in combinations_with_replacement(ELEMENTS, 2):
        for kind in (3, 9):
            functions += [
                SymmetryFunction(kind, center, pair, 0.05, 0.0, 1.0, 1.0, 4.0),
                SymmetryFunction(kind, center, pair, 0.05, 0.0, -1.0, 2.5, 4.0),
                SymmetryFunction(kind, center, pair, 0.10, 0.4, -1.0, 4.0, 4.0),
                SymmetryFunction(kind, center, pair, 0.10, 0.0, 1.0, 7.0, 3.5),
                SymmetryFunction(kind, center, pair, 0.02, 0.0, -1.0, 2.0, 3.5),
                SymmetryFunction(kind, center, pair, 0.02, 0.0, 1.0, 12.0, 4.0),
            ]
    return sort_functions(functions)


def compact_functions(center: str) -> tuple[SymmetryFunction, ...]:
    """Every shape of every compact kind, with windows that start before and behind the atom."""
    nothing = (0.0, 0.0, 0.0, 0.0)
    functions = []
    for index, shape in enumerate(SHAPES):
        left, cutoff = ((-4.0, 4.0), (0.4, 3.5), (-0.3, 3.2))[index % 3]
        angles = ((-70.0, 70.0), (20.0, 150.0), (60.0, 300.0))[index % 3]
        functions.append(SymmetryFunction(23, center, (), *nothing, cutoff, left, shape=shape))
        functions += [
            SymmetryFunction(20, center, (neighbor,), *nothing, cutoff, left, shape=shape)
            for neighbor in ELEMENTS
        ]
        functions += [
            SymmetryFunction(kind, center, (), *nothing, cutoff, left, *angles, shape)
            for kind in (24, 25)
        ]
        functions += [
            SymmetryFunction(kind, center, pair, *nothing, cutoff, left, *angles, shape)
            for kind in (21, 22)
            for pair in combinations_with_replacement(ELEMENTS, 2)
        ]
    functions.append(SymmetryFunction(2, center, ("H",), 0.3, 0.0, 0, 0, 4.0))
    return sort_functions(functions)


def make_potential(
    cutoff_type: CutoffType = CutoffType.POLY2,
    alpha: float = 0.0,
    activation: Activation = Activation.TANH,
    seed: int = 0,
    choose: Callable[[str], tuple[SymmetryFunction, ...]] = all_functions,
) -> Potential:
    rng = np.random.default_rng(seed)
    functions = {element: choose(element) for element in ELEMENTS}
    networks, scaling = {}, {}
    for index, element in enumerate(ELEMENTS):
        count = len(functions[element])
        sizes = (count, 7 + index, 5, 1)
        networks[element] = ElementNetwork(
            tuple(rng.normal(size=shape) / np.sqrt(shape[0]) for shape in pairwise(sizes)),
            tuple(rng.normal(size=nodes) for nodes in sizes[1:]),
            (activation, Activation.TANH, Activation.LINEAR),
        )
        scaling[element] = Scaling(
            np.zeros(count), np.full(count, 2.0), np.full(count, 0.1), np.full(count, 0.3)
        )
    potential = Potential(
        ELEMENTS,
        functions,
        scaling,
        networks,
        cutoff_type,
        alpha,
        ScalingMode.SIGMA,
        atom_energies={"H": -13.6, "Cu": 2.5},
        normalisation=Normalisation(-1.5, 3.0, 1.2),
    )
    return fit_scaling(potential)


def fit_scaling(potential: Potential) -> Potential:
    """Scale every function by what it spans in a few structures, so that none saturates."""
    evaluator = Evaluator(potential, threads=1)
    rows: dict[str, list[NDArray[np.float64]]] = {element: [] for element in potential.elements}
    for seed in range(4):
        structure = make_structure(seed, 12)
        values = evaluator.symmetry_functions(*structure.arguments)
        for element in potential.elements:
            rows[element] += list(values[structure.numbers == atomic_numbers[element]])
    scaling = {}
    for element, values in rows.items():
        table = np.array(values)
        scaling[element] = Scaling(
            table.min(0), table.max(0), table.mean(0), np.maximum(table.std(0), 1e-6)
        )
    return replace(potential, scaling=scaling)


def make_structure(
    seed: int, atoms: int, pbc: tuple[bool, bool, bool] = (True, True, True)
) -> Structure:
    """A skewed cell of atoms that keep 0.9 Å from each other and from all images."""
    rng = np.random.default_rng(seed)
    length = (atoms * 11.0) ** (1 / 3)
    cell = np.eye(3) * length + rng.uniform(-0.25, 0.25, size=(3, 3)) * length
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3) @ cell
    positions: list[NDArray[np.float64]] = []
    while len(positions) < atoms:
        trial = rng.uniform(size=3) @ cell
        if all(np.linalg.norm(other - trial + images, axis=1).min() > 0.9 for other in positions):
            positions.append(trial)
    numbers = rng.choice([atomic_numbers[e] for e in ELEMENTS], size=atoms)
    return Structure(numbers, np.array(positions), cell, pbc)


@pytest.fixture(scope="session")
def potential() -> Potential:
    return make_potential()


@pytest.fixture(scope="session")
def compact_potential() -> Potential:
    return make_potential(choose=compact_functions)


def make_aenet(seed: int = 3) -> AenetPotential:
    """Networks of random weights; other orders and cutoffs for every element."""
    rng = np.random.default_rng(seed)
    parts = []
    for index, element in enumerate(ELEMENTS):
        basis = ChebyshevBasis(("O", "H", "Cu"), 4.0, 6 + index, (4.0, 3.5, 3.0)[index], 3 + index)
        sizes = (basis.count, 6, 4, 1)
        network = ElementNetwork(
            tuple(rng.normal(size=shape) / np.sqrt(shape[0]) for shape in pairwise(sizes)),
            tuple(rng.normal(size=nodes) for nodes in sizes[1:]),
            (Activation.TANH, Activation.LOGISTIC, Activation.LINEAR),
        )
        mean = rng.normal(size=basis.count)
        energies = {"H": -13.6, "O": -430.0, "Cu": -1300.0}
        parts.append(
            ElementPotential(
                element,
                basis,
                network,
                mean - 3,
                mean + 3,
                mean,
                mean**2 + 25.0,
                0.8,
                0.1,
                energies,
            )
        )
    return AenetPotential(tuple(parts))


@pytest.fixture(scope="session")
def aenet_potential() -> AenetPotential:
    return make_aenet()


@pytest.fixture(scope="session")
def evaluator(potential: Potential) -> Evaluator:
    return Evaluator(potential, threads=1)


@pytest.fixture(scope="session")
def structure() -> Callable[..., Structure]:
    return make_structure


@pytest.fixture(scope="session")
def build_potential() -> Callable[..., Potential]:
    return make_potential
