"""What the 3D view draws: wrapped atoms, with images where atoms sit on the cell's faces."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from ase import Atoms

from mlmd.frame import FloatArray

ON_FACE = 0.02  # Å from a face that counts as on it
MOST_IMAGED = 20_000  # atoms above which the faces are left alone
_DIGITS = 4  # of a coordinate in Å, more than a screen can show


def viewer_payload(
    atoms: Atoms,
    *,
    title: str = "",
    forces: FloatArray | None = None,
    frames: int = 1,
    frame_url: str | None = None,
) -> dict[str, Any]:
    """Return the JSON of the 3D view.

    Atoms are wrapped into the cell along periodic directions. ``images`` lists copies that
    close the faces: ``[atom, a, b, c]`` is the atom shifted by that many lattice vectors.

    Args:
        atoms: what to draw, not changed.
        title: shown above and read aloud.
        forces: shape (N, 3), eV/Å, or None.
        frames: number of frames of the trajectory.
        frame_url: address of another frame, with ``{i}`` in place of its number.
    """
    cell = np.array(atoms.cell.array, dtype=float)
    has_cell = abs(float(np.linalg.det(cell))) > 1e-6
    positions = np.array(atoms.positions, dtype=float)
    images: list[list[int]] = []
    if has_cell:
        positions, images = _wrapped(positions, cell, tuple(bool(p) for p in atoms.pbc))
    return {
        "symbols": atoms.get_chemical_symbols(),
        "positions": positions.round(_DIGITS).tolist(),
        "cell": cell.round(6).tolist() if has_cell else None,
        "pbc": [bool(p) for p in atoms.pbc],
        "forces": None if forces is None else np.asarray(forces).round(5).tolist(),
        "images": images,
        "frames": frames,
        "frame_url": frame_url,
        "title": title,
    }


def _wrapped(
    positions: FloatArray, cell: FloatArray, periodic: tuple[bool, ...]
) -> tuple[FloatArray, list[list[int]]]:
    fractions = np.linalg.solve(cell.T, positions.T).T
    # The distance between opposite faces turns a length into a fraction of the axis.
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    margins = ON_FACE / heights
    for axis in np.flatnonzero(periodic):
        wrapped = fractions[:, axis] % 1.0
        # Just below the upper face is the lower face, up to rounding.
        wrapped[wrapped > 1.0 - margins[axis]] -= 1.0
        fractions[:, axis] = wrapped
    images: list[list[int]] = []
    if len(positions) <= MOST_IMAGED:
        on_face = (np.abs(fractions) < margins) & np.array(periodic)
        for atom in np.flatnonzero(on_face.any(axis=1)):
            steps = [(0, 1) if face else (0,) for face in on_face[atom]]
            images += [[int(atom), *shift] for shift in product(*steps) if any(shift)]
    return fractions @ cell, images
