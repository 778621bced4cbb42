"""A committee that looks on while its first member moves the atoms."""

import io
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from mlmd.__main__ import main
from mlmd.errors import FormatError, InvalidInput
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import save_potential
from mlmd.launch import Resources
from mlmd.md import Ensemble, MDSettings, MDSpec, Stage, collect, prepare, run
from mlmd.md.committee import DISAGREEMENT_FILE, read_disagreement
from mlmd.md.forces import PotentialForces
from mlmd.trajectory import TrajectoryReader
from tests.mlmd.md.providers import soft_potential

SETTINGS = MDSettings(
    stages=(Stage(40, ensemble=Ensemble.NVT_LANGEVIN, temperature_start=300.0),),
    sample_every=5,
    trajectory_every=10,
    checkpoint_every=20,
    threads=1,
)


def scaled(potential, factor):
    """Return a potential with so many times the energy, and so the forces."""
    networks = {
        element: replace(
            network,
            weights=(*network.weights[:-1], factor * network.weights[-1]),
            biases=(*network.biases[:-1], factor * network.biases[-1]),
        )
        for element, network in potential.networks.items()
    }
    return replace(potential, networks=networks)


@pytest.fixture
def silicon():
    return bulk("Si", "diamond", a=5.43, cubic=True).repeat(2)


@pytest.fixture
def members():
    return soft_potential(), scaled(soft_potential(), 1.2)


@pytest.fixture
def training(tmp_path, members):
    for number, member in enumerate(members, start=1):
        save_potential(member, tmp_path / f"training/potential-{number}")
    return tmp_path / "training"


def test_spreads_are_those_of_the_stored_frames(tmp_path, silicon, members):
    """Forces F and 1.2 F lie 0.1 F from their mean."""
    result = run(
        SETTINGS, silicon, members[0], tmp_path / "run", stream=io.StringIO(), committee=members
    )
    table = read_disagreement(tmp_path / "run")
    assert table["step"].tolist() == [0, 10, 20, 30, 40]
    evaluator = Evaluator(members[0], threads=1)
    with TrajectoryReader(tmp_path / "run" / "trajectory.mtj") as reader:
        assert reader.steps.tolist() == table["step"].tolist()
        for row, frame in enumerate(reader):
            alone = evaluator.compute(silicon.numbers, frame.positions, frame.cell, (True,) * 3)
            forces = 100 * np.linalg.norm(alone.forces, axis=1)
            # The trajectory holds positions in single precision.
            assert table["largest_force_spread_mev_per_a"][row] == pytest.approx(
                forces.max(), rel=1e-3, abs=1e-2
            )
            assert table["mean_force_spread_mev_per_a"][row] == pytest.approx(
                forces.mean(), rel=1e-3, abs=1e-2
            )
            assert table["energy_spread_mev_per_atom"][row] == pytest.approx(
                100 * abs(alone.energy) / len(silicon), rel=1e-3
            )
    evaluator.close()
    worst = table["largest_force_spread_mev_per_a"].argmax()
    assert result.largest_force_spread == table["largest_force_spread_mev_per_a"][worst] > 1
    assert result.largest_force_spread_step == table["step"][worst]


def test_who_looks_on_changes_nothing(tmp_path, silicon, members):
    for name, committee in (("with", members), ("without", ())):
        run(
            SETTINGS,
            silicon,
            members[0],
            tmp_path / name,
            stream=io.StringIO(),
            committee=committee,
        )
    for name in ("thermo.csv", "trajectory.mtj"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()
    assert not (tmp_path / "without" / DISAGREEMENT_FILE).exists()
    assert collect(tmp_path / "without").largest_force_spread is None
    with pytest.raises(FormatError, match="committee"):
        read_disagreement(tmp_path / "without")


def test_a_killed_run_writes_the_same_rows(tmp_path, silicon, members):
    def go(name):
        run(
            SETTINGS,
            silicon,
            members[0],
            tmp_path / name,
            stream=io.StringIO(),
            committee=members,
        )

    go("whole")
    calls = iter(range(35))
    compute = PotentialForces.compute

    def die_at_last(self, *arguments):
        if next(calls, None) is None:
            raise MemoryError("killed")
        return compute(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PotentialForces, "compute", die_at_last)
        with pytest.raises(MemoryError):
            go("parts")
    path = tmp_path / "parts" / DISAGREEMENT_FILE
    assert len(path.read_text().splitlines()) == 5  # head, and steps 0 to 30 of which 20 is saved
    with path.open("a") as stream:
        stream.write("40,0.0")  # half of a row
    go("parts")
    assert path.read_bytes() == (tmp_path / "whole" / DISAGREEMENT_FILE).read_bytes()


def test_the_command_takes_a_training(tmp_path, silicon, training, capsys):
    silicon.write(tmp_path / "si.cif")
    arguments = ["md", "--committee", str(training), "--structure", str(tmp_path / "si.cif")]
    arguments += ["-o", str(tmp_path / "run"), "--steps", "20", "--trajectory-every", "10"]
    assert main([*arguments, "--threads", "1"]) == 0
    assert "the committee disagrees on forces by" in capsys.readouterr().out
    assert read_disagreement(tmp_path / "run")["step"].tolist() == [0, 10, 20]
    first = (training / "potential-1" / "weights.014.data").read_bytes()
    assert (tmp_path / "run" / "potential" / "weights.014.data").read_bytes() == first


def test_preparing_brings_the_log_back_and_looks_at_the_members(tmp_path, silicon, training):
    spec = MDSpec(SETTINGS, silicon, str(training / "potential-1"), Resources(), str(training))
    launch = prepare(spec, tmp_path / "run")
    assert DISAGREEMENT_FILE in launch.fetch
    assert DISAGREEMENT_FILE in launch.live
    alone = prepare(replace(spec, committee=None), tmp_path / "alone")
    assert DISAGREEMENT_FILE not in alone.fetch
    with pytest.raises(InvalidInput, match="potential-1"):
        prepare(replace(spec, committee=str(tmp_path)), tmp_path / "none")
