"""Adam and L-BFGS: their loss and its slope, what they reach, and that they go on exactly."""

import signal
from dataclasses import replace

import numpy as np
import pytest

from mlmd.hdnnp.training import OptimiserName, TrainingSettings, train
from mlmd.hdnnp.training.descent import LimitedMemoryBfgs, objective
from mlmd.hdnnp.training.optimisers import make_optimiser
from mlmd.hdnnp.training.setup import set_up
from mlmd.runs import Stopped, StopRequest
from tests.mlmd.training.materials import crystal, molecules

SHORT = TrainingSettings(
    epochs=150, patience=150, threads=1, hidden_nodes="8 6", angular_widths="0.4", angular_zetas="1"
)
DESCENTS = (OptimiserName.LBFGS, OptimiserName.ADAM)


def frames():
    """Some with a stress, some without a cell, one without forces, one without an energy."""
    first, second, *others = crystal(["Si", "O"], 10)
    given = [replace(frame, stress=0.01 * np.eye(3)) for frame in others[:2]]
    lame = [replace(first, forces=None), replace(second, energy=None)]
    return [*lame, *given, *others[2:], *molecules(4, kind="molecule")]


def weights_of(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "potential").iterdir())}


@pytest.fixture(scope="module")
def setup():
    return set_up(replace(SHORT, kind_weights="molecule = 3", stress_weight=2.0), frames())


def test_the_gradient_is_the_slope_of_the_loss(setup):
    evaluate = objective(setup.model, setup.settings)
    batch = list(setup.store.visit(range(len(setup.frames))))
    weights = setup.model.initial(np.random.default_rng(0))
    _, gradient = evaluate(weights, batch)
    step = 1e-5
    for column in range(0, len(weights), 11):
        losses = []
        for sign in (1, -1):
            shifted = weights.copy()
            shifted[column] += sign * step
            losses.append(evaluate(shifted, batch)[0])
        slope = (losses[0] - losses[1]) / (2 * step)
        assert gradient[column] == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_the_filters_rows_are_those_of_the_gradient(setup):
    weights = setup.model.initial(np.random.default_rng(0))
    batch = list(setup.store.visit([5, 6]))
    prediction = setup.model.predict(weights, batch)
    forces = [np.random.default_rng(k).normal(size=3 * f.count) for k, f in enumerate(batch)]
    everything = [np.arange(3 * f.count) for f in batch]
    rows = setup.model.force_rows(weights, prediction, batch, everything)
    nothing = [np.zeros(6)] * 2
    gradient = setup.model.gradient(weights, prediction, batch, np.zeros(2), forces, nothing)
    np.testing.assert_allclose(gradient, np.concatenate(forces) @ rows, rtol=1e-9, atol=1e-9)


def test_bfgs_finds_the_lowest_point_of_a_curved_valley():
    def rosenbrock(w, _):
        x, y = w
        gradient = np.array([-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)])
        return 100 * (y - x * x) ** 2 + (1 - x) ** 2, gradient

    weights, bfgs = np.array([-1.2, 1.0]), LimitedMemoryBfgs(rosenbrock, 2)
    for _ in range(80):
        bfgs.visit(weights, [])
        bfgs.end_epoch(weights)
    np.testing.assert_allclose(weights, 1.0, atol=1e-6)


def test_bfgs_steps_back_from_where_the_loss_is_not_finite():
    def cliff(w, _):
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(w[0] - np.log(w[0])), 1.0 - 1.0 / w

    weights, bfgs = np.array([1e-3]), LimitedMemoryBfgs(cliff, 1)
    for _ in range(60):
        bfgs.visit(weights, [])
        bfgs.end_epoch(weights)
    assert weights[0] == pytest.approx(1.0, abs=1e-6)
    bad = LimitedMemoryBfgs(lambda w, _: (np.nan, w), 1)
    bad.visit(weights, [])
    with pytest.raises(FloatingPointError):
        bad.end_epoch(weights)


@pytest.mark.parametrize(("name", "part"), list(zip(DESCENTS, (0.1, 0.4), strict=True)))
def test_it_learns(name, part, tmp_path):
    settings = replace(SHORT, optimiser=name, learning_rate=0.02)
    result = train(settings, crystal(["Si"], 16), tmp_path)
    spread = np.concatenate([f.forces.ravel() for f in crystal(["Si"], 16)]).std() * 1000
    assert result.training.force_rmse < part * spread
    assert result.validation.force_rmse < part * spread
    assert "few-epochs" in {notice.code for notice in result.notices}


class StopAfter(StopRequest):
    """Asks to stop when it was looked at so many times."""

    looks = 40

    @property
    def requested(self):
        self.looks -= 1
        if self.looks == 0:
            self.request(signal.SIGTERM)
        return self.signal_number is not None


@pytest.mark.parametrize("name", DESCENTS)
def test_it_repeats_and_goes_on_exactly(name, tmp_path, monkeypatch):
    settings = replace(SHORT, optimiser=name, epochs=16)
    train(settings, frames(), tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr("mlmd.hdnnp.training.run.StopRequest", StopAfter)
        with pytest.raises(Stopped):
            train(settings, frames(), tmp_path / "cut")
    train(settings, frames(), tmp_path / "cut")
    assert weights_of(tmp_path / "cut") == weights_of(tmp_path / "whole")


@pytest.mark.parametrize("name", OptimiserName)
def test_what_it_remembers_is_all_of_it(name, setup):
    settings = replace(setup.settings, optimiser=name)
    batch = list(setup.store.visit([4, 5, 6]))

    def fresh():
        return make_optimiser(settings, setup.model, 3, np.random.default_rng(1))

    def work(optimiser, weights, rounds):
        for _ in range(rounds):
            optimiser.visit(weights, batch)
            optimiser.end_epoch(weights)

    first, whole = fresh(), setup.model.initial(np.random.default_rng(0))
    work(first, whole, 4)
    begun, parted = fresh(), setup.model.initial(np.random.default_rng(0))
    work(begun, parted, 2)
    taken = fresh()
    taken.restore({key: array.copy() for key, array in begun.state().items()})
    if name is OptimiserName.KALMAN:
        taken.generator = begun.generator
    work(taken, parted, 2)
    np.testing.assert_array_equal(parted, whole)
