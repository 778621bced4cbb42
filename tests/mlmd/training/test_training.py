"""A training as a whole: what it writes, that it repeats, stops and goes on exactly."""

import csv
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlmd.data import silicon_frames
from mlmd.errors import InvalidInput
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.potential import Activation
from mlmd.hdnnp.training import (
    CHECKPOINT_FILE,
    CURVE_COLUMNS,
    CURVE_FILE,
    PARITY_FILE,
    TrainingFailed,
    TrainingSettings,
    TrainingSpec,
    collect,
    load_parity,
    prepare,
    run_directory,
    train,
)
from mlmd.hdnnp.training.kalman import KalmanFilter
from mlmd.hdnnp.training.model import Model
from mlmd.hdnnp.training.optimisers import covariance_blocks
from mlmd.hdnnp.training.setup import set_up
from mlmd.hdnnp.training.store import FrameStore
from mlmd.runs import Stopped, StopRequest
from tests.mlmd.training.materials import crystal, molecules

SHORT = TrainingSettings(
    epochs=4, threads=1, hidden_nodes="8 6", angular_widths="0.4", angular_zetas="1 2"
)
REPOSITORY = Path(__file__).resolve().parents[3]


def frames():
    return crystal(["Si", "O"], 14, kind="crystal") + molecules(6, kind="molecule")


def weights(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "potential").iterdir())}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return train(SHORT, frames(), folder), folder


def test_training_learns(trained):
    result, folder = trained
    rows = list(csv.DictReader((folder / CURVE_FILE).read_text().splitlines()))
    assert tuple(rows[0]) == CURVE_COLUMNS
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    spread = np.concatenate([f.forces.ravel() for f in frames()]).std() * 1000
    assert result.validation.force_rmse < 0.5 * spread
    assert float(rows[-1]["seconds"]) >= float(rows[0]["seconds"]) > 0


def test_the_written_potential_is_what_was_trained(trained):
    result, folder = trained
    parity = load_parity(folder / PARITY_FILE)
    evaluator = Evaluator(load_potential(result.potential), threads=1)
    given = frames()
    for row, index in enumerate(parity.frame):
        frame = given[index]
        said = evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc)
        assert said.energy / len(frame) == pytest.approx(parity.energy_predicted[row], abs=1e-9)
        # Gradients are kept in single precision while training.
        np.testing.assert_allclose(
            said.forces.ravel(), parity.force_predicted[parity.force_row == row], atol=2e-5
        )


def test_the_result_says_what_was_done(trained):
    result, folder = trained
    assert result == collect(folder)
    assert result.elements == ("H", "O", "Si")
    assert result.frames_training + result.frames_validation == 20
    assert len(result.validation_indices) == result.frames_validation == 3
    assert {(g.name, g.part) for g in result.by_kind} >= {("crystal", "training")}
    assert {g.name for g in result.by_element} == {"H", "O", "Si"}
    assert result.settings["seed"] == result.seed == 1
    assert set(result.versions) == {"mlmd", "python", "numpy", "scipy"}
    parity = load_parity(folder / PARITY_FILE)
    held = parity.validation[parity.force_row]
    error = (parity.force_predicted - parity.force_reference)[held].astype(float)
    assert result.validation.force_rmse == pytest.approx(
        1000 * np.sqrt(np.mean(error**2)), rel=1e-6
    )
    progress = json.loads((folder / "progress.json").read_text())
    assert progress["fraction"] == 1
    assert progress["epoch"] == 4


def test_a_seed_gives_the_same_bytes_and_another_seed_others(trained, tmp_path):
    _, folder = trained
    train(SHORT, frames(), tmp_path / "again")
    assert weights(tmp_path / "again") == weights(folder)
    train(replace(SHORT, seed=2), frames(), tmp_path / "other")
    assert weights(tmp_path / "other") != weights(folder)


def test_bounded_memory_gives_the_same_bytes(trained, tmp_path, monkeypatch):
    _, folder = trained
    kept = []
    original = FrameStore.keep
    monkeypatch.setattr(
        FrameStore, "keep", lambda self, frame: (original(self, frame), kept.append(self.used))
    )
    train(replace(SHORT, memory_limit_mb=1), frames(), tmp_path)
    assert max(kept) <= 1_000_000
    assert weights(tmp_path) == weights(folder)


class StopAfter(StopRequest):
    """Asks to stop when it was looked at so many times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    @property
    def requested(self) -> bool:
        self.looks -= 1
        if self.looks == 0:
            self.request(signal.SIGXCPU)
        return self.signal_number is not None


@pytest.mark.parametrize("looks", [4, 12, 20])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    trained, tmp_path, looks, monkeypatch
):
    _, folder = trained
    with monkeypatch.context() as patch:
        patch.setattr("mlmd.hdnnp.training.run.StopRequest", lambda: StopAfter(looks))
        with pytest.raises(Stopped) as stopped:
            train(SHORT, frames(), tmp_path)
    assert stopped.value.exit_code == 124
    assert not (tmp_path / "result.json").exists()
    train(SHORT, frames(), tmp_path)
    assert weights(tmp_path) == weights(folder)
    with_seconds = [
        [row[:-1] for row in csv.reader((at / CURVE_FILE).read_text().splitlines())]
        for at in (tmp_path, folder)
    ]
    assert with_seconds[0] == with_seconds[1]


def test_a_finished_training_can_be_made_longer(trained, tmp_path):
    train(replace(SHORT, epochs=2), frames(), tmp_path)
    result = train(SHORT, frames(), tmp_path)
    assert result.epochs == 4
    assert weights(tmp_path) == weights(trained[1])


def test_a_checkpoint_of_other_data_is_refused(trained, tmp_path):
    _, folder = trained
    (tmp_path / CHECKPOINT_FILE).write_bytes((folder / CHECKPOINT_FILE).read_bytes())
    with pytest.raises(InvalidInput, match="other data or settings"):
        train(SHORT, frames()[:-1], tmp_path)
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InvalidInput, match="not readable"):
        train(SHORT, frames(), tmp_path)


def test_the_best_epoch_is_kept_and_patience_ends_the_run(tmp_path):
    settings = replace(SHORT, epochs=40, patience=3)
    result = train(settings, frames(), tmp_path)
    rows = list(csv.DictReader((tmp_path / CURVE_FILE).read_text().splitlines()))
    combined = [
        float(row["validation_force_rmse_mev_per_a"])
        + 10 * float(row["validation_energy_rmse_mev_per_atom"])
        for row in rows
    ]
    assert result.best_epoch == int(np.argmin(combined)) + 1
    best = rows[result.best_epoch - 1]
    assert result.validation.force_rmse == pytest.approx(
        float(best["validation_force_rmse_mev_per_a"]), abs=0.01
    )
    assert result.stopped_early == (result.epochs < 40)
    if result.stopped_early:
        assert result.epochs == result.best_epoch + 3


def test_a_breakdown_begins_anew_and_at_last_is_said(tmp_path, monkeypatch):
    def broken(*_):
        raise FloatingPointError("not finite")

    monkeypatch.setattr(KalmanFilter, "update", broken)
    with pytest.raises(TrainingFailed, match="4 times"):
        train(SHORT, frames(), tmp_path)


def test_large_networks_are_split_into_blocks():
    model = Model([30, 40], (20, 20), Activation.TANH)
    first, second = (network.end - network.start for network in model.networks)
    assert covariance_blocks(model, 10_000) == ((0, first + second),)
    assert covariance_blocks(model, 2000) == ((0, first), (first, first + second))
    blocks = covariance_blocks(model, 500)
    assert blocks[0][0] == 0
    assert blocks[-1][1] == model.weight_count
    assert all(a[1] == b[0] for a, b in itertools.pairwise(blocks))
    assert max(end - start for start, end in blocks) <= 500


def test_training_in_blocks_learns_too(tmp_path):
    result = train(replace(SHORT, largest_block=100), frames(), tmp_path)
    spread = np.concatenate([f.forces.ravel() for f in frames()]).std() * 1000
    assert result.training.force_rmse < 0.6 * spread


def test_a_run_directory_is_prepared_run_and_collected(tmp_path):
    launch = prepare(TrainingSpec(SHORT, iter(frames()), "mine", "abc"), tmp_path)
    assert launch.commands[0].argv == ("mlmd", "train", "--run-dir", ".")
    assert launch.resources.walltime_s >= 600
    assert run_directory(tmp_path) == collect(tmp_path)
    produced = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    for pattern in launch.fetch:
        assert any(Path(name).match(pattern) for name in produced), pattern
    with pytest.raises(InvalidInput, match="no frames"):
        prepare(TrainingSpec(SHORT, []), tmp_path / "empty")


def test_an_unfinished_run_can_not_be_collected(tmp_path):
    with pytest.raises(InvalidInput, match=r"result\.json"):
        collect(tmp_path)


def test_a_real_signal_stops_the_program_in_order(tmp_path):
    settings = replace(SHORT, epochs=100_000, patience=100_000, checkpoint_interval=0.0)
    prepare(TrainingSpec(settings, frames()), tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "mlmd", "train", "--run-dir", str(tmp_path)],
        cwd=REPOSITORY, env={**os.environ, "NUMBA_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / CHECKPOINT_FILE).exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.terminate()
        assert process.wait(60) == 143
    finally:
        process.kill()
        process.stderr.close()
    with np.load(tmp_path / CHECKPOINT_FILE, allow_pickle=False) as data:
        assert len(data["curve"]) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_silicon_reaches_its_target_with_default_settings(seed, tmp_path):
    result = train(TrainingSettings(seed=seed, threads=2), silicon_frames(), tmp_path)
    assert result.validation.energy_rmse <= 15.0
    assert result.validation.force_rmse <= 150.0
    assert result.frames_validation >= 31


def test_scaling_knows_nothing_of_held_out_frames():
    whole = set_up(SHORT, frames())
    learned = [whole.frames[index] for index in whole.training]
    alone = set_up(replace(SHORT, validation_fraction=0.0), learned)
    assert whole.functions == alone.functions
    for element in whole.elements:
        np.testing.assert_array_equal(
            whole.scaling[element].maximum, alone.scaling[element].maximum
        )
        np.testing.assert_allclose(whole.scaling[element].sigma, alone.scaling[element].sigma)
    np.testing.assert_array_equal(whole.conversion.atom_energies, alone.conversion.atom_energies)
