"""Makes the bundled silicon from a folder of pw.x XML files: python -m mlmd.data.build_silicon.

The runs don't name their kind of configuration, so it is derived from the structure:
number of atoms, vacuum, the crystal whose sites lie nearest, symmetry, and distances.
"""

from __future__ import annotations

import argparse
import gzip
import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import spglib
from scipy.optimize import linear_sum_assignment

from mlmd.formats import read_frames, write_frames
from mlmd.frame import Frame

# Fractional sites of the cells that the runs started from.
_Sites = list[tuple[float, float, float]]
_FACE_CENTRED: _Sites = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
_DIAMOND = _FACE_CENTRED + [(x + 0.25, y + 0.25, z + 0.25) for x, y, z in _FACE_CENTRED]
_PROTOTYPES: dict[str, _Sites] = {
    "beta-tin": [(0, 0, 0), (0.5, 0, 0.25), (0.5, 0.5, 0.5), (0, 0.5, 0.75)],
    "fcc": _FACE_CENTRED,
    "bcc": [(0, 0, 0), (0.25, 0.5, 0.5), (0.5, 0, 0), (0.75, 0.5, 0.5)],
    "simple cubic": [(0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0.5, 0.5, 0)],
    "hexagonal diamond": [
        (1 / 3, 2 / 3, 0.0625),
        (2 / 3, 1 / 3, 0.5625),
        (1 / 3, 2 / 3, 0.4375),
        (2 / 3, 1 / 3, 0.9375),
    ],
}
_VACUUM = 15.0  # Å: no bulk cell of the set is as long
_MOLTEN = 0.75  # Å from the sites of diamond, root mean square
_CLOSE = 2.0  # Å; thermal motion in the set never comes below 2.1 Å


def silicon_kind(frame: Frame) -> str:
    """Return the kind of configuration of one of the silicon cells."""
    atoms = len(frame)
    lengths = np.linalg.norm(frame.cell, axis=1)
    if atoms in (7, 9, 16, 64):
        return {7: "vacancy", 9: "interstitial", 16: "liquid", 64: "liquid"}[atoms]
    if lengths.max() > _VACUUM:
        skewed = abs(float(frame.cell[0] @ frame.cell[1])) > 0.1
        return "surface (111)" if skewed else "surface (100)"
    if atoms == 4:
        return min(_PROTOTYPES, key=lambda name: site_distance(frame, _PROTOTYPES[name]))
    return _diamond_kind(frame)


def _diamond_kind(frame: Frame) -> str:
    symmetry = _space_group(frame)
    if symmetry == 227:
        return "equation of state"
    if symmetry == 2:
        return "strain"
    if site_distance(frame, _DIAMOND) > _MOLTEN:
        return "liquid"
    cubic = np.allclose(frame.cell, frame.cell[0, 0] * np.eye(3), atol=1e-6)
    if not cubic:
        return "displaced and strained"
    return "close pair" if _shortest_distance(frame) < _CLOSE else "molecular dynamics"


def site_distance(frame: Frame, sites: _Sites) -> float:
    """Return the root-mean-square distance to lattice sites, best over shifts, Å."""
    fractions = np.linalg.solve(frame.cell.T, frame.positions.T).T
    target = np.array(sites, dtype=np.float64)
    best = np.inf
    for shift in target - fractions[0]:
        delta = (fractions + shift)[:, None, :] - target[None, :, :]
        vectors = (delta - np.rint(delta)) @ frame.cell
        rows, columns = linear_sum_assignment((vectors**2).sum(axis=2))
        chosen = vectors[rows, columns]
        best = min(best, float(np.sqrt(((chosen - chosen.mean(axis=0)) ** 2).sum(1).mean())))
    return best


def _space_group(frame: Frame) -> int:
    fractions = np.linalg.solve(frame.cell.T, frame.positions.T).T
    cell = (frame.cell.tolist(), fractions.tolist(), frame.numbers.tolist())
    found = spglib.get_symmetry_dataset(cell, symprec=1e-3)
    return int(found.number) if found is not None else 1


def _shortest_distance(frame: Frame) -> float:
    shifts = np.array(list(np.ndindex(3, 3, 3))) - 1
    images = (shifts @ frame.cell)[:, None, None, :]
    pairs = frame.positions[None, :, None, :] - frame.positions[None, None, :, :] + images
    distances = np.sqrt((pairs**2).sum(axis=-1))
    return float(distances[distances > 1e-8].min())


def build(folder: Path, target: Path) -> Counter[str]:
    """Convert every run in ``folder``; return how many frames each kind has."""
    frames = [f for path in sorted(folder.glob("*.xml*")) for f in read_frames(path)]
    kinds = [replace(f, kind=silicon_kind(f)) for f in frames]
    text = io.StringIO()
    write_frames(kinds, text, "jsonl")
    # No time stamp: the same runs give the same bytes.
    target.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))
    return Counter(f.kind for f in kinds)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of pw.x XML files")
    default = Path(__file__).with_name("silicon.jsonl.gz")
    parser.add_argument("--target", type=Path, default=default)
    arguments = parser.parse_args()
    for kind, count in sorted(build(arguments.folder, arguments.target).items()):
        print(f"{count:4d}  {kind}")


if __name__ == "__main__":
    main()
