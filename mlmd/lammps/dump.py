"""LAMMPS' text dump, a frame in memory at a time.

Manual: https://docs.lammps.org/dump.html (custom style, ``id xu yu zu [vx vy vz]``, sorted by id).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_START = "ITEM: TIMESTEP"
_FS_PER_PS = 1000.0


@dataclass(frozen=True)
class DumpFrame:
    """A frame in LAMMPS' axes.

    Args:
        step: of the run.
        box: lattice vectors, rows, shape (3, 3), Å.
        positions: unwrapped, by atom id, shape (N, 3), Å.
        velocities: shape (N, 3), Å/fs, or None.
    """

    step: int
    box: FloatArray
    positions: FloatArray
    velocities: FloatArray | None


def read_dump(path: str | Path) -> Iterator[DumpFrame]:
    """Yield the whole frames of a dump.

    A frame that LAMMPS was killed in, or still writes, is left out; a run that went on
    after it appends to the same file, and is read.
    """
    with Path(path).open(encoding="utf-8", errors="replace") as stream:
        held: list[str] = []
        for line in stream:
            before, mark, _ = line.partition(_START)
            if mark:
                yield from _frame(held if not before else [])
                held = []
            elif line.endswith("\n"):
                held.append(line)
        yield from _frame(held)


def _frame(lines: list[str]) -> Iterator[DumpFrame]:
    """Yield the frame of the lines after its first, if they make a whole one."""
    if len(lines) < 8 or not lines[1].startswith("ITEM: NUMBER"):
        return
    step, count = int(lines[0]), int(lines[2])
    names = lines[7].split()[2:]
    if len(lines) != 8 + count or not {"id", "xu", "yu", "zu"} <= set(names):
        return
    table = np.array(" ".join(lines[8:]).split(), dtype=np.float64)
    if table.size != count * len(names):
        return
    columns = {name: table[k :: len(names)] for k, name in enumerate(names)}
    order = np.argsort(columns["id"], kind="stable")
    velocities = _vectors(columns, ("vx", "vy", "vz"), order)
    yield DumpFrame(
        step=step,
        box=_box(lines[3:7]),
        positions=np.stack([columns[name][order] for name in ("xu", "yu", "zu")], axis=1),
        velocities=None if velocities is None else velocities / _FS_PER_PS,
    )


def _vectors(
    columns: dict[str, FloatArray], names: tuple[str, ...], order: NDArray[np.intp]
) -> FloatArray | None:
    if not set(names) <= set(columns):
        return None
    return np.stack([columns[name][order] for name in names], axis=1)


def _box(lines: list[str]) -> FloatArray:
    """Return the lattice vectors; the bounds of a triclinic box are those of its envelope."""
    bounds = np.array([[float(word) for word in line.split()] for line in lines[1:]])
    tilts = bounds[:, 2] if bounds.shape[1] == 3 else np.zeros(3)
    xy, xz, yz = tilts
    low, high = bounds[:, 0].copy(), bounds[:, 1].copy()
    low[0] -= min(0.0, xy, xz, xy + xz)
    high[0] -= max(0.0, xy, xz, xy + xz)
    low[1] -= min(0.0, yz)
    high[1] -= max(0.0, yz)
    box = np.diag(high - low)
    box[1, 0], box[2, 0], box[2, 1] = xy, xz, yz
    return box
