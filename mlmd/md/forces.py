"""What molecular dynamics asks of a potential, and a bridge to any ASE calculator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from mlmd.hdnnp.devices import Device
from mlmd.hdnnp.evaluator import AtomwiseEvaluator
from mlmd.loading import AnyPotential, evaluator_of

FloatArray = NDArray[np.float64]

EXTRAPOLATION = np.dtype(
    [("atom", "i4"), ("function", "i4"), ("value", "f8"), ("low", "f8"), ("high", "f8")]
)


class Evaluation(Protocol):
    """A potential's answer for one set of positions."""

    @property
    def energy(self) -> float:
        """Potential energy, eV."""

    @property
    def forces(self) -> FloatArray:
        """Forces, shape (N, 3), eV/Å."""

    @property
    def stress(self) -> FloatArray:
        """Cauchy stress, tension positive, shape (3, 3), eV/Å³; anything without a full cell."""

    @property
    def extrapolations(self) -> NDArray[Any]:
        """Functions outside of the range seen in training, fields as in `EXTRAPOLATION`."""


class ForceProvider(Protocol):
    """Anything that turns positions into energy and forces."""

    def compute(
        self,
        numbers: NDArray[Any],
        positions: FloatArray,
        cell: FloatArray,
        pbc: tuple[bool, bool, bool],
    ) -> Evaluation:
        """Evaluate positions (N, 3) and cell (3, 3), both Å."""


class PotentialForces:
    """Evaluates a potential of any family, and can begin anew.

    The engine keeps a neighbour list between steps. Its order decides the last bits of sums, so a
    run that saves its state also begins a new list: the run that goes on from there and
    the one that was never interrupted then take the same path.

    Args:
        potential: what to evaluate.
        threads: at most so many; None for all that the process has.
        device: as of `mlmd.loading.evaluator_of`; what ``auto`` means depends on the atoms.
    """

    def __init__(
        self,
        potential: AnyPotential,
        threads: int | None = None,
        device: Device | str | None = None,
    ) -> None:
        self._potential, self._threads, self._device = potential, threads, device
        self._evaluator: AtomwiseEvaluator | None = None

    def compute(
        self,
        numbers: NDArray[Any],
        positions: FloatArray,
        cell: FloatArray,
        pbc: tuple[bool, bool, bool],
    ) -> Evaluation:
        """Evaluate positions (N, 3) and cell (3, 3), both Å."""
        if self._evaluator is None:
            self._evaluator = evaluator_of(
                self._potential, self._threads, self._device, len(numbers)
            )
        return self._evaluator.compute(numbers, positions, cell, pbc)

    def renew(self) -> None:
        """Forget everything that earlier calls left behind."""
        if self._evaluator is not None:
            self._evaluator.close()
        self._evaluator = None


@dataclass(frozen=True)
class PlainEvaluation:
    """An evaluation without anything that a potential of another kind wouldn't have."""

    energy: float
    forces: FloatArray
    stress: FloatArray
    extrapolations: NDArray[Any] = field(default_factory=lambda: np.empty(0, EXTRAPOLATION))


class NoForces:
    """Atoms that don't feel each other: an ideal gas, or those that another program moves."""

    def compute(
        self,
        numbers: NDArray[Any],
        positions: FloatArray,
        cell: FloatArray,
        pbc: tuple[bool, bool, bool],
    ) -> PlainEvaluation:
        """Return zeros for positions (N, 3) and cell (3, 3), both Å."""
        return PlainEvaluation(0.0, np.zeros_like(positions), np.zeros((3, 3)))


class CalculatorForces:
    """Lets an ASE calculator drive the dynamics.

    Args:
        calculator: any ASE calculator; its stress is used where it has one and the cell is
            periodic throughout.
    """

    def __init__(self, calculator: Any) -> None:
        self.calculator = calculator
        self._gives_stress = "stress" in getattr(calculator, "implemented_properties", ())

    def compute(
        self,
        numbers: NDArray[Any],
        positions: FloatArray,
        cell: FloatArray,
        pbc: tuple[bool, bool, bool],
    ) -> PlainEvaluation:
        """Evaluate positions (N, 3) and cell (3, 3), both Å."""
        atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=pbc)
        atoms.calc = self.calculator
        stress = np.full((3, 3), np.nan)
        if self._gives_stress and all(pbc):
            stress = voigt_6_to_full_3x3_stress(atoms.get_stress())
        # free_energy is what forces derive from; calculators without it give the energy.
        energy = atoms.get_potential_energy(force_consistent=self._has_free_energy())
        return PlainEvaluation(float(energy), np.array(atoms.get_forces()), np.asarray(stress))

    def _has_free_energy(self) -> bool:
        return "free_energy" in getattr(self.calculator, "implemented_properties", ())
