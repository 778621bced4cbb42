"""A potential as a calculator of the Atomic Simulation Environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from mlmd.hdnnp.devices import Device, make_evaluator
from mlmd.hdnnp.evaluator import AtomwiseEvaluator, Evaluation
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.potential import Potential


class PotentialCalculator(Calculator):
    """Gives ASE a potential's energies, forces and stress, in Å and eV.

    Args:
        evaluator: of a potential of any family.

    After a calculation ``evaluation`` holds everything, extrapolations included.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]

    def __init__(self, evaluator: AtomwiseEvaluator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # ASE has no types
        self.evaluator = evaluator
        self.evaluation: Evaluation | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute all properties at once (called by ASE)."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        current = cast(Atoms, self.atoms)
        found = self.evaluator.compute(
            current.numbers, current.positions, current.cell.array, current.pbc
        )
        self.evaluation = found
        results: dict[str, Any] = {
            "energy": found.energy,
            "free_energy": found.energy,
            "energies": found.atomic_energies,
            "forces": found.forces,
        }
        if current.cell.rank == 3:
            # ASE's stress is Cauchy, tension positive, as ours.
            results["stress"] = full_3x3_to_voigt_6_stress(found.stress)
        self.results = results


class HDNNPCalculator(PotentialCalculator):
    """A high-dimensional neural-network potential as a calculator.

    Args:
        potential: a potential, or its folder.
        threads: at most so many.
        device: as of `mlmd.hdnnp.devices.make_evaluator`.
    """

    def __init__(
        self,
        potential: Potential | Path | str,
        threads: int | None = None,
        device: Device | str | None = None,
    ) -> None:
        if not isinstance(potential, Potential):
            potential = load_potential(potential)
        super().__init__(make_evaluator(potential, threads, device))
