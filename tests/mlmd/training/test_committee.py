"""Several potentials from one run."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest

from mlmd.errors import InvalidInput
from mlmd.hdnnp.derivatives import DescriptorSet
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.training import (
    CHECKPOINT_FILE,
    COMMITTEE_FILE,
    CURVE_FILE,
    TrainingSettings,
    TrainingSpec,
    load_committee,
    prepare,
    train,
)
from mlmd.hdnnp.training.store import FrameStore
from mlmd.runs import Stopped, StopRequest
from tests.mlmd.training.materials import crystal

SHORT = TrainingSettings(
    epochs=3, threads=1, hidden_nodes="6", angular_widths="0.4", angular_zetas="1", committee=3
)


def frames():
    return crystal(["Si"], 18, kind="crystal")


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("committee")
    return train(SHORT, frames(), folder), folder


def test_the_first_member_is_the_potential_and_the_others_differ(trained, tmp_path):
    _, folder = trained
    members = [files(folder / f"potential-{k}") for k in (1, 2, 3)]
    assert members[0] == files(folder / "potential")
    assert len({member["weights.014.data"] for member in members}) == 3
    assert len({member["scaling.data"] for member in members}) == 1
    train(replace(SHORT, committee=1), frames(), tmp_path)
    assert files(tmp_path / "potential") == members[0]
    assert not (tmp_path / COMMITTEE_FILE).exists()


def test_disagreement_is_that_of_the_written_potentials(trained):
    result, folder = trained
    committee = load_committee(folder / COMMITTEE_FILE)
    assert (committee.members, committee.held_out) == (3, True)
    assert [entry.frame for entry in committee.frames] == list(result.validation_indices)
    members = [Evaluator(load_potential(folder / f"potential-{k}"), threads=1) for k in (1, 2, 3)]
    for entry in committee.frames:
        frame = frames()[entry.frame]
        said = [m.compute(frame.numbers, frame.positions, frame.cell, frame.pbc) for m in members]
        energies = np.array([s.energy for s in said]) / len(frame)
        assert entry.energy_spread == pytest.approx(1000 * energies.std(), abs=1e-6)
        forces = np.array([s.forces for s in said])
        spread = np.linalg.norm(forces - forces.mean(axis=0), axis=2)
        largest = np.sqrt((spread**2).mean(axis=0)).max()
        assert entry.force_spread == pytest.approx(1000 * largest, abs=0.1)
        error = 1000 * abs(said[0].energy - frame.energy) / len(frame)
        assert entry.energy_error == pytest.approx(error, abs=1e-6)
    errors = [entry.force_error for entry in committee.frames]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(result.validation.force_rmse, 1e-5)


def test_descriptors_are_worked_out_once(tmp_path, monkeypatch):
    calls = []
    original = DescriptorSet.derivatives
    monkeypatch.setattr(
        DescriptorSet,
        "derivatives",
        lambda self, *arguments: (calls.append(1), original(self, *arguments))[1],
    )
    train(SHORT, frames(), tmp_path)
    assert len(calls) == 18


def test_a_frame_that_is_not_kept_is_worked_out_once_for_all_members(tmp_path, monkeypatch):
    monkeypatch.setattr(FrameStore, "keep", lambda self, frame: None)
    calls = []
    original = FrameStore.prepare
    monkeypatch.setattr(
        FrameStore,
        "prepare",
        lambda self, index: (calls.append(index), original(self, index))[1],
    )
    counts = []
    for members in (2, 3):
        calls.clear()
        train(replace(SHORT, committee=members), frames(), tmp_path / str(members))
        counts.append(len(calls))
    assert counts[0] == counts[1]


def test_threads_change_no_byte(trained, tmp_path):
    _, folder = trained
    train(replace(SHORT, threads=3), frames(), tmp_path)
    for k in (1, 2, 3):
        assert files(tmp_path / f"potential-{k}") == files(folder / f"potential-{k}")
    assert (tmp_path / COMMITTEE_FILE).read_bytes() == (folder / COMMITTEE_FILE).read_bytes()


def test_every_member_ends_when_it_has_learned_all_it_can(tmp_path):
    train(replace(SHORT, epochs=40, patience=2), frames(), tmp_path)
    epochs = []
    for place in (tmp_path, tmp_path / "member-2", tmp_path / "member-3"):
        with np.load(place / CHECKPOINT_FILE, allow_pickle=False) as data:
            small = json.loads(str(data["small"]))
        assert small["epoch"] in (small["best_epoch"] + 2, 40)
        assert len((place / CURVE_FILE).read_text().splitlines()) == small["epoch"] + 1
        epochs.append(small["epoch"])
    assert len(set(epochs)) > 1


class StopAfter(StopRequest):
    """Asks to stop in the middle of the second epoch."""

    looks = 12

    @property
    def requested(self):
        self.looks -= 1
        if self.looks == 0:
            self.request(signal.SIGTERM)
        return self.signal_number is not None


def test_it_goes_on_within_a_member_and_may_be_enlarged(trained, tmp_path, monkeypatch):
    _, folder = trained
    with monkeypatch.context() as patch:
        patch.setattr("mlmd.hdnnp.training.run.StopRequest", StopAfter)
        with pytest.raises(Stopped):
            train(replace(SHORT, committee=2), frames(), tmp_path)
    assert (tmp_path / "member-2" / "checkpoint.npz").exists()
    train(SHORT, frames(), tmp_path)
    for k in (1, 2, 3):
        assert files(tmp_path / f"potential-{k}") == files(folder / f"potential-{k}")
    assert (tmp_path / COMMITTEE_FILE).read_bytes() == (folder / COMMITTEE_FILE).read_bytes()


def test_a_launch_brings_every_potential_back(tmp_path):
    fetch = prepare(TrainingSpec(SHORT, frames()), tmp_path).fetch
    assert {"potential-3/*", "potential/*", COMMITTEE_FILE} <= set(fetch)


def test_damaged_files_are_refused(tmp_path):
    (tmp_path / COMMITTEE_FILE).write_text('{"version": 1, "frames": [{}]}')
    with pytest.raises(InvalidInput, match="don't fit"):
        load_committee(tmp_path / COMMITTEE_FILE)
