"""Runs in a directory: files, stages, restarts, failures."""

import io
import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones as AseLennardJones
from ase.constraints import FixAtoms

from mlmd.errors import InvalidInput
from mlmd.md import (
    BlowUp,
    CalculatorForces,
    Ensemble,
    ExtrapolationStop,
    MDSettings,
    OnExtrapolation,
    RunStatus,
    Stage,
    StageKind,
    Velocities,
    collect,
    run,
)
from mlmd.md.forces import EXTRAPOLATION, PlainEvaluation
from mlmd.md.thermo import COLUMNS, read_thermo
from mlmd.runs import Stopped, StopRequest
from mlmd.trajectory import TrajectoryReader
from tests.mlmd.md.providers import LennardJones

STAGES = (
    Stage(40, StageKind.HEAT, Ensemble.NVT_LANGEVIN, 20.0, 60.0),
    Stage(30, StageKind.HOLD, Ensemble.NVT_BUSSI, 60.0),
    Stage(40, StageKind.HOLD, Ensemble.NPT, 60.0, pressure=0.1),
    Stage(30, StageKind.QUENCH, Ensemble.NVT_NOSE_HOOVER, 60.0, 20.0),
    Stage(25, StageKind.HOLD, Ensemble.NVE, 20.0),
)
SETTINGS = MDSettings(
    stages=STAGES,
    time_step=2.0,
    sample_every=5,
    trajectory_every=4,
    checkpoint_every=35,
    compressibility=0.5,
    store_velocities=True,
)
SHAPED = replace(
    SETTINGS,
    stages=(
        *STAGES,
        Stage(40, StageKind.HOLD, Ensemble.NPT_FULL, 60.0, None, 0.1, "0.02 0 0 0 0 0.01"),
        Stage(30, StageKind.HOLD, Ensemble.NPT_AXES, 60.0, None, 0.0, "0.02 0 0"),
    ),
)


@pytest.fixture
def argon():
    return bulk("Ar", "fcc", a=5.4, cubic=True).repeat(3)


class StopAfter(LennardJones):
    """Asks for a stop, as a scheduler would, at a certain evaluation."""

    def __init__(self, stop, calls, **options):
        super().__init__(**options)
        self.stop, self.limit = stop, calls

    def compute(self, *arguments):
        if self.calls == self.limit:
            self.stop.request(signal.SIGXCPU)
        return super().compute(*arguments)


def quietly(settings, atoms, provider, folder, **options):
    return run(settings, atoms, provider, folder, stream=io.StringIO(), **options)


def test_all_stages_run_and_leave_their_files(tmp_path, argon):
    result = quietly(SETTINGS, argon, LennardJones(), tmp_path)
    assert result.status == RunStatus.FINISHED
    assert result.steps == 165
    assert [stage.ensemble for stage in result.stages] == [s.ensemble.value for s in STAGES]
    assert [stage.steps for stage in result.stages] == [40, 30, 40, 30, 25]
    assert collect(tmp_path) == result
    thermo = read_thermo(tmp_path)
    assert tuple(thermo) == COLUMNS
    assert thermo["step"].tolist() == sorted({*range(0, 166, 5)})
    assert thermo["time_ps"][-1] == pytest.approx(0.33)
    with TrajectoryReader(tmp_path / "trajectory.mtj") as reader:
        assert reader.steps.tolist() == [*range(0, 165, 4), 165]
        assert result.frames == len(reader)
        assert reader[-1].velocities is not None
        volumes = np.linalg.det(reader.cells)
        assert volumes[0] == volumes[10]
        assert volumes[-1] != volumes[0]
    rdf = json.loads((tmp_path / "rdf.json").read_text())
    assert rdf["stage"] == 4
    assert rdf["pairs"] == [["Ar", "Ar"]]
    assert result.first_peaks[0].position == pytest.approx(3.82, abs=0.2)
    assert result.first_peaks[0].coordination == pytest.approx(12, abs=1)
    progress = json.loads((tmp_path / "progress.json").read_text())
    assert progress["fraction"] == 1
    coordination = json.loads((tmp_path / "coordination.json").read_text())
    assert coordination["distributions"][0]["mean"] == pytest.approx(12, abs=1)
    assert json.loads((tmp_path / "extrapolation.json").read_text())["total"] == 0


def test_the_conserved_energy_goes_on_from_stage_to_stage(tmp_path, argon):
    quietly(SETTINGS, argon, LennardJones(), tmp_path)
    thermo = read_thermo(tmp_path)
    assert np.ptp(thermo["total_energy_ev"]) > 0.5
    assert np.ptp(thermo["conserved_ev"]) < 0.02


@pytest.mark.parametrize("stop_at", [1, 17, 40, 60, 75, 90, 111, 140, 150, 185, 220])
def test_a_stopped_run_goes_on_exactly(tmp_path, argon, stop_at):
    whole = quietly(SHAPED, argon, LennardJones(), tmp_path / "whole")
    stop = StopRequest()
    with pytest.raises(Stopped) as stopped:
        quietly(SHAPED, argon, StopAfter(stop, stop_at), tmp_path / "parts", stop=stop)
    assert stopped.value.exit_code == 124
    assert collect(tmp_path / "parts").status == RunStatus.STOPPED
    parts = quietly(SHAPED, argon, LennardJones(), tmp_path / "parts")
    assert replace(parts, seconds=0, seconds_per_atom_step=0) == replace(
        whole, seconds=0, seconds_per_atom_step=0
    )
    for name in ("thermo.csv", "trajectory.mtj", "rdf.json", "msd.json", "coordination.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path, argon):
    class Killed(LennardJones):
        def compute(self, *arguments):
            if self.calls == 100:
                raise MemoryError("killed")
            return super().compute(*arguments)

    whole = quietly(SETTINGS, argon, LennardJones(), tmp_path / "whole")
    with pytest.raises(MemoryError):
        quietly(SETTINGS, argon, Killed(), tmp_path / "parts")
    # It died in the middle of a write, too.
    with (tmp_path / "parts" / "trajectory.mtj").open("ab") as stream:
        stream.write(b"half a record")
    with (tmp_path / "parts" / "thermo.csv").open("a") as stream:
        stream.write("97,0.1")
    provider = LennardJones()
    parts = quietly(SETTINGS, argon, provider, tmp_path / "parts")
    assert provider.calls < 140
    assert parts.stages == whole.stages
    for name in ("thermo.csv", "trajectory.mtj"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_finished_run_is_not_run_again(tmp_path, argon):
    first = quietly(SETTINGS, argon, LennardJones(), tmp_path)
    provider = LennardJones()
    assert quietly(SETTINGS, argon, provider, tmp_path) == first
    assert provider.calls == 0


def test_the_same_seed_gives_the_same_run_and_another_another(tmp_path, argon):
    short = replace(SETTINGS, stages=STAGES[:1])
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        quietly(replace(short, seed=seed), argon, LennardJones(), tmp_path / name)
    a, b, c = (read_thermo(tmp_path / name)["potential_energy_ev"] for name in "abc")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_directory_of_another_run_is_refused(tmp_path, argon):
    short = replace(SETTINGS, stages=STAGES[:1])
    quietly(short, argon, LennardJones(), tmp_path)
    with pytest.raises(InvalidInput, match="other settings"):
        quietly(replace(short, seed=5), argon, LennardJones(), tmp_path)
    other = argon.copy()
    other.numbers[0] = 10
    with pytest.raises(InvalidInput, match="another structure"):
        quietly(short, other, LennardJones(), tmp_path)
    (tmp_path / "restart.npz").write_bytes(b"PK broken")
    with pytest.raises(InvalidInput, match=r"restart\.npz"):
        quietly(short, argon, LennardJones(), tmp_path)


def test_a_signal_stops_the_run_in_order(tmp_path, argon):
    class Signalled(LennardJones):
        def compute(self, *arguments):
            if self.calls == 20:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().compute(*arguments)

    with pytest.raises(Stopped, match="State saved at step 20") as stopped:
        quietly(SETTINGS, argon, Signalled(), tmp_path)
    assert stopped.value.exit_code == 143
    assert collect(tmp_path).steps == 20


def test_a_run_that_blows_up_says_when_and_how_hot(tmp_path, argon):
    argon.positions[0] = argon.positions[1] + [0.9, 0, 0]
    with pytest.raises(BlowUp, match=r"step \d+ .*blew up.*K.*smaller time step"):
        quietly(SETTINGS, argon, LennardJones(), tmp_path)
    result = collect(tmp_path)
    assert result.status == RunStatus.FAILED
    assert "blew up" in result.error


def test_forces_that_are_not_numbers_are_noticed(tmp_path, argon):
    class Broken(LennardJones):
        def compute(self, *arguments):
            answer = super().compute(*arguments)
            return replace(answer, forces=answer.forces * (np.nan if self.calls > 3 else 1))

    with pytest.raises(BlowUp, match="step 3"):
        quietly(SETTINGS, argon, Broken(), tmp_path)


class Extrapolating(LennardJones):
    """Leaves its range in steps 5 to 9 at two atoms."""

    def compute(self, *arguments):
        answer = super().compute(*arguments)
        warnings = [(3, 7, 2.0 + self.calls, 0.0, 1.0), (8, 1, -0.5, 0.0, 1.0)]
        if 5 <= self.calls - 1 <= 9:
            return replace(answer, extrapolations=np.array(warnings, EXTRAPOLATION))
        return answer


def test_extrapolations_name_atoms_functions_and_steps(tmp_path, argon):
    result = quietly(SETTINGS, argon, Extrapolating(), tmp_path)
    assert (result.extrapolations, result.extrapolating_atoms) == (10, 2)
    assert result.first_extrapolation == 5
    content = json.loads((tmp_path / "extrapolation.json").read_text())
    entry = next(entry for entry in content["entries"] if entry["atom"] == 3)
    assert entry["function"] == 7
    assert (entry["first_step"], entry["last_step"], entry["count"]) == (5, 9, 5)
    assert entry["worst"] == 12.0
    assert any("10 times" in warning for warning in result.warnings)


def test_a_run_can_stop_at_extrapolations(tmp_path, argon):
    settings = replace(SETTINGS, on_extrapolation=OnExtrapolation.STOP, extrapolation_limit=5)
    with pytest.raises(ExtrapolationStop, match="step 7"):
        quietly(settings, argon, Extrapolating(), tmp_path)
    assert collect(tmp_path).status == RunStatus.FAILED


def test_a_molecule_without_a_cell_runs(tmp_path):
    atoms = Atoms("Ar3", [[0, 0, 0], [3.8, 0, 0], [1.9, 3.3, 0]])
    provider = CalculatorForces(AseLennardJones(sigma=3.4, epsilon=0.0104, rc=20.0))
    settings = MDSettings(
        stages=(Stage(60, ensemble=Ensemble.NVE, temperature_start=5.0),), trajectory_every=3
    )
    result = quietly(settings, atoms, provider, tmp_path)
    assert result.stages[0].pressure is None
    assert result.stages[0].density is None
    assert abs(result.stages[0].energy_drift) < 0.1
    assert ",,," in (tmp_path / "thermo.csv").read_text()


def test_constant_pressure_needs_a_cell_and_free_atoms(tmp_path, argon):
    settings = MDSettings(stages=(Stage(10, ensemble=Ensemble.NPT),))
    with pytest.raises(InvalidInput, match="periodic"):
        quietly(settings, Atoms("Ar2", [[0, 0, 0], [4, 0, 0]]), LennardJones(), tmp_path)
    argon.set_constraint(FixAtoms([0]))
    with pytest.raises(InvalidInput, match="fixed"):
        quietly(settings, argon, LennardJones(), tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda atoms: atoms[:0], "no atoms"),
        (lambda atoms: _with_positions(atoms, np.nan), "finite"),
        (lambda atoms: Atoms("Ar", cell=np.zeros((3, 3)), pbc=False), None),
        (lambda atoms: Atoms("Ar", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 3]], pbc=True), "volume"),
        (lambda atoms: Atoms("XAr", [[0, 0, 0], [4, 0, 0]], cell=[20] * 3), "no element"),
    ],
)
def test_structures_that_cannot_move_are_refused(tmp_path, argon, change, message):
    settings = MDSettings(stages=(Stage(5, ensemble=Ensemble.NVE, temperature_start=30.0),))
    if message is None:
        provider = CalculatorForces(AseLennardJones())
        assert quietly(settings, change(argon), provider, tmp_path).steps == 5
    else:
        with pytest.raises(InvalidInput, match=message):
            quietly(settings, change(argon), LennardJones(), tmp_path)


def _with_positions(atoms, value):
    atoms.positions[0] = value
    return atoms


def test_velocities_of_the_structure_can_be_kept(tmp_path, argon):
    argon.set_velocities(np.random.default_rng(0).normal(0, 0.01, (108, 3)))
    settings = MDSettings(
        stages=(Stage(5, ensemble=Ensemble.NVE),), velocities=Velocities.KEEP, sample_every=1
    )
    quietly(settings, argon, LennardJones(), tmp_path)
    kinetic = read_thermo(tmp_path)["kinetic_energy_ev"][0]
    assert kinetic == pytest.approx(argon.get_kinetic_energy(), rel=1e-6)


def test_an_ase_calculator_gives_the_same_as_its_own_forces(argon):
    provider = CalculatorForces(AseLennardJones(sigma=3.4, epsilon=0.0104, rc=8.0))
    answer = provider.compute(argon.numbers, argon.positions, argon.cell.array, (True,) * 3)
    assert isinstance(answer, PlainEvaluation)
    assert answer.forces.shape == (108, 3)
    assert np.allclose(answer.stress, answer.stress.T)
    assert np.trace(answer.stress) != 0
