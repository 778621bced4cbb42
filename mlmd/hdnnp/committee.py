"""Several potentials at the same atoms: their mean, and how far they disagree.

Members of a committee see the same atoms, so one neighbour list serves them all. Where they
disagree, none is to be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.evaluator import Evaluation, Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.potential import Potential

MEMBER_FOLDERS = "potential-*"


@dataclass(frozen=True)
class CommitteeEvaluation:
    """What the members say of one structure.

    Args:
        members: every member's own evaluation, in their order.
    """

    members: tuple[Evaluation, ...]

    @property
    def energies(self) -> FloatArray:
        """Total energy by each member, shape (members,), eV."""
        return np.array([member.energy for member in self.members])

    @property
    def energy(self) -> float:
        """Mean of the members' energies, eV."""
        return float(self.energies.mean())

    @property
    def energy_spread(self) -> float:
        """Standard deviation of the members' energies, eV."""
        return float(self.energies.std())

    @property
    def forces(self) -> FloatArray:
        """Mean of the members' forces, shape (N, 3), eV/Å."""
        return np.asarray(np.mean([member.forces for member in self.members], axis=0))

    @property
    def force_spread(self) -> FloatArray:
        """Root mean square distance of the members' force vectors from their mean.

        Returns:
            Per atom, shape (N,), eV/Å.
        """
        forces = np.array([member.forces for member in self.members])
        distances = np.sum((forces - forces.mean(axis=0)) ** 2, axis=2)
        return np.asarray(np.sqrt(distances.mean(axis=0)))


class CommitteeEvaluator:
    """Evaluates several potentials of the same elements on one neighbour list.

    Args:
        potentials: the members, at least one.
        threads: as for `Evaluator`.
        skin: how much farther than the largest cutoff the neighbour list reaches, Å.

    Raises:
        InvalidInput: there is no member, or members have different elements or cutoffs.
    """

    def __init__(
        self, potentials: Sequence[Potential], threads: int | None = None, skin: float = 1.0
    ) -> None:
        if not potentials:
            raise InvalidInput("committee", "no potentials", "at least one")
        first = potentials[0]
        for place, other in enumerate(potentials[1:], start=2):
            if other.elements != first.elements or other.cutoff_radius != first.cutoff_radius:
                raise InvalidInput(
                    f"committee: potential {place}",
                    f"{' '.join(other.elements)} with a cutoff of {other.cutoff_radius:g} Å",
                    f"{' '.join(first.elements)} with a cutoff of {first.cutoff_radius:g} Å, "
                    "as the first one",
                )
        self.members = [Evaluator(potential, threads, skin) for potential in potentials]
        for member in self.members[1:]:
            member.share_neighbors(self.members[0])

    def compute(
        self, numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike
    ) -> CommitteeEvaluation:
        """Return what every member says; arguments and errors as for `Evaluator.compute`."""
        return CommitteeEvaluation(
            tuple(member.compute(numbers, positions, cell, pbc) for member in self.members)
        )

    def close(self) -> None:
        """Let the threads go; they come back when needed."""
        for member in self.members:
            member.close()


def load_members(run_dir: Path | str) -> tuple[Potential, ...]:
    """Read the members of a committee from ``potential-1``, ``potential-2``, … of a training.

    Raises:
        InvalidInput: the directory holds none.
    """
    folders = sorted(
        (path for path in Path(run_dir).glob(MEMBER_FOLDERS) if path.is_dir()),
        key=lambda path: int(path.name.rsplit("-", 1)[1]),
    )
    if not folders:
        raise InvalidInput(str(run_dir), "no potential-1, potential-2, …", "a trained committee")
    return tuple(load_potential(folder) for folder in folders)
