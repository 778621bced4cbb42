"""Functions, baselines, held-out frames and limits chosen without asking."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from mlmd.errors import InvalidInput
from mlmd.hdnnp.automatic import (
    automatic_functions,
    function_lines,
    informative,
    parse_function_lines,
)
from mlmd.hdnnp.pruning import Selection
from mlmd.hdnnp.training import (
    Effort,
    OptimiserName,
    Split,
    TrainingSettings,
    automatic_settings,
    estimate_memory_mb,
    estimate_seconds,
    preset,
    settings_from,
    survey,
)
from mlmd.hdnnp.training.baseline import atom_energies, network_energy_unit
from mlmd.hdnnp.training.estimate import flop_rate, function_count
from mlmd.hdnnp.training.screening import require_usable
from mlmd.hdnnp.training.split import hold_out
from mlmd.runs import to_jsonable
from tests.mlmd.training.materials import CUBE, crystal, label, mixture, molecules


@pytest.mark.parametrize(
    ("elements", "count"),
    [("Si", 26), ("O Si", 70), ("H O Si", 132), ("H C O Si", 212)],
)
def test_the_number_of_functions_per_element(elements, count):
    symbols = tuple(elements.split())
    functions = automatic_functions(symbols)
    assert [len(functions[symbol]) for symbol in symbols] == [count] * len(symbols)
    assert function_count(TrainingSettings(), len(symbols)) == count


def test_functions_survive_as_lines_of_input_nn():
    functions = automatic_functions(("O", "Si"))
    lines = function_lines(functions)
    assert lines.splitlines()[0].startswith("symfunction_short O 2 ")
    assert parse_function_lines("# mine\n" + lines, ("O", "Si")) == functions


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("symfunction_short Si 99 Si 1 0 6", "type 99"),
        ("something else here", "symfunction_short ELEMENT"),
        ("symfunction_short Si 2 Si wide 0 6", "line 1"),
        ("symfunction_short O 2 O 1 0 6", "none for Si"),
    ],
)
def test_wrong_lines_are_named(text, words):
    with pytest.raises(InvalidInput, match=words):
        parse_function_lines(text, ("Si",))


def test_constant_and_doubled_functions_are_dropped():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 50))
    values = np.stack([a, np.full(50, 3.0), 2.0 * a + 5.0, b, np.zeros(50)], axis=1)
    assert informative(values).tolist() == [0, 3]
    assert informative(np.zeros((5, 3))).tolist() == [0]


def test_atom_energies_are_recovered_from_different_compositions():
    frames = [
        replace(frame, energy=-2.0 * int((frame.numbers == 8).sum()) - 5.0 * int((frame.numbers == 14).sum()))
        for frame in crystal(["O", "Si"], 10)
    ]  # fmt: skip
    np.testing.assert_allclose(atom_energies(frames, ("O", "Si")), [-2.0, -5.0], atol=1e-8)


def test_one_stoichiometry_keeps_the_isolated_atom_as_it_is():
    frames = [replace(frame, energy=-20.0) for frame in molecules(4)]
    found = atom_energies(frames, ("H", "O"))
    assert found @ [2, 1] == pytest.approx(-20.0)
    atom = label(["H"], [[0, 0, 0]], np.zeros((3, 3)), False)
    found = atom_energies([*frames, replace(atom, energy=-13.0)], ("H", "O"))
    np.testing.assert_allclose(found, [-13.0, 6.0], atol=1e-6)


def test_network_forces_have_unit_spread():
    frames = crystal(["Si"], 6)
    unit = network_energy_unit(frames, [0.0] * 6)
    assert np.concatenate([f.forces.ravel() for f in frames]).std() * unit == pytest.approx(1.0)


def test_every_kind_gives_its_share_and_keeps_its_extremes():
    frames = crystal(["Si"], 60, kind="liquid") + crystal(["Si"], 30, seed=1, kind="strain")
    training, held = hold_out(frames, 1 / 6, seed=3, split=Split.STRATIFIED)
    assert len(held) == 15
    assert sorted((*training, *held)) == list(range(90))
    assert 8 <= sum(index < 60 for index in held) <= 12
    for kind in (range(60), range(60, 90)):
        by_energy = sorted(kind, key=lambda index: frames[index].energy)
        assert by_energy[0] in training
        assert by_energy[-1] in training


def test_the_seed_decides_who_is_held_out():
    frames = crystal(["Si"], 30)
    for split in Split:
        first = hold_out(frames, 0.2, seed=1, split=split)
        assert first == hold_out(frames, 0.2, seed=1, split=split)
        assert first != hold_out(frames, 0.2, seed=2, split=split)
        assert len(first[1]) == 6
    assert hold_out(frames[:2], 0.5, 1, Split.STRATIFIED) == ((0, 1), ())


def test_left_out_frames_say_why():
    good = crystal(["Si"], 25)
    frames = [
        *good,
        replace(good[0], forces=None, energy=None),
        replace(good[0], label_source="ml"),
        replace(good[0], scf_converged=False),
        replace(good[0], forces=np.full((8, 3), 20.0)),
        replace(good[0], positions=np.full((8, 3), np.nan)),
        label(["Si", "Si"], [[0, 0, 0], [0.9, 0, 0]], 6 * CUBE),
        replace(good[0], cell=np.zeros((3, 3))),
    ]
    found = survey(frames, TrainingSettings())
    assert found.kept == tuple(range(25))
    assert [e.index for e in found.exclusions] == list(range(25, 32))
    reasons = " | ".join(e.reason for e in found.exclusions)
    for words in (
        "no energy and no forces",
        "another potential",
        "didn't converge",
        "34.6 eV/Å, limit 15 eV/Å",
        "not finite",
        "Si–Si at 0.90 Å, limit 1.33 Å",
        "structure:",
    ):
        assert words in reasons
    assert "many-excluded" in {notice.code for notice in found.notices}
    wide = TrainingSettings(use_ml_labels=True, use_unconverged=True, largest_force=50.0)
    assert set(survey(frames, wide).kept) == {*range(25), 26, 27, 28}


def _large(symbol):
    sites = np.array(list(np.ndindex(4, 4, 4)), float)
    return label([symbol] * 64, 2.7 * sites, 4 * 2.7 * CUBE)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (crystal(["Si"], 4), "few-frames"),
        (crystal(["Si"], 2), "no-validation"),
        (crystal(["Si", "Ge"], 1) + crystal(["Si"], 30), "few-atoms"),
        ([*crystal(["Si"], 30), _large("Ge")], "few-frames-of-element"),
        (mixture(), "mixed-theory"),
        (molecules(30), "one-composition"),
        ([replace(f, forces=None) for f in crystal(["Si"], 30)], "no-forces"),
        (
            [
                replace(f, positions=f.positions / 0.529, cell=f.cell / 0.529)
                for f in crystal(["Si"], 30, size=2.4)
            ],
            "units",
        ),
        (crystal(["Si"], 30, size=1.5), "units"),
    ],
)
def test_what_a_user_should_know_is_said(frames, code):
    settings = TrainingSettings(shortest_distance=0.2, largest_force=1e6)
    assert code in {notice.code for notice in survey(frames, settings).notices}


def test_positions_in_nm_are_too_close_and_it_is_said_why():
    frames = [replace(f, positions=f.positions / 10, cell=f.cell / 10) for f in crystal(["Si"], 3)]
    found = survey(frames, TrainingSettings())
    assert "units" in {notice.code for notice in found.notices}
    with pytest.raises(InvalidInput, match=r"atoms too close.*may be in nm"):
        require_usable(found, 3)


def test_a_good_set_raises_no_notice():
    assert survey(crystal(["Si"], 40, size=2.4), TrainingSettings()).notices == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0), ("cutoff_radius", 0.5), ("hidden_nodes", "20 x"), ("hidden_nodes", ""),
        ("hidden_nodes", "20.5"), ("angular_zetas", "-1"), ("validation_fraction", 0.9),
        ("activation", "relu"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_by_name(name, value):
    with pytest.raises(InvalidInput, match=name):
        settings_from({name: value})


def test_settings_survive_json():
    settings = replace(preset(Effort.QUICK), split=Split.RANDOM, threads=3)
    assert settings_from(to_jsonable(settings)) == settings


def test_efforts_and_sets_change_the_length():
    assert (
        preset(Effort.QUICK).epochs < preset(Effort.NORMAL).epochs < preset(Effort.THOROUGH).epochs
    )
    few, many = automatic_settings(crystal(["Si"], 3)), automatic_settings(crystal(["Si"], 30))
    assert few.layers < many.layers
    short = estimate_seconds(many, 200, 1600, 1, 2)
    assert 0 < short < estimate_seconds(many, 2000, 16000, 1, 2)
    assert estimate_seconds(many, 200, 1600, 3, 2) > short


def test_warming_leaves_nothing_of_training_to_compile():
    code = (
        "from mlmd.hdnnp.training.warming import compile_training\n"
        "compile_training()\n"
        "from mlmd.hdnnp.kernel_derivatives import count_moved, differentiate\n"
        "from mlmd.hdnnp.training import model, network, store\n"
        "from numba.core.registry import CPUDispatcher\n"
        "kernels = [k for m in (model, network, store) for k in vars(m).values()\n"
        "           if isinstance(k, CPUDispatcher) and k.__module__ == m.__name__]\n"
        "kernels += [count_moved, differentiate]\n"
        "assert len(kernels) >= 6, kernels\n"
        "print([k.__name__ for k in kernels if not k.signatures])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_estimates_know_the_work():
    filtered = TrainingSettings()
    assert flop_rate() > 1e8
    plain_settings = replace(filtered, stress_weight=0.0)
    plain = estimate_seconds(plain_settings, 200, 1600, 1, 1)
    assert plain < estimate_seconds(filtered, 200, 1600, 1, 1)
    few = replace(filtered, stress_weight=0.0, descriptor_count=9)
    every = replace(filtered, stress_weight=0.0, descriptor_selection=Selection.NONE)
    times = [estimate_seconds(each, 200, 1600, 2, 1) for each in (few, plain_settings, every)]
    assert times == sorted(times)
    adam = replace(filtered, optimiser=OptimiserName.ADAM)
    assert estimate_seconds(adam, 200, 1600, 1, 1) < plain
    four = estimate_seconds(replace(filtered, committee=4), 200, 1600, 1, 1)
    assert 2 * plain < four < 4.5 * estimate_seconds(filtered, 200, 1600, 1, 1)
    committee = replace(filtered, committee=4)
    assert estimate_seconds(committee, 200, 1600, 1, 4) < 0.7 * four
    small, large = (estimate_memory_mb(each, 200, 1600, 3) for each in (filtered, committee))
    assert large > small
