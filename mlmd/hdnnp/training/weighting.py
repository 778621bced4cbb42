"""How much each frame counts: by its kind, its height in energy, and how sure its labels are.

A weight multiplies the squared errors of a frame's energy, forces and stress. Errors that are
shown, and the choice of the best epoch, are never weighted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlmd.errors import InvalidInput
from mlmd.frame import Frame
from mlmd.hdnnp.training.screening import Notice, group_of

# Energies of cells of so many atoms, and of smaller ones, count by the atom.
SMALL_CELL = 16
# The energy of a larger cell counts as a whole, divided by this.
LARGE_CELL_SHARE = 8


def energy_scale(energy_weight: float, atoms: int) -> float:
    """Return the factor of the error of a frame's total energy beside a force component's.

    Energies of small cells count by the atom. Those of large cells count as a whole: an average
    over many atoms would hide an error that all of them share, while every atom has its forces.
    """
    return energy_weight / (atoms if atoms <= SMALL_CELL else LARGE_CELL_SHARE)


def frame_weights(
    frames: Sequence[Frame],
    heights: Sequence[float | None],
    by_kind: Mapping[str, float],
    energy_window: float,
    uncertain_weight: float,
) -> tuple[float, ...]:
    """Return the weight of every frame.

    Args:
        frames: to be weighted.
        heights: their energies per atom above the atoms' own, eV, or None.
        by_kind: weights of kinds; others count 1.
        energy_window: eV/atom; a frame so far above the lowest one counts half:
            1/(1 + (height/window)²). 0: all count the same.
        uncertain_weight: of frames whose electronic cycle didn't converge, or whose labels
            come from another potential.
    """
    known = [height for height in heights if height is not None]
    lowest = min(known, default=0.0)
    weights = []
    for frame, height in zip(frames, heights, strict=True):
        weight = by_kind.get(group_of(frame), 1.0)
        if frame.scf_converged is False or frame.label_source == "ml":
            weight *= uncertain_weight
        if energy_window > 0.0 and height is not None:
            weight /= 1.0 + ((height - lowest) / energy_window) ** 2
        weights.append(weight)
    return tuple(weights)


def weight_notices(
    frames: Sequence[Frame], weights: Sequence[float], by_kind: Mapping[str, float]
) -> list[Notice]:
    """Return what a user should know of the chosen weights.

    Raises:
        InvalidInput: no training frame counts.
    """
    if not any(weight > 0.0 for weight in weights):
        raise InvalidInput(
            "training settings: kind_weights",
            "a weight of 0 for every training frame",
            "some frames with a weight above 0",
        )
    present = {group_of(frame) for frame in frames}
    return [
        Notice(
            "unknown-kind",
            f"A weight is given for the kind {kind!r}, but no frame has it. "
            f"The kinds are: {', '.join(sorted(present))}.",
        )
        for kind in by_kind
        if kind not in present
    ]
