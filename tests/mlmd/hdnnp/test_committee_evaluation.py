"""A committee at the same atoms: what each member says alone, and how far they disagree."""

from dataclasses import replace

import numpy as np
import pytest

from mlmd.errors import InvalidInput
from mlmd.hdnnp.committee import CommitteeEvaluator, load_members
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import save_potential
from mlmd.hdnnp.training import TrainingSettings
from mlmd.hdnnp.training.member import begin
from mlmd.hdnnp.training.setup import set_up
from tests.mlmd.training.materials import crystal


@pytest.fixture(scope="module")
def frames():
    return crystal(["Si", "O"], 6)


@pytest.fixture(scope="module")
def members(frames):
    setup = set_up(TrainingSettings(threads=1, cutoff_radius=4.0), frames)
    return [setup.potential(begin(setup, member).weights) for member in range(3)]


def asked(evaluator, frame):
    return evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc)


def test_every_member_says_what_it_says_alone_and_the_list_is_built_once(frames, members):
    committee = CommitteeEvaluator(members, threads=1)
    for shift in (0.0, 0.1):
        frame = replace(frames[0], positions=frames[0].positions + shift * np.eye(8, 3))
        said = asked(committee, frame)
        for member, potential in zip(said.members, members, strict=True):
            alone = asked(Evaluator(potential, threads=1), frame)
            assert member.energy == pytest.approx(alone.energy, rel=1e-12)
            np.testing.assert_allclose(member.forces, alone.forces, atol=1e-10)
    assert {member.list_rebuilds for member in committee.members} == {1}


def test_means_and_spreads_are_those_of_the_members(frames, members):
    said = asked(CommitteeEvaluator(members, threads=1), frames[1])
    forces = np.array([member.forces for member in said.members])
    assert said.energy == pytest.approx(np.mean([m.energy for m in said.members]))
    assert said.energy_spread == pytest.approx(np.std([m.energy for m in said.members]))
    np.testing.assert_allclose(said.forces, forces.mean(axis=0))
    # The variance of a vector is the sum of those of its components.
    np.testing.assert_allclose(said.force_spread**2, forces.var(axis=0).sum(axis=1))
    assert said.force_spread.shape == (8,)
    assert (said.force_spread > 0).all()


def test_equal_members_agree(frames, members):
    said = asked(CommitteeEvaluator([members[0]] * 2, threads=1), frames[2])
    assert said.energy_spread == 0.0
    np.testing.assert_array_equal(said.force_spread, 0.0)


def test_members_that_do_not_fit_are_refused(members):
    other = set_up(TrainingSettings(threads=1, cutoff_radius=4.5), crystal(["Si", "O"], 6))
    stranger = other.potential(begin(other).weights)
    with pytest.raises(InvalidInput, match="potential 2"):
        CommitteeEvaluator([members[0], stranger])
    with pytest.raises(InvalidInput, match="at least one"):
        CommitteeEvaluator([])


def test_members_are_read_in_their_order(members, frames, tmp_path):
    for place, potential in enumerate(members[:2], start=9):
        save_potential(potential, tmp_path / f"potential-{place}")
    read = load_members(tmp_path)
    for found, given in zip(read, members[:2], strict=True):
        alone, again = (asked(Evaluator(p, threads=1), frames[0]) for p in (given, found))
        assert again.energy == pytest.approx(alone.energy, rel=1e-9)
    with pytest.raises(InvalidInput, match="potential-1"):
        load_members(tmp_path / "potential-9")
