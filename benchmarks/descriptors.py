"""Measure what thinning out automatic symmetry functions costs and saves.

    PYTHONPATH=. python benchmarks/descriptors.py [--seeds 6] [--effort normal]
    PYTHONPATH=. python benchmarks/descriptors.py --data input.data --length-unit bohr --energy-unit hartree

One line for each way of choosing: functions kept, held-out errors and processor time of trainings
on one thread, means over the seeds, and the time of one step of dynamics per atom with the
trained potential. The ways alternate, seed by seed, so that a busy machine is fair to all.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean

from ase import Atoms

from mlmd.data import silicon_frames
from mlmd.formats import open_frames
from mlmd.frame import Frame
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.training import (
    Effort,
    TrainingSettings,
    automatic_settings,
    settings_from,
    train,
)
from mlmd.runs import to_jsonable

RICHER = {"angular_widths": "0.20 0.32 0.50 0.80"}
WAYS: dict[str, dict[str, object]] = {
    "none": {"descriptor_selection": "none"},
    "correlation 0.998": {"descriptor_selection": "correlation", "correlation_limit": 0.998},
    "farthest-point 0.998": {"descriptor_selection": "farthest-point", "correlation_limit": 0.998},
    "cur 0.99": {"correlation_limit": 0.99},
    "cur 0.998": {"correlation_limit": 0.998},
    "cur 0.999, the default": {},
    "cur 0.998 of four reaches": {**RICHER, "correlation_limit": 0.998},
}
LEAST_ATOMS = 500
STEPS = 5


@dataclass
class Measured:
    """What the trainings of one way gave, an entry per seed."""

    functions: str = ""
    energies: list[float] = field(default_factory=list)
    forces: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)


def measure(settings: TrainingSettings, frames: Sequence[Frame], into: Measured) -> None:
    """Train once and add what came out."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):
            result = train(settings, frames, folder)
        into.seconds.append(time.process_time() - start)
        into.steps.append(microseconds(Path(folder) / "potential", frames[0]))
    into.functions = " + ".join(str(count) for count in result.functions.values())
    into.energies.append(result.validation.energy_rmse or 0.0)
    into.forces.append(result.validation.force_rmse or 0.0)
    into.epochs.append(result.epochs)


def microseconds(folder: Path, frame: Frame) -> float:
    """Return processor time of energies and forces, µs/atom, on one thread: the best of some."""
    atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
    while len(atoms) < LEAST_ATOMS and all(frame.pbc):
        atoms = atoms.repeat(2)
    evaluator, best = Evaluator(load_potential(folder), threads=1), float("inf")
    for _ in range(STEPS):
        start = time.process_time()
        evaluator.compute(atoms.numbers, atoms.positions, atoms.cell.array, frame.pbc)
        best = min(best, time.process_time() - start)
    evaluator.close()
    return 1e6 * best / len(atoms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--length-unit", default="angstrom")
    parser.add_argument("--energy-unit", default="ev")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--effort", type=Effort, choices=list(Effort), default=Effort.NORMAL)
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS))
    arguments = parser.parse_args()
    units = {"length_unit": arguments.length_unit, "energy_unit": arguments.energy_unit}
    frames = list(open_frames(arguments.data, **units)) if arguments.data else silicon_frames()
    settings = replace(automatic_settings(frames, arguments.effort), threads=1)
    # The first one compiles, and doesn't count.
    measure(replace(settings, epochs=1), frames, Measured())
    found = {way: Measured() for way in arguments.ways}
    for seed in range(1, arguments.seeds + 1):
        for way, measured in found.items():
            measure(
                settings_from({**to_jsonable(settings), **WAYS[way], "seed": seed}),
                frames,
                measured,
            )
            print(f"seed {seed}, {way}: {measured.forces[-1]:.1f} meV/Å", flush=True)
    print(
        "\n| chosen by | functions | energy, meV/atom | force, meV/Å | CPU, s | epochs | MD, µs |"
    )
    print("|---|---|---|---|---|---|---|")
    for way, m in found.items():
        print(
            f"| {way} | {m.functions} | {mean(m.energies):.2f} | {mean(m.forces):.1f} "
            f"| {mean(m.seconds):.1f} | {mean(m.epochs):.0f} | {min(m.steps):.1f} |"
        )


if __name__ == "__main__":
    main()
