"""What the networks get wrong: residuals of frames, and their derivatives by the weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    recent: Sequence[PreparedFrame] = (),
) -> tuple[FloatArray, FloatArray]:
    """Return (Jacobian, residuals) of one update.

    Force components are drawn among those whose error is at least the frame's mean; energies
    count as `energy_scale` says, virials per atom, times their weights. Large
    cells seen in the updates before give their energies once more: that costs a sweep without
    forces, and without it the forces drawn now would push them away. Frames without weight are left out.
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
    known = [k for k, frame in enumerate(frames) if frame.energy is not None]
    if known and energy_weight > 0.0:
        scale = roots[known] * [energy_scale(energy_weight, frames[k].count) for k in known]
        targets = np.array([frames[k].energy for k in known], np.float64)
        energy_rows = model.energy_rows(prediction, len(frames))[known]
        rows = np.concatenate([rows, energy_rows * scale[:, None]])
        residuals.append((targets - prediction.energies[known]) * scale)
    again = [
        frame
        for frame in recent
        if frame.energy is not None and frame.weight > 0.0 and frame.count > SMALL_CELL
    ]
    if again and energy_weight > 0.0:
        scale = np.array([energy_scale(energy_weight, f.count) * f.weight**0.5 for f in again])
        said = model.predict(weights, again, with_forces=False)
        rows = np.concatenate([rows, model.energy_rows(said, len(again)) * scale[:, None]])
        targets = np.array([frame.energy for frame in again], np.float64)
        residuals.append((targets - said.energies) * scale)
    known = [k for k, frame in enumerate(frames) if frame.virial is not None]
    if known and stress_weight > 0.0:
        scale = stress_weight * roots[known] / np.array([frames[k].count for k in known])
        virial_rows = model.virial_rows(weights, prediction, frames, known)
        rows = np.concatenate([rows, virial_rows * np.repeat(scale, 6)[:, None]])
        for factor, k in zip(scale, known, strict=True):
            residuals.append((np.asarray(frames[k].virial) - prediction.virials[k]) * factor)
    return rows, np.concatenate(residuals) if residuals else np.zeros(0)


def residuals_of(
    model: Model, weights: FloatArray, frames: Iterable[PreparedFrame], volumes: Sequence[float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (energies per atom, force components, stresses), reference minus model.

    Network units; ``volumes`` are those of all frames of the store, Å³.
    """
    energies, forces, stresses = [], [], []
    for frame in frames:
        slopes = frame.forces is not None or frame.virial is not None
        prediction = model.predict(weights, [frame], with_forces=slopes)
        if frame.energy is not None:
            energies.append((frame.energy - prediction.energies[0]) / frame.count)
        if frame.forces is not None:
            forces.append(frame.forces - prediction.forces[0])
        if frame.virial is not None:
            stresses.append((frame.virial - prediction.virials[0]) / volumes[frame.index])
    nothing = [np.zeros(0)]
    return (
        np.array(energies),
        np.concatenate(forces or nothing),
        np.concatenate(stresses or nothing),
    )
