"""Reads the trajectory of an MD run, also while it grows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from django.utils.translation import gettext as _

from labs.exceptions import Refused
from mlmd.errors import FormatError
from mlmd.trajectory import TrajectoryFrame, TrajectoryReader
from mlmd.trajectory_export import TrajectoryFormat, export_lines

TRAJECTORY = "trajectory.mtj"


def open_trajectory(folder: Path) -> TrajectoryReader | None:
    """Return the trajectory of a run's folder, or None while it has no frame."""
    path = folder / TRAJECTORY
    if not path.is_file():
        return None
    try:
        reader = TrajectoryReader(path)
    except FormatError:
        # The header is written in several pieces: a copy taken in between isn't damage.
        return None
    return reader if len(reader) else None


def frame_atoms(reader: TrajectoryReader, frame: TrajectoryFrame) -> Atoms:
    """Return one moment as ASE atoms, wrapped into the cell, with velocities if stored."""
    atoms = Atoms(
        numbers=np.asarray(reader.numbers, dtype=int),
        positions=frame.positions,
        cell=frame.cell,
        pbc=reader.pbc,
    )
    if frame.velocities is not None:
        atoms.set_array("velocities", frame.velocities)
    atoms.wrap(eps=1e-9)
    return atoms


@dataclass(frozen=True)
class TrajectoryRequest:
    """Which frames of a trajectory, and how they are written.

    Args:
        format: of the text.
        start: first frame.
        stop: frame to stop before; None for the end.
        stride: every how many frames.
    """

    format: TrajectoryFormat
    start: int = 0
    stop: int | None = None
    stride: int = 1

    @property
    def suffix(self) -> str:
        """File name ending."""
        return "extxyz" if self.format is TrajectoryFormat.EXTXYZ else "dump"

    @classmethod
    def from_query(cls, kind: str, query: Mapping[str, Any]) -> TrajectoryRequest:
        """Read ``start``, ``stop`` and ``stride``.

        Raises:
            Refused: an unknown format, or something that is no whole number.
        """
        try:
            chosen = TrajectoryFormat(kind)
        except ValueError:
            known = ", ".join(TrajectoryFormat)
            raise Refused(
                _("“%(kind)s” is no trajectory format; there are %(known)s.")
                % {"kind": kind, "known": known}
            ) from None
        try:
            start, stride = int(query.get("start", 0)), int(query.get("stride", 1))
            stop = int(query["stop"]) if "stop" in query else None
        except ValueError:
            raise Refused(_("start, stop and stride are whole numbers.")) from None
        if stride < 1:
            raise Refused(_("The stride is at least 1."))
        return cls(chosen, start, stop, stride)


def trajectory_lines(folder: Path, request: TrajectoryRequest) -> Iterator[bytes]:
    """Return a trajectory as text, frame by frame.

    Raises:
        Refused: the run has written no frame yet.
    """
    reader = open_trajectory(folder)
    if reader is None:
        raise Refused(_("The run has stored no positions yet."))
    return _lines(reader, request)


def _lines(reader: TrajectoryReader, request: TrajectoryRequest) -> Iterator[bytes]:
    with reader:
        for text in export_lines(
            reader, request.format, request.start, request.stop, request.stride
        ):
            yield text.encode()
