"""An aenet potential as plain data; lengths in Å, energies in eV, as aenet has them.

Definitions: Artrith, Urban, Comput. Mater. Sci. 114, 135 (2016),
doi:10.1016/j.commatsci.2015.11.047; Artrith, Urban, Ceder, PRB 96, 014112 (2017),
doi:10.1103/PhysRevB.96.014112.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.potential import ElementNetwork


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
    """

    element: str
    basis: ChebyshevBasis
    network: ElementNetwork
    minimum: FloatArray
    maximum: FloatArray
    mean: FloatArray
    mean_square: FloatArray
    energy_scale: float
    energy_shift: float
    atom_energies: Mapping[str, float]

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
        return max(max(p.basis.radial_cutoff, p.basis.angular_cutoff) for p in self.parts)

    @property
    def parameters(self) -> int:
        """How many numbers were fitted."""
        return sum(part.network.parameters for part in self.parts)
