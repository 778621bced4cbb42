"""Frames that a run puts aside to be computed and trained on."""

import io
import json
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from mlmd.errors import FormatError, InvalidInput
from mlmd.hdnnp.files import save_potential
from mlmd.launch import Resources
from mlmd.md import (
    DisagreementStop,
    Ensemble,
    MDSettings,
    MDSpec,
    OnDisagreement,
    Stage,
    collect,
    prepare,
    run,
)
from mlmd.md.candidates import (
    CANDIDATES_FILE,
    SUMMARY_FILE,
    Levels,
    Measure,
    levels_of,
    outside_row,
    read_candidates,
    spread_out,
)
from mlmd.md.committee import read_disagreement
from mlmd.md.forces import EXTRAPOLATION, PotentialForces
from mlmd.md.launching import run_directory
from mlmd.md.settings import check_settings
from mlmd.notebook import hold, simulate
from mlmd.trajectory import TrajectoryReader
from tests.mlmd.md.providers import soft_potential
from tests.mlmd.md.test_committee import scaled

SETTINGS = MDSettings(
    stages=(Stage(40, ensemble=Ensemble.NVT_LANGEVIN, temperature_start=300.0),),
    sample_every=5,
    trajectory_every=2,
    checkpoint_every=20,
    candidates=5,
    threads=1,
)
EVERYTHING = Levels(1e-6, 1e6)


@pytest.fixture
def silicon():
    return bulk("Si", "diamond", a=5.43, cubic=True)


@pytest.fixture
def members():
    return soft_potential(), scaled(soft_potential(), 1.2)


@pytest.fixture
def training(tmp_path, members):
    """What a training of a committee leaves, with a spread of 1 meV/Å on held-out frames."""
    for number, member in enumerate(members, start=1):
        save_potential(member, tmp_path / f"training/potential-{number}")
    committee = {"version": 1, "members": 2, "held_out": True, "frames": []}
    committee |= {"energy_spread": 1.0, "force_spread": 1.0}
    (tmp_path / "training" / "committee.json").write_text(json.dumps(committee))
    return tmp_path / "training"


def go(settings, atoms, members, folder, levels=EVERYTHING):
    return run(
        settings, atoms, members[0], folder, stream=io.StringIO(), committee=members, levels=levels
    )


def test_the_largest_of_each_span_is_taken():
    values = np.array([1.0, 5.0, 2.0, 3.0, 9.0, 8.0])
    assert spread_out(values, 3).tolist() == [1, 3, 4]
    assert spread_out(values, 6).tolist() == [0, 1, 2, 3, 4, 5]
    assert spread_out(values, 0).tolist() == []


def test_candidates_lie_between_the_levels_and_are_frames_of_the_run(tmp_path, silicon, members):
    go(replace(SETTINGS, candidates=0), silicon, members, tmp_path / "first")
    spreads = read_disagreement(tmp_path / "first")["largest_force_spread_mev_per_a"]
    lower, upper = np.quantile(spreads, [0.2, 0.9])
    result = go(SETTINGS, silicon, members, tmp_path / "run", Levels(float(lower), float(upper)))
    found = read_candidates(tmp_path / "run")
    assert found.measure is Measure.FORCE_SPREAD
    assert (found.known, found.between, found.beyond) == (
        np.count_nonzero(spreads < lower),
        np.count_nonzero((spreads >= lower) & (spreads < upper)),
        np.count_nonzero(spreads >= upper),
    )
    assert found.frames == len(spreads) == 21
    assert result.candidates == len(found.chosen) == 5
    structures = ase.io.read(tmp_path / "run" / CANDIDATES_FILE, ":")
    with TrajectoryReader(tmp_path / "run" / "trajectory.mtj") as reader:
        for candidate, atoms in zip(found.chosen, structures, strict=True):
            assert lower <= candidate.value < upper
            assert atoms.info["step"] == candidate.step == reader.steps[candidate.frame]
            moved = atoms.get_scaled_positions() @ atoms.cell.array
            stored = reader[candidate.frame].positions
            shifts = (stored - moved) @ np.linalg.inv(atoms.cell.array)
            assert np.allclose(shifts, np.round(shifts), atol=1e-5)
            assert atoms.calc is None  # the potential's own energy is nothing to train on


def test_nothing_between_the_levels_leaves_no_file(tmp_path, silicon, members):
    result = go(SETTINGS, silicon, members, tmp_path, Levels(1e5, 1e6))
    assert result.candidates == 0
    assert not (tmp_path / CANDIDATES_FILE).exists()
    assert read_candidates(tmp_path).known == 21


@pytest.mark.parametrize("at", [15, 35])
def test_a_killed_run_puts_the_same_aside(tmp_path, silicon, members, at):
    go(SETTINGS, silicon, members, tmp_path / "whole")
    calls = iter(range(at))
    compute = PotentialForces.compute

    def die_at_last(self, *arguments):
        if next(calls, None) is None:
            raise MemoryError("killed")
        return compute(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PotentialForces, "compute", die_at_last)
        with pytest.raises(MemoryError):
            go(SETTINGS, silicon, members, tmp_path / "parts")
    (tmp_path / "parts" / CANDIDATES_FILE).write_text("half of a file")
    go(SETTINGS, silicon, members, tmp_path / "parts")
    for name in (CANDIDATES_FILE, SUMMARY_FILE, "outside.csv", "disagreement.csv"):
        one, other = tmp_path / "parts" / name, tmp_path / "whole" / name
        assert one.read_bytes() == other.read_bytes(), name


def test_a_limit_ends_the_run_with_a_reason(tmp_path, silicon, members):
    go(SETTINGS, silicon, members, tmp_path / "free")
    spreads = read_disagreement(tmp_path / "free")["largest_force_spread_mev_per_a"]
    limit = float(np.quantile(spreads, 0.5))
    first = int(np.flatnonzero(spreads > limit)[0])
    settings = replace(SETTINGS, disagreement_limit=limit)
    with pytest.raises(DisagreementStop, match="committee disagrees by"):
        go(settings, silicon, members, tmp_path / "stopped")
    result = collect(tmp_path / "stopped")
    assert (result.status, result.steps) == ("failed", 2 * first)
    assert "at most" in result.error
    assert result.frames == first + 1
    assert read_candidates(tmp_path / "stopped").frames == first + 1
    noted = go(
        replace(settings, on_disagreement=OnDisagreement.CONTINUE),
        silicon,
        members,
        tmp_path / "noted",
    )
    assert noted.status == "finished"
    count = np.count_nonzero(spreads > limit)
    assert any(f"{count} of 21 stored frames" in words for words in noted.warnings)


def test_levels_come_from_the_training(tmp_path, silicon, training):
    assert levels_of(SETTINGS, training) == Levels(2.0, 10.0)
    assert levels_of(replace(SETTINGS, candidate_upper=50.0), training) == Levels(2.0, 50.0)
    assert levels_of(SETTINGS, None) is None
    with pytest.raises(InvalidInput, match="less than candidate_upper"):
        check_settings(replace(SETTINGS, candidate_lower=5.0, candidate_upper=5.0))
    spec = MDSpec(SETTINGS, silicon, str(training / "potential-1"), Resources(), str(training))
    launch = prepare(spec, tmp_path / "run")
    assert CANDIDATES_FILE in launch.fetch
    assert SUMMARY_FILE in launch.live
    run_directory(tmp_path / "run", stream=io.StringIO())
    assert read_candidates(tmp_path / "run").levels == Levels(2.0, 10.0)
    (training / "committee.json").unlink()
    prepare(spec, tmp_path / "bare")
    result = run_directory(tmp_path / "bare", stream=io.StringIO())
    assert any("committee.json" in words for words in result.warnings)
    watching = replace(spec, settings=replace(SETTINGS, watch_committee=False))
    prepare(watching, tmp_path / "blind")
    run_directory(tmp_path / "blind", stream=io.StringIO())
    assert read_candidates(tmp_path / "blind").measure is Measure.OUTSIDE


def test_without_a_committee_extrapolating_frames_are_put_aside(tmp_path, silicon):
    """Descriptors of the perfect crystal are the whole range: whatever moves is outside of it."""
    potential = soft_potential()
    scaling = potential.scaling["Si"]
    narrow = replace(scaling, minimum=np.array([0.0]), maximum=np.array([1e-3]))
    potential = replace(potential, scaling={"Si": narrow})
    result = run(SETTINGS, silicon, potential, tmp_path, stream=io.StringIO())
    assert result.extrapolations
    found = read_candidates(tmp_path)
    assert found.measure is Measure.OUTSIDE
    assert found.between == 21
    assert result.candidates == len(ase.io.read(tmp_path / CANDIDATES_FILE, ":")) == 5


def test_from_python_in_one_call(tmp_path, silicon, training):
    values = {"candidate_lower": 1e-6, "candidate_upper": 1e6, "trajectory_every": 2}
    potential = training / "potential-1"
    alone = simulate(potential, silicon, tmp_path / "alone", hold(300, 10), threads=1)
    assert alone.candidates() == []
    run = simulate(
        potential, silicon, tmp_path / "run", hold(300, 10), committee=training, threads=1, **values
    )
    assert len(run.candidates()) == run.result.candidates > 1


def test_how_far_a_frame_is_outside():
    warnings = np.array(
        [(3, 0, 2.5, 0.0, 1.0), (3, 1, -1.0, 0.0, 2.0), (5, 0, 1.1, 0.0, 1.0)], dtype=EXTRAPOLATION
    )
    row = outside_row(7, 0.1, warnings)
    assert (row.atoms, row.excess) == (2, 1.5)


def test_damage_is_told(tmp_path):
    assert read_candidates(tmp_path) is None
    (tmp_path / SUMMARY_FILE).write_text('{"version": 9}')
    with pytest.raises(FormatError, match="another version"):
        read_candidates(tmp_path)
