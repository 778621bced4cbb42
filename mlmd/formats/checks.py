"""Checks that every frame passes, whatever file it came from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlmd.formats.issues import IssueLog
from mlmd.frame import Frame

MINIMUM_VOLUME = 1e-3  # Å³ per cell: below it a cell is a mistake
LARGEST_FORCE = 1e5  # eV/Å
LARGEST_COORDINATE = 1e9  # Å


def checked_frame(frame: Frame, place: str, log: IssueLog) -> Frame | None:
    """Return the frame if its numbers can be used, or None with an issue in ``log``.

    Args:
        frame: what a reader produced.
        place: where in the file, for the message.
        log: takes the issues.
    """
    problem = _structure_problem(frame)
    if problem:
        log.lose(place, problem[0], problem[1], "The frame was left out.")
        return None
    bad_label = _label_problem(frame)
    if bad_label:
        log.lose(place, bad_label, "finite numbers", "The frame was left out.")
        return None
    return _without_dead_axes(frame, place, log)


def _structure_problem(frame: Frame) -> tuple[str, str] | None:
    if len(frame.numbers) == 0:
        return "no atoms", "at least one atom"
    bad = ~np.isfinite(frame.positions).all(axis=1)
    if bad.any():
        atom = int(np.argmax(bad)) + 1
        return f"the position of atom {atom} is not a finite number", "finite coordinates"
    if np.abs(frame.positions).max() > LARGEST_COORDINATE:
        return "a coordinate is larger than 10⁹ Å", "coordinates in Å"
    if not np.isfinite(frame.cell).all():
        return "the cell holds a value that is not a finite number", "three lattice vectors"
    if all(frame.pbc) and abs(float(np.linalg.det(frame.cell))) < MINIMUM_VOLUME:
        return "the cell has no volume", "three independent lattice vectors"
    return None


def _label_problem(frame: Frame) -> str | None:
    for name, value in (("energy", frame.energy), ("energy", frame.energy_sigma0)):
        if value is not None and not np.isfinite(value):
            return f"the {name} is not a finite number"
    arrays = (
        ("forces", frame.forces),
        ("stress", frame.stress),
        ("magnetic moments", frame.magnetic_moments),
    )
    for name, array in arrays:
        if array is not None and not np.isfinite(array).all():
            return f"the {name} hold a value that is not a finite number"
    if frame.forces is not None and np.abs(frame.forces).max(initial=0.0) > LARGEST_FORCE:
        return f"a force is larger than {LARGEST_FORCE:.0e} eV/Å"
    return None


def _without_dead_axes(frame: Frame, place: str, log: IssueLog) -> Frame:
    """A periodic axis without a lattice vector can't be periodic."""
    lengths = np.linalg.norm(frame.cell, axis=1)
    x, y, z = (bool(p and length > 0) for p, length in zip(frame.pbc, lengths, strict=True))
    if (x, y, z) == tuple(frame.pbc):
        return frame
    log.warn(
        place,
        "a periodic direction has a lattice vector of length zero",
        "a lattice vector",
        "It was taken as not periodic.",
    )
    return replace(frame, pbc=(x, y, z))
