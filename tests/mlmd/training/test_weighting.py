"""Weights of frames: how they are read, and what they do to a training."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mlmd.errors import InvalidInput
from mlmd.hdnnp.training import TrainingSettings, train
from mlmd.hdnnp.training.kind_weights import parse_kind_weights
from mlmd.hdnnp.training.observations import observe, observe_energies
from mlmd.hdnnp.training.optimisers import make_optimiser
from mlmd.hdnnp.training.setup import set_up
from mlmd.hdnnp.training.state import CHECKPOINT_FILE
from mlmd.hdnnp.training.weighting import LARGE_CELL_SHARE, energy_scale, frame_weights
from mlmd.runs import Stopped, StopRequest
from tests.mlmd.training.materials import crystal, label

SHORT = TrainingSettings(
    epochs=4, threads=1, hidden_nodes="4", angular_widths="0.4", angular_zetas="1"
)


def frames():
    return crystal(["Si"], 12, kind="good") + crystal(["Si"], 12, seed=1, kind="bad")


def doubled():
    """Return cells of 24 atoms."""
    generator = np.random.default_rng(2)
    sites = 2.7 * np.array(list(np.ndindex(2, 2, 6)), float)
    cell = 2.7 * np.diag([2.0, 2.0, 6.0])
    return [label(["Si"] * 24, sites + generator.normal(0, 0.1, (24, 3)), cell) for _ in range(12)]


def weights_of(folder):
    return (folder / "potential" / "weights.014.data").read_bytes()


def test_weights_are_read_line_by_line():
    assert parse_kind_weights("liquid = 0.5\n\n surface (100)=2 \na = b = 0") == {
        "liquid": 0.5, "surface (100)": 2.0, "a = b": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["liquid", "= 2", "liquid = much", "liquid = -1", "a=1\na=2", "a = nan"])  # fmt: skip
def test_a_wrong_line_is_named(text):
    with pytest.raises(InvalidInput, match="kind_weights, line"):
        TrainingSettings(kind_weights=text)


def test_height_and_doubt_lower_a_weight():
    sure, high, unsure, foreign = crystal(["Si"], 4)
    unsure = replace(unsure, scf_converged=False)
    foreign = replace(foreign, label_source="ml", kind="far")
    given = (sure, high, unsure, foreign)
    heights = [-1.0, 1.0, -1.0, None]
    assert frame_weights(given, heights, {"far": 2.0}, 1.0, 0.3) == pytest.approx(
        (1, 0.2, 0.3, 0.6)
    )
    assert frame_weights(given, heights, {}, 0.0, 1.0) == (1.0, 1.0, 1.0, 1.0)


def test_a_weight_multiplies_squared_errors():
    plain = set_up(SHORT, frames())
    heavy = set_up(replace(SHORT, kind_weights="good = 4\nbad = 0"), frames())
    start = plain.model.initial(np.random.default_rng(0))

    def rows(setup, index):
        batch = list(setup.store.visit([index]))
        return observe(setup.model, start, batch, 8, 2.0, 1.0, np.random.default_rng(1))

    for plain_part, heavy_part in zip(rows(plain, 0), rows(heavy, 0), strict=True):
        np.testing.assert_allclose(heavy_part, 2.0 * plain_part, rtol=1e-12)
    assert len(rows(plain, 20)[1]) == 9
    assert len(rows(heavy, 20)[1]) == 0


def test_frames_without_weight_teach_nothing(tmp_path):
    wrong = [replace(f, forces=-f.forces) if f.kind == "bad" else f for f in frames()]
    errors = {}
    for text in ("", "bad = 0"):
        result = train(replace(SHORT, kind_weights=text), wrong, tmp_path / f"w{text}")
        errors[text] = next(
            group for group in result.by_kind if (group.name, group.part) == ("good", "training")
        )
    assert errors["bad = 0"].force_rmse < 0.3 * errors[""].force_rmse


def test_weights_of_one_change_no_byte(tmp_path):
    train(SHORT, frames(), tmp_path / "plain")
    train(replace(SHORT, kind_weights="good = 1"), frames(), tmp_path / "ones")
    assert weights_of(tmp_path / "plain") == weights_of(tmp_path / "ones")


def test_an_unknown_kind_is_said_and_no_weight_at_all_refused(tmp_path):
    result = train(replace(SHORT, epochs=1, kind_weights="ugly = 2"), frames(), tmp_path)
    assert "unknown-kind" in {notice.code for notice in result.notices}
    with pytest.raises(InvalidInput, match="weight above 0"):
        set_up(replace(SHORT, kind_weights="good = 0\nbad = 0"), frames())


def test_energies_count_by_the_atom_in_small_cells_and_as_a_whole_in_large_ones():
    assert energy_scale(20.0, 1) == 20.0
    assert energy_scale(20.0, 8) == 20.0 / 8
    assert energy_scale(20.0, 192) == energy_scale(20.0, 17) == 20.0 / LARGE_CELL_SHARE


def test_the_energy_of_a_large_cell_has_a_row_of_that_scale():
    small = set_up(SHORT, frames())
    large = set_up(SHORT, doubled())
    for setup, atoms, share in ((small, 8, 8), (large, 24, LARGE_CELL_SHARE)):
        batch = list(setup.store.visit([0]))
        weights = setup.model.initial(np.random.default_rng(0))
        if atoms == 24:
            rows, residuals = observe_energies(setup.model, weights, batch, 20.0)
        else:
            generator = np.random.default_rng(0)
            rows, residuals = observe(setup.model, weights, batch, 1, 20.0, 0.0, generator)
        prediction = setup.model.predict(weights, batch)
        assert batch[0].count == atoms
        error = batch[0].energy - prediction.energies[0]
        assert residuals[-1] == pytest.approx(20.0 / share * error)
        expected = setup.model.energy_rows(prediction, 1)[0] * 20.0 / share
        np.testing.assert_allclose(rows[-1], expected)


def test_a_training_on_large_cells_goes_on_with_what_it_saw_before(tmp_path, monkeypatch):
    """A new start between two updates looks at the same energies again."""
    train(SHORT, doubled(), tmp_path / "whole")
    asked = iter(range(1000))

    class StopsLater(StopRequest):
        requested = property(lambda self: next(asked) > 10, lambda self, value: None)

    with monkeypatch.context() as patch:
        patch.setattr("mlmd.hdnnp.training.run.StopRequest", StopsLater)
        with pytest.raises(Stopped):
            train(SHORT, doubled(), tmp_path / "parts")
    with np.load(tmp_path / "parts" / CHECKPOINT_FILE, allow_pickle=False) as data:
        assert len(data["recent"]) > 4
        assert int(json.loads(str(data["small"]))["cursor"]) > 0
    train(SHORT, doubled(), tmp_path / "parts")
    assert weights_of(tmp_path / "parts") == weights_of(tmp_path / "whole")


def test_large_cells_give_their_energies_in_a_step_of_their_own():
    for given, together, apart in ((frames(), 3, 0), (doubled(), 0, 3)):
        setup = set_up(SHORT, given)
        batch = list(setup.store.visit([0, 1, 2]))
        weights = setup.model.initial(np.random.default_rng(0))
        generator = np.random.default_rng(0)
        _, residuals = observe(setup.model, weights, batch, 6, 1.0, 0.0, generator)
        assert len(residuals) == 6 + together
        assert len(observe_energies(setup.model, weights, batch, 1.0)[1]) == apart
        assert len(observe_energies(setup.model, weights, batch, 0.0)[1]) == 0


def test_a_step_on_forces_and_one_on_energies_make_large_cells_right():
    setup = set_up(SHORT, doubled())
    batch = list(setup.store.visit(range(8)))
    generator = np.random.default_rng(0)
    weights = setup.model.initial(generator)
    steps = make_optimiser(SHORT, setup.model, 8, generator)

    def errors():
        said = setup.model.predict(weights, batch, with_forces=False).energies
        return np.abs(said - [frame.energy for frame in batch]).mean()

    first = errors()
    for _ in range(3):
        steps.visit(weights, batch[:4], batch[4:])
    assert errors() < 0.1 * first
