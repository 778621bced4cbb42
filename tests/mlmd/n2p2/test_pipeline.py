"""From frames to a potential with n2p2's programs: order, repetition, failures, documents."""

from __future__ import annotations

import gzip
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import mongomock
import numpy as np
import pymongo
import pytest

import mlmd
from mlmd.data import silicon_frames
from mlmd.documents import frame_to_document
from mlmd.errors import InvalidInput
from mlmd.external.gathering import gather_vasp
from mlmd.external.pipeline import digest
from mlmd.formats import read_frames, write_frames
from mlmd.frame import Frame
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.training import load_parity
from mlmd.n2p2 import Batch, BatchSystem, N2p2, ProgramFailed, Programs
from tests.mlmd.formats.vasprun_files import vasprun
from tests.mlmd.n2p2.random_potential import potential_for
from tests.mlmd.training.materials import crystal, label

QUIET = {"told": lambda fraction, words: None, "hidden_nodes": "3"}


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return crystal(["Fe"], 12, seed=3)


def calls(folder: Path) -> list[str]:
    return [line.split()[0] for line in (folder / "calls.log").read_text().splitlines()]


def test_it_is_imported_as_the_guide_says() -> None:
    assert mlmd.N2p2 is N2p2


def test_each_step_is_one_line_and_leaves_its_files(frames, programs, tmp_path) -> None:
    n2p2 = N2p2(frames, tmp_path / "run", programs=programs, epochs=4, **QUIET)
    assert n2p2.write_nn().done
    assert n2p2.write_data().done
    assert n2p2.normalize().done
    assert n2p2.scaling().done
    assert n2p2.train().done
    assert n2p2.predict().done
    assert calls(tmp_path / "run") == ["nnp-norm", "nnp-scaling", "nnp-train", "nnp-dataset"]
    potential = n2p2.potential()
    assert potential.elements == ("Fe",)
    assert potential.normalisation.conv_energy == 8.0
    assert float(potential.networks["Fe"].weights[0][0, 0]) == 0.04  # of epoch 3, the best


def test_a_second_script_does_nothing_again(frames, programs, tmp_path) -> None:
    first = N2p2(frames, tmp_path / "run", programs=programs, epochs=2, **QUIET).run()
    again = N2p2(frames, tmp_path / "run", programs=programs, epochs=2, **QUIET)
    assert again.run().best_epoch == first.best_epoch == 1
    assert not again.train().done
    assert len(calls(tmp_path / "run")) == 4


def test_other_settings_run_what_depends_on_them(frames, programs, tmp_path) -> None:
    N2p2(frames, tmp_path / "run", programs=programs, epochs=2, **QUIET).run()
    N2p2(frames, tmp_path / "run", programs=programs, epochs=3, **QUIET).run()
    assert calls(tmp_path / "run").count("nnp-train") == 2


def test_a_change_of_input_nn_by_hand_stays_and_counts(frames, programs, tmp_path) -> None:
    n2p2 = N2p2(frames, tmp_path / "run", programs=programs, epochs=2, **QUIET)
    n2p2.run()
    path = tmp_path / "run" / "input.nn"
    path.write_text(path.read_text() + "kalman_lambda_short 0.98\n# a remark\n")
    n2p2.run()
    assert "kalman_lambda_short" in path.read_text()
    assert calls(tmp_path / "run").count("nnp-train") == 2
    n2p2.write_nn(force=True)
    assert "kalman_lambda_short" not in path.read_text()


def test_errors_of_held_out_frames_are_those_of_the_comparison(frames, programs, tmp_path) -> None:
    result = N2p2(frames, tmp_path / "run", programs=programs, epochs=2, **QUIET).run()
    assert result.frames_training + result.frames_validation == len(frames)
    assert result.validation.energy_rmse == pytest.approx(10.0, abs=1e-3)  # meV/atom
    assert result.training.force_rmse == pytest.approx(100.0, abs=1e-3)
    parity = load_parity(tmp_path / "run" / "parity.npz")
    assert int(parity.validation.sum()) == result.frames_validation == 2
    known = [frame.energy / len(frame) for frame in frames]
    np.testing.assert_allclose(parity.energy_reference, known, rtol=1e-14)


def test_the_input_holds_every_frame_once_and_says_what_is_held_out(frames, tmp_path) -> None:
    n2p2 = N2p2(frames, tmp_path, **QUIET)
    n2p2.write_data()
    text = (tmp_path / "input.data").read_text()
    assert text.count("begin set=test") == 2
    assert text.count("begin set=train") == 10
    assert [f"row={row} " in text for row in range(12)] == [True] * 12
    for ours, theirs in zip(frames, read_frames(tmp_path / "input.data"), strict=True):
        np.testing.assert_array_equal(ours.forces, theirs.forces)


def test_constant_functions_are_dropped_and_a_constant_element_survives(
    programs, tmp_path, monkeypatch
) -> None:
    # One atom each, alone: nothing varies but the energy's zero.
    alone = [label(["Fe"], [[0.0, 0, 0]], np.eye(3) * (14 + k), pbc=True) for k in range(4)]
    monkeypatch.setenv("STAND_IN_CONSTANT", "Fe")
    n2p2 = N2p2(alone, tmp_path / "run", programs=programs, epochs=2, **QUIET)
    n2p2.run()
    assert n2p2.data.constant == ("Fe",)
    scaling = n2p2.potential().scaling["Fe"]
    assert len(scaling.sigma) == 1
    assert scaling.sigma[0] == 1.0
    assert "nnp-norm" not in calls(tmp_path / "run")  # nothing to divide by


def test_small_cells_are_warned_of_or_repeated(frames, tmp_path) -> None:
    warned = N2p2(frames, tmp_path / "a", cutoff_radius=6.0, **QUIET).data
    assert any(notice.code == "small-cells" for notice in warned.notices)
    data = N2p2(frames, tmp_path / "b", repeat_small_cells=True, **QUIET).data
    assert not any(notice.code == "small-cells" for notice in data.notices)
    small, large = frames[0], data.frames[0]
    count = len(large) // len(small)
    assert large.energy == pytest.approx(count * small.energy)
    shortest = 1 / np.linalg.norm(np.linalg.inv(large.cell), axis=0)
    assert (shortest >= 6.0).all()


def test_a_repeated_cell_has_the_energies_and_forces_of_the_small_one(tmp_path) -> None:
    frame = silicon_frames()[40]
    data = N2p2([frame] * 4, tmp_path, repeat_small_cells=True, **QUIET).data
    evaluate = Evaluator(potential_for(data)).compute
    small = evaluate(frame.numbers, frame.positions, frame.cell, frame.pbc)
    big = data.frames[0]
    large = evaluate(big.numbers, big.positions, big.cell, big.pbc)
    count = len(big) // len(frame)
    assert large.energy == pytest.approx(count * small.energy, rel=1e-12)
    np.testing.assert_allclose(large.forces, np.tile(small.forces, (count, 1)), atol=1e-10)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("nan", "the errors became NaN"),
        ("missing", "scaling.data is missing"),
        ("element", "Xx is no element of input.nn"),
    ],
)
def test_what_a_program_says_is_translated(frames, programs, tmp_path, monkeypatch, wish, words):
    monkeypatch.setenv("STAND_IN", wish)
    with pytest.raises(ProgramFailed, match=words):
        N2p2(frames, tmp_path / "run", programs=programs, epochs=2, **QUIET).run()


def test_a_missing_program_names_what_else_can_be_done(frames, tmp_path) -> None:
    n2p2 = N2p2(frames, tmp_path / "run", programs=Programs(tmp_path / "nowhere"), **QUIET)
    with pytest.raises(InvalidInput, match=r"no such program.*needs no n2p2"):
        n2p2.scaling()


def test_a_step_without_those_before_it_says_so(frames, programs, tmp_path) -> None:
    n2p2 = N2p2(frames, tmp_path / "run", programs=programs, **QUIET)
    n2p2.write_nn()
    with pytest.raises(InvalidInput, match="Run the steps before it"):
        n2p2.predict()


def test_structures_are_predicted_and_extrapolations_told(frames, programs, tmp_path) -> None:
    n2p2 = N2p2(frames, tmp_path / "run", programs=programs, epochs=1, **QUIET)
    n2p2.run()
    bare = replace(frames[0], energy=None, forces=None)
    found = n2p2.predict([bare, frames[1]])
    assert found.energies.tolist() == [-16.0, -16.0]
    assert found.forces[0].shape == (8, 3)
    assert [w.structure for w in found.extrapolations] == [0, 1]
    assert found.extrapolations[0].function == 3
    assert found.extrapolations[0].value == 1.5


def test_documents_hold_what_another_person_needs(frames, programs, tmp_path) -> None:
    store = tmp_path / "documents"
    N2p2(frames, tmp_path / "run", programs=programs, epochs=2, store=store, **QUIET).run()
    names = sorted(path.name.rsplit("-", 1)[0] for path in store.iterdir())
    assert names == ["n2p2-normalize", "n2p2-predict", "n2p2-scaling", "n2p2-train"]
    document = json.loads(next(store.glob("n2p2-train-*")).read_text())
    assert document["learning_curve"]["epoch"] == [0.0, 1.0, 2.0]
    assert document["settings"]["epochs"] == 2
    assert document["provenance"]["versions"]["mlmd"] == mlmd.__version__
    for name, content in document["files"].items():
        (tmp_path / name).write_text(content)
    assert load_potential(tmp_path).elements == ("Fe",)


def test_documents_go_into_mongodb_once(frames, programs, tmp_path, monkeypatch) -> None:
    server = mongomock.MongoClient()
    monkeypatch.setattr(pymongo, "MongoClient", lambda url, **_: _Kept(server))
    url = "mongodb://localhost/lab"
    for run in ("a", "b"):
        N2p2(frames, tmp_path / run, programs=programs, epochs=2, store=url, **QUIET).run()
    types = sorted(document["type"] for document in server["lab"]["n2p2"].find())
    assert types == ["n2p2-normalize", "n2p2-predict", "n2p2-scaling", "n2p2-train"]


class _Kept:
    """A client whose server outlives it."""

    def __init__(self, server: mongomock.MongoClient) -> None:
        self._server = server

    def __enter__(self):
        return self

    def __exit__(self, *error: object) -> None: ...

    def get_default_database(self):
        return self._server["lab"]


def test_any_kind_of_source_gives_the_same_input(frames, tmp_path) -> None:
    write_frames(frames, tmp_path / "frames.jsonl", "jsonl")
    sources = (frames, [frame_to_document(f) for f in frames], tmp_path / "frames.jsonl")
    for number, source in enumerate(sources):
        N2p2(source, tmp_path / str(number), **QUIET).write_nn()
    texts = {(tmp_path / str(number) / "input.nn").read_text() for number in range(3)}
    assert len(texts) == 1


def test_vasp_runs_are_gathered_at_any_depth(tmp_path) -> None:
    text = vasprun()
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "vasprun.xml").write_text(text)
    (tmp_path / "a" / "b" / "vasprun.xml.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "a" / "vasprun.xml").write_text("not xml at all")
    frames = list(gather_vasp(tmp_path))
    assert len(frames) == 2 * len(list(read_frames(tmp_path / "vasprun.xml")))
    n2p2 = N2p2.from_vasp(tmp_path, tmp_path / "run", largest_force=1e3, **QUIET)
    n2p2.write_nn()
    assert n2p2.data.elements == ("Si",)


def test_an_empty_folder_of_vasp_runs_is_refused(tmp_path) -> None:
    with pytest.raises(InvalidInput, match="no frame in them"):
        _ = N2p2.from_vasp(tmp_path, tmp_path / "run", **QUIET).data


def test_frames_that_n2p2_cannot_hold_are_left_out_with_the_reason(frames, tmp_path) -> None:
    slab = replace(frames[0], pbc=(True, True, False), cell=np.diag([5.4, 5.4, 0.0]))
    data = N2p2([*frames, replace(frames[1], forces=None), slab], tmp_path, **QUIET).data
    assert len(data.frames) == 12
    reasons = {entry.index: entry.reason for entry in data.excluded}
    assert "no forces" in reasons[12]
    assert "add vacuum" in reasons[13]


def test_keywords_of_ones_own_replace_ours(frames, tmp_path) -> None:
    lines = "kalman_eta 0.5\nupdate_strategy 1  # per element"
    N2p2(frames, tmp_path, extra_lines=lines, **QUIET).write_nn()
    text = (tmp_path / "input.nn").read_text()
    assert text.count("kalman_eta ") == 1
    assert text.split("kalman_eta ")[1].split()[0] == "0.5"
    with pytest.raises(InvalidInput, match="setting of its own"):
        N2p2(frames, tmp_path, extra_lines="epochs 3", **QUIET)


def test_a_step_through_a_batch_system_waits_and_is_resumed(
    frames, programs, tmp_path, monkeypatch
) -> None:
    place = tmp_path / "queue-programs"
    place.mkdir()
    for name, text in (
        ("sbatch", 'for script; do :; done; setsid sh "$script" >/dev/null 2>&1 & echo 4711'),
        ("squeue", "echo 4711"),
    ):
        (place / name).write_text(f"#!/bin/sh\n{text}\n")
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_SECONDS", "0.2")
    batch = Batch(BatchSystem.SLURM, queue="short", interval=0.05)

    def interrupted(fraction: float, words: str) -> None:
        if words.startswith("epoch 0"):
            raise KeyboardInterrupt

    options = {**QUIET, "programs": programs, "batch": batch, "epochs": 3}
    first = N2p2(frames, tmp_path / "run", **{**options, "told": interrupted})
    first.scaling()
    with pytest.raises(KeyboardInterrupt):
        first.train()
    report = N2p2(frames, tmp_path / "run", **options).train()
    assert report.done
    assert report.queue_id == "4711"
    assert calls(tmp_path / "run") == ["nnp-scaling", "nnp-train"]


def test_functions_are_thinned_out_as_by_our_own_engine(frames, tmp_path) -> None:
    few = N2p2(frames, tmp_path / "few", **QUIET)
    every = N2p2(frames, tmp_path / "every", **QUIET, descriptor_selection="none")
    nine = N2p2(frames, tmp_path / "nine", **QUIET, descriptor_count=9)
    counts = [{e: len(f) for e, f in each.data.functions.items()} for each in (few, every, nine)]
    assert all(9 < counts[0][e] < counts[1][e] for e in counts[1])
    assert set(counts[2].values()) == {9}
    assert few.data.pruning is not None
    assert few.data.pruning.functions == few.data.functions
    assert every.data.pruning is None
    few.write_nn()
    lines = (tmp_path / "few" / "input.nn").read_text().splitlines()
    written = [line for line in lines if line.startswith("symfunction_short")]
    assert len(written) == sum(counts[0].values())


def test_a_folder_from_before_functions_were_thinned_out_stays(frames, tmp_path) -> None:
    before = N2p2(frames, tmp_path, **QUIET, descriptor_selection="none")
    before.write_nn()
    state = tmp_path / "n2p2-steps.json"
    noted = json.loads(state.read_text())
    words = repr(before.settings)
    for name in ("descriptor_selection", "descriptor_count", "correlation_limit"):
        words = re.sub(rf"{name}=(<[^>]*>|[^,]*), ", "", words)
    noted["write_nn"]["key"] = digest(words, before.data.sha256)
    state.write_text(json.dumps(noted))

    assert not N2p2(frames, tmp_path, **QUIET).write_nn().done
    assert N2p2(frames, tmp_path, **QUIET, descriptor_count=9).write_nn().done
