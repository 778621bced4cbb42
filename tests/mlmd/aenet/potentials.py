"""Small aenet potentials of both kinds, with random or with soft networks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mlmd.aenet.potential import (
    AenetPotential,
    BehlerBasis,
    ChebyshevBasis,
    ElementPotential,
    Origin,
    input_order,
)
from mlmd.hdnnp.potential import Activation, ElementNetwork, SymmetryFunction


def random_network(rng, inputs, hidden=(4, 3), activation=Activation.TANH):
    sizes = (inputs, *hidden, 1)
    pairs = list(pairwise(sizes))
    return ElementNetwork(
        tuple(rng.normal(size=pair) * 0.4 for pair in pairs),
        tuple(rng.normal(size=pair[1]) * 0.2 for pair in pairs),
        (*[activation] * len(hidden), Activation.LINEAR),
    )


def element_potential(element, basis, network, seed=0, width=1.5):
    rng = np.random.default_rng(seed)
    mean = rng.uniform(0.1, 1.0, size=basis.count)
    energies = {name: -100.0 - 3.0 * k for k, name in enumerate(basis.neighbors)}
    return ElementPotential(
        element, basis, network, mean - 2, mean + 2, mean, mean**2 + width**2, 0.7, -0.25,
        energies, Origin("made for a test", 0.6, 1234, "some.train", 50, 5, (-1.0, 1.0, 0.1)),
    )  # fmt: skip


def behler_basis(element, neighbors):
    found = []
    for a in range(len(neighbors)):
        found.append((2, (a,), (0.05, 0.4, 0.0, 0.0, 4.2)))
        found.append((2, (a,), (0.7, 0.0, 0.0, 0.0, 3.9)))
        for b in range(a, len(neighbors)):
            found.append((4, (a, b), (0.02, 0.0, 1.0, 2.0, 4.0)))
            found.append((5, (a, b), (0.04, 0.0, -1.0, 1.0, 4.2)))
    kinds = {2: 2, 4: 3, 5: 9}
    functions = []
    for kind, places, numbers in sorted(found, key=lambda f: input_order(f[0], f[1])):
        names = sorted((neighbors[k] for k in places), key=["H", "O", "Si", "Ti"].index)
        functions.append(SymmetryFunction(kinds[kind], element, tuple(names), *numbers))
    return BehlerBasis(tuple(neighbors), tuple(functions))


def behler_potential(neighbors=("Ti", "O"), seed=3):
    rng = np.random.default_rng(seed)
    parts = []
    for element in sorted(neighbors, key=["H", "O", "Si", "Ti"].index):
        basis = behler_basis(element, neighbors)
        network = random_network(rng, basis.count)
        parts.append(element_potential(element, basis, network, seed))
    return AenetPotential(tuple(parts))


def soft_potential(element="Si"):
    """A repulsive Chebyshev potential with a little of everything: any solid is stable with it."""
    basis = ChebyshevBasis((element,), 4.5, 4, 4.0, 2)
    first = np.full((basis.count, 2), 0.01)
    first[0] = 0.5  # Σ f_c(r)
    network = ElementNetwork(
        (first, np.array([[1.0], [1.0]])),
        (np.zeros(2), np.zeros(1)),
        (Activation.TANH, Activation.LINEAR),
    )
    part = ElementPotential(
        element, basis, network, np.full(basis.count, -50.0), np.full(basis.count, 50.0),
        np.zeros(basis.count), np.full(basis.count, 25.0), 2.0, 0.0, {element: -10.0},
    )  # fmt: skip
    return AenetPotential((part,))
