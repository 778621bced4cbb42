"""Coordination numbers of crystals that everybody knows."""

import numpy as np
import pytest
from ase.build import bulk, fcc111
from ase.neighborlist import neighbor_list

from mlmd.analysis import coordination_numbers, radial_distribution
from mlmd.analysis.coordination import bond_cutoffs
from mlmd.errors import InvalidInput


@pytest.mark.parametrize(
    ("atoms", "cutoff", "number"),
    [
        (bulk("Si", "diamond", a=5.43), 2.8, 4),
        (bulk("Al", "fcc", a=4.05), 3.4, 12),
        (bulk("Po", "sc", a=3.36), 3.5, 6),
    ],
)
def test_crystals_have_one_number(atoms, cutoff, number):
    result = coordination_numbers(
        atoms.positions[None], atoms.cell.array, atoms.numbers, cutoff
    ).distributions[-1]
    assert result.neighbor == "*"
    assert result.fractions == (0.0,) * number + (1.0,)
    assert result.mean == number


def test_a_surface_shows_two_kinds_of_atoms():
    slab = fcc111("Al", (2, 2, 4), a=4.05, vacuum=10.0)
    result = coordination_numbers(
        slab.positions[None], slab.cell.array, slab.numbers, 3.4, (True, True, False)
    ).distributions[0]
    assert result.fractions[9] == 0.5
    assert result.fractions[12] == 0.5


def test_counts_agree_with_ase_in_a_skewed_cell():
    rng = np.random.default_rng(7)
    cell = np.array([[6.0, 0.0, 0.0], [3.0, 5.0, 0.0], [1.0, 2.0, 7.0]])
    atoms = bulk("Cu").repeat((3, 3, 3))
    atoms.set_cell(cell)
    atoms.positions = rng.uniform(0, 1, (27, 3)) @ cell
    atoms.numbers[:9] = 8
    cutoffs = {("O", "O"): 2.0, ("Cu", "O"): 4.5, ("Cu", "Cu"): 3.0}
    result = coordination_numbers(atoms.positions[None], cell, atoms.numbers, cutoffs)
    i = neighbor_list("i", atoms, cutoffs)
    expected = np.bincount(i, minlength=27)
    for item in result.distributions:
        if item.neighbor == "*":
            here = atoms.numbers == (8 if item.center == "O" else 29)
            assert item.mean == pytest.approx(expected[here].mean())
            shares = np.bincount(expected[here]) / here.sum()
            assert np.allclose(item.fractions, shares)


def test_cutoffs_come_from_the_first_minimum():
    rng = np.random.default_rng(8)
    atoms = bulk("Si", "diamond", a=5.43, cubic=True).repeat(3)
    frames = atoms.positions + rng.normal(0, 0.1, (5, len(atoms), 3))
    distribution = radial_distribution(frames, atoms.cell.array, atoms.numbers, 6.0, 300)
    cutoff = bond_cutoffs(atoms.numbers, distribution)["Si", "Si"]
    assert 2.7 < cutoff < 3.5
    numbers = coordination_numbers(frames, atoms.cell.array, atoms.numbers, {("Si", "Si"): cutoff})
    assert numbers.distributions[0].mean == pytest.approx(4, abs=0.05)
    assert bond_cutoffs(atoms.numbers)["Si", "Si"] == pytest.approx(2.886, abs=0.01)


def test_nothing_to_count_is_refused():
    with pytest.raises(InvalidInput, match="positive cutoff"):
        coordination_numbers(np.zeros((1, 1, 3)), np.eye(3), [1], {})
