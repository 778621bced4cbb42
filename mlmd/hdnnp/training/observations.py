"""What the networks get wrong: residuals of frames, and their derivatives by the weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlmd.frame import FloatArray
from mlmd.hdnnp.training.model import Model
from mlmd.hdnnp.training.store import PreparedFrame
from mlmd.hdnnp.training.weighting import SMALL_CELL, energy_scale


def observe(
    model: Model,
    weights: FloatArray,
    frames: Sequence[PreparedFrame],
    forces_per_update: int,
    energy_weight: float,
    stress_weight: float,
    generator: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Return (Jacobian, residuals) of one update.

    Force components are drawn among those whose error is at least the frame's mean; energies of
    small cells count by the atom and virials too, times their weights. `observe_energies` is for
    large cells. Frames without weight are left out.
    """
    frames = [frame for frame in frames if frame.weight > 0.0]
    if not frames:
        return np.zeros((0, model.weight_count)), np.zeros(0)
    roots = np.sqrt([frame.weight for frame in frames])
    prediction = model.predict(weights, frames)
    share = max(1, forces_per_update // len(frames))
    components: list[NDArray[np.int64]] = []
    residuals: list[FloatArray] = []
    for frame, root, forces in zip(frames, roots, prediction.forces, strict=True):
        if frame.forces is None:
            components.append(np.zeros(0, np.int64))
            continue
        error = frame.forces - forces
        large = np.flatnonzero(np.abs(error) >= np.sqrt(np.mean(error * error)))
        drawn = np.sort(generator.choice(large, min(share, len(large)), replace=False))
        components.append(drawn)
        residuals.append(root * error[drawn])
    rows = model.force_rows(weights, prediction, frames, components)
    rows *= np.repeat(roots, [len(drawn) for drawn in components])[:, None]
    known = [
        k
        for k, frame in enumerate(frames)
        if frame.energy is not None and frame.count <= SMALL_CELL
    ]
    if known and energy_weight > 0.0:
        scale = roots[known] * [energy_scale(energy_weight, frames[k].count) for k in known]
        targets = np.array([frames[k].energy for k in known], np.float64)
        energy_rows = model.energy_rows(prediction, len(frames))[known]
        rows = np.concatenate([rows, energy_rows * scale[:, None]])
        residuals.append((targets - prediction.energies[known]) * scale)
    known = [k for k, frame in enumerate(frames) if frame.virial is not None]
    if known and stress_weight > 0.0:
        scale = stress_weight * roots[known] / np.array([frames[k].count for k in known])
        virial_rows = model.virial_rows(weights, prediction, frames, known)
        rows = np.concatenate([rows, virial_rows * np.repeat(scale, 6)[:, None]])
        for factor, k in zip(scale, known, strict=True):
            residuals.append((np.asarray(frames[k].virial) - prediction.virials[k]) * factor)
    return rows, np.concatenate(residuals) if residuals else np.zeros(0)


def observe_energies(
    model: Model, weights: FloatArray, frames: Sequence[PreparedFrame], energy_weight: float
) -> tuple[FloatArray, FloatArray]:
    """Return (Jacobian, residuals) of the energies of large cells.

    They are learned after the forces, in a step of their own, and those of the batches before
    along with them: a step on forces moves the energies of large cells farther than its linear
    model says. It costs a sweep without forces and a few rows.
    """
    large = [
        frame
        for frame in frames
        if frame.energy is not None and frame.weight > 0.0 and frame.count > SMALL_CELL
    ]
    if not large or energy_weight == 0.0:
        return np.zeros((0, model.weight_count)), np.zeros(0)
    scale = np.array([energy_scale(energy_weight, f.count) * f.weight**0.5 for f in large])
    said = model.predict(weights, large, with_forces=False)
    targets = np.array([frame.energy for frame in large], np.float64)
    rows = model.energy_rows(said, len(large)) * scale[:, None]
    return rows, (targets - said.energies) * scale
