"""aenet's symmetry functions, both forms of its files, and potentials turned into n2p2's.

The numbers in ``reference/`` were made with aenet 2.0.4's own programs: 30 structures of rutile
with Lennard-Jones energies, networks with G1, G2, G4 and G5 and both kinds of tanh (train.x), and
what predict.x says of two of the structures; ``reference_twist/`` has Chebyshev functions and
twisted tanh.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mlmd
from mlmd.__main__ import main
from mlmd.aenet.conversion import as_aenet, as_n2p2
from mlmd.aenet.evaluator import AenetEvaluator
from mlmd.aenet.files import load_aenet
from mlmd.aenet.potential import AenetPotential, ChebyshevBasis
from mlmd.aenet.writing import Form, save_aenet
from mlmd.errors import InvalidInput
from mlmd.formats import read_structures
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential, save_potential
from mlmd.hdnnp.potential import Activation, CutoffType
from tests.mlmd.aenet.potentials import behler_potential, element_potential, random_network

REFERENCE = Path(__file__).parent / "reference"
POSITIONS = np.array([[0.0, 0, 0], [1.9, 0.1, 0], [0.2, 2.0, 0.3], [1.6, 1.7, 1.8], [0, 0.4, 2.1]])
CELL = np.diag([5.2, 5.0, 4.8])


def answers(evaluator, numbers=(22, 8, 8, 22, 8)):
    found = evaluator.compute(np.array(numbers), POSITIONS, CELL, True)
    return found.energy, found.forces, found.stress


def assert_same(one, two, tolerance=1e-10):
    scale = np.abs(one[1]).max()
    assert abs(one[0] - two[0]) <= tolerance * abs(one[0])
    assert np.abs(one[1] - two[1]).max() <= tolerance * scale
    assert np.abs(one[2] - two[2]).max() <= tolerance * np.abs(one[2]).max()


@pytest.mark.parametrize(("folder", "count"), [("reference", 2), ("reference_twist", 1)])
def test_energies_and_forces_are_those_of_predict_x(folder, count):
    place = REFERENCE.with_name(folder)
    evaluator = AenetEvaluator(load_aenet(place), threads=1)
    blocks = (place / "p.out").read_text().split("Cartesian atomic coordinates")[1:]
    assert len(blocks) == count
    for k, block in enumerate(blocks):
        atoms = read_structures(REFERENCE / f"s0{k}.xsf")[0]
        found = evaluator.compute(atoms.numbers, atoms.positions, atoms.cell.array, True)
        energy = float(re.search(r"Total energy\s*:\s*(\S+)", block)[1])
        rows = [line.split() for line in block.splitlines() if re.match(r" (Ti|O )", line)]
        # aenet prints eight decimals of the energy and six of the forces.
        assert abs(found.energy - energy) <= 0.6e-8
        assert np.abs(found.forces - np.array([r[4:7] for r in rows], float)).max() <= 0.51e-6


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("neighbors", [("Ti",), ("Ti", "O"), ("Ti", "H", "O")])
def test_a_written_potential_is_read_back_bit_by_bit(tmp_path, form, neighbors):
    potential = behler_potential(neighbors)
    paths = save_aenet(potential, tmp_path, form)
    assert [path.name.split(".")[0] for path in paths] == list(potential.elements)
    for one, two in zip(potential.parts, load_aenet(tmp_path).parts, strict=True):
        assert one.basis == two.basis
        assert one.origin == two.origin
        assert one.atom_energies == two.atom_energies
        assert (one.energy_shift, one.energy_scale) == (two.energy_shift, two.energy_scale)
        for a, b in zip(one.network.weights, two.network.weights, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(one.mean_square, two.mean_square)


@pytest.mark.parametrize("form", list(Form))
def test_chebyshev_networks_are_written_too(tmp_path, form):
    basis = ChebyshevBasis(("Ti", "O"), 4.5, 3, 4.0, 2)
    rng = np.random.default_rng(1)
    parts = [
        element_potential(e, basis, random_network(rng, basis.count), k)
        for k, e in enumerate(("O", "Ti"))
    ]
    potential = AenetPotential(tuple(parts))
    save_aenet(potential, tmp_path, form)
    again = load_aenet(tmp_path)
    assert again.parts[0].basis == basis
    assert_same(answers(AenetEvaluator(potential, 1)), answers(AenetEvaluator(again, 1)), 1e-14)


def test_a_file_of_aenet_itself_is_written_again_with_the_same_content(tmp_path):
    potential = load_aenet(REFERENCE)
    save_aenet(potential, tmp_path)
    written = {path.name.split(".")[0]: path for path in tmp_path.iterdir()}
    for part, again in zip(potential.parts, load_aenet(tmp_path).parts, strict=True):
        path = REFERENCE / f"{part.element}.nn"
        assert path.stat().st_size == written[part.element].stat().st_size
        assert (part.basis, part.origin) == (again.basis, again.origin)


def test_a_potential_goes_to_n2p2_and_back_without_a_change(tmp_path):
    potential = behler_potential()
    expected = answers(AenetEvaluator(potential, 1))
    save_potential(as_n2p2(potential), tmp_path / "n2p2")
    theirs = load_potential(tmp_path / "n2p2")
    assert_same(expected, answers(Evaluator(theirs, 1)))
    save_aenet(as_aenet(theirs), tmp_path / "back")
    assert_same(expected, answers(AenetEvaluator(load_aenet(tmp_path / "back"), 1)))


def test_units_scalings_and_normalisation_of_n2p2_are_taken_along():
    theirs = as_n2p2(behler_potential())
    for changed in (
        replace(theirs, units=type(theirs.units)("bohr", "hartree")),
        replace(theirs, scaling_mode="scale", scale_minimum=-1.0, scale_maximum=2.0),
        replace(theirs, scaling_mode="none"),
        replace(theirs, normalize_nodes=True),
        replace(theirs, normalisation=type(theirs.normalisation)(0.3, 2.5, 1.7)),
    ):
        assert_same(answers(Evaluator(changed, 1)), answers(AenetEvaluator(as_aenet(changed), 1)))


def test_a_function_that_never_varied_counts_for_nothing():
    potential = behler_potential()
    parts = []
    for part in potential.parts:
        square = part.mean_square.copy()
        square[1] = part.mean[1] ** 2
        parts.append(replace(part, mean_square=square))
    potential = AenetPotential(tuple(parts))
    expected = answers(AenetEvaluator(potential, 1))
    theirs = as_n2p2(potential)
    assert all((scaling.sigma > 0).all() for scaling in theirs.scaling.values())
    assert_same(expected, answers(Evaluator(theirs, 1)))
    assert_same(expected, answers(AenetEvaluator(as_aenet(theirs), 1)))


def test_twisted_tanh_is_evaluated_and_written_but_has_no_form_in_n2p2(tmp_path):
    potential = behler_potential()
    twisted = AenetPotential(
        tuple(
            replace(
                part,
                network=replace(
                    part.network,
                    activations=(Activation.TWISTED_TANH, *part.network.activations[1:]),
                ),
            )
            for part in potential.parts
        )
    )
    expected = answers(AenetEvaluator(twisted, 1))
    assert abs(expected[0] - answers(AenetEvaluator(potential, 1))[0]) > 1e-3
    for form in Form:
        save_aenet(twisted, tmp_path / form, form)
        assert_same(expected, answers(AenetEvaluator(load_aenet(tmp_path / form), 1)), 1e-14)
    with pytest.raises(InvalidInput, match="n2p2 has no twisted tanh"):
        as_n2p2(twisted)


def test_chebyshev_functions_have_no_form_in_n2p2(shared_reference):
    with pytest.raises(InvalidInput, match=r"Chebyshev functions.*n2p2 has no function"):
        as_n2p2(load_aenet(shared_reference / "aenet_tio2"))


def changed_functions(potential, **changes):
    element = potential.elements[0]
    functions = [replace(f, **changes) if f.kind == 9 else f for f in potential.functions[element]]
    return replace(potential, functions={**potential.functions, element: tuple(functions)})


def with_activation(potential, activation):
    networks = {
        e: replace(n, activations=(activation, *n.activations[1:]))
        for e, n in potential.networks.items()
    }
    return replace(potential, networks=networks)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: replace(p, cutoff_type=CutoffType.POLY2), "cutoff type 6"),
        (lambda p: replace(p, cutoff_alpha=0.2), "α = 0.2"),
        (lambda p: changed_functions(p, rs=0.5), "angular function shifted by 0.5"),
        (lambda p: with_activation(p, Activation.SOFTPLUS), "activation p"),
    ],
)
def test_what_aenet_does_not_have_is_named(change, words):
    with pytest.raises(InvalidInput, match=words):
        as_aenet(change(as_n2p2(behler_potential())))


def test_elements_in_two_orders_are_refused(tmp_path):
    potential = behler_potential()
    part = potential.parts[0]
    other = replace(part, atom_energies=dict(reversed(part.atom_energies.items())))
    save_aenet(replace(potential, parts=(other, potential.parts[1])), tmp_path)
    with pytest.raises(InvalidInput, match="one order of the elements"):
        load_aenet(tmp_path)


def test_the_command_writes_the_files_of_the_other_program(tmp_path, capsys):
    save_aenet(behler_potential(), tmp_path / "aenet")
    expected = answers(AenetEvaluator(load_aenet(tmp_path / "aenet"), 1))
    for source, form in (("aenet", "n2p2"), ("n2p2", "aenet-ascii"), ("n2p2", "n2p2")):
        name = f"{source}-{form}" if source == form else form
        words = ["potential", str(tmp_path / source), "--to", form, "-o", str(tmp_path / name)]
        assert main(words) == 0
        assert_same(expected, answers(mlmd.load(tmp_path / name, 1).evaluator))
    assert "Ti.4-3.nn.ascii" in capsys.readouterr().out
    assert main(["potential", str(tmp_path / "n2p2"), "--to", "aenet", "-o", str(tmp_path)]) == 2
    assert "it exists" in capsys.readouterr().err


def test_the_command_says_why_chebyshev_functions_stay(tmp_path, capsys, shared_reference):
    words = ["potential", str(shared_reference / "aenet_tio2"), "--to", "n2p2"]
    assert main([*words, "-o", str(tmp_path / "out")]) == 2
    assert "n2p2 has no function that sums over all neighbour elements" in capsys.readouterr().err
