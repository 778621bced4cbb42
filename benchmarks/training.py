"""Time trainings on the bundled silicon and, where given, on other frames.

    PYTHONPATH=. python benchmarks/training.py [--threads 1] [--seeds 3] [--effort normal] [--split random]
    PYTHONPATH=. python benchmarks/training.py --data input.data --length-unit bohr --energy-unit hartree
    PYTHONPATH=. python benchmarks/training.py --synthetic 10000 100 [--radial-only] --epochs 1 --seeds 1 --threads 2
    PYTHONPATH=. python benchmarks/training.py --committee 4 --threads 4

Prints one line per seed: held-out errors, best epoch, seconds in all and of an epoch; then the largest
memory in use. ``--synthetic`` makes crystals of so many frames and atoms with a pair potential's labels,
to measure time and memory on a set larger than any bundled one.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlmd.data import silicon_frames
from mlmd.formats import open_frames
from mlmd.frame import Frame
from mlmd.hdnnp.pruning import Selection
from mlmd.hdnnp.training import (
    CURVE_FILE,
    Effort,
    Split,
    automatic_settings,
    estimate_seconds,
    train,
)
from mlmd.neighbors import neighbor_list

CUTOFF = 5.0
SPACING = 2.6


def read(arguments: argparse.Namespace) -> list[Frame]:
    if arguments.synthetic:
        return synthetic(*arguments.synthetic)
    if arguments.data is None:
        return silicon_frames()
    return list(
        open_frames(
            arguments.data,
            length_unit=arguments.length_unit,
            energy_unit=arguments.energy_unit,
        )
    )


def synthetic(count: int, atoms: int) -> list[Frame]:
    """Return distorted simple cubic silicon with energies and forces of a Morse potential."""
    generator = np.random.default_rng(0)
    edge = round(atoms ** (1 / 3) + 0.499)
    sites = np.array(list(np.ndindex(edge, edge, edge)), float)[:atoms]
    return [one_synthetic(sites, edge, generator) for _ in range(count)]


def one_synthetic(sites: np.ndarray, edge: int, generator: np.random.Generator) -> Frame:
    spacing = SPACING * generator.uniform(0.95, 1.1)
    positions = spacing * sites + generator.normal(0.0, 0.1, sites.shape)
    cell = edge * spacing * np.eye(3)
    near = neighbor_list(positions, cell, (True,) * 3, CUTOFF)
    r = np.linalg.norm(near.vectors, axis=1)
    x, e = r / CUTOFF, np.exp(2.5 - r)
    smooth, slope = (1 - x * x) ** 3, -6 * x / CUTOFF * (1 - x * x) ** 2
    well, pull = e * e - 2 * e, -2 * e * e + 2 * e
    along = (pull * smooth + well * slope) / r
    pairs = along[:, None] * near.vectors
    centers = np.repeat(np.arange(len(sites)), np.diff(near.first))
    forces = np.stack([np.bincount(centers, pairs[:, d], len(sites)) for d in range(3)], axis=1)
    return Frame(
        np.full(len(sites), 14, np.uint8), positions, cell,
        energy=0.5 * float(np.sum(well * smooth)), forces=forces, label_source="ab initio",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--synthetic", type=int, nargs=2, metavar=("FRAMES", "ATOMS"))
    parser.add_argument("--radial-only", action="store_true", help="as much memory in less time")
    parser.add_argument("--length-unit", default="angstrom")
    parser.add_argument("--energy-unit", default="ev")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--committee", type=int, default=1)
    parser.add_argument("--selection", type=Selection, choices=list(Selection))
    parser.add_argument("--effort", type=Effort, choices=list(Effort), default=Effort.NORMAL)
    parser.add_argument("--split", type=Split, choices=list(Split), default=Split.STRATIFIED)
    arguments = parser.parse_args()
    frames = read(arguments)
    settings = automatic_settings(frames, arguments.effort)
    settings = replace(
        settings,
        split=arguments.split,
        threads=arguments.threads,
        committee=arguments.committee,
    )
    if arguments.radial_only:
        settings = replace(settings, angular_widths="")
    if arguments.selection:
        settings = replace(settings, descriptor_selection=arguments.selection)
    if arguments.epochs:
        settings = replace(settings, epochs=arguments.epochs)
    atoms, elements = sum(map(len, frames)), {int(z) for f in frames for z in f.numbers}
    guess = estimate_seconds(settings, len(frames), atoms, len(elements), arguments.threads)
    print(f"{len(frames)} frames, {atoms} atoms; estimated {guess:.0f} s", flush=True)
    print("seed  energy/meV/atom  force/meV/Å  best epoch  epochs  wall/s  CPU/s  epoch/s")
    for seed in range(1, arguments.seeds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            result = train(replace(settings, seed=seed), frames, folder)
            with (Path(folder) / CURVE_FILE).open() as stream:
                ends = [0.0, *(float(row["seconds"]) for row in csv.DictReader(stream))]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        held = result.validation
        print(
            f"{seed:4d}  {held.energy_rmse or 0:15.2f}  {held.force_rmse or 0:11.1f}  "
            f"{result.best_epoch:10d}  {result.epochs:6d}  {wall:6.1f}  {cpu:5.1f}  "
            f"{np.median(np.diff(ends)):7.2f}",
            flush=True,
        )
    # Linux counts kilobytes, macOS bytes.
    unit = 1e9 if sys.platform == "darwin" else 1e6
    print(f"largest memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.2f} GB")


if __name__ == "__main__":
    main()
