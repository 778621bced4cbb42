"""Hashes that survive rounding: when two structures, or two labels, are the same."""

from __future__ import annotations

import hashlib

import numpy as np

from mlmd.documents.compatibility import compat_key
from mlmd.frame import Frame

CELL_QUANTUM = 1e-5  # Å
FRACTION_QUANTUM = 1e-6
_TURN = round(1 / FRACTION_QUANTUM)


def structure_hash(frame: Frame) -> str:
    """Return a hash of the quantised structure: 64 hexadecimal digits.

    The cell is rounded to 1e-5 Å, fractional coordinates are wrapped along periodic
    directions and rounded to 1e-6, and atoms are sorted: relabelled atoms, atoms
    shifted by lattice vectors and numbers computed in another order give the same
    hash. Rotated or shifted copies do not.
    """
    cell = np.rint(frame.cell / CELL_QUANTUM).astype("<i8")
    numbers = frame.numbers.astype("<i8")
    if abs(float(np.linalg.det(frame.cell))) > 1e-9:
        fractions = np.linalg.solve(frame.cell.T, frame.positions.T).T
        sites = np.rint(fractions / FRACTION_QUANTUM).astype("<i8")
        for axis, periodic in enumerate(frame.pbc):
            if periodic:
                sites[:, axis] %= _TURN
    else:
        sites = np.rint(frame.positions / CELL_QUANTUM).astype("<i8")
    order = np.lexsort((sites[:, 2], sites[:, 1], sites[:, 0], numbers))
    digest = hashlib.sha256(b"structure/1")
    digest.update(bytes(frame.pbc))
    digest.update(cell.tobytes())
    digest.update(numbers[order].tobytes())
    digest.update(sites[order].tobytes())
    return digest.hexdigest()


def label_identity(frame: Frame, structure: str | None = None) -> str:
    """Return a hash that is equal when two frames answer the same question.

    It joins the structure with the level of theory, charge and spin treatment; two
    frames that share it are duplicates, or disagree and deserve a look.

    Args:
        frame: what is asked about.
        structure: its `structure_hash`, where it is at hand.
    """
    calculation = frame.calculation
    text = "|".join(
        (
            structure or structure_hash(frame),
            compat_key(calculation),
            f"{calculation.charge:.3f}",
            calculation.spin,
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()
