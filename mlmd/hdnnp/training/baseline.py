"""What is subtracted before the networks learn: energies of atoms, and the scale of forces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import atomic_numbers

from mlmd.frame import FloatArray, Frame


def atom_energies(frames: Sequence[Frame], elements: tuple[str, ...]) -> FloatArray:
    """Return one energy per element, eV, so that their sums come closest to the frames'.

    Least squares around a first guess: the energy of the isolated atom where the set has one,
    else the mean energy per atom. Where the compositions don't determine the answer (one
    stoichiometry only, fewer frames than elements) it stays as near to the guess as it can.

    Args:
        frames: training frames.
        elements: symbols sorted by atomic number.

    Returns:
        Shape (elements,), eV.
    """
    labelled = [(frame, frame.energy) for frame in frames if frame.energy is not None]
    if not labelled:
        return np.zeros(len(elements))
    numbers = [atomic_numbers[symbol] for symbol in elements]
    counts = np.array([[(f.numbers == z).sum() for z in numbers] for f, _ in labelled], float)
    energies = np.array([energy for _, energy in labelled])
    totals = counts.sum(axis=1)
    guess = np.full(len(elements), energies.sum() / totals.sum())
    for row, energy, total in zip(counts, energies, totals, strict=True):
        if total == 1:
            guess[int(row.argmax())] = energy
    # Per atom, so that a large cell counts no more than a small one.
    correction, *_ = np.linalg.lstsq(
        counts / totals[:, None], (energies - counts @ guess) / totals, rcond=1e-8
    )
    return np.asarray(guess + correction, np.float64)


def network_energy_unit(frames: Sequence[Frame], baseline: Sequence[float]) -> float:
    """Return conv_energy: network energy of 1 eV.

    Chosen so that the forces' standard deviation is 1; without forces, so that the energies
    per atom's is.

    Args:
        frames: training frames.
        baseline: sum of the atoms' energies of each frame, eV.
    """
    forces = [frame.forces.ravel() for frame in frames if frame.forces is not None]
    spread = float(np.concatenate(forces).std()) if forces else 0.0
    if spread < 1e-6:
        heights = [
            (frame.energy - base) / len(frame)
            for frame, base in zip(frames, baseline, strict=True)
            if frame.energy is not None
        ]
        spread = float(np.std(heights)) if heights else 0.0
    return 1.0 / spread if spread > 1e-6 else 1.0
