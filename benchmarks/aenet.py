"""Time dynamics with an aenet potential by our engine, beside aenet's own predict.x.

    python benchmarks/aenet.py [--threads 1] [--steps 60] [--programs DIR]

Processor time, so that a busy machine shows little. The case is aenet's TiO2 potential of the
references (Chebyshev functions, cutoffs 8 and 6.5 Å, orders 16 and 4) on its cell of 1944 atoms.
`--programs` names the folder of predict.x, whose time holds start and reading; without it the
column stays empty.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from mlmd.aenet.files import load_aenet
from mlmd.aenet.prediction import predict_frames
from mlmd.external.programs import Programs
from mlmd.formats import read_structures
from mlmd.formats.atoms import atoms_to_frame
from mlmd.md import Ensemble
from mlmd.md.ensembles import make_integrator
from mlmd.md.forces import PotentialForces
from mlmd.md.integrators import BathSettings, Targets
from mlmd.md.system import draw_velocities, system_from_atoms

REFERENCE = Path(
    os.environ.get("MLMD_REFERENCE", Path(__file__).resolve().parents[2] / "shared" / "reference")
)
BLOCK = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--programs", type=Path, help="folder of predict.x")
    options = parser.parse_args()
    folder = REFERENCE / "aenet_tio2"
    atoms = read_structures(folder / "big.xsf")[-1]
    print(f"{len(atoms)} atoms, {options.threads} threads, processor µs an atom and step")
    for ensemble in (Ensemble.NVE, Ensemble.NPT):
        cpu, wall = dynamics(folder, atoms, ensemble, options.threads, options.steps // BLOCK)
        print(f"our engine, {ensemble.value:<5} {cpu:8.1f}   on the clock {wall:8.1f}")
    if options.programs is not None:
        print(f"predict.x with forces {predict(folder, atoms, options.programs):8.1f}")


def dynamics(
    folder: Path, atoms: object, ensemble: Ensemble, threads: int, blocks: int
) -> tuple[float, float]:
    """Return the medians of processor time and time on the clock, µs an atom and step."""
    system = system_from_atoms(atoms, PotentialForces(load_aenet(folder), threads))
    draw_velocities(system, 300.0, np.random.default_rng(1))
    system.evaluate()
    integrator = make_integrator(ensemble, BathSettings(time_step=1.0), np.random.default_rng(0))
    times = []
    for _ in range(max(blocks, 1)):
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(BLOCK):
            integrator.step(system, Targets(300.0))
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    median = np.median(np.array(times), axis=0) * 1e6 / BLOCK / len(atoms)
    return float(median[0]), float(median[1])


def predict(folder: Path, atoms: object, programs: Path, repeats: int = 3) -> float:
    """Return the processor time of predict.x on some copies of the structure, µs an atom."""
    with tempfile.TemporaryDirectory() as place:
        potential = Path(place) / "potential"
        potential.mkdir()
        for path in folder.glob("*.nn"):
            (potential / path.name).write_bytes(path.read_bytes())
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        predict_frames([atoms_to_frame(atoms)] * repeats, potential, Programs(programs))
        spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return spent * 1e6 / repeats / len(atoms)


if __name__ == "__main__":
    main()
