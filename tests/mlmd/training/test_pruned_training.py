"""Trainings whose automatic functions are thinned out: said, kept with the run, never done anew."""

import json
from dataclasses import replace

import pytest

from mlmd.errors import InvalidInput
from mlmd.hdnnp.automatic import automatic_functions, function_lines
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.pruning import Selection
from mlmd.hdnnp.pruning_record import read_pruning
from mlmd.hdnnp.training import TrainingSettings, choice, collect, settings_from, train
from mlmd.hdnnp.training.setup import _fingerprint
from tests.mlmd.training.materials import crystal

SHORT = TrainingSettings(epochs=1, patience=9, threads=1, hidden_nodes="6")
FUNCTIONS = choice.FUNCTIONS_FILE


@pytest.fixture(scope="module")
def frames():
    return crystal(["Si"], 14, kind="crystal")


def files(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "potential").iterdir())}


def test_the_result_and_the_log_say_what_was_dropped(frames, tmp_path, capsys):
    result = train(SHORT, frames, tmp_path)
    pruning = read_pruning(result.pruning, "result.json")
    (part,) = pruning.elements
    assert result.functions == {"Si": len(part.kept)}
    assert part.offered == 26 > len(part.kept)
    assert load_potential(result.potential).functions["Si"] == part.kept
    assert f"Si: {len(part.kept)} of 26 symmetry functions are kept" in capsys.readouterr().out
    assert collect(tmp_path).pruning == result.pruning


@pytest.mark.parametrize("selection", Selection)
def test_every_way_of_choosing_trains(selection, frames, tmp_path):
    settings = replace(
        SHORT, descriptor_selection=selection, descriptor_count=7, correlation_limit=1.0
    )
    result = train(settings, frames, tmp_path)
    if selection in (Selection.FARTHEST_POINT, Selection.CUR):
        assert result.functions == {"Si": 7}
    if selection is Selection.NONE:
        assert result.pruning is None
        assert result.functions["Si"] > 20


def test_lines_of_ones_own_are_not_thinned_out(frames, tmp_path):
    lines = function_lines(automatic_functions(("Si",)))
    result = train(replace(SHORT, symmetry_functions=lines), frames, tmp_path)
    assert result.pruning is None
    assert result.functions["Si"] > 20


def test_a_run_that_goes_on_never_chooses_anew(frames, tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    train(replace(SHORT, epochs=2), frames, whole)
    parts = tmp_path / "parts"
    train(SHORT, frames, parts)

    def forbidden(*_, **__):
        raise AssertionError("chosen anew")

    monkeypatch.setattr(choice, "prune", forbidden)
    train(replace(SHORT, epochs=2), frames, parts)
    assert files(parts) == files(whole)
    with pytest.raises(AssertionError, match="chosen anew"):
        train(replace(SHORT, seed=5), frames, parts)


def test_a_run_from_before_goes_on_with_all_its_functions(frames, tmp_path):
    every = replace(SHORT, descriptor_selection=Selection.NONE)
    train(replace(every, epochs=2), frames, tmp_path / "whole")
    before = tmp_path / "before"
    train(every, frames, before)
    (before / FUNCTIONS).unlink()
    result = before / "result.json"
    content = json.loads(result.read_text())
    del content["pruning"]
    result.write_text(json.dumps(content))
    assert collect(before).pruning is None

    gone_on = train(replace(SHORT, epochs=2), frames, before)
    assert gone_on.pruning is None
    assert files(before) == files(tmp_path / "whole")


def test_a_checkpoint_from_before_still_fits_settings_that_change_nothing():
    # Of the version before functions were thinned out.
    known = "5bfd14533ce9cc458965a47361cfa30aa06964539738a5d6f6bc26538aea3c60"
    every = TrainingSettings(descriptor_selection=Selection.NONE)
    assert _fingerprint(every, "x") == known
    assert _fingerprint(replace(every, descriptor_count=3), "x") == known
    assert _fingerprint(TrainingSettings(), "x") != known


def test_a_damaged_choice_is_named(frames, tmp_path):
    train(SHORT, frames, tmp_path)
    content = json.loads((tmp_path / FUNCTIONS).read_text())
    content["pruning"]["elements"][0]["kept"] = ["symfunction_short Si"]
    (tmp_path / FUNCTIONS).write_text(json.dumps(content))
    with pytest.raises(InvalidInput, match=FUNCTIONS):
        train(replace(SHORT, epochs=2), frames, tmp_path)


def test_settings_of_the_choice_are_held_to_their_limits():
    assert settings_from({"descriptor_selection": "cur"}).descriptor_selection is Selection.CUR
    for name, value in (("correlation_limit", 1.5), ("descriptor_count", 0)):
        with pytest.raises(InvalidInput, match=name):
            settings_from({name: value})
    with pytest.raises(InvalidInput, match="none, correlation, farthest-point, cur"):
        settings_from({"descriptor_selection": "variance"})
