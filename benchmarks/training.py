"""Time trainings on the bundled silicon and, where given, on other frames.

    PYTHONPATH=. python benchmarks/training.py [--threads 1] [--seeds 3] [--effort normal] [--split random]
    PYTHONPATH=. python benchmarks/training.py --data input.data --length-unit bohr --energy-unit hartree

Prints one line per seed: held-out errors, best epoch, seconds, estimated seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from mlmd.data import silicon_frames
from mlmd.formats import open_frames
from mlmd.frame import Frame
from mlmd.hdnnp.training import Effort, Split, automatic_settings, estimate_seconds, train


def read(arguments: argparse.Namespace) -> list[Frame]:
    if arguments.data is None:
        return silicon_frames()
    return list(
        open_frames(
            arguments.data,
            length_unit=arguments.length_unit,
            energy_unit=arguments.energy_unit,
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--length-unit", default="angstrom")
    parser.add_argument("--energy-unit", default="ev")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--effort", type=Effort, choices=list(Effort), default=Effort.NORMAL)
    parser.add_argument("--split", type=Split, choices=list(Split), default=Split.STRATIFIED)
    arguments = parser.parse_args()
    frames = read(arguments)
    settings = automatic_settings(frames, arguments.effort)
    settings = replace(settings, split=arguments.split, threads=arguments.threads)
    if arguments.epochs:
        settings = replace(settings, epochs=arguments.epochs)
    atoms, elements = sum(map(len, frames)), {int(z) for f in frames for z in f.numbers}
    guess = estimate_seconds(settings, len(frames), atoms, len(elements), arguments.threads)
    print(f"{len(frames)} frames, {atoms} atoms; estimated {guess:.0f} s", flush=True)
    print("seed  energy/meV/atom  force/meV/Å  best epoch  epochs  wall/s  CPU/s")
    for seed in range(1, arguments.seeds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            result = train(replace(settings, seed=seed), frames, folder)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        held = result.validation
        print(
            f"{seed:4d}  {held.energy_rmse or 0:15.2f}  {held.force_rmse or 0:11.1f}  "
            f"{result.best_epoch:10d}  {result.epochs:6d}  {wall:6.1f}  {cpu:5.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
