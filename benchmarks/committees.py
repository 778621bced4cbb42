"""What a committee costs beside one potential, and whether its disagreement tells its errors.

    PYTHONPATH=. python benchmarks/committees.py [--threads 4] [--members 4] [--example FOLDER]

Trains one potential and a committee on the bundled silicon, on an example of n2p2 (``input.data`` in
Å and eV or as ``--length-unit`` and ``--energy-unit`` say) and on synthetic crystals of 100 atoms, with
all descriptors in memory and with none. Prints processor time and wall time of the epochs, without set-up,
and how many times those of one potential. ``--disagreement`` trains committees of 4 on silicon with a third
held out instead, and prints rank correlations of disagreement and error over the held-out frames.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from benchmarks.training import synthetic
from mlmd.data import silicon_frames
from mlmd.formats import open_frames
from mlmd.frame import Frame
from mlmd.hdnnp.training import (
    COMMITTEE_FILE,
    Split,
    TrainingSettings,
    automatic_settings,
    load_committee,
    train,
)
from mlmd.runs import Progress

Case = tuple[str, list[Frame], TrainingSettings]


class Clock(Progress):
    """Notes both clocks when the first update is reported, and at the end of the training."""

    def __init__(self) -> None:
        super().__init__(None, io.StringIO(), interval=0.0)
        self.stages: dict[object, tuple[float, float]] = {}

    def report(self, fraction: float, message: str, **extra: object) -> bool:
        stage = extra.get("stage")
        if stage != "training" or stage not in self.stages:
            self.stages[stage] = (time.process_time(), time.perf_counter())
        return True

    def spent(self) -> tuple[float, float]:
        """Return processor time and wall time after the set-up, s."""
        first, last = self.stages["preparing"], self.stages["finished"]
        return last[0] - first[0], last[1] - first[1]


def cases(arguments: argparse.Namespace) -> Iterator[Case]:
    silicon = silicon_frames()
    yield "silicon, cells of 8 atoms", silicon, automatic_settings(silicon)
    if arguments.example:
        units = {"length_unit": arguments.length_unit, "energy_unit": arguments.energy_unit}
        frames = list(open_frames(arguments.example / "input.data", **units))
        wide = {"largest_force": 1e5, "shortest_distance": 0.0}
        yield arguments.example.name, frames, replace(automatic_settings(frames), **wide)
    crystals = synthetic(120, 100)
    for megabytes in (2000, 1):
        settings = replace(automatic_settings(crystals), memory_limit_mb=megabytes)
        yield f"100 atoms, {megabytes} MB for descriptors", crystals, settings


def spent(settings: TrainingSettings, frames: list[Frame]) -> tuple[float, float]:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        train(settings, frames, folder, clock)
    return clock.spent()


def costs(arguments: argparse.Namespace) -> None:
    print("case | threads | one: CPU, wall | committee: CPU, wall | × CPU | × wall")
    for name, frames, settings in cases(arguments):
        plain = replace(settings, epochs=arguments.epochs, patience=10**5, checkpoint_interval=1e4)
        spent(replace(plain, epochs=1, threads=1), frames[:20])  # compiles
        for threads in sorted({1, arguments.threads}):
            one = replace(plain, threads=threads)
            # The committee between two single trainings: the machine's mood counts half.
            before = spent(one, frames)
            cpu, wall = spent(replace(one, committee=arguments.members), frames)
            after = spent(one, frames)
            one_cpu, one_wall = ((a + b) / 2 for a, b in zip(before, after, strict=True))
            print(
                f"{name} | {threads} | {one_cpu:.2f} s, {one_wall:.2f} s | {cpu:.2f} s, {wall:.2f} s | "
                f"{cpu / one_cpu:.2f} | {wall / one_wall:.2f}",
                flush=True,
            )


def disagreement(arguments: argparse.Namespace) -> None:
    frames = silicon_frames()
    print("seed | forces: rank correlation, spread and error in meV/Å | energies, in meV/atom")
    for seed in range(1, 6):
        settings = replace(
            automatic_settings(frames), committee=4, seed=seed, epochs=25, patience=10,
            threads=arguments.threads, split=Split.RANDOM, validation_fraction=0.3,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            train(settings, frames, folder)
            found = load_committee(Path(folder) / COMMITTEE_FILE)
        parts = []
        for quantity in ("force", "energy"):
            spread = np.array([getattr(f, f"{quantity}_spread") for f in found.frames])
            error = np.array([getattr(f, f"{quantity}_error") for f in found.frames], float)
            known = error > 0.0  # perfect crystals have no forces
            rank = spearmanr(spread[known], error[known]).statistic
            rms = [np.sqrt(np.mean(values**2)) for values in (spread, error)]
            parts.append(f"{rank:.2f}, {rms[0]:.1f} and {rms[1]:.1f}")
        print(seed, *parts, sep=" | ", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--example", type=Path, help="folder with input.data")
    parser.add_argument("--length-unit", default="bohr")
    parser.add_argument("--energy-unit", default="hartree")
    parser.add_argument("--disagreement", action="store_true")
    arguments = parser.parse_args()
    (disagreement if arguments.disagreement else costs)(arguments)


if __name__ == "__main__":
    main()
