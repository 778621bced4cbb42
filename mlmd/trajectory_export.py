"""Trajectories for other programs: extxyz, LAMMPS dump, and bytes for a player in a browser.

Everything streams: one frame is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import IO

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from mlmd.trajectory import FloatArray, TrajectoryFrame, TrajectoryReader


class TrajectoryFormat(StrEnum):
    """What a trajectory can be exported to."""

    EXTXYZ = "extxyz"
    LAMMPS_DUMP = "lammps-dump"


@dataclass(frozen=True)
class PlayerDescription:
    """What a player must know before the positions.

    Args:
        symbols: chemical symbols, one per atom.
        frames: how many frames the positions hold.
        total_frames: how many the trajectory holds.
        steps: step of each frame.
        times_ps: time of each frame, ps.
        cells: shape (F, 3, 3), Å.
        energies: potential energies, eV.
        pbc: periodic along each lattice vector.
    """

    symbols: tuple[str, ...]
    frames: int
    total_frames: int
    steps: tuple[int, ...]
    times_ps: tuple[float, ...]
    cells: FloatArray
    energies: tuple[float, ...]
    pbc: tuple[bool, bool, bool]


def wrap_positions(
    positions: FloatArray, cell: FloatArray, pbc: tuple[bool, bool, bool]
) -> FloatArray:
    """Return positions moved into the cell along its periodic directions, shape (N, 3), Å."""
    if not any(pbc) or abs(np.linalg.det(cell)) == 0:
        return positions
    fractional = np.linalg.solve(cell.T, positions.T).T
    shift = np.floor(fractional) * np.asarray(pbc, dtype=np.float64)
    return np.asarray(positions - shift @ cell)


def export_trajectory(
    reader: TrajectoryReader,
    stream: IO[str],
    format: TrajectoryFormat,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
) -> int:
    """Write frames as text and return how many.

    Args:
        reader: the trajectory.
        stream: takes the text.
        format: the target format.
        start: first frame.
        stop: frame to stop before; None for the end.
        stride: every how many frames.
    """
    compose = {
        TrajectoryFormat.EXTXYZ: _extxyz_frame,
        TrajectoryFormat.LAMMPS_DUMP: _lammps_frame,
    }[TrajectoryFormat(format)]
    count = 0
    for frame in reader.frames(start, stop, stride):
        stream.write(compose(reader, frame))
        count += 1
    return count


def export_lines(
    reader: TrajectoryReader,
    format: TrajectoryFormat,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
) -> Iterator[str]:
    """Give the same text frame by frame, for a streamed download."""
    compose = _extxyz_frame if format == TrajectoryFormat.EXTXYZ else _lammps_frame
    for frame in reader.frames(start, stop, stride):
        yield compose(reader, frame)


def player_description(
    reader: TrajectoryReader, start: int = 0, stop: int | None = None, stride: int = 1
) -> PlayerDescription:
    """Return everything but the positions of a range of frames."""
    chosen = slice(start, stop, stride)
    steps = reader.steps[chosen]
    return PlayerDescription(
        symbols=tuple(chemical_symbols[number] for number in reader.numbers),
        frames=len(steps),
        total_frames=len(reader),
        steps=tuple(steps.tolist()),
        times_ps=tuple((reader.times[chosen] / 1000).tolist()),
        cells=reader.cells[chosen],
        energies=tuple(reader.energies[chosen].tolist()),
        pbc=reader.pbc,
    )


def player_positions(
    reader: TrajectoryReader, start: int = 0, stop: int | None = None, stride: int = 1
) -> Iterator[bytes]:
    """Give each frame's positions, wrapped into the cell, as little-endian float32 (N, 3) in Å.

    A ``Float32Array`` in the browser reads them as they are: 12 bytes per atom and
    frame, with no parsing.
    """
    for frame in reader.frames(start, stop, stride):
        yield wrap_positions(frame.positions, frame.cell, reader.pbc).astype("<f4").tobytes()


def _extxyz_frame(reader: TrajectoryReader, frame: TrajectoryFrame) -> str:
    """Return one extxyz frame; positions stay unwrapped, as diffusion needs them."""
    lattice = " ".join(f"{value:.10g}" for value in frame.cell.ravel())
    periodic = " ".join("T" if axis else "F" for axis in reader.pbc)
    columns = "species:S:1:pos:R:3"
    table: NDArray[np.float64] = frame.positions
    if frame.velocities is not None:
        # extxyz has no rule for velocities; ASE takes "vel" in Å/fs as plain data.
        columns += ":vel:R:3"
        table = np.hstack([table, frame.velocities])
    head = (
        f'Lattice="{lattice}" Properties={columns} energy={frame.energy:.10g} '
        f'time={frame.time:.10g} step={frame.step} stage={frame.stage} pbc="{periodic}"'
    )
    form = " ".join(["%.8f"] * 3 + ["%.8g"] * (table.shape[1] - 3))
    rows = [
        f"{chemical_symbols[number]} {form % tuple(row)}"
        for number, row in zip(reader.numbers, table.tolist(), strict=True)
    ]
    return "\n".join([str(len(rows)), head, *rows, ""])


def lammps_cell(cell: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Turn a cell into LAMMPS's form: a along x, b in the xy plane, right-handed.

    Args:
        cell: rows are lattice vectors, shape (3, 3), Å.

    Returns:
        The lower-triangular cell; the rotation R, so that ``positions @ R`` are the
        rotated positions; the order in which the lattice vectors were taken. LAMMPS knows no
        left-handed cells: there two vectors change places, which leaves the crystal as it is.
    """
    order = np.arange(3)
    if np.linalg.det(cell) < 0:
        order = np.array([1, 0, 2])
    q, r = np.linalg.qr(cell[order].T)
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    rotation = q * signs
    return np.asarray(r.T * signs), np.asarray(rotation), order


def _lammps_frame(reader: TrajectoryReader, frame: TrajectoryFrame) -> str:
    """Return one LAMMPS dump frame with unwrapped, rotated positions (xu yu zu)."""
    positions, velocities, cell = frame.positions, frame.velocities, frame.cell
    pbc = np.asarray(reader.pbc)
    if abs(np.linalg.det(cell)) > 0:
        cell, rotation, order = lammps_cell(cell)
        positions, pbc = positions @ rotation, pbc[order]
        velocities = None if velocities is None else velocities @ rotation
        origin = np.zeros(3)
    else:
        origin = positions.min(axis=0)
        cell = np.diag(np.maximum(positions.max(axis=0) - origin, 1e-3))
    elements = sorted({int(number) for number in reader.numbers})
    types = {number: index + 1 for index, number in enumerate(elements)}
    columns = "id type element xu yu zu"
    table = positions
    if velocities is not None:
        columns += " vx vy vz"
        table = np.hstack([positions, velocities * 1000])  # metal units: Å/ps
    form = " ".join(["%.8f"] * table.shape[1])
    rows = [
        f"{index} {types[int(number)]} {chemical_symbols[number]} {form % tuple(row)}"
        for index, (number, row) in enumerate(zip(reader.numbers, table.tolist(), strict=True), 1)
    ]
    head = [
        *("ITEM: TIMESTEP", str(frame.step)),
        *("ITEM: NUMBER OF ATOMS", str(len(rows))),
        *_lammps_bounds(cell, origin, pbc),
        f"ITEM: ATOMS {columns}",
    ]
    return "\n".join([*head, *rows, ""])


def _lammps_bounds(cell: FloatArray, origin: FloatArray, pbc: NDArray[np.bool_]) -> list[str]:
    flags = " ".join("pp" if axis else "ff" for axis in pbc)
    xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
    low, high = origin, origin + np.diag(cell)
    if not np.any([xy, xz, yz]):
        bounds = [f"{a:.10g} {b:.10g}" for a, b in zip(low, high, strict=True)]
        return [f"ITEM: BOX BOUNDS {flags}", *bounds]
    # LAMMPS writes the box that bounds the tilted cell: "Howto triclinic" in its manual.
    shifts_x = (0.0, xy, xz, xy + xz)
    return [
        f"ITEM: BOX BOUNDS xy xz yz {flags}",
        f"{low[0] + min(shifts_x):.10g} {high[0] + max(shifts_x):.10g} {xy:.10g}",
        f"{low[1] + min(0.0, yz):.10g} {high[1] + max(0.0, yz):.10g} {xz:.10g}",
        f"{low[2]:.10g} {high[2]:.10g} {yz:.10g}",
    ]
