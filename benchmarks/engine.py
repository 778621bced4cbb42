"""Time the engine, and LAMMPS with n2p2 on the same potential and atoms where a binary is given.

    python benchmarks/engine.py [--threads 1] [--lammps /path/to/lmp] [--json]

Prints µs per atom and step, neighbour-list rebuilds included: every step moves all atoms as
hot matter would in 1 fs. The water case needs the reference folder (MLMD_REFERENCE).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols
from engine_cases import Case, iron, silicon, water

from mlmd.hdnnp import warm
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import save_potential

REFERENCE = Path(
    os.environ.get("MLMD_REFERENCE", Path(__file__).resolve().parents[2] / "shared" / "reference")
)


@dataclass(frozen=True)
class Timing:
    """Result of one case; times in µs per atom and step."""

    case: str
    threads: int
    fastest: float
    median: float
    rebuilds: int
    steps: int
    peak_memory_mb: float
    lammps: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times faster than LAMMPS, by the median."""
        return None if self.lammps is None else self.lammps / self.median


def time_engine(case: Case, threads: int, steps: int) -> Timing:
    """Run a random walk of all atoms and time every step."""
    evaluator = Evaluator(case.potential, threads)
    rng = np.random.default_rng(0)
    x = case.positions.copy()
    evaluator.compute(case.numbers, x, case.cell, True)
    times = []
    for _ in range(steps):
        # About 0.01 Å per atom and step, straight on for as long as a list lives.
        x += rng.normal(size=x.shape) * 0.006
        start = time.perf_counter()
        evaluator.compute(case.numbers, x, case.cell, True)
        times.append((time.perf_counter() - start) / len(x) * 1e6)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Timing(
        case.name,
        threads,
        min(times),
        float(np.median(times)),
        evaluator.list_rebuilds,
        steps,
        peak,
    )


def time_lammps(case: Case, binary: str, threads: int, steps: int) -> float:
    """Return the time of LAMMPS ``pair_style hdnnp`` on the same atoms, µs per atom and step."""
    symbols = [chemical_symbols[n] for n in sorted(set(case.numbers.tolist()))]
    units = case.potential.units
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_potential(case.potential, folder / "potential")
        box = np.diag(case.cell)
        rows = [
            f"{i} {symbols.index(chemical_symbols[n]) + 1} {x:.10f} {y:.10f} {z:.10f}"
            for i, (n, (x, y, z)) in enumerate(zip(case.numbers, case.positions, strict=True), 1)
        ]
        bounds = [f"0 {length:.10f} {a}lo {a}hi" for length, a in zip(box, "xyz", strict=True)]
        head = ["timed", "", f"{len(rows)} atoms", f"{len(symbols)} atom types", *bounds]
        (folder / "atoms.data").write_text("\n".join([*head, "", "Atoms", "", *rows, ""]))
        cutoff = case.potential.cutoff_radius + 0.01
        deck = [
            "units metal",
            "atom_style atomic",
            "read_data atoms.data",
            *(f"mass {k} {atomic_masses[atomic_numbers[s]]}" for k, s in enumerate(symbols, 1)),
            f"pair_style hdnnp {cutoff} dir potential showew no showewsum 0 resetew no "
            f"maxew 100000000 cflength {1 / units.angstrom} cfenergy {1 / units.ev}",
            f"pair_coeff * * {' '.join(symbols)}",
            "timestep 0.0005",
            "fix move all nve",
            f"run {steps}",
        ]
        (folder / "deck.lmp").write_text("\n".join(deck) + "\n")
        command = ["mpirun", "-np", str(threads)] if threads > 1 else []
        done = subprocess.run(
            [*command, binary, "-in", "deck.lmp"], cwd=folder, capture_output=True, text=True
        )
    found = re.search(r"Loop time of (\S+) on", done.stdout)
    if found is None:
        raise SystemExit(f"LAMMPS failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return float(found.group(1)) / steps / len(case.numbers) * 1e6


def cases(names: list[str]) -> list[Case]:
    """Return the wanted cases that can be built here."""
    made = []
    if "silicon" in names:
        made.append(silicon())
    if "water" in names and (REFERENCE / "n2p2" / "md_lammps").is_dir():
        made.append(water(REFERENCE))
    if "iron" in names:
        made.append(iron())
    return made


def main() -> None:
    """Parse the command line and print a table or JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cases", nargs="+", default=["silicon", "water"], help="and: iron")
    parser.add_argument("--lammps", help="a LAMMPS binary with pair_style hdnnp")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    start = time.perf_counter()
    warm()
    warming = time.perf_counter() - start
    if not options.json:
        print(f"compiled or loaded in {warming:.1f} s")
        print(f"{'case':44} threads  fastest   median  rebuilds  peak MB   LAMMPS  ratio")
    for case in cases(options.cases):
        timing = time_engine(case, options.threads, options.steps)
        if options.lammps:
            theirs = time_lammps(case, options.lammps, options.threads, max(options.steps // 2, 2))
            timing = Timing(**{**asdict(timing), "lammps": theirs})
        if options.json:
            print(json.dumps({**asdict(timing), "ratio": timing.ratio, "warming_s": warming}))
            continue
        peer = f"{timing.lammps:8.1f} {timing.ratio:6.1f}" if timing.lammps else "       –      –"
        print(
            f"{timing.case:44} {timing.threads:7d} {timing.fastest:8.2f} {timing.median:8.2f} "
            f"{timing.rebuilds:5d}/{timing.steps:<3d} {timing.peak_memory_mb:8.0f} {peer}"
        )


if __name__ == "__main__":
    main()
