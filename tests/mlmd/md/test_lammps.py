"""Constant energy against LAMMPS with n2p2's own pair style, step by step."""

import numpy as np
import pytest
from ase.io.lammpsdata import read_lammps_data

from mlmd.hdnnp.files import load_potential
from mlmd.md.ensembles import Ensemble, make_integrator
from mlmd.md.forces import PotentialForces
from mlmd.md.integrators import BathSettings, Targets
from mlmd.md.system import system_from_atoms
from mlmd.units import EV_PER_A3_IN_GPA

BAR_IN_GPA = 1e-4


def test_twenty_steps_of_copper_sulphide_agree_with_lammps(shared_reference):
    folder = shared_reference / "n2p2" / "md_lammps"
    reference = np.load(folder / "Cu2S_PBE.npz")
    table = dict(zip(reference["thermo_cols"].tolist(), reference["thermo"].T, strict=True))
    atoms = read_lammps_data(
        folder / "cu2s_144_low-chalcocite_Evans-1979_PBE.data",
        Z_of_type={1: 16, 2: 29},
        atom_style="atomic",
        sort_by_id=True,
    )
    atoms.set_masses(np.where(atoms.numbers == 16, 32.065, 63.546))
    potential = load_potential(folder / "Cu2S_PBE_hdnnp-data", "angstrom", "ev")
    system = system_from_atoms(atoms, PotentialForces(potential, 1))
    system.evaluate()
    integrator = make_integrator(
        Ensemble.NVE, BathSettings(time_step=1.0), np.random.default_rng(0)
    )
    for step in range(21):
        if step:
            integrator.step(system, Targets(0.0))
        assert system.energy == pytest.approx(table["PotEng"][step], rel=1e-9)
        assert system.kinetic_energy == pytest.approx(table["KinEng"][step], rel=1e-6, abs=1e-9)
        pressure = system.pressure * EV_PER_A3_IN_GPA
        assert pressure == pytest.approx(table["Press"][step] * BAR_IN_GPA, rel=1e-5, abs=1e-6)
    final = reference["id_type_x_f_step20"]
    shift = (system.positions - final[:, 2:5]) @ np.linalg.inv(system.cell)
    assert np.abs((shift - shift.round()) @ system.cell).max() < 1e-8
    assert np.abs(system.forces - final[:, 5:]).max() < 1e-6
