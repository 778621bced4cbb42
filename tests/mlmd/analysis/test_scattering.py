"""Structure factors against sums written out, crystals, gases and a silica glass."""

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read

from mlmd.analysis import structure_factor
from mlmd.analysis.scattering import StructureFactorAccumulator
from mlmd.analysis.scattering_kernel import density_modes
from mlmd.errors import InvalidInput

# Bound coherent scattering lengths, fm (Sears 1992, doi:10.1080/10448639208218770).
NEUTRONS = {"Si": 4.1491, "O": 5.803}


def test_modes_are_the_sum_over_atoms():
    rng = np.random.default_rng(0)
    fractional = rng.random((700, 3))
    starts = np.array([0, 300, 700])
    indices = rng.integers(-9, 10, (40, 3)).astype(float)
    phases = np.exp(2j * np.pi * fractional @ indices.T)
    found = density_modes(fractional, starts, indices)
    for species, part in enumerate((phases[:300], phases[300:])):
        expected = part.sum(axis=0)
        np.testing.assert_allclose(found[:, species, 0], expected.real, atol=1e-10)
        np.testing.assert_allclose(found[:, species, 1], expected.imag, atol=1e-10)


def test_a_crystal_has_its_reflections_and_nothing_between():
    atoms = bulk("Si", cubic=True).repeat(3)
    found = structure_factor(
        [atoms.positions], [atoms.cell.array], atoms.numbers, q_max=4.0, width=0.02
    )
    high = found.wave_numbers[found.total > 1]
    a = 5.43
    for squared in (3, 8, 11):
        assert np.abs(high - 2 * np.pi / a * np.sqrt(squared)).min() < 0.02
    # (200) is extinct in diamond, and so is all below (111).
    assert np.abs(high - 4 * np.pi / a).min() > 0.3
    assert found.total[found.wave_numbers < 1.9].max() < 1e-10


def test_an_ideal_gas_scatters_alike_everywhere():
    rng = np.random.default_rng(1)
    frames = rng.uniform(0, 15, (40, 200, 3))
    numbers = np.repeat([14, 8], [60, 140])
    found = structure_factor(frames, [np.eye(3) * 15] * 40, numbers, q_max=6.0, width=0.2)
    assert found.pairs == (("O", "O"), ("O", "Si"), ("Si", "Si"))
    late = found.wave_numbers > 1
    assert np.abs(found.total[late] - 1).max() < 0.15
    assert np.abs(found.partial[:, late].mean(axis=1) - 1).max() < 0.05
    assert found.frames == 40


def test_weights_add_up_to_the_total_of_like_atoms():
    rng = np.random.default_rng(2)
    numbers = np.repeat([14, 8], [30, 70])
    cell = np.array([[11.0, 0, 0], [2, 12, 0], [1, -3, 13]])
    found = structure_factor([rng.normal(size=(100, 3)) * 5], [cell], numbers)
    np.testing.assert_allclose(found.weighted({"Si": 2.0, "O": 2.0}), found.total, atol=1e-10)


def test_cells_too_large_to_list_their_vectors_are_sampled(monkeypatch):
    rng = np.random.default_rng(3)
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True).repeat(5)
    positions = atoms.positions + rng.normal(size=atoms.positions.shape) * 0.5
    every = structure_factor([positions], [atoms.cell.array], atoms.numbers, 8.0, 0.2)
    monkeypatch.setattr("mlmd.analysis.scattering.MOST_LISTED", 100)
    drawn = structure_factor([positions], [atoms.cell.array], atoms.numbers, 8.0, 0.2)
    assert len(drawn.wave_numbers) >= len(every.wave_numbers) - 3
    high = every.wave_numbers > 4
    assert drawn.total[-int(high.sum()) :].mean() == pytest.approx(
        every.total[high].mean(), rel=0.1
    )


def test_silica_scatters_neutrons_as_the_reference_says(shared_reference, monkeypatch):
    folder = shared_reference / "silica"
    atoms = read(
        folder / "bks_3000.final.data",
        format="lammps-data",
        Z_of_type={1: 14, 2: 8},
        atom_style="atomic",
    )
    # All wave vectors: a glass of 3000 atoms is speckled.
    monkeypatch.setattr("mlmd.analysis.scattering.MOST_VECTORS", 100_000)
    found = structure_factor([atoms.positions], [atoms.cell.array], atoms.numbers, 4.0, 0.05)
    neutrons = found.weighted(NEUTRONS)
    with np.load(folder / "bks_3000_S.npz") as reference:
        for low in np.arange(1.0, 3.9, 0.2):
            ours = (found.wave_numbers >= low) & (found.wave_numbers < low + 0.2)
            theirs = (reference["q"] >= low) & (reference["q"] < low + 0.2)
            expected = reference["SN"][theirs].mean()
            assert neutrons[ours].mean() == pytest.approx(expected, abs=0.03)
    near = (found.wave_numbers > 1.3) & (found.wave_numbers < 2.0)
    weight = np.sqrt(found.vectors[near])
    curve = np.polynomial.Polynomial.fit(found.wave_numbers[near], neutrons[near], 4, w=weight)
    fine = np.linspace(1.4, 1.9, 501)
    assert fine[curve(fine).argmax()] == pytest.approx(1.62, abs=0.06)
    assert curve(fine).max() == pytest.approx(1.3, abs=0.06)


def test_ranges_that_make_no_sense_are_refused():
    with pytest.raises(InvalidInput, match="no atoms"):
        structure_factor([], [], [])
    with pytest.raises(InvalidInput, match="shells"):
        structure_factor([[[0, 0, 0]]], [np.eye(3)], [14], q_max=0.05)


@pytest.mark.parametrize("listed", [True, False])
def test_of_each_wave_vector_and_its_opposite_one_is_taken(listed, monkeypatch):
    if not listed:
        monkeypatch.setattr("mlmd.analysis.scattering.MOST_LISTED", 0)
    monkeypatch.setattr("mlmd.analysis.scattering.MOST_VECTORS", 10_000)
    cell = np.array([[7.0, 0.0, 0.0], [1.0, 8.0, 0.0], [-2.0, 0.5, 9.0]])
    accumulator = StructureFactorAccumulator([14] * 4, q_max=4.0)
    for box in (cell, cell, 1.01 * cell):  # the second time they are known
        indices = accumulator._vectors(box)
        taken = {tuple(row) for row in indices}
        assert len(taken) == len(indices)
        assert not taken & {tuple(row) for row in -indices}
        grid = np.stack(np.meshgrid(*[np.arange(-8.0, 9.0)] * 3), axis=-1).reshape(-1, 3)
        q = np.linalg.norm(2 * np.pi * grid @ np.linalg.inv(box).T, axis=1)
        inside = np.count_nonzero((q > 0) & (q < 4.0))
        assert 2 * len(indices) == inside if listed else 2 * len(indices) <= inside


def test_all_wave_vectors_of_a_shell_have_their_turn(monkeypatch):
    monkeypatch.setattr("mlmd.analysis.scattering.MOST_VECTORS", 7)
    cell = np.diag([11.0, 12.0, 13.0])
    accumulator = StructureFactorAccumulator([14], q_max=3.0, width=0.5)
    taken = []
    for _ in range(40):
        taken.append({tuple(row) for row in accumulator._vectors(cell)})
        accumulator.add(np.zeros((1, 3)), cell)
    assert all(len(each) <= 7 * 6 for each in taken)
    whole = len(accumulator._listed.indices)
    assert len(set.union(*taken)) == whole > 4 * len(taken[0])
