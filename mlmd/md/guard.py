"""Notices when a run has blown up, before its numbers mislead anybody."""

from __future__ import annotations

import numpy as np

from mlmd.errors import InvalidInput
from mlmd.md.integrators import FloatArray
from mlmd.md.system import System

FARTHEST_MOVE = 1.0  # Å in one step: ten times what a hydrogen atom does at 3000 K in 1 fs
_ADVICE = (
    "Take a smaller time step, relax the structure first, and look at extrapolation.json: "
    "the potential may not know such configurations."
)


class BlowUp(InvalidInput):
    """The dynamics went out of bounds; the run's files keep everything up to there."""


class ExtrapolationStop(InvalidInput):
    """The potential left its training range more often than the settings allow."""


class DisagreementStop(InvalidInput):
    """The members of a committee disagree by more than the settings allow."""


def check_motion(system: System, time_step: float, temperature_limit: float) -> None:
    """Hold a step's outcome against what is physical.

    Args:
        system: after the step.
        time_step: fs.
        temperature_limit: K.

    Raises:
        BlowUp: energy, forces or velocities that aren't finite, too hot, or too far in a step.
    """
    temperature = system.temperature
    found = ""
    if not np.isfinite(system.energy) or not np.all(np.isfinite(system.forces)):
        found = f"potential energy {system.energy:.6g} eV or forces that aren't finite"
    elif not np.isfinite(temperature):
        found = "velocities that aren't finite"
    elif temperature > temperature_limit:
        found = f"temperature {temperature:.4g} K at potential energy {system.energy:.6g} eV"
    else:
        move = _farthest_move(system.velocities, time_step)
        if move > FARTHEST_MOVE:
            found = f"an atom that moves {move:.3g} Å in one step, temperature {temperature:.4g} K"
    if found:
        raise BlowUp(
            moment(system.step, time_step),
            f"the run blew up: {found}",
            f"at most {temperature_limit:.4g} K and {FARTHEST_MOVE:g} Å in a step",
            _ADVICE,
        )


def moment(step: int, time_step: float) -> str:
    """Return how messages name a step."""
    return f"step {step} ({step * time_step / 1000:.4g} ps)"


def _farthest_move(velocities: FloatArray, time_step: float) -> float:
    return float(np.sqrt(np.max(np.sum(velocities**2, axis=1)))) * time_step
