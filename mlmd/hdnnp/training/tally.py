"""Errors of one set of weights over many frames, summed up as the frames pass by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlmd.frame import FloatArray
from mlmd.hdnnp.training.model import Model
from mlmd.hdnnp.training.store import PreparedFrame
from mlmd.units import EV_PER_A3_IN_GPA


@dataclass(frozen=True)
class Errors:
    """Root mean square errors; NaN where there is nothing to compare.

    Args:
        energy: meV/atom.
        force: of the components, meV/Å.
        stress: of the six components, GPa.
    """

    energy: float
    force: float
    stress: float = math.nan

    def combined(self, emphasis: float) -> float:
        """Return force + emphasis·energy, leaving out what isn't there; infinite without both."""
        parts = [self.force, emphasis * self.energy]
        known = [part for part in parts if not math.isnan(part)]
        return sum(known) if known else math.inf


class _Mean:
    """A root mean square that takes its values one after the other."""

    def __init__(self) -> None:
        self.squares, self.count = 0.0, 0

    def add(self, values: FloatArray) -> None:
        self.squares += float(values @ values)
        self.count += len(values)

    def root(self) -> float:
        return math.sqrt(self.squares / self.count) if self.count else math.nan


class Tally:
    """Sums up what weights get wrong.

    Args:
        model: the networks.
        weights: theirs, all in one vector.
        volumes: of all frames of the store, Å³.
    """

    def __init__(self, model: Model, weights: FloatArray, volumes: Sequence[float]) -> None:
        self.model, self.weights, self.volumes = model, weights, volumes
        self._energy, self._force, self._stress = _Mean(), _Mean(), _Mean()

    def add(self, frames: Sequence[PreparedFrame]) -> None:
        """Count these frames."""
        slopes = any(f.forces is not None or f.virial is not None for f in frames)
        said = self.model.predict(self.weights, frames, with_forces=slopes)
        for k, frame in enumerate(frames):
            if frame.energy is not None:
                self._energy.add(np.array([(frame.energy - said.energies[k]) / frame.count]))
            if frame.forces is not None:
                self._force.add(frame.forces - said.forces[k])
            if frame.virial is not None:
                self._stress.add((frame.virial - said.virials[k]) / self.volumes[frame.index])

    def errors(self, conv_energy: float) -> Errors:
        """Return the errors so far.

        Args:
            conv_energy: network energy of 1 eV.
        """
        unit = 1.0 / conv_energy
        return Errors(
            self._energy.root() * unit * 1000.0,
            self._force.root() * unit * 1000.0,
            self._stress.root() * unit * EV_PER_A3_IN_GPA,
        )
