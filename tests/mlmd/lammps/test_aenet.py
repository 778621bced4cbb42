"""A potential of aenet inside LAMMPS, by our engine: no LAMMPS of a distribution has pair_style aenet."""

from __future__ import annotations

import numpy as np
import pytest

from mlmd.lammps import LammpsEngine
from mlmd.lammps.deck import data_file
from mlmd.lammps.frame_of_reference import reference_frame
from mlmd.lammps.launching import start
from mlmd.md import MDSettings, Stage
from mlmd.md.forces import PotentialForces
from mlmd.md.system import system_from_atoms
from tests.mlmd.aenet.potentials import soft_potential


def test_energy_and_forces_are_those_of_the_bare_engine(silicon, lammps_module, tmp_path):
    silicon.positions += np.random.default_rng(2).normal(scale=0.1, size=silicon.positions.shape)
    potential = soft_potential()
    system = start(MDSettings(stages=(Stage(temperature_start=300.0),)), silicon)
    frame = reference_frame(system.cell, system.pbc, system.positions)
    (tmp_path / "structure.data").write_text(data_file(system, frame))
    lmp = lammps_module.lammps(cmdargs=["-log", "none", "-screen", "none"])
    try:
        lmp.commands_string(
            f"units metal\natom_modify map array\nread_data {tmp_path}/structure.data\nthermo 1"
        )
        engine = LammpsEngine(lmp, PotentialForces(potential, 1), ("Si",))
        assert engine.provider is not None
        lmp.commands_string("fix 1 all nve\nrun 0")
        own = system_from_atoms(silicon, PotentialForces(potential, 1))
        own.evaluate()
        assert lmp.get_thermo("pe") == pytest.approx(own.energy, rel=1e-12)
        order = np.argsort(lmp.numpy.extract_atom("id")[: len(silicon)])
        forces = frame.from_box(lmp.numpy.extract_atom("f")[: len(silicon)][order])
        np.testing.assert_allclose(forces, own.forces, atol=1e-10)
    finally:
        lmp.close()
