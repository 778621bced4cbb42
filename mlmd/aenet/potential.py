"""An aenet potential as plain data; lengths in Å, energies in eV, as aenet has them.

Definitions: Artrith, Urban, Comput. Mater. Sci. 114, 135 (2016),
doi:10.1016/j.commatsci.2015.11.047; Artrith, Urban, Ceder, PRB 96, 014112 (2017),
doi:10.1103/PhysRevB.96.014112; Behler, J. Chem. Phys. 134, 074106 (2011), doi:10.1063/1.3553717.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.potential import ElementNetwork, SymmetryFunction


@dataclass(frozen=True)
class ChebyshevBasis:
    """The functions of one central element.

    For n up to the order: Σ_j T_n(2r/r_c − 1) f_c and Σ_{j<k} T_n(cos θ) f_c f_c with the
    cosine cutoff; where there are several neighbour elements, both again with each term times
    the weights of its neighbours.

    Args:
        neighbors: elements in the file's order, which gives their weights.
        radial_cutoff: Å.
        radial_order: largest n.
        angular_cutoff: Å.
        angular_order: largest n.
    """

    neighbors: tuple[str, ...]
    radial_cutoff: float
    radial_order: int
    angular_cutoff: float
    angular_order: int

    @property
    def cutoff_radius(self) -> float:
        """The larger radius, Å."""
        return max(self.radial_cutoff, self.angular_cutoff)

    @property
    def count(self) -> int:
        """Number of functions."""
        once = self.radial_order + self.angular_order + 2
        return once if len(self.neighbors) == 1 else 2 * once

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each neighbour element: …, −2, −1, (0,) 1, 2, …, 0 for odd numbers only."""
        half = len(self.neighbors) // 2
        steps = [s for s in range(-half, half + 1) if s != 0 or len(self.neighbors) % 2]
        return dict(zip(self.neighbors, map(float, steps), strict=True))


@dataclass(frozen=True)
class BehlerBasis:
    """Symmetry functions of one central element, with the cosine cutoff.

    aenet's G1 and G2 are n2p2's type 2, its G4 is type 3 and its G5 is type 9, factors included.

    Args:
        neighbors: elements in the file's order, which gives the order of the functions.
        functions: in the order of the network's inputs (`input_order`).
    """

    neighbors: tuple[str, ...]
    functions: tuple[SymmetryFunction, ...]

    @property
    def cutoff_radius(self) -> float:
        """The largest radius, Å."""
        return max(function.cutoff for function in self.functions)

    @property
    def count(self) -> int:
        """Number of functions."""
        return len(self.functions)


Basis = ChebyshevBasis | BehlerBasis


def input_order(kind: int, neighbors: Sequence[int]) -> tuple[int, ...]:
    """Return the key by which aenet orders symmetry functions before its networks.

    Those of one key keep the order in which a set-up lists them.

    Args:
        kind: aenet's number, 1 to 5.
        neighbors: positions of one or two elements among those of the set-up.
    """
    if len(neighbors) == 1:
        return (neighbors[0], 0, 0, kind)
    return (min(neighbors), 1, max(neighbors), kind)


@dataclass(frozen=True)
class Origin:
    """What a network file says of its training; nothing is evaluated with it.

    Args:
        description: of the set-up; lines end in ``$$``.
        smallest_distance: between atoms, Å; aenet's programs bound their lists by it.
        evaluations: environments that the ranges were found in.
        training_set: name of its file.
        atoms: in the training set.
        structures: in the training set.
        energies: smallest, largest and mean energy per atom, in the network's units.
    """

    description: str = ""
    smallest_distance: float = 0.5
    evaluations: int = 0
    training_set: str = ""
    atoms: int = 0
    structures: int = 0
    energies: tuple[float, float, float] = (-1.0, 1.0, 0.0)


@dataclass(frozen=True)
class ElementPotential:
    """What one network file holds.

    Args:
        element: of the central atom.
        basis: its functions.
        network: takes (G − mean)/σ.
        minimum: smallest value of each function in the training data, shape (S,).
        maximum: largest, shape (S,).
        mean: shape (S,).
        mean_square: shape (S,).
        energy_scale: eV per unit of the network's output.
        energy_shift: added to it, eV.
        atom_energies: element → energy of the free atom, eV.
        origin: what else the file says.
    """

    element: str
    basis: Basis
    network: ElementNetwork
    minimum: FloatArray
    maximum: FloatArray
    mean: FloatArray
    mean_square: FloatArray
    energy_scale: float
    energy_shift: float
    atom_energies: Mapping[str, float]
    origin: Origin = Origin()

    def factors(self) -> tuple[FloatArray, FloatArray]:
        """Return (factor, shift), each shape (S,): the network sees factor·G + shift."""
        variance = np.maximum(self.mean_square - self.mean**2, 0.0)
        constant = variance <= 1e-20
        factor = np.where(constant, 0.0, 1.0 / np.sqrt(np.where(constant, 1.0, variance)))
        return factor, -factor * self.mean


@dataclass(frozen=True)
class AenetPotential:
    """A complete potential: one part for each element, in any order.

    Raises:
        InvalidInput: parts that don't belong together.
    """

    parts: tuple[ElementPotential, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise InvalidInput("aenet potential", "no networks", "one for each element")
        known = set(self.elements)
        if len(known) != len(self.parts):
            raise InvalidInput(
                "aenet potential", " ".join(self.elements), "one network for each element"
            )
        for part in self.parts:
            missing = [e for e in part.basis.neighbors if e not in known]
            if missing:
                raise InvalidInput(
                    f"network of {part.element}",
                    f"neighbours of element {missing[0]}, which has no network",
                    "one network file for each element",
                )
            if set(part.basis.neighbors) != known:
                raise InvalidInput(
                    f"network of {part.element}",
                    f"made for {' '.join(part.basis.neighbors)}",
                    " ".join(self.elements),
                )
            if type(part.basis) is not type(self.parts[0].basis):
                raise InvalidInput(
                    f"network of {part.element}",
                    "another kind of functions",
                    "Chebyshev or symmetry functions for all elements, as aenet wants it",
                )
            if part.energy_scale != self.parts[0].energy_scale:
                raise InvalidInput(
                    f"network of {part.element}",
                    "another energy scale",
                    "networks of one training",
                )

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols, in the order of the parts."""
        return tuple(part.element for part in self.parts)

    @property
    def cutoff_radius(self) -> float:
        """Largest cutoff radius, Å."""
        return max(part.basis.cutoff_radius for part in self.parts)

    @property
    def parameters(self) -> int:
        """How many numbers were fitted."""
        return sum(part.network.parameters for part in self.parts)
