"""g(r) against exact results, brute force and another program."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.geometry.rdf import get_rdf

from mlmd.analysis import radial_distribution
from mlmd.analysis.pairs import count_distances, count_neighbors
from mlmd.errors import InvalidInput

TRICLINIC = np.array([[5.0, 0.0, 0.0], [2.0, 4.5, 0.0], [-1.5, 1.0, 6.0]])
FLAT = np.array([[3.0, 0.0, 0.0], [2.6, 1.5, 0.0], [0.0, 0.0, 20.0]])
PERIODIC = (True, True, True)


def brute_force(positions, cell, pbc, r_max, bins):
    """Every image that can matter, one pair after the other."""
    heights = abs(np.linalg.det(cell)) / np.linalg.norm(
        np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1
    )
    reach = [
        int(np.ceil(r_max / h)) + 3 if axis else 0 for h, axis in zip(heights, pbc, strict=True)
    ]
    shifts = np.array(list(np.ndindex(*[2 * n + 1 for n in reach]))) - reach
    vectors = positions[None, :] - positions[:, None]
    found = []
    for shift in shifts @ cell:
        distances = np.linalg.norm(vectors + shift, axis=2)
        found.append(distances[distances > 1e-9])
    return np.histogram(np.concatenate(found), bins, (0, r_max))[0]


@pytest.mark.parametrize("cell", [TRICLINIC, FLAT, np.diag([3.0, 4.0, 9.0])])
@pytest.mark.parametrize(
    "pbc", [PERIODIC, (True, True, False), (False, True, False), (False, False, False)]
)
@pytest.mark.parametrize("r_max", [1.3, 4.1, 11.2])
def test_every_pair_and_image_is_counted_once(cell, pbc, r_max):
    rng = np.random.default_rng(5)
    # Some atoms lie outside of the cell.
    positions = rng.uniform(-0.4, 1.4, (13, 3)) @ cell
    kinds = np.zeros(13, dtype=np.int64)
    counts = count_distances(positions, cell, pbc, kinds, 1, r_max, 29)[0, 0]
    assert np.array_equal(counts, brute_force(positions, cell, pbc, r_max, 29))


def test_an_ideal_gas_has_no_structure():
    rng = np.random.default_rng(1)
    frames = rng.uniform(0, 1, (40, 500, 3)) @ (3 * TRICLINIC)
    # 4.2 Å is beyond half of the smallest height: images count too.
    result = radial_distribution(frames, 3 * TRICLINIC, [14] * 500, r_max=12.0, bins=24)
    expected_pairs = (
        40 * 500 * 500 / (27 * np.linalg.det(TRICLINIC)) * 4 * np.pi * result.distances**2 * 0.5
    )
    error = np.sqrt(2 / expected_pairs)
    # N − 1 of N partners: an ideal gas of N atoms shows 1 − 1/N within the first image.
    assert np.all(np.abs(result.total[2:] - 1) < 5 * error[2:] + 2 / 500)
    assert result.frames == 40


@pytest.mark.parametrize(
    ("name", "structure", "a", "shells"),
    [
        ("Al", "fcc", 4.05, [(1 / np.sqrt(2), 12), (1.0, 6), (np.sqrt(1.5), 24)]),
        ("Fe", "bcc", 2.87, [(np.sqrt(0.75), 8), (1.0, 6), (np.sqrt(2), 12)]),
        ("Si", "diamond", 5.43, [(np.sqrt(3) / 4, 4), (1 / np.sqrt(2), 12), (np.sqrt(11) / 4, 12)]),
    ],
)
def test_perfect_crystals_show_their_shells(name, structure, a, shells):
    # The primitive cell is much smaller than r_max.
    atoms = bulk(name, structure, a=a)
    result = radial_distribution(
        atoms.positions[None], atoms.cell.array, atoms.numbers, r_max=1.45 * a, bins=1000
    )
    running, expected = result.coordination[0], 0
    for distance, number in shells:
        expected += number
        here = np.searchsorted(result.distances, distance * a)
        assert running[here + 3] == pytest.approx(expected)
        assert running[here - 3] == pytest.approx(expected - number)
    peak = result.peaks[0]
    assert peak.position == pytest.approx(shells[0][0] * a, abs=0.01)
    assert peak.coordination == pytest.approx(shells[0][1])


def test_partials_agree_with_ase():
    rng = np.random.default_rng(2)
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(3)
    atoms.positions += rng.normal(0, 0.2, atoms.positions.shape)
    ours = radial_distribution(
        atoms.positions[None], atoms.cell.array, atoms.numbers, r_max=8.0, bins=80
    )
    for pair, g in zip(ours.pairs, ours.g, strict=True):
        theirs, _ = get_rdf(atoms, 8.0, 80, elements=Atoms("".join(pair)).numbers)
        assert theirs.max() > 1
        assert np.allclose(g, theirs)


def test_running_numbers_are_counted_from_the_first_element():
    atoms = bulk("CaF2", "fluorite", a=5.46)
    result = radial_distribution(
        atoms.positions[None], atoms.cell.array, atoms.numbers, r_max=2.6, bins=260
    )
    table = dict(zip(result.pairs, result.coordination[:, -1], strict=True))
    assert table["Ca", "F"] == 8
    assert table["F", "Ca"] == 4


def test_the_order_and_wrapping_of_atoms_do_not_matter():
    rng = np.random.default_rng(3)
    positions = rng.uniform(0, 1, (60, 3)) @ TRICLINIC
    shifted = positions + rng.integers(-3, 4, (60, 3)) @ TRICLINIC
    order = rng.permutation(60)
    numbers = np.repeat([8, 14], 30)
    one = radial_distribution(positions[None], TRICLINIC, numbers, 6.0, 50)
    two = radial_distribution(shifted[None, order], TRICLINIC, numbers[order], 6.0, 50)
    assert np.allclose(one.g, two.g)


def test_each_frame_is_divided_by_its_own_density():
    rng = np.random.default_rng(4)
    fractional = rng.uniform(0, 1, (2, 400, 3))
    cells = np.array([np.eye(3) * 12, np.eye(3) * 20])
    result = radial_distribution(fractional @ cells, cells, [18] * 400, r_max=6.0, bins=6)
    assert np.all(np.abs(result.total[2:] - 1) < 0.06)


def test_a_molecule_without_a_cell_gives_its_distances():
    water = molecule("H2O")
    result = radial_distribution(
        water.positions[None], np.zeros((3, 3)), water.numbers, 3.0, 300, (False,) * 3
    )
    assert not result.in_periodic_cell
    peaks = dict(zip(result.pairs, result.peaks, strict=True))
    assert peaks["O", "H"].position == pytest.approx(water.get_distance(0, 1), abs=0.01)
    assert peaks["O", "O"] is None


def test_a_single_atom_sees_only_its_images():
    result = radial_distribution(np.zeros((1, 1, 3)), np.eye(3) * 2.0, [29], 2.5, 25)
    assert result.coordination[0, -1] == 6
    empty = radial_distribution(np.zeros((1, 1, 3)), np.zeros((3, 3)), [29], 2.5, 25, (False,) * 3)
    assert empty.total.sum() == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_positions_that_are_not_numbers_are_refused(value):
    positions = np.full((1, 2, 3), value)
    with pytest.raises(InvalidInput, match="finite"):
        radial_distribution(positions, np.eye(3), [1, 1])


def test_flat_cells_and_empty_input_are_refused():
    with pytest.raises(InvalidInput, match="span space"):
        radial_distribution(np.zeros((1, 2, 3)), np.ones((3, 3)), [1, 1])
    with pytest.raises(InvalidInput, match="no frames"):
        radial_distribution(np.zeros((0, 2, 3)), np.eye(3), [1, 1])
    with pytest.raises(InvalidInput, match="no atoms"):
        radial_distribution(np.zeros((1, 0, 3)), np.eye(3), [])


@pytest.mark.parametrize("threads", ["1", "3"])
def test_threads_do_not_change_a_count(monkeypatch, threads):
    rng = np.random.default_rng(6)
    cell = TRICLINIC * 6
    positions = rng.uniform(0, 1, (2000, 3)) @ cell
    kinds = rng.integers(0, 2, 2000)
    alone = count_distances(positions, cell, PERIODIC, kinds, 2, 6.0, 30)
    neighbors = count_neighbors(positions, cell, PERIODIC, kinds, np.full((2, 2), 4.0))
    monkeypatch.setattr("mlmd.analysis.bins.LEAST_ATOMS_PER_THREAD", 100)
    monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
    assert np.array_equal(count_distances(positions, cell, PERIODIC, kinds, 2, 6.0, 30), alone)
    again = count_neighbors(positions, cell, PERIODIC, kinds, np.full((2, 2), 4.0))
    assert np.array_equal(again, neighbors)
    assert neighbors.sum() > 0
