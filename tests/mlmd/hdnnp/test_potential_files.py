"""Reading, refusing and writing a potential's folder."""

from __future__ import annotations

import json
import warnings
from itertools import pairwise

import numpy as np
import pytest

from mlmd.errors import InvalidInput
from mlmd.hdnnp.files import AssumedUnits, load_potential, save_potential
from mlmd.hdnnp.potential import Activation, CutoffType, ScalingMode, Units

INPUT = """# a small potential
number_of_elements 2
elements O H   ! any order
atom_energy O -75.5
cutoff_type 1 0.2
scale_symmetry_functions
center_symmetry_functions
scale_min_short -1.0
scale_max_short 1.0
global_hidden_layers_short 2
global_nodes_short 3 2
element_nodes_short O 2 4
global_activation_short t p l
epochs 100
symfunction_short H 2 O 0.1 0.0 8.0
symfunction_short H 2 O 0.01 0.0 8.0   # sorts before the line above
symfunction_short H 9 O H 0.01 1.0 4.0 8.0 0.5
symfunction_short O 3 H H 0.01 -1.0 1.0 8.0
"""
SCALING = "# comment\n" + "".join(
    f"{element} {number} 0.0 2.0 1.0 {0.1 * number}\n"
    for element, count in ((1, 3), (2, 1))
    for number in range(1, count + 1)
)


def weights(sizes):
    count = sum((a + 1) * b for a, b in pairwise(sizes))
    return "# weights\n" + "".join(f"{0.5 * k - 1:.3f} a {k}\n" for k in range(count))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "input.nn").write_text(INPUT)
    (tmp_path / "scaling.data").write_text(SCALING)
    (tmp_path / "weights.001.data").write_text(weights((3, 3, 2, 1)))
    (tmp_path / "weights.008.data").write_text(weights((1, 3, 4, 1)))
    (tmp_path / "units.json").write_text('{"length_unit": "bohr", "energy_unit": "hartree"}')
    return tmp_path


def test_everything_in_the_files_is_read(folder):
    potential = load_potential(folder)
    assert potential.elements == ("H", "O")
    assert [f.eta for f in potential.functions["H"]] == [0.01, 0.1, 0.01]
    assert potential.functions["H"][2].neighbors == ("H", "O")
    assert potential.functions["H"][2].rs == 0.5
    assert (potential.cutoff_type, potential.cutoff_alpha) == (CutoffType.COSINE, 0.2)
    assert potential.scaling_mode is ScalingMode.SCALE_CENTER
    assert potential.atom_energies == {"O": -75.5}
    assert potential.networks["O"].hidden_nodes == (3, 4)
    assert potential.networks["H"].activations == (
        Activation.TANH,
        Activation.SOFTPLUS,
        Activation.LINEAR,
    )
    # Weights from each node of a layer to all of the next, then that layer's biases.
    assert potential.networks["H"].weights[0][0].tolist() == [-1.0, -0.5, 0.0]
    assert potential.networks["H"].biases[0].tolist() == [3.5, 4.0, 4.5]
    assert potential.units == Units("bohr", "hartree")
    assert potential.cutoff_radius == pytest.approx(8 * 0.529177210903)


def test_writing_and_reading_gives_the_same_bits(
    folder, tmp_path, build_potential, compact_potential
):
    potentials = (load_potential(folder), build_potential(seed=5), compact_potential)
    for number, potential in enumerate(potentials):
        target = tmp_path / f"copy{number}"
        save_potential(potential, target)
        again = load_potential(target)
        for name in ("functions", "atom_energies", "normalisation", "units", "cutoff_alpha"):
            assert getattr(again, name) == getattr(potential, name)
        for element in potential.elements:
            one, two = potential.networks[element], again.networks[element]
            assert one.activations == two.activations
            for a, b in zip((*one.weights, *one.biases), (*two.weights, *two.biases), strict=True):
                np.testing.assert_array_equal(a, b)
            for name in ("minimum", "maximum", "mean", "sigma"):
                np.testing.assert_array_equal(
                    getattr(potential.scaling[element], name),
                    getattr(again.scaling[element], name),
                )


def test_unsaid_units_are_assumed_and_said_so(folder):
    (folder / "units.json").unlink()
    with pytest.warns(AssumedUnits, match="angstrom and ev"):
        potential = load_potential(folder)
    assert potential.units == Units("angstrom", "ev", assumed=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_potential(folder, "Bohr", "eV").units == Units("bohr", "ev")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("elements O H", "elements O Hx", r"line 3: element 'Hx'"),
        ("elements O H", "elements O O", r"line 3: O O"),
        ("number_of_elements 2", "number_of_elements 3", r"number_of_elements 3"),
        ("cutoff_type 1 0.2", "cutoff_type 11", r"line 5: cutoff type 11; expected 0 to 8"),
        ("cutoff_type 1 0.2", "cutoff_type 1 1.5", r"α = 1.5"),
        ("cutoff_type 1 0.2", "", r"no cutoff_type"),
        ("epochs 100", "cutoff_type 2", r"line 14: cutoff_type again"),
        ("global_nodes_short 3 2", "global_nodes_short 3", r"line 11: 1 values"),
        ("global_nodes_short 3 2", "global_nodes_short 3 x", r"line 11: 'x'; expected a whole"),
        ("global_activation_short t p l", "global_activation_short t q l", r"line 13: activations"),
        ("element_nodes_short O 2 4", "element_nodes_short O 5 4", r"line 12: layer 5"),
        (
            "O 3 H H 0.01 -1.0 1.0 8.0",
            "O 30 H H 0 8 30 60 p2",
            r"line 18: symmetry function type 30",
        ),
        ("O 3 H H 0.01 -1.0 1.0 8.0", "O 21 H H 0 8 30 60 p5", r"line 18: 'p5' at the end"),
        ("O 3 H H 0.01 -1.0 1.0 8.0", "O 22 H H 0 8 -30 60 p2", r"line 18: .*-30° to 60°"),
        ("O 3 H H 0.01 -1.0 1.0 8.0", "O 22 H H 0 8 60 30 p2", r"line 18: .*θ_l below θ_r"),
        ("O 3 H H 0.01 -1.0 1.0 8.0", "O 20 H 8 6 p2", r"line 18: r_l = 8 and r_c = 6"),
        ("O 3 H H 0.01 -1.0 1.0 8.0", "O 24 0 8 30 p2", r"line 18: 3 parameters"),
        ("O 3 H H 0.01 -1.0 1.0 8.0", "O 3 H H 0.01", r"line 18: 1 parameters; expected η λ ζ r_c"),
        (
            "O 3 H H 0.01 -1.0 1.0 8.0",
            "O 3 H S 0.01 1 1 8",
            r"line 18: element 'S'; expected one of",
        ),
        ("O 3 H H 0.01 -1.0 1.0 8.0", "O 3 H H 0.01 1 1 -8", r"line 18: r_c = -8"),
        (
            "O 3 H H 0.01 -1.0 1.0 8.0",
            "O 3 H H nan 1 1 8",
            r"line 18: a parameter that isn't finite",
        ),
        ("symfunction_short O 3 H H 0.01 -1.0 1.0 8.0", "", r"no symfunction_short for O"),
        ("H 2 O 0.1 0.0 8.0", "H 2 O 0.01 0.0 8.0", r"line 16: the same function again"),
        ("atom_energy O -75.5", "atom_energy O much", r"line 4: 'much'; expected a number"),
    ],
)
def test_a_broken_input_nn_is_refused_with_its_line(folder, old, new, complaint):
    text = (folder / "input.nn").read_text()
    assert text.count(old) == 1
    (folder / "input.nn").write_text(text.replace(old, new))
    with pytest.raises(InvalidInput, match=complaint):
        load_potential(folder)


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("scaling.data", lambda t: t[: t.rindex("1 3")], "no row for H, function 3"),
        ("scaling.data", lambda t: t + "2 2 0 1 0 1\n", "1 rows too many"),
        ("scaling.data", lambda t: t.replace("1 2 0.0", "1 2 zero"), "scaling.data, line 3"),
        ("scaling.data", lambda t: t.replace("1 2 0.0", "1 2 nan"), "expected finite numbers"),
        ("scaling.data", lambda t: t.replace("1 2 0.0", "1 2"), "line 3: 5 columns"),
        ("weights.001.data", lambda t: t[: len(t) // 2], r"line \d+: .* expected 23 for a 3-3-2-1"),
        ("weights.001.data", lambda t: t + "1.0\n", "24 connections"),
        ("weights.008.data", lambda t: t.replace("-1.000", "abc"), "weights.008.data, line 2"),
        ("units.json", lambda t: "{", "units.json: no length_unit"),
        ("units.json", lambda t: t.replace("bohr", "parsec"), "length unit: 'parsec'"),
    ],
)
def test_a_broken_data_file_is_refused_with_its_line(folder, name, change, complaint):
    text = (folder / name).read_text()
    assert change(text) != text
    (folder / name).write_text(change(text))
    with pytest.raises(InvalidInput, match=complaint):
        load_potential(folder)


@pytest.mark.parametrize("name", ["input.nn", "scaling.data", "weights.008.data"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InvalidInput, match=f"{name}: no such file"):
        load_potential(folder)


def test_a_constant_function_is_switched_off_not_divided_by(folder):
    text = (folder / "scaling.data").read_text().replace("1 2 0.0 2.0", "1 2 1.0 1.0")
    (folder / "scaling.data").write_text(text)
    potential = load_potential(folder)
    factor, shift = potential.scaling["H"].factors(ScalingMode.SCALE_CENTER, -1.0, 1.0)
    assert factor.tolist() == [1.0, 0.0, 1.0]
    assert shift.tolist() == [-2.0, -1.0, -2.0]


def test_units_are_written_for_people_and_programs(folder, tmp_path):
    save_potential(load_potential(folder), tmp_path / "copy")
    said = json.loads((tmp_path / "copy" / "units.json").read_text())
    assert said == {"length_unit": "bohr", "energy_unit": "hartree"}
