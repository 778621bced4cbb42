"""What an evaluator keeps, shares, notices and refuses."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.hdnnp import tables
from mlmd.hdnnp.calculator import HDNNPCalculator
from mlmd.hdnnp.descriptors import descriptors
from mlmd.hdnnp.evaluator import MOST_LISTED, Evaluator
from mlmd.hdnnp.files import save_potential


def test_a_kept_neighbour_list_gives_what_a_fresh_one_gives(potential, structure):
    s = structure(1, 40)
    kept = Evaluator(potential, threads=1, skin=1.0)
    rng = np.random.default_rng(0)
    x, cell = s.positions.copy(), s.cell.copy()
    for _ in range(30):
        x += rng.normal(size=x.shape) * 0.06
        strain = np.eye(3) + rng.normal(size=(3, 3)) * 2e-3
        x, cell = x @ strain, cell @ strain
        one = kept.compute(s.numbers, x, cell, s.pbc)
        two = Evaluator(potential, threads=1).compute(s.numbers, x, cell, s.pbc)
        assert one.energy == pytest.approx(two.energy, rel=1e-12)
        np.testing.assert_allclose(one.forces, two.forces, atol=1e-10)
        np.testing.assert_allclose(one.stress, two.stress, atol=1e-12)
    assert 1 < kept.list_rebuilds < 20


def test_a_kept_list_is_dropped_when_elements_or_periodicity_change(potential, structure):
    s = structure(2, 10)
    evaluator = Evaluator(potential, threads=1)
    evaluator.compute(*s.arguments)
    for numbers, pbc in ((s.numbers[::-1], s.pbc), (s.numbers, (True, False, True))):
        one = evaluator.compute(numbers, s.positions, s.cell, pbc)
        two = Evaluator(potential, threads=1).compute(numbers, s.positions, s.cell, pbc)
        assert one.energy == two.energy


def test_threads_share_the_work_and_repeat_their_bits(potential, structure):
    s = structure(3, 150)
    one = Evaluator(potential, threads=1).compute(*s.arguments)
    three = Evaluator(potential, threads=3).compute(*s.arguments)
    again = Evaluator(potential, threads=3).compute(*s.arguments)
    np.testing.assert_allclose(three.forces, one.forces, atol=1e-11)
    np.testing.assert_array_equal(three.atomic_energies, one.atomic_energies)
    np.testing.assert_array_equal(three.forces, again.forces)
    np.testing.assert_array_equal(three.extrapolations, one.extrapolations)


def test_moments_and_pairs_give_the_same_wide_functions(potential, structure, monkeypatch):
    s = structure(4, 30)
    by_moments = Evaluator(potential, threads=1)
    monkeypatch.setattr(tables, "MOMENTS_UP_TO", 0)
    by_pairs = Evaluator(potential, threads=1)
    assert len(by_pairs._functions.moments.out) == 0 < len(by_moments._functions.moments.out)
    one, two = by_moments.compute(*s.arguments), by_pairs.compute(*s.arguments)
    np.testing.assert_allclose(one.atomic_energies, two.atomic_energies, rtol=1e-12)
    np.testing.assert_allclose(one.forces, two.forces, atol=1e-11)


def test_atomic_energies_alone_are_those_of_the_full_evaluation(evaluator, structure):
    s = structure(5, 12)
    np.testing.assert_array_equal(
        evaluator.atomic_energies(*s.arguments), evaluator.compute(*s.arguments).atomic_energies
    )


def test_descriptors_come_by_element(potential, evaluator, structure):
    s = structure(6, 14)
    values = evaluator.symmetry_functions(*s.arguments)
    found = descriptors(potential, *s.arguments)
    assert [group.element for group in found] == list(potential.elements)
    assert sorted(np.concatenate([group.atoms for group in found])) == list(range(14))
    for group in found:
        width = len(potential.functions[group.element])
        np.testing.assert_allclose(
            group.values, values[group.atoms, :width], rtol=1e-12, atol=1e-16
        )


def test_a_descriptor_is_the_sum_of_its_definition(potential, structure):
    # Ten lines of NumPy: one radial and one narrow function of each atom of a molecule.
    s = structure(7, 9, (False, False, False))
    z = {"H": 1, "O": 8, "Cu": 29}

    def f_c(r, r_c):
        y = np.clip(1 - r / r_c, 0, 1)
        return y**3 * (10 - 15 * y + 6 * y**2)

    for group in descriptors(potential, *s.arguments):
        for column, f in enumerate(potential.functions[group.element]):
            if f.kind not in (2, 3):
                continue
            for row, i in enumerate(group.atoms):
                total = 0.0
                d = s.positions - s.positions[i]
                r = np.linalg.norm(d, axis=1)
                for j in (j for j in range(9) if j != i and s.numbers[j] == z[f.neighbors[0]]):
                    pair = np.exp(-f.eta * (r[j] - f.rs) ** 2) * f_c(r[j], f.cutoff)
                    if f.kind == 2:
                        total += pair
                        continue
                    for k in (
                        k for k in range(9) if k not in (i, j) and s.numbers[k] == z[f.neighbors[1]]
                    ):
                        r_jk = np.linalg.norm(d[j] - d[k])
                        p = 1 + f.lam * (d[j] @ d[k]) / (r[j] * r[k])
                        e = np.exp(-f.eta * ((r[k] - f.rs) ** 2 + (r_jk - f.rs) ** 2))
                        half = 0.5 if f.neighbors[0] == f.neighbors[1] else 1.0
                        total += (
                            half
                            * 2 ** (1 - f.zeta)
                            * p**f.zeta
                            * pair
                            * e
                            * f_c(r[k], f.cutoff)
                            * f_c(r_jk, f.cutoff)
                        )
                assert group.values[row, column] == pytest.approx(total, rel=1e-11, abs=1e-15)


def test_extrapolations_are_counted_beyond_those_listed(potential, structure):
    s = structure(8, 400)
    found = Evaluator(potential).compute(s.numbers, s.positions * 0.75, s.cell * 0.75, s.pbc)
    assert found.extrapolation_count > MOST_LISTED == len(found.extrapolations)
    assert (np.diff(found.extrapolations["atom"]) >= 0).all()
    outside = found.extrapolations
    assert ((outside["value"] < outside["low"]) | (outside["value"] > outside["high"])).all()


def test_no_atoms_and_one_atom_are_structures_too(potential, evaluator):
    nothing = evaluator.compute([], np.zeros((0, 3)), np.eye(3) * 10, True)
    assert nothing.energy == 0.0
    assert nothing.forces.shape == (0, 3)
    alone = evaluator.compute([1], np.zeros((1, 3)), np.zeros((3, 3)), False)
    assert not alone.forces.any()
    assert not alone.stress.any()


@pytest.mark.parametrize(
    ("numbers", "positions", "cell", "complaint"),
    [
        ([1, 2], [[0, 0, 0], [0, 0, 1]], np.eye(3) * 9, "doesn't know: He; expected only H O Cu"),
        ([1, 500], [[0, 0, 0], [0, 0, 1]], np.eye(3) * 9, "doesn't know: 500"),
        ([1, 8], [[0, 0, 0], [0, 0, np.nan]], np.eye(3) * 9, "atom 2: position"),
        ([1, 8, 1], [[0, 0, 0], [1, 1, 1], [9, 0, 0]], np.eye(3) * 9, "Atoms 1 and 3"),
        ([1, 8], [[0, 0, 0], [0, 0, 1]], np.zeros((3, 3)), "without volume"),
        ([1, 8], [[0, 0, 0], [0, 0, 1]], np.eye(3) * 1e-3, "Check the unit of the cell"),
        ([1, 8], [[0, 0, 0]], np.eye(3) * 9, r"positions: shape \(1, 3\)"),
        (
            np.ones(4000),
            np.random.default_rng(0).uniform(size=(4000, 3)),
            np.eye(3) * 20,
            "overlap",
        ),
    ],
)
def test_nonsense_is_refused_with_its_reason(evaluator, numbers, positions, cell, complaint):
    with pytest.raises(InvalidInput, match=complaint):
        evaluator.compute(numbers, positions, cell, True)


def test_the_ase_calculator_gives_ase_what_the_evaluator_finds(potential, structure, tmp_path):
    s = structure(9, 8)
    save_potential(potential, tmp_path)
    atoms = Atoms(s.numbers, s.positions, cell=s.cell, pbc=s.pbc)
    atoms.calc = HDNNPCalculator(tmp_path, threads=1)
    found = Evaluator(potential, threads=1).compute(*s.arguments)
    assert atoms.get_potential_energy() == found.energy
    np.testing.assert_array_equal(atoms.get_forces(), found.forces)
    np.testing.assert_array_equal(atoms.get_stress(voigt=False), found.stress)
    assert atoms.calc.evaluation.extrapolation_count == found.extrapolation_count
    atoms.positions[0] += 0.1
    assert atoms.get_potential_energy() != found.energy
    molecule = Atoms(s.numbers, s.positions, calculator=atoms.calc)
    assert np.isfinite(molecule.get_potential_energy())
    assert "stress" not in molecule.calc.results
