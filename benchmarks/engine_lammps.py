"""The same atoms in LAMMPS with ``pair_style hdnnp``: forces, and time of a step."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from engine_cases import Case

from mlmd.frame import FloatArray
from mlmd.hdnnp.files import save_potential
from mlmd.lammps.deck import atom_types, data_file
from mlmd.lammps.frame_of_reference import reference_frame
from mlmd.md.forces import PotentialForces
from mlmd.md.system import system_from_atoms

TIME_STEP = 0.5  # fs


@dataclass(frozen=True)
class LammpsTime:
    """One run.

    Args:
        wall: µs per atom and step.
        processor: wall times the share of the processor that LAMMPS says it had, all ranks.
        forces: of the first step, shape (N, 3), eV/Å; in the cell's own axes.
    """

    wall: float
    processor: float
    forces: FloatArray


def run_lammps(
    case: Case, velocities: FloatArray, binary: str, ranks: int, steps: int
) -> LammpsTime:
    """Run constant energy and return time and first forces.

    Args:
        case: potential and atoms.
        velocities: shape (N, 3), Å/fs.
        binary: LAMMPS with the package ML-HDNNP.
        ranks: MPI processes; 1 runs without mpirun.
        steps: how many are timed.
    """
    units = case.potential.units
    atoms = Atoms(case.numbers, case.positions, cell=case.cell, pbc=True)
    system = system_from_atoms(atoms, PotentialForces(case.potential, 1))
    system.velocities[:] = velocities
    frame = reference_frame(system.cell, system.pbc, system.positions)
    symbols = atom_types(system)
    elements = sorted(symbols, key=lambda symbol: atomic_numbers[symbol])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_potential(case.potential, folder / "potential")
        (folder / "atoms.data").write_text(data_file(system, frame))
        cutoff = case.potential.cutoff_radius + 0.01
        deck = [
            "units metal",
            "atom_style atomic",
            "box tilt large",
            "read_data atoms.data",
            f"pair_style hdnnp {cutoff} dir potential showew no showewsum 0 resetew no "
            f"maxew 1000000000 cflength {1 / units.angstrom!r} cfenergy {1 / units.ev!r}",
            f"pair_coeff * * {' '.join(elements)}",
            f"timestep {TIME_STEP / 1000}",
            "dump first all custom 1 forces.dump id fx fy fz",
            "dump_modify first sort id format float %.17g",
            "run 0",
            "undump first",
            "fix move all nve",
            f"run {steps}",
        ]
        (folder / "deck.lmp").write_text("\n".join(deck) + "\n")
        launcher = ["mpirun", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none"]
        launcher += ["-np", str(ranks)]
        done = subprocess.run(
            [*(launcher if ranks > 1 else []), binary, "-in", "deck.lmp"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        loops = re.findall(r"Loop time of (\S+) on", done.stdout)
        if len(loops) < 2:
            raise SystemExit(f"LAMMPS failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        forces = np.loadtxt(folder / "forces.dump", skiprows=9)[:, 1:]
    share = float(re.findall(r"(\S+)% CPU use", done.stdout)[-1]) / 100.0
    wall = float(loops[-1]) / steps / len(atoms) * 1e6
    return LammpsTime(wall, wall * share * ranks, frame.from_box(forces))
