"""Training under a repulsion of nuclei: the networks learn the rest, the potential has both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlmd.data import silicon_frames
from mlmd.errors import InvalidInput
from mlmd.frame import Frame
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.training import TrainingSettings, collect, load_parity, train
from mlmd.hdnnp.training.setup import set_up

QUICK = TrainingSettings(epochs=8, threads=1, hidden_nodes="10")
CELL = np.diag([20.0, 20.0, 20.0])


def dimer(potential, distance: float):
    positions = np.array([[5.0, 5.0, 5.0], [5.0 + distance, 5.0, 5.0]])
    return Evaluator(potential, 1).compute([14, 14], positions, CELL, True)


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    frames = list(silicon_frames())[::3]
    found = {}
    for name, settings in (("plain", QUICK), ("repelling", replace(QUICK, repulsion=True))):
        folder = tmp_path_factory.mktemp(name)
        train(settings, frames, folder)
        found[name] = folder, collect(folder)
    return found


def test_atoms_far_below_a_bond_push_each_other_away(fits):
    folder, _ = fits["repelling"]
    potential = load_potential(folder / "potential")
    assert potential.repulsion is not None
    near, nearer = dimer(potential, 0.8), dimer(potential, 0.5)
    assert near.forces[1, 0] > 100.0
    assert nearer.forces[1, 0] > 2 * near.forces[1, 0]
    assert nearer.energy > near.energy > dimer(potential, 2.3).energy + 30.0
    assert load_potential(fits["plain"][0] / "potential").repulsion is None


def test_errors_stay_what_they_were(fits):
    plain, repelling = (fits[name][1].validation for name in ("plain", "repelling"))
    # The bundled data have no pair within the outer radius.
    assert repelling.energy_rmse == pytest.approx(plain.energy_rmse, rel=1e-6)
    assert repelling.force_rmse == pytest.approx(plain.force_rmse, rel=1e-6)


def test_labels_are_learned_without_the_repulsion_and_shown_with_it(tmp_path):
    frames = [squeezed(frame, 0.8) for frame in list(silicon_frames())[:24]]
    settings = replace(
        QUICK, epochs=2, repulsion=True, repulsion_inner=0.5, repulsion_outer=1.05,
        shortest_distance=0.1, largest_force=1e6, stress_weight=0.1,
    )  # fmt: skip
    setup = set_up(settings, frames)
    assert max(part.energy for part in setup.short_range) > 1.0
    for index, learned, part in zip(
        setup.survey.kept, setup.frames, setup.short_range, strict=True
    ):
        assert learned.energy + part.energy == pytest.approx(frames[index].energy)
        np.testing.assert_allclose(learned.forces + part.forces, frames[index].forces, atol=1e-9)
    train(settings, frames, tmp_path)
    parity = load_parity(tmp_path / "parity.npz")
    potential = load_potential(tmp_path / "potential")
    evaluator = Evaluator(potential, 1)
    for row, index in enumerate(parity.frame):
        frame = frames[index]
        said = evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc)
        assert parity.energy_reference[row] == pytest.approx(frame.energy / len(frame))
        assert parity.energy_predicted[row] == pytest.approx(said.energy / len(frame), rel=1e-6)
        mine = parity.force_row == row
        np.testing.assert_allclose(
            parity.force_predicted[mine], said.forces.ravel(), rtol=1e-3, atol=1e-3
        )
        np.testing.assert_allclose(
            parity.force_reference[mine], frame.forces.ravel(), rtol=1e-5, atol=1e-4
        )
        stress = 160.2176634 * said.stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        mine = parity.stress_row == row
        np.testing.assert_allclose(parity.stress_predicted[mine], stress, rtol=1e-3, atol=1e-2)


def squeezed(frame: Frame, factor: float) -> Frame:
    """A frame whose atoms are nearer; its labels are no longer right, which nothing here needs."""
    return replace(frame, positions=frame.positions * factor, cell=frame.cell * factor)


def test_radii_the_wrong_way_round_are_refused():
    with pytest.raises(InvalidInput, match="repulsion_inner"):
        TrainingSettings(repulsion_inner=0.7, repulsion_outer=0.6)


def test_checkpoints_from_before_still_fit():
    frames = list(silicon_frames())[:12]
    other = replace(QUICK, repulsion_inner=0.2)
    assert set_up(QUICK, frames).fingerprint == set_up(other, frames).fingerprint
    assert (
        set_up(replace(QUICK, repulsion=True), frames).fingerprint
        != set_up(QUICK, frames).fingerprint
    )
