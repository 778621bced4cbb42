"""From frames to a potential with aenet's programs: inputs, order, repetition, failures, documents."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mlmd
from mlmd.__main__ import main
from mlmd.aenet.evaluator import AenetEvaluator
from mlmd.aenet.files import load_aenet
from mlmd.aenet.launching import AenetSpec, estimate_seconds, launch_of, prepare
from mlmd.aenet.outputs import read_learning_curve, read_predictions
from mlmd.aenet.pipeline import Aenet
from mlmd.aenet.results import collect
from mlmd.aenet.settings import AenetSettings, settings_from
from mlmd.batch import Batch
from mlmd.errors import InvalidInput
from mlmd.external.programs import Programs
from mlmd.external.steps import ProgramFailed
from mlmd.formats import open_frames
from mlmd.frame import Frame
from mlmd.hdnnp.training import load_parity
from tests.mlmd.aenet.conftest import write_stand_in
from tests.mlmd.training.materials import crystal

QUIET = {"told": lambda fraction, words: None, "hidden_nodes": "3 2", "cutoff_radius": 4.5}
REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return crystal(["Fe"], 12, seed=3)


def calls(folder: Path) -> list[str]:
    return (folder / "calls.log").read_text().splitlines()


def test_it_is_imported_as_the_guide_says() -> None:
    assert mlmd.Aenet is Aenet


def test_each_step_is_one_line_and_leaves_its_files(frames, programs, tmp_path) -> None:
    aenet = Aenet(frames, tmp_path / "run", programs=programs, epochs=4, **QUIET)
    assert aenet.write_structures().done
    assert aenet.write_generate().done
    assert aenet.write_train().done
    assert aenet.generate().done
    assert aenet.train().done
    assert calls(aenet.folder) == ["generate.x generate.in", "train.x train.in"]
    potential = aenet.potential()
    assert potential.elements == ("Fe",)
    assert [p.name for p in (aenet.folder / "potential").iterdir()] == ["Fe.3-2.nn"]
    assert (aenet.folder / "best-epoch").read_text().strip() == "00003"
    assert mlmd.load(aenet.folder / "potential", threads=1).evaluator.elements == ("Fe",)


def test_a_second_script_does_nothing_again(frames, programs, tmp_path) -> None:
    first = Aenet(frames, tmp_path / "run", programs=programs, epochs=2, **QUIET).run()
    again = Aenet(frames, tmp_path / "run", programs=programs, epochs=2, **QUIET)
    assert again.run().best_epoch == first.best_epoch == 1
    assert not again.train().done
    assert len(calls(tmp_path / "run")) == 2


def test_other_settings_run_what_depends_on_them(frames, programs, tmp_path) -> None:
    Aenet(frames, tmp_path / "run", programs=programs, epochs=2, **QUIET).run()
    Aenet(frames, tmp_path / "run", programs=programs, epochs=3, **QUIET).run()
    Aenet(frames, tmp_path / "run", programs=programs, epochs=3, radial_order=5, **QUIET).run()
    programs_run = [line.split()[0] for line in calls(tmp_path / "run")]
    assert programs_run == ["generate.x", "train.x", "train.x", "generate.x", "train.x"]


def test_inputs_say_what_aenet_expects(frames, tmp_path) -> None:
    aenet = Aenet(
        [*frames, *crystal(["Fe", "O"], 3, seed=1)], tmp_path, epochs=7, method="lm",
        functions="symmetry", angular_zetas="1", radial_functions=3, angular_widths="0.5", **QUIET,
    )  # fmt: skip
    aenet.write_generate()
    aenet.write_train()
    generate = (tmp_path / "generate.in").read_text().splitlines()
    assert generate[0] == "OUTPUT aenet.train"
    assert [row.split()[0] for row in generate[4:6]] == ["O", "Fe"]
    assert generate[-1] == "structures/structure-000015.xsf"
    setup = (tmp_path / "Fe.stp").read_text()
    assert "ENV 2\nO\nFe\n" in setup
    rows = [row for row in setup.splitlines() if row.startswith("G=")]
    assert f"FUNCTIONS type=Behler2011\n{len(rows)}\n" in setup
    assert {row.split()[0] for row in rows} == {"G=2", "G=5"}
    # aenet takes the first “eta” of a line, which must not be that of “zeta”.
    assert all(row.index("eta=") < row.find("zeta=") for row in rows if "zeta=" in row)
    train = (tmp_path / "train.in").read_text()
    assert "ITERATIONS 7\n" in train
    assert "METHOD\nlm batchsize=5000 " in train
    assert "Fe Fe.3-2.nn  2  3:tanh  2:tanh\n" in train


def test_the_energy_of_a_structure_is_its_total_one(frames, tmp_path) -> None:
    Aenet(frames, tmp_path, **QUIET).write_structures()
    again = list(open_frames(tmp_path / "structures"))
    assert [f.energy for f in again] == [f.energy for f in frames]
    np.testing.assert_array_equal(again[3].forces, frames[3].forces)


def test_errors_are_those_of_our_engine_over_the_held_out(frames, programs, tmp_path) -> None:
    aenet = Aenet(frames, tmp_path / "run", programs=programs, epochs=2, **QUIET)
    result = aenet.run()
    assert result.frames_training + result.frames_validation == len(frames)
    parity = load_parity(tmp_path / "run" / "parity.npz")
    assert np.flatnonzero(parity.validation).tolist() == [0, 6]
    evaluator = AenetEvaluator(aenet.potential(), 1)
    f = frames[6]
    ours = evaluator.compute(f.numbers, f.positions, f.cell, f.pbc)
    assert parity.energy_predicted[6] == pytest.approx(ours.energy / len(f), rel=1e-12)
    chosen = parity.force_predicted[parity.force_row == 6]
    np.testing.assert_allclose(chosen, ours.forces.ravel(), rtol=1e-6)
    assert result.validation.force_rmse > 0
    assert [n for n in result.notices if "energies alone" in n]


def test_the_first_weights_and_the_held_out_follow_from_the_seed(frames, tmp_path) -> None:
    names = ("Fe.3-2.nn.start", "train.rngstate.start")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        Aenet(frames, tmp_path / name, seed=seed, **QUIET).write_train()
    a, b, c = ([(tmp_path / run / name).read_bytes() for name in names] for run in "abc")
    assert a == b
    assert a[0] != c[0]
    assert a[1] != c[1]


def test_predictions_are_what_predict_x_prints(frames, programs, tmp_path) -> None:
    aenet = Aenet(frames, tmp_path / "run", programs=programs, epochs=1, **QUIET)
    aenet.train()
    found = aenet.predict(frames[:2])
    np.testing.assert_array_equal(found.energies, [-2.0 * len(f) for f in frames[:2]])
    np.testing.assert_array_equal(found.forces[1][0], [0.1, 0.2, -0.3])


def test_the_output_of_aenet_itself_is_read() -> None:
    found = list(read_predictions((REFERENCE / "p.out").read_text()))
    assert [len(forces) for _, forces in found] == [6, 12]
    assert found[0][0] == -4925.19649508
    assert found[0][1][0].tolist() == [0.089619, 1.325630, 0.925222]


@pytest.mark.parametrize(
    ("wish", "step", "words"),
    [
        ("missing", "generate", "generate.x: O.stp is missing"),
        ("nan", "train", "the errors became NaN"),
        ("silent", "train", "train.x: it ended with status 0, see train.out"),
    ],
)
def test_failures_are_told_although_aenet_ends_with_status_0(
    frames, tmp_path, wish, step, words
) -> None:
    programs = Programs(write_stand_in(tmp_path / "bin", STAND_IN=wish))
    aenet = Aenet(frames, tmp_path / "run", programs=programs, epochs=2, **QUIET)
    with pytest.raises(ProgramFailed, match=words):
        getattr(aenet, step)()


def test_a_program_without_mpi_must_not_run_several_times(frames, programs, tmp_path) -> None:
    several = Programs(
        programs.folder, processes=2, mpi=("sh", "-c", '"$@"; "$@"', "mpirun-np-{processes}")
    )
    aenet = Aenet(frames, tmp_path / "run", programs=several, epochs=2, **QUIET)
    with pytest.raises(ProgramFailed, match="built without MPI"):
        aenet.train()


def test_where_aenet_is_missing_it_is_said_what_else_can_be_done(frames, tmp_path) -> None:
    aenet = Aenet(frames, tmp_path / "run", programs=Programs(tmp_path / "nowhere"), **QUIET)
    with pytest.raises(InvalidInput, match=r"no such program.*needs no aenet"):
        aenet.generate()


def test_a_step_through_a_batch_system_is_waited_for(
    frames, programs, tmp_path, monkeypatch
) -> None:
    place = tmp_path / "queue"
    place.mkdir()
    for name, text in (
        ("sbatch", 'for script; do :; done; setsid sh "$script" >/dev/null 2>&1 & echo 4711'),
        ("squeue", "echo 4711"),
    ):
        (place / name).write_text(f"#!/bin/sh\n{text}\n")
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    batch = Batch("slurm", interval=0.05)
    aenet = Aenet(frames, tmp_path / "run", programs=programs, batch=batch, epochs=2, **QUIET)
    report = aenet.train()
    assert (report.done, report.queue_id) == (True, "4711")
    assert aenet.learning_curve().epoch.tolist() == [0, 1, 2]


def test_documents_hold_inputs_networks_and_where_they_come_from(
    frames, programs, tmp_path
) -> None:
    store = tmp_path / "store"
    Aenet(frames, tmp_path / "run", programs=programs, epochs=2, store=store, **QUIET).run()
    documents = [json.loads(path.read_text()) for path in store.iterdir()]
    by_type = {document["type"]: document for document in documents}
    assert set(by_type) == {"aenet-generate", "aenet-train"}
    train = by_type["aenet-train"]
    assert train["best_epoch"] == 1
    assert train["settings"]["epochs"] == 2
    assert "generate.in" in train["files"]
    content = base64.b64decode(train["networks"]["Fe.3-2.nn"])
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "Fe.nn").write_bytes(content)
    assert load_aenet(tmp_path / "x").elements == ("Fe",)


def test_frames_that_aenet_cannot_hold_are_left_out_with_the_reason(frames, tmp_path) -> None:
    slab = replace(frames[0], pbc=(True, True, False), cell=np.diag([5.4, 5.4, 0.0]))
    data = Aenet([*frames, replace(frames[1], energy=None), slab], tmp_path, **QUIET).data
    assert len(data.frames) == 12
    reasons = {entry.index: entry.reason for entry in data.excluded}
    assert "energy" in reasons[12]
    assert "add vacuum" in reasons[13]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"activation": "p"}, "t \\(tanh\\) or s"),
        ({"method": "newton"}, "method"),
        ({"method_options": "a=1\nNETWORKS"}, "method_options"),
        ({"epoch": 3}, "epochs"),
    ],
)
def test_wrong_settings_are_refused(values, words) -> None:
    with pytest.raises(InvalidInput, match=words):
        settings_from(values)


def test_functions_that_aenet_does_not_have_are_refused(frames, tmp_path) -> None:
    lines = "symfunction_short Fe 3 Fe Fe 0.01 1.0 1.0 4.5 0.5"
    aenet = Aenet(frames, tmp_path, functions="symmetry", symmetry_functions=lines, **QUIET)
    with pytest.raises(InvalidInput, match=r"angular function shifted by 0\.5"):
        _ = aenet.data


def test_a_run_directory_is_prepared_and_finished_by_the_command(
    frames, programs, tmp_path, capsys, monkeypatch
) -> None:
    settings = AenetSettings(epochs=3, hidden_nodes="3", cutoff_radius=4.5, parallel=True)
    folder = tmp_path / "run"
    launch = prepare(AenetSpec(settings, frames, processes=4), folder)
    assert launch.resources.processes == 4
    assert [c.argv[0] for c in launch.commands if c.mpi] == ["train.x"]
    assert launch.commands[-1].argv == ("mlmd", "aenet", "--run-dir", ".")
    Aenet(frames, folder, settings, programs=programs, told=lambda f, w: None).train()
    assert main(["aenet", "--run-dir", str(folder), "--threads", "1"]) == 0
    assert "epoch 2 of 3" in capsys.readouterr().out
    assert collect(folder).frames_validation == 2
    for name in launch.fetch:
        assert list(folder.glob(name)), name


def test_only_bfgs_shares_its_work() -> None:
    for values, processes in (
        ({"method": "lm", "parallel": True}, 1), ({"parallel": True}, 8), ({}, 1),
    ):  # fmt: skip
        launch = launch_of(settings_from(values), 100, 800, 2, 8)
        assert launch.resources.processes == processes
        assert any(command.mpi for command in launch.commands) == (processes > 1)
    long = estimate_seconds(AenetSettings(epochs=600), 100, 800, 2, 1)
    assert long > estimate_seconds(AenetSettings(epochs=300), 100, 800, 2, 1) > 0


def test_a_curve_without_held_out_structures_has_none(frames, programs, tmp_path) -> None:
    aenet = Aenet(
        frames, tmp_path / "run", programs=programs, epochs=3, validation_fraction=0.0, **QUIET
    )
    result = aenet.run()
    assert result.best_epoch == 2
    assert result.frames_validation == 0
    assert np.isnan(result.curve.energy_test).all()


def test_a_curve_that_is_still_written_is_read_as_far_as_it_goes(tmp_path) -> None:
    path = tmp_path / "train.out"
    row = "     {0}    7.696566E-02    8.875453E-02    1.301870E-01    1.454337E-01 <\n"
    path.write_text(" Training structures     : 24\n" + row.format(0) + row.format(1)[:40])
    curve = read_learning_curve(path)
    assert curve.epoch.tolist() == [0]
    assert curve.energy_train.tolist() == [0.08875453]
    with pytest.raises(InvalidInput, match="no such file"):
        read_learning_curve(tmp_path / "none")
