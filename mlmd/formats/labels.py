"""Which of a frame's energies goes out of the door."""

from __future__ import annotations

from enum import StrEnum

from mlmd.errors import InvalidInput
from mlmd.frame import Frame


class EnergyKind(StrEnum):
    """Energy written as ``energy`` by an export."""

    FREE = "free"  # the one that the forces derive from
    SIGMA0 = "sigma0"  # extrapolated to zero smearing


def chosen_energy(frame: Frame, kind: EnergyKind) -> float | None:
    """Return the asked-for energy of a frame, eV; None where the frame has no energy at all.

    Raises:
        InvalidInput: the energy at zero smearing was asked for and isn't known.
    """
    if kind is EnergyKind.FREE or frame.energy is None:
        return frame.energy
    if frame.energy_sigma0 is None:
        raise InvalidInput(
            f"{frame.calculation.source_name or 'frame'}: step {frame.ionic_step}",
            "no energy extrapolated to zero smearing",
            "a source that gives it",
            "Export the free energy instead.",
        )
    return frame.energy_sigma0
