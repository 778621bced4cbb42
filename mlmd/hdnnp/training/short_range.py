"""What the repulsion of nuclei has in the labels of frames: the networks learn the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from ase.data import chemical_symbols

from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.repulsion import OUTER, Repulsion, pair_energies, repulsion_tables
from mlmd.neighbors import neighbor_list


@dataclass(frozen=True)
class ShortRange:
    """The repulsion in one frame of N atoms.

    Args:
        energy: eV.
        forces: shape (N, 3), eV/Å.
        stress: Cauchy, tension positive, shape (3, 3), eV/Å³; zero without a volume.
    """

    energy: float
    forces: FloatArray
    stress: FloatArray

    @classmethod
    def of(cls, frame: Frame, repulsion: Repulsion) -> ShortRange:
        """Work it out."""
        kinds, places = np.unique(frame.numbers, return_inverse=True)
        tables = repulsion_tables(repulsion, [chemical_symbols[int(z)] for z in kinds])
        near = neighbor_list(frame.positions, frame.cell, frame.pbc, max(repulsion.reach, 1e-3))
        owners = np.repeat(np.arange(len(frame)), np.diff(near.first))
        rows = tables[places[owners], places[near.neighbors]]
        r = np.linalg.norm(near.vectors, axis=1)
        inside = r < rows[:, OUTER]
        owners, rows, r, vectors = owners[inside], rows[inside], r[inside], near.vectors[inside]
        energies, slopes = pair_energies(rows, r)
        # Each pair is listed from both sides.
        pulls = slopes[:, None] * vectors / r[:, None]
        forces = np.zeros((len(frame), 3))
        np.add.at(forces, owners, pulls)
        volume = abs(float(np.linalg.det(frame.cell)))
        stress = 0.5 * np.einsum("pa,pb->ab", pulls, vectors)
        return cls(
            0.5 * float(energies.sum()),
            forces,
            stress / volume if volume > 0.0 else np.zeros((3, 3)),
        )

    @classmethod
    def nothing(cls, atoms: int) -> ShortRange:
        """Return that of a potential without repulsion."""
        return cls(0.0, np.zeros((atoms, 3)), np.zeros((3, 3)))

    def left_out(self, frame: Frame) -> Frame:
        """Return the frame with labels of what remains."""
        return replace(
            frame,
            energy=None if frame.energy is None else frame.energy - self.energy,
            forces=None if frame.forces is None else frame.forces - self.forces,
            stress=None if frame.stress is None else frame.stress - self.stress,
        )
