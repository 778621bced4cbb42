"""A run prepared in a directory, run there, and collected."""

import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.constraints import FixAtoms

from mlmd.errors import InvalidInput
from mlmd.hdnnp.files import save_potential
from mlmd.launch import Resources
from mlmd.md import (
    Ensemble,
    MDSettings,
    MDSpec,
    RunStatus,
    Stage,
    collect,
    prepare,
    run,
    run_directory,
)
from mlmd.md.forces import PotentialForces
from mlmd.md.launching import read_structure
from mlmd.md.restart import load_restart
from mlmd.md.settings import settings_from_mapping
from mlmd.runs import read_json, to_jsonable
from tests.mlmd.md.providers import soft_potential

SETTINGS = MDSettings(
    stages=(Stage(60, ensemble=Ensemble.NVT_LANGEVIN, temperature_start=300.0),),
    sample_every=5,
    trajectory_every=5,
    checkpoint_every=20,
)


@pytest.fixture
def silicon():
    return bulk("Si", "diamond", a=5.43, cubic=True).repeat(2)


@pytest.fixture
def folder(tmp_path):
    save_potential(soft_potential(), tmp_path / "soft")
    return tmp_path / "soft"


def quietly(run_dir):
    with contextlib.redirect_stdout(io.StringIO()):
        return run_directory(run_dir)


def test_a_prepared_run_runs_and_is_collected(tmp_path, folder, silicon):
    spec = MDSpec(SETTINGS, silicon, str(folder), Resources(threads=1))
    launch = prepare(spec, tmp_path / "run")
    assert launch.commands[0].argv == ("mlmd", "md", "--run-dir", ".")
    assert {"thermo.csv", "rdf.json", "progress.json"} <= set(launch.live)
    assert "trajectory.mtj" not in launch.live
    result = quietly(tmp_path / "run")
    assert result.status == RunStatus.FINISHED
    assert collect(tmp_path / "run") == result
    assert result.settings.threads == 1
    assert result.seconds_per_atom_step > 0
    # Nothing left the training range, so nothing is put aside.
    for name in set(launch.fetch) - {"candidates.extxyz"}:
        assert (tmp_path / "run" / name).is_file(), name


def test_a_run_with_a_network_goes_on_exactly(tmp_path, silicon):
    """The neighbour list is part of the state, too."""
    potential = soft_potential()
    settings = replace(SETTINGS, threads=1)
    stream = io.StringIO()
    whole = run(settings, silicon, potential, tmp_path / "whole", stream=stream)

    calls = iter(range(47))
    compute = PotentialForces.compute

    def die_at_last(self, *arguments):
        if next(calls, None) is None:
            raise MemoryError("killed")
        return compute(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PotentialForces, "compute", die_at_last)
        with pytest.raises(MemoryError):
            run(settings, silicon, potential, tmp_path / "parts", stream=stream)
    assert load_restart(tmp_path / "parts").step == 40
    parts = run(settings, silicon, potential, tmp_path / "parts", stream=stream)
    assert parts.steps == whole.steps
    for name in ("thermo.csv", "trajectory.mtj"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_constant_energy_with_a_network_does_not_drift(tmp_path, silicon):
    settings = MDSettings(
        stages=(Stage(400, ensemble=Ensemble.NVE, temperature_start=300.0),), threads=1
    )
    result = run(settings, silicon, soft_potential(), tmp_path, stream=io.StringIO())
    assert abs(result.stages[0].energy_drift) < 0.1  # meV per atom and ps
    assert result.stages[0].temperature > 50


def test_fixed_atoms_and_velocities_reach_the_run(tmp_path, folder, silicon):
    silicon.set_constraint(FixAtoms([0, 1]))
    silicon.set_velocities(np.full((64, 3), 0.01))
    prepare(MDSpec(SETTINGS, silicon, str(folder)), tmp_path / "run")
    again = read_structure(tmp_path / "run" / "structure.extxyz")
    assert again.constraints[0].index.tolist() == [0, 1]
    assert np.allclose(again.get_velocities()[2:], 0.01, atol=1e-6)


def test_an_element_that_the_potential_does_not_know_is_refused(tmp_path, folder):
    spec = MDSpec(SETTINGS, bulk("GaAs", "zincblende", a=5.65), str(folder))
    with pytest.raises(InvalidInput, match=r"As, Ga.*only Si"):
        prepare(spec, tmp_path / "run")


def test_a_missing_potential_is_refused(tmp_path, silicon):
    with pytest.raises(InvalidInput, match=r"nowhere: no such folder"):
        prepare(MDSpec(SETTINGS, silicon, str(tmp_path / "nowhere")), tmp_path / "run")


@pytest.mark.parametrize("name", ["spec.json", "structure.extxyz", "potential"])
def test_a_directory_with_something_missing_says_what(tmp_path, folder, silicon, name):
    prepare(MDSpec(SETTINGS, silicon, str(folder)), tmp_path / "run")
    path = tmp_path / "run" / name
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match=name.removesuffix(".extxyz")):
        quietly(tmp_path / "run")


def test_a_damaged_result_is_refused(tmp_path):
    (tmp_path / "result.json").write_text('{"status": "great"}')
    with pytest.raises(InvalidInput, match=r"result\.json"):
        collect(tmp_path)


def test_settings_survive_json():
    settings = replace(
        SETTINGS, stages=(*SETTINGS.stages, Stage(5, ensemble=Ensemble.NPT, pressure=1.5))
    )
    assert settings_from_mapping(to_jsonable(settings)) == settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"time_step": 0}, "time_step.*at least"),
        ({"timestep": 1}, "Did you mean 'time_step'"),
        ({"stages": []}, "at least one"),
        ({"stages": [{"steps": 0}]}, "stage 1: steps"),
        ({"stages": [{"ensemble": "nph"}]}, "one of nve"),
        ({"stages": [{"kind": "heat", "temperature_start": 300}]}, "a higher temperature"),
        (
            {"stages": [{"kind": "quench", "temperature_start": 1, "temperature_end": 2}]},
            "a lower temperature",
        ),
        ({"stages": [{"temperature_end": 400}]}, "the same temperature"),
        (
            {
                "stages": [
                    {
                        "kind": "heat",
                        "ensemble": "nve",
                        "temperature_start": 1,
                        "temperature_end": 2,
                    }
                ]
            },
            "without a thermostat",
        ),
        ({"stages": "hold"}, "a list"),
        ({"stages": ["hold"]}, "an object"),
        ({"thermostat_time": 2.0}, "five time steps"),
        ({"barostat_time": 50.0, "stages": [{"ensemble": "npt"}]}, "ten volume moves"),
        ({"stages": [{"ensemble": "npt", "stress": "1 0 0"}]}, "a cell that changes its shape"),
        ({"stages": [{"ensemble": "npt-full", "stress": "1 0"}]}, "three or six numbers"),
        ({"stages": [{"ensemble": "npt-full", "stress": "nan 0 0"}]}, "three or six numbers"),
        ({"stages": [{"ensemble": "npt-axes", "stress": "1 0 0 0 1 0"}]}, "npt-full for shear"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, message):
    with pytest.raises(InvalidInput, match=message):
        settings_from_mapping(values)


def test_the_spec_is_readable_by_people(tmp_path, folder, silicon):
    prepare(MDSpec(SETTINGS, silicon, str(folder)), tmp_path / "run")
    spec = read_json(tmp_path / "run" / "spec.json")
    assert spec["settings"]["stages"][0]["ensemble"] == "nvt-langevin"
    assert spec["version"] == 1
