"""Train n2p2's own examples with nnp-train and with our engine, side by side.

    PYTHONPATH=. python benchmarks/training_n2p2.py FOLDER --programs n2p2/bin [--seeds 5]

FOLDER holds ``input.nn``, ``input.data`` and ``scaling.data`` of an example, in bohr and hartree or as
``--length-unit`` and ``--energy-unit`` say. nnp-train runs 10 epochs on one core; ours then takes the
same frames, the same held-out ones, the same symmetry functions and networks of the same size, on one
core. Reported: CPU time of nnp-train, CPU time until both of our training RMSEs are below its last ones,
and the held-out errors of both. Compiling (once per machine) isn't counted, set-up is.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

from mlmd.formats import open_frames
from mlmd.frame import Frame
from mlmd.hdnnp.automatic import Functions, function_lines
from mlmd.hdnnp.potential import SymmetryFunction
from mlmd.hdnnp.settings_file import SettingsFile
from mlmd.hdnnp.symmetry import FUNCTION_KINDS
from mlmd.hdnnp.training import CURVE_FILE, SmoothActivation, TrainingSettings, train
from mlmd.n2p2 import read_learning_curve
from mlmd.runs import Progress
from mlmd.units import ENERGY, LENGTH

EPOCHS = 10


@dataclass(frozen=True)
class Reached:
    """Errors in meV/atom and meV/Å, and the CPU time they took, s."""

    epoch: int
    cpu: float
    energy: float
    force: float
    held_energy: float
    held_force: float


def theirs(example: Path, work: Path, programs: Path, seed: int, fraction: float) -> float:
    """Run nnp-train; return its CPU time, s."""
    for name in ("input.nn", "input.data", "scaling.data"):
        shutil.copyfile(example / name, work / name)
    text = (work / "input.nn").read_text()
    for keyword, value in (
        ("random_seed", seed), ("test_fraction", fraction), ("epochs", EPOCHS),
        ("write_trainpoints", 0), ("write_trainforces", 0), ("write_neuronstats", 0),
    ):  # fmt: skip
        text = re.sub(rf"^{keyword}\s+\S+", f"{keyword} {value}", text, flags=re.MULTILINE)
    # Rows number the frames, so that what was held out can be told.
    data = (work / "input.data").read_text()
    counter = iter(range(10**6))
    data = re.sub(r"^(\s*comment)\b", lambda m: f"{m[1]} row={next(counter)}", data, flags=re.M)
    (work / "input.data").write_text(data)
    (work / "input.nn").write_text(text)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    one = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with (work / "out.log").open("wb") as log:
        subprocess.run(
            [programs / "nnp-train"], cwd=work, stdout=log, stderr=log, env=one, check=True
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def functions_of(path: Path, unit: float) -> Functions:
    """Return the example's symmetry functions in Å."""
    found: dict[str, list[SymmetryFunction]] = {}
    for line in SettingsFile(path).all("symfunction"):
        kind = FUNCTION_KINDS[line.number(1, int)]
        f = kind.parse(line.where, line.words[0], line.words[2:])
        f = replace(f, eta=f.eta / unit**2, rs=f.rs * unit, cutoff=f.cutoff * unit)
        found.setdefault(f.center, []).append(f)
    return {element: tuple(functions) for element, functions in found.items()}


class Clock(Progress):
    """Notes the CPU time whenever an epoch is reported."""

    def __init__(self) -> None:
        super().__init__(None, io.StringIO(), interval=0.0)
        self.begin = time.process_time()
        self.at: dict[int, float] = {}

    def report(self, fraction: float, message: str, **extra: object) -> bool:
        if isinstance(epoch := extra.get("epoch"), int):
            self.at.setdefault(epoch, time.process_time() - self.begin)
        return True


def ours(frames: list[Frame], settings: TrainingSettings, held: frozenset[int]) -> list[Reached]:
    """Train with our engine; return what every epoch reached."""
    training = tuple(row for row in range(len(frames)) if row not in held)
    clock = Clock()
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch(
            "mlmd.hdnnp.training.setup.hold_out", return_value=(training, tuple(sorted(held)))
        ),
    ):
        train(settings, frames, folder, clock)
        with (Path(folder) / CURVE_FILE).open() as stream:
            rows = list(csv.DictReader(stream))
    return [
        Reached(
            int(row["epoch"]),
            clock.at.get(int(row["epoch"]), float("nan")),
            *(
                float(row[f"{part}_{column}"] or "nan")
                for part in ("train", "validation")
                for column in ("energy_rmse_mev_per_atom", "force_rmse_mev_per_a")
            ),
        )
        for row in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", type=Path)
    parser.add_argument("--programs", type=Path, required=True, help="folder of nnp-train")
    parser.add_argument("--length-unit", default="bohr")
    parser.add_argument("--energy-unit", default="hartree")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=60, help="of ours, at most")
    parser.add_argument("--test-fraction", type=float, default=0.2)
    parser.add_argument("--energy-weight", type=float, default=TrainingSettings().energy_weight)
    arguments = parser.parse_args()
    length, energy = LENGTH[arguments.length_unit], ENERGY[arguments.energy_unit]
    keywords = SettingsFile(arguments.example / "input.nn")
    settings = TrainingSettings(
        symmetry_functions=function_lines(functions_of(arguments.example / "input.nn", length)),
        hidden_nodes=" ".join(keywords.one("global_nodes_short").words[:2]),
        activation=SmoothActivation(keywords.one("global_activation_short").words[0]),
        epochs=arguments.epochs, patience=arguments.epochs, threads=1, checkpoint_interval=1e4,
        largest_force=1e5, shortest_distance=0.0, energy_weight=arguments.energy_weight,
    )  # fmt: skip
    frames = list(
        open_frames(
            arguments.example / "input.data",
            length_unit=arguments.length_unit, energy_unit=arguments.energy_unit,
        )
    )  # fmt: skip
    ours(frames[:3], replace(settings, epochs=1), frozenset({2}))  # compiles
    print("seed held | nnp-train: CPU E F held E F | ours: epoch CPU held E F | ratio | at the end")
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            cpu = theirs(arguments.example, work, arguments.programs, seed, arguments.test_fraction)
            curve = read_learning_curve(work / "learning-curve.out")
            text = (work / "test.data").read_text()
        held = frozenset(int(row) for row in re.findall(r"row=(\d+)", text))
        unit_e, unit_f = 1000 * energy, 1000 * energy / length
        e, f = curve.energy_train[-1] * unit_e, curve.force_train[-1] * unit_f
        held_e, held_f = curve.energy_test[-1] * unit_e, curve.force_test[-1] * unit_f
        epochs = ours(frames, replace(settings, seed=seed), held)
        first = next((r for r in epochs if r.energy <= e and r.force <= f), None)
        best = min(epochs, key=lambda r: r.held_force + 10 * r.held_energy)
        reached = (
            f"{first.epoch} {first.cpu:.1f} s {first.held_energy:.2f} {first.held_force:.1f} | "
            f"{cpu / first.cpu:.1f}" if first else "not reached | –"
        )  # fmt: skip
        print(
            f"{seed} {len(held)} | {cpu:.1f} s {e:.2f} {f:.1f} {held_e:.2f} {held_f:.1f} | "
            f"{reached} | epoch {best.epoch} {best.cpu:.1f} s {best.held_energy:.2f} "
            f"{best.held_force:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
