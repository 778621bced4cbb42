"""A run directory for LAMMPS, with the same settings and files as one for our own engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.lammps.deck import (
    DATA_FILE,
    DUMP_FILE,
    INPUT_FILE,
    LOG_FILE,
    STATE_FILE,
    data_file,
    input_file,
)
from mlmd.lammps.frame_of_reference import reference_frame
from mlmd.lammps.pair_styles import PairStyle
from mlmd.launch import Command, Launch, Resources
from mlmd.md.forces import NoForces
from mlmd.md.launching import STRUCTURE_FILE, write_structure
from mlmd.md.motion_settings import Velocities
from mlmd.md.results import (
    COORDINATION_FILE,
    EXTRAPOLATION_FILE,
    MOTION_FILE,
    RADIAL_FILE,
    RESULT_FILE,
    SCATTERING_FILE,
    SPEC_FILE,
    TRAJECTORY_FILE,
)
from mlmd.md.settings import MDSettings, check_settings
from mlmd.md.starting import start_system
from mlmd.md.system import System, draw_velocities
from mlmd.md.thermo import THERMO_FILE
from mlmd.runs import PROGRESS_FILE, write_bytes_atomic, write_json_atomic

ENGINE = "lammps"
LAMMPS, MLMD = "lmp", "mlmd"  # code recipes of the cluster
# LAMMPS needs some of the walltime to write its state and end.
MARGIN_S = 60
RUN_STATE_FILES = (STATE_FILE, LOG_FILE, DUMP_FILE)


@dataclass(frozen=True)
class LammpsSpec:
    """A run to prepare.

    Args:
        settings: what to do, as for our own engine.
        atoms: the structure.
        pair_style: how the deck names the potential.
        files: of the potential, name → content, written beside the deck.
        resources: what the run asks of the machine.
    """

    settings: MDSettings
    atoms: Atoms
    pair_style: PairStyle
    files: Mapping[str, bytes] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)


def prepare(spec: LammpsSpec, run_dir: str | Path) -> Launch:
    """Write everything that LAMMPS needs into an empty directory.

    Velocities are drawn here, so that LAMMPS and our own engine start alike.

    Args:
        spec: settings, structure, potential and resources.
        run_dir: made if it doesn't exist.

    Raises:
        InvalidInput: settings, structure or potential can't be used, or don't fit together.
    """
    settings = replace(spec.settings, threads=spec.resources.threads)
    check_settings(settings)
    system = start(settings, spec.atoms)
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    frame = reference_frame(system.cell, system.pbc, system.positions)
    walltime = max(spec.resources.walltime_s - MARGIN_S, spec.resources.walltime_s // 2)
    deck = input_file(settings, system, spec.pair_style, walltime)
    write_bytes_atomic(folder / INPUT_FILE, deck.encode())
    write_bytes_atomic(folder / DATA_FILE, data_file(system, frame, spec.pair_style.types).encode())
    for name, content in spec.files.items():
        write_bytes_atomic(folder / Path(name).name, content)
    write_structure(spec.atoms, folder / STRUCTURE_FILE)
    write_json_atomic(
        folder / SPEC_FILE, {"kind": "md", "version": 1, "engine": ENGINE, "settings": settings}
    )
    return launch_of(spec.resources)


def launch_of(resources: Resources) -> Launch:
    """Return what to run in a prepared directory, and what to bring back."""
    return Launch(
        commands=(
            # Judged by the log: the next command says what went wrong, in words.
            Command((LAMMPS, "-in", INPUT_FILE, "-log", "none"), mpi=True, may_fail=True),
            Command((MLMD, "lammps", "--run-dir", ".")),
        ),
        fetch=(
            *(PROGRESS_FILE, THERMO_FILE, RADIAL_FILE, SCATTERING_FILE),
            *(MOTION_FILE, COORDINATION_FILE),
            *(EXTRAPOLATION_FILE, TRAJECTORY_FILE, RESULT_FILE, SPEC_FILE, STRUCTURE_FILE),
            *(LOG_FILE, INPUT_FILE, DATA_FILE, STATE_FILE),
        ),
        live=(LOG_FILE,),
        resources=resources,
    )


def start(settings: MDSettings, atoms: Atoms) -> System:
    """Return the system that the run begins with."""
    if settings.rigid_bonds:
        raise InvalidInput(
            "rigid bonds",
            settings.rigid_bonds,
            "no rigid bonds in LAMMPS",
            "LAMMPS' fix shake needs a list of bonds: run it with our own engine.",
        )
    system = start_system(settings, atoms, NoForces())
    if settings.velocities == Velocities.DRAW:
        rng = np.random.Generator(np.random.PCG64(settings.seed))
        draw_velocities(system, settings.stages[0].temperature_start, rng)
    return system
