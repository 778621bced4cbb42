"""LAMMPS wants the first lattice vector along x and the second in the xy plane: there and back.

Manual: https://docs.lammps.org/Howto_triclinic.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
MARGIN = 1.0  # Å of room around atoms along a direction that isn't periodic


@dataclass(frozen=True)
class ReferenceFrame:
    """How a structure lies in LAMMPS' box.

    Args:
        box: lattice vectors as LAMMPS has them, rows, lower triangular with a positive
            diagonal, shape (3, 3), Å.
        rotation: orthogonal matrix with cell = box @ rotation, shape (3, 3); of a left-handed
            cell it contains a reflection, which changes no energy.
        origin: corner of the box in LAMMPS' axes, shape (3,), Å.
    """

    box: FloatArray
    rotation: FloatArray
    origin: FloatArray

    def to_box(self, vectors: ArrayLike) -> FloatArray:
        """Turn vectors (N, 3) into LAMMPS' axes."""
        return np.asarray(vectors, dtype=np.float64) @ self.rotation.T

    def from_box(self, vectors: ArrayLike) -> FloatArray:
        """Turn vectors (N, 3) out of LAMMPS' axes."""
        return np.asarray(vectors, dtype=np.float64) @ self.rotation


def reference_frame(
    cell: FloatArray, pbc: tuple[bool, bool, bool], positions: FloatArray
) -> ReferenceFrame:
    """Return the box for a structure.

    Args:
        cell: lattice vectors, rows, Å; those of directions that aren't periodic may be anything.
        pbc: periodic along each lattice vector.
        positions: shape (N, 3), Å.
    """
    full = _completed(cell, pbc)
    # QR of the transpose: columns are the lattice vectors, so Q turns and R is the box.
    turn, upper = np.linalg.qr(full.T)
    signs = np.where(np.diag(upper) < 0, -1.0, 1.0)
    box, rotation = (upper * signs[:, None]).T, (turn * signs).T
    frame = ReferenceFrame(np.tril(box), rotation, np.zeros(3))
    return _around(frame, pbc, frame.to_box(positions))


def _completed(cell: FloatArray, pbc: tuple[bool, bool, bool]) -> FloatArray:
    """Return three vectors that span space: free directions at right angles to the periodic."""
    vectors = np.array(cell, dtype=np.float64)
    periodic = [k for k in range(3) if pbc[k]]
    free = [k for k in range(3) if not pbc[k]]
    if not periodic:
        return np.eye(3)
    basis = np.linalg.svd(vectors[periodic])[2][len(periodic) :]
    for k, direction in zip(free, basis, strict=True):
        vectors[k] = direction
    if free and np.linalg.det(vectors) < 0:
        vectors[free[0]] *= -1
    return vectors


def _around(
    frame: ReferenceFrame, pbc: tuple[bool, bool, bool], inside: FloatArray
) -> ReferenceFrame:
    """Give free directions an extent that holds the atoms."""
    box, origin = frame.box.copy(), frame.origin.copy()
    for k in range(3):
        if not pbc[k]:
            low, high = inside[:, k].min() - MARGIN, inside[:, k].max() + MARGIN
            box[k] = 0.0
            box[k, k], origin[k] = high - low, low
    return ReferenceFrame(box, frame.rotation, origin)
