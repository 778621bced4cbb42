"""Data that come with the package: labelled frames of silicon, small enough to train on at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from mlmd.formats import read_frames
from mlmd.frame import Frame


@contextmanager
def silicon_file() -> Iterator[Path]:
    """Give the path of the bundled ``silicon.jsonl.gz`` while the context lasts."""
    with as_file(files("mlmd.data").joinpath("silicon.jsonl.gz")) as path:
        yield path


def silicon_frames() -> list[Frame]:
    """Return 205 frames of silicon from self-consistent pw.x 6.7 runs (LDA, 20 Ry).

    Crystals under strain and pressure, thermal and random displacements, point
    defects, other crystal structures, surfaces, close pairs and liquids, 4 to 16
    atoms; ``kind`` says which. ``python -m mlmd.data.build_silicon`` made the file.
    """
    with silicon_file() as path:
        return list(read_frames(path))


def molten_silicon_frames() -> list[Frame]:
    """Return 24 frames of molten silicon, 64 atoms each, from pw.x as those of `silicon_frames`.

    A third are of Stillinger–Weber dynamics (doi:10.1103/PhysRevB.31.5262) at 2.33 to
    2.70 g/cm³ and 2500 to 3500 K, the others of two rounds of dynamics with potentials fitted to
    `silicon_frames` and what there was of these; 2×2×2 shifted k-points.
    """
    with as_file(files("mlmd.data").joinpath("silicon-melt.jsonl.gz")) as path:
        return list(read_frames(path))
