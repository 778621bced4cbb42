"""Time the engine: µs per atom and step, peak memory, and beside LAMMPS with n2p2's library.

    python benchmarks/engine.py [--threads 1] [--cases water silicon …] [--lammps PATH]

Without ``--lammps`` only our own times are printed. With it (a LAMMPS that has the package
ML-HDNNP) runs of both alternate on the same potential, cell and velocities, our threads against
as many MPI processes, and the forces of the first step are compared. Each of our steps moves all
atoms as far as they fly in 0.5 fs at 300 K, and neighbour lists are built when needed, as
LAMMPS does. One core is timed by its processor time, several by the clock, which other work
on the machine spoils. Water, Cu₂S and ethylbenzene need the reference folder (MLMD_REFERENCE).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from ase.data import atomic_masses
from engine_cases import (
    Case,
    copper_sulfide,
    copper_sulfide_default,
    ethylbenzene,
    iron,
    silicon,
    water,
)
from engine_lammps import TIME_STEP, run_lammps

from mlmd.frame import FloatArray
from mlmd.hdnnp import warm
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.units import AMU_A2_PER_FS2

REFERENCE = Path(
    os.environ.get("MLMD_REFERENCE", Path(__file__).resolve().parents[2] / "shared" / "reference")
)
OWN: dict[str, Callable[[], Case]] = {"silicon": silicon, "iron": iron}
FROM_REFERENCE: dict[str, Callable[[], Case]] = {
    "water": partial(water, REFERENCE),
    "cu2s": partial(copper_sulfide, REFERENCE),
    "cu2s-default": partial(copper_sulfide_default, REFERENCE),
    "ethylbenzene": partial(ethylbenzene, REFERENCE),
}
THERMAL = 300.0 * 8.617333262e-5  # eV


@dataclass(frozen=True)
class Timing:
    """Result of one case; times in µs per atom and step, of processor or clock (see above)."""

    case: str
    threads: int
    step: float  # median of the rounds' means, neighbour lists included
    rebuilds: int
    steps: int
    peak_memory_mb: float
    lammps: float | None = None  # median of the rounds
    forces: float | None = None  # largest difference over the largest force

    @property
    def ratio(self) -> float | None:
        """How many times faster than LAMMPS."""
        return None if self.lammps is None else self.lammps / self.step


def thermal_velocities(numbers: FloatArray) -> FloatArray:
    """Return velocities of 300 K, shape (N, 3), Å/fs."""
    spread = np.sqrt(THERMAL / (atomic_masses[numbers] * AMU_A2_PER_FS2))
    return np.random.default_rng(0).normal(size=(len(numbers), 3)) * spread[:, None]


class Flight:
    """Our engine along a straight flight of all atoms."""

    def __init__(self, case: Case, velocities: FloatArray, threads: int) -> None:
        self.evaluator = Evaluator(case.potential, threads)
        self._case = case
        self._x = case.positions.copy()
        self._leap = velocities * TIME_STEP
        self.forces = self._step()

    def time(self, steps: int, clock: Callable[[], float]) -> float:
        """Return the mean time of so many steps, µs per atom."""
        start = clock()
        for _ in range(steps):
            self._x += self._leap
            self._step()
        return (clock() - start) / steps / len(self._x) * 1e6

    def turn(self) -> None:
        """Fly back from here on: a straight flight would end in collisions."""
        self._leap = -self._leap

    def _step(self) -> FloatArray:
        case = self._case
        return self.evaluator.compute(case.numbers, self._x, case.cell, True).forces


def time_case(case: Case, threads: int, steps: int, rounds: int, lammps: str | None) -> Timing:
    """Time one case, alternating with LAMMPS where there is one."""
    velocities = thermal_velocities(case.numbers)
    flight = Flight(case, velocities, threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    ours, theirs, difference = [], [], None
    for _ in range(rounds):
        ours.append(flight.time(steps, clock))
        flight.turn()
        if lammps:
            run = run_lammps(case, velocities, lammps, threads, max(steps // 4, 2))
            theirs.append(run.processor if threads == 1 else run.wall)
            difference = float(np.abs(run.forces - flight.forces).max())
            difference /= float(np.abs(flight.forces).max())
    return Timing(
        case.name,
        threads,
        float(np.median(ours)),
        flight.evaluator.list_rebuilds,
        steps * rounds + 1,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        float(np.median(theirs)) if theirs else None,
        difference,
    )


def main() -> None:
    """Parse the command line and print a table or JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--cases",
        nargs="+",
        choices=[*OWN, *FROM_REFERENCE],
        default=["silicon", "water", "cu2s", "cu2s-default"],
    )
    parser.add_argument("--lammps", help="a LAMMPS binary with pair_style hdnnp")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    start = time.perf_counter()
    warm()
    warming = time.perf_counter() - start
    if not options.json:
        print(f"compiled or loaded in {warming:.1f} s")
        if not options.lammps:
            print("no --lammps: our own times only")
        print(f"{'case':46} threads  µs/step  rebuilds  peak MB   LAMMPS  ratio  forces")
    for name in options.cases:
        if name in FROM_REFERENCE and not (REFERENCE / "n2p2" / "md_lammps").is_dir():
            print(f"{name}: left out, no reference folder at {REFERENCE}")
            continue
        case = {**OWN, **FROM_REFERENCE}[name]()
        timing = time_case(case, options.threads, options.steps, options.rounds, options.lammps)
        if options.json:
            print(json.dumps({**asdict(timing), "ratio": timing.ratio, "warming_s": warming}))
            continue
        peer = "       –      –       –"
        if timing.lammps is not None:
            peer = f"{timing.lammps:8.1f} {timing.ratio:6.1f} {timing.forces:7.0e}"
        print(
            f"{timing.case:46} {timing.threads:7d} {timing.step:8.2f} "
            f"{timing.rebuilds:4d}/{timing.steps:<4d} {timing.peak_memory_mb:8.0f} {peer}",
            flush=True,
        )


if __name__ == "__main__":
    main()
