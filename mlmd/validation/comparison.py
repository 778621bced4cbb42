"""Every teacher frame computed again with the potential."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.evaluator import EXTRAPOLATION
from mlmd.validation.crystals import atoms_of


@dataclass(frozen=True)
class Prediction:
    """A frame and what the potential says of it.

    Args:
        frame: the teacher's.
        energy: eV.
        forces: shape (N, 3), eV/Å.
        stress: Cauchy, shape (3, 3), eV/Å³; None without a full cell.
        extrapolations: structured array with atom, function, value, low and high.
    """

    frame: Frame
    energy: float
    forces: FloatArray
    stress: FloatArray | None
    extrapolations: NDArray[Any]

    @property
    def symbols(self) -> list[str]:
        """Of the atoms."""
        return [chemical_symbols[z] for z in self.frame.numbers]


@dataclass(frozen=True)
class Comparison:
    """All frames that could be computed, and why others couldn't, reason → how many."""

    predictions: tuple[Prediction, ...]
    refused: dict[str, int]


def compare(calculator: Any, frames: Sequence[Frame], pause: Callable[[], None]) -> Comparison:
    """Compute frames.

    Args:
        calculator: of the potential.
        frames: teacher data.
        pause: called before every frame; may raise to stop.
    """
    predictions = []
    refused: dict[str, int] = {}
    for frame in frames:
        pause()
        try:
            predictions.append(_predict(calculator, frame))
        except InvalidInput as error:
            reason = f"{error.found}"
            refused[reason] = refused.get(reason, 0) + 1
    return Comparison(tuple(predictions), refused)


def _predict(calculator: Any, frame: Frame) -> Prediction:
    atoms = atoms_of(frame)
    atoms.calc = calculator
    energy, forces = float(atoms.get_potential_energy()), np.array(atoms.get_forces())
    if not np.isfinite(energy) or not np.all(np.isfinite(forces)):
        raise InvalidInput("frame", "energy or forces that aren't finite", "finite ones")
    stress = None
    if "stress" in calculator.implemented_properties and all(frame.pbc):
        stress = np.asarray(voigt_6_to_full_3x3_stress(atoms.get_stress()))
    evaluation = getattr(calculator, "evaluation", None)
    found = np.zeros(0, EXTRAPOLATION) if evaluation is None else evaluation.extrapolations
    return Prediction(frame, energy, forces, stress, found)
