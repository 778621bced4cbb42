"""Molecular dynamics with potentials of aenet: exact restarts, stress, lists, warnings."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from mlmd.aenet.evaluator import AenetEvaluator
from mlmd.aenet.potential import AenetPotential
from mlmd.aenet.writing import save_aenet
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
from mlmd.md.restart import load_restart
from mlmd.runs import read_json
from tests.mlmd.aenet.potentials import behler_potential, soft_potential

SETTINGS = MDSettings(
    stages=(Stage(60, ensemble=Ensemble.NVT_LANGEVIN, temperature_start=300.0),),
    sample_every=5,
    trajectory_every=5,
    checkpoint_every=20,
    threads=1,
)


@pytest.fixture
def silicon():
    return bulk("Si", "diamond", a=5.43, cubic=True).repeat(2)


def narrow(potential: AenetPotential) -> AenetPotential:
    """Return the potential as if it had seen one value of each function only."""
    (part,) = potential.parts
    nothing = np.zeros(part.basis.count)
    return AenetPotential((replace(part, minimum=nothing, maximum=nothing + 1e-3),))


def test_a_prepared_run_runs_and_is_collected(tmp_path, silicon):
    save_aenet(soft_potential(), tmp_path / "soft")
    spec = MDSpec(SETTINGS, silicon, str(tmp_path / "soft"), Resources(threads=1))
    prepare(spec, tmp_path / "run")
    assert run_directory(tmp_path / "run", stream=io.StringIO()).status is RunStatus.FINISHED
    assert collect(tmp_path / "run").steps == 60


def test_a_run_goes_on_exactly(tmp_path, silicon):
    potential, stream = soft_potential(), io.StringIO()
    run(SETTINGS, silicon, potential, tmp_path / "whole", stream=stream)
    calls = iter(range(47))
    compute = PotentialForces.compute

    def die_at_last(self, *arguments):
        if next(calls, None) is None:
            raise MemoryError("killed")
        return compute(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PotentialForces, "compute", die_at_last)
        with pytest.raises(MemoryError):
            run(SETTINGS, silicon, potential, tmp_path / "parts", stream=stream)
    assert load_restart(tmp_path / "parts").step == 40
    run(SETTINGS, silicon, potential, tmp_path / "parts", stream=stream)
    for name in ("thermo.csv", "trajectory.mtj"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_constant_energy_does_not_drift(tmp_path, silicon):
    settings = MDSettings(
        stages=(Stage(300, ensemble=Ensemble.NVE, temperature_start=300.0),), threads=1
    )
    result = run(settings, silicon, soft_potential(), tmp_path, stream=io.StringIO())
    assert abs(result.stages[0].energy_drift) < 0.1  # meV per atom and ps
    assert result.stages[0].temperature > 50


def test_functions_outside_of_their_range_are_told_by_atom_and_function(tmp_path, silicon):
    settings = replace(SETTINGS, stages=(Stage(10, ensemble=Ensemble.NVE),))
    potential = narrow(soft_potential())
    run(settings, silicon, potential, tmp_path, stream=io.StringIO())
    found = read_json(tmp_path / "extrapolation.json")
    assert found["steps"] == 11
    assert found["atoms"] == len(silicon)
    assert {entry["element"] for entry in found["entries"]} == {"Si"}


@pytest.mark.parametrize(
    ("potential", "numbers"),
    [(behler_potential(), (22, 8, 8, 22, 8)), (soft_potential(), (14,) * 5)],
)
def test_stress_is_the_slope_of_the_energy_along_strain(potential, numbers):
    positions = np.array(
        [[0.0, 0, 0], [1.9, 0.1, 0], [0.2, 2.0, 0.3], [1.6, 1.7, 1.8], [0, 0.4, 2]]
    )
    cell = np.array([[4.2, 0.3, 0.0], [0.0, 4.0, 0.2], [0.1, 0.0, 4.4]])
    evaluator = AenetEvaluator(potential, threads=1)
    stress = evaluator.compute(numbers, positions, cell, True).stress
    step = 1e-5
    for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2)):
        strain = np.zeros((3, 3))
        strain[a, b] = strain[b, a] = 0.5 * step if a != b else step
        up, down = (
            evaluator.compute(numbers, positions @ m, cell @ m, True).energy
            for m in (np.eye(3) + strain, np.eye(3) - strain)
        )
        slope = (up - down) / (2 * step * abs(np.linalg.det(cell)))
        assert stress[a, b] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_a_kept_neighbour_list_changes_nothing(silicon):
    potential = soft_potential()
    rng = np.random.default_rng(3)
    kept = AenetEvaluator(potential, threads=1)
    positions = silicon.positions.copy()
    for _ in range(8):
        positions += rng.normal(scale=0.1, size=positions.shape)
        fresh = AenetEvaluator(potential, threads=1)
        one = kept.compute(silicon.numbers, positions, silicon.cell.array, True)
        two = fresh.compute(silicon.numbers, positions, silicon.cell.array, True)
        assert one.energy == pytest.approx(two.energy, rel=1e-12)
        np.testing.assert_allclose(one.forces, two.forces, atol=1e-11)
    assert 1 < kept.list_rebuilds < 8
