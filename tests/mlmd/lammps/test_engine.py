"""Our engine inside LAMMPS: the same forces, energies and paths as outside."""

import numpy as np
import pytest

from mlmd.errors import InvalidInput
from mlmd.hdnnp.files import load_potential
from mlmd.lammps import LammpsEngine
from mlmd.lammps.deck import data_file
from mlmd.lammps.frame_of_reference import reference_frame
from mlmd.lammps.launching import start
from mlmd.md import MDSettings, Stage
from mlmd.md.ensembles import Ensemble, make_integrator
from mlmd.md.forces import PotentialForces
from mlmd.md.integrators import BathSettings, Targets
from mlmd.md.system import system_from_atoms
from mlmd.units import EV_PER_A3_IN_GPA

BAR_IN_GPA = 1e-4


@pytest.fixture
def copper_sulphide(shared_reference):
    from ase.io.lammpsdata import read_lammps_data

    folder = shared_reference / "n2p2" / "md_lammps"
    atoms = read_lammps_data(
        folder / "cu2s_144_low-chalcocite_Evans-1979_PBE.data",
        Z_of_type={1: 16, 2: 29},
        atom_style="atomic",
        sort_by_id=True,
    )
    return atoms, load_potential(folder / "Cu2S_PBE_hdnnp-data", "angstrom", "ev")


@pytest.fixture
def lammps_with(lammps_module, tmp_path):
    opened = []

    def make(atoms, settings):
        system = start(settings, atoms)
        frame = reference_frame(system.cell, system.pbc, system.positions)
        (tmp_path / "structure.data").write_text(data_file(system, frame))
        lmp = lammps_module.lammps(cmdargs=["-log", "none", "-screen", "none"])
        opened.append(lmp)
        lmp.commands_string(
            f"units metal\natom_modify map array\nread_data {tmp_path}/structure.data\n"
            "timestep 0.001\nneighbor 1.0 bin\nthermo 1"
        )
        return lmp, frame

    yield make
    for lmp in opened:
        lmp.close()


def test_a_path_at_constant_energy_is_that_of_our_own_dynamics(copper_sulphide, lammps_with):
    atoms, potential = copper_sulphide
    settings = MDSettings(stages=(Stage(temperature_start=600.0),))
    lmp, frame = lammps_with(atoms, settings)
    engine = LammpsEngine(lmp, PotentialForces(potential, 1), ("S", "Cu"))
    assert engine.provider is not None
    lmp.commands_string("fix 1 all nve\nrun 0")
    own = system_from_atoms(atoms, PotentialForces(potential, 1))
    own.velocities = start(settings, atoms).velocities
    own.evaluate()
    integrator = make_integrator(Ensemble.NVE, BathSettings(time_step=1.0), np.random.default_rng())
    for block in range(4):
        energy, pressure = lmp.get_thermo("pe"), lmp.get_thermo("press") * BAR_IN_GPA
        # LAMMPS turns forces into accelerations with constants of eight digits.
        near = 1e-7 if block else 1e-13
        assert energy == pytest.approx(own.energy, rel=near)
        assert pressure == pytest.approx(own.pressure * EV_PER_A3_IN_GPA, rel=1e-6, abs=1e-6)
        forces = frame.from_box(_by_id(lmp, "f"))
        assert np.abs(forces - own.forces).max() < 100 * near * np.abs(own.forces).max()
        lmp.command("run 25")
        for _ in range(25):
            integrator.step(own, Targets(0.0))


def _by_id(lmp, name):
    ids = np.array(lmp.numpy.extract_atom("id"))[: lmp.extract_setting("nlocal")]
    values = np.array(lmp.numpy.extract_atom(name))[: len(ids)]
    return values[np.argsort(ids)]


def test_what_does_not_fit_is_refused(copper_sulphide, lammps_with, lammps_module):
    atoms, potential = copper_sulphide
    lmp, _ = lammps_with(atoms, MDSettings())
    with pytest.raises(InvalidInput, match="2 atom types and 1 elements"):
        LammpsEngine(lmp, PotentialForces(potential, 1), ("Cu",))
    other = lammps_module.lammps(cmdargs=["-log", "none", "-screen", "none"])
    other.command("units real")
    with pytest.raises(InvalidInput, match="units real"):
        LammpsEngine(other, PotentialForces(potential, 1), ("Cu",))
    other.close()
