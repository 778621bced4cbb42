"""Stress: its rows in an update, what learning from it brings, and what is written of it."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.pruning import Selection
from mlmd.hdnnp.training import (
    CURVE_FILE,
    PARITY_FILE,
    TrainingSettings,
    load_parity,
    train,
)
from mlmd.hdnnp.training.observations import observe
from mlmd.hdnnp.training.setup import set_up
from mlmd.units import EV_PER_A3_IN_GPA
from tests.mlmd.training.materials import crystal, label, molecules

# All of the few functions: thinning them out would make a test of the stress one of the choice.
SHORT = TrainingSettings(
    epochs=6, threads=1, hidden_nodes="8 6", angular_widths="0.4", angular_zetas="1 2",
    descriptor_selection=Selection.NONE,
)  # fmt: skip


def stressed(frame):
    """Return the frame with the stress of its pair potential, by finite differences."""
    symbols = [{14: "Si", 8: "O"}[int(z)] for z in frame.numbers]
    stress, step = np.zeros((3, 3)), 1e-5
    for a in range(3):
        for b in range(3):
            energies = []
            for sign in (1, -1):
                change = np.eye(3)
                change[a, b] += 0.5 * sign * step
                change[b, a] += 0.5 * sign * step
                energies.append(
                    label(symbols, frame.positions @ change, frame.cell @ change).energy
                )
            stress[a, b] = (energies[0] - energies[1]) / (2 * step)
    return replace(frame, stress=stress / np.linalg.det(frame.cell))


@pytest.fixture(scope="module")
def frames():
    return [stressed(frame) for frame in crystal(["Si", "O"], 48)]


@pytest.fixture(scope="module")
def trained(frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stress")
    return {
        (weight, seed): train(
            replace(SHORT, stress_weight=weight, seed=seed), frames, folder / f"{weight}-{seed}"
        )
        for weight in (0.0, 1.0)
        for seed in (1, 2, 3)
    }


def test_learning_from_stress_lowers_its_error_and_harms_no_other(trained):
    def mean(weight, part, quantity):
        groups = [getattr(trained[weight, seed], part) for seed in (1, 2, 3)]
        return np.mean([getattr(group, quantity) for group in groups])

    assert mean(1.0, "training", "stress_rmse") < 0.2 * mean(0.0, "training", "stress_rmse")
    assert mean(1.0, "validation", "stress_rmse") < 0.5 * mean(0.0, "validation", "stress_rmse")
    assert mean(1.0, "validation", "energy_rmse") < mean(0.0, "validation", "energy_rmse")
    assert mean(1.0, "training", "force_rmse") < 1.1 * mean(0.0, "training", "force_rmse")
    assert mean(1.0, "validation", "force_rmse") < 1.1 * mean(0.0, "validation", "force_rmse")


def test_the_engine_gives_the_stress_that_was_trained(trained, frames):
    result = trained[1.0, 1]
    folder = result.potential.parent
    parity = load_parity(folder / PARITY_FILE)
    evaluator = Evaluator(load_potential(result.potential), threads=1)
    assert len(parity.stress_row) == 6 * len(frames)
    order = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])
    for row, index in enumerate(parity.frame):
        frame = frames[index]
        said = evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc)
        here = parity.stress_row == row
        np.testing.assert_allclose(
            said.stress[order] * EV_PER_A3_IN_GPA, parity.stress_predicted[here], atol=1e-4
        )
        np.testing.assert_allclose(
            frame.stress[order] * EV_PER_A3_IN_GPA, parity.stress_reference[here], rtol=1e-12
        )
    held = parity.validation[parity.stress_row]
    errors = (parity.stress_predicted - parity.stress_reference)[held]
    assert result.validation.stress_rmse == pytest.approx(np.sqrt(np.mean(errors**2)))


def test_the_learning_curve_has_the_stress(trained):
    result = trained[1.0, 1]
    folder = result.potential.parent
    rows = list(csv.DictReader((folder / CURVE_FILE).read_text().splitlines()))
    best = float(rows[result.best_epoch - 1]["validation_stress_rmse_gpa"])
    assert best == pytest.approx(result.validation.stress_rmse, abs=1e-3)


def test_rows_are_slopes_by_weights(frames):
    setup = set_up(SHORT, frames[:4])
    batch = list(setup.store.visit([0, 2]))
    weights = setup.model.initial(np.random.default_rng(0))

    def rows(w, *, stress):
        generator = np.random.default_rng(1)
        return observe(setup.model, w, batch, 2, 0.0, stress, generator)

    jacobian, residuals = rows(weights, stress=3.0)
    few = len(rows(weights, stress=0.0)[1])
    assert len(residuals) == few + 12
    for column in range(0, len(weights), 7):
        moved = []
        for sign in (1, -1):
            shifted = weights.copy()
            shifted[column] += sign * 1e-5
            moved.append(rows(shifted, stress=3.0)[1][few:])
        # Residuals are reference minus model.
        slope = (moved[1] - moved[0]) / 2e-5
        np.testing.assert_allclose(jacobian[few:, column], slope, atol=1e-6)


def test_only_periodic_frames_have_a_stress(tmp_path):
    frames = [replace(frame, stress=np.eye(3)) for frame in molecules(8)]
    result = train(replace(SHORT, epochs=1), frames, tmp_path)
    assert result.training.stress_rmse is None
    assert load_parity(tmp_path / PARITY_FILE).stress_row.size == 0
