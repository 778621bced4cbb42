"""The crystals behind teacher data are found, and what is no crystal is said to be none."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from mlmd.data import silicon_frames
from mlmd.validation.crystals import ELEMENT, TEACHER, atoms_of, find_crystals, is_bulk
from mlmd.validation.subject import Subject
from mlmd.validation.symmetry import (
    inequivalent_atoms,
    repeats_for_atoms,
    repeats_for_width,
    rotations,
    same_crystal,
    standard_cell,
    widths,
)
from tests.mlmd.validation.calculators import Morse, frame_of

MORSE = Morse()


def found(frames, elements=("Cu",), largest=48, most=3, settle=lambda atoms: atoms):
    return find_crystals(frames, elements, largest, most, settle)


def rocksalt(a=5.6):
    return bulk("NaCl", "rocksalt", a=a, cubic=True)


def test_diamond_is_found_in_the_silicon_data_with_its_volumes():
    result = found(silicon_frames(), ("Si",))
    (crystal,) = result.crystals
    assert crystal.name == "Si (Fd-3m)"
    assert crystal.source == TEACHER
    assert len(crystal.cell.primitive) == 2
    assert len(crystal.teacher.volumes) == 7
    assert 19 < crystal.teacher.volumes[np.argmin(crystal.teacher.energies)] < 20.5


def test_one_theory_counts_where_two_are_mixed():
    frames = silicon_frames()
    other = replace(frames[0].calculation, functional="SCAN")
    deep = replace(frames[0], energy=frames[0].energy - 100.0, calculation=other)
    (crystal,) = found([*frames, deep], ("Si",)).crystals
    assert crystal.teacher.energies.min() > -108


def test_a_crystal_in_thermal_motion_is_found():
    rng = np.random.default_rng(3)
    atoms = bulk("Cu", a=3.6, cubic=True).repeat(2)
    frames = []
    for _ in range(3):
        moved = atoms.copy()
        moved.positions += rng.normal(scale=0.03, size=moved.positions.shape)
        frames.append(frame_of(moved, MORSE))
    subject = Subject(MORSE, ("Cu",), 6.5, frames=frames)
    (crystal,) = subject.found.crystals
    assert (crystal.name, len(crystal.cell.primitive)) == ("Cu (Fm-3m)", 1)


def test_molecules_are_no_crystals():
    result = found([frame_of(molecule("H2O"), MORSE)], ("H", "O"))
    assert not result.crystals
    assert "no crystals" in result.remarks[0]


def test_a_slab_is_no_crystal_and_a_layered_cell_is_one():
    slab = fcc111("Cu", (1, 1, 4), a=3.6, vacuum=8.0)
    slab.pbc = True
    assert not is_bulk(frame_of(slab, MORSE))
    graphite = Atoms(
        "C4",
        scaled_positions=[[0, 0, 0.25], [0, 0, 0.75], [1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]],
        cell=[2.46, 2.46, 6.7, 90, 90, 120],
        pbc=True,
    )
    assert is_bulk(frame_of(graphite, MORSE))


def test_a_liquid_is_said_to_have_no_small_cell():
    rng = np.random.default_rng(1)
    atoms = bulk("Cu", a=3.6, cubic=True).repeat(3)
    atoms.positions += rng.normal(scale=0.6, size=atoms.positions.shape)
    result = found([frame_of(atoms, MORSE)])
    assert not result.crystals
    assert "no cell below 108 atoms" in result.remarks[0]


def test_the_smallest_cells_come_first_and_the_limit_is_said():
    salt, vacancy = rocksalt(), rocksalt()
    del vacancy[0]
    frames = [frame_of(atoms, MORSE) for atoms in (vacancy, salt, bulk("Na", a=4.2))]
    result = found(frames, ("Na", "Cl"), most=2)
    assert [crystal.cell.formula for crystal in result.crystals] == ["Na", "NaCl"]
    assert "2 crystals are the limit" in result.remarks[0]


def test_an_element_without_data_gets_its_reference_state():
    (crystal,) = found([], ("Cu",)).crystals
    assert (crystal.name, crystal.source) == ("Cu (Fm-3m)", ELEMENT)
    assert not found([], ("Na", "Cl")).crystals
    assert not found([], ("S",)).crystals


def test_the_same_crystal_is_known_at_another_volume_only():
    one = standard_cell(rocksalt())
    assert same_crystal(one, standard_cell(rocksalt(6.0)))
    assert not same_crystal(one, standard_cell(bulk("NaCl", "cesiumchloride", a=3.4)))
    assert not same_crystal(standard_cell(bulk("Ti")), standard_cell(bulk("Ti", covera=1.7)))


def test_standard_cells_share_their_axes():
    cell = standard_cell(bulk("Si"))
    conversion = cell.primitive.cell.array @ np.linalg.inv(cell.conventional.cell.array)
    assert np.allclose(4 * conversion, np.rint(4 * conversion))
    assert len(rotations(cell)) == 48
    assert np.allclose(np.abs(np.linalg.det(rotations(cell))), 1)
    assert cell.system == "cubic"


def test_inequivalent_atoms_of_rutile():
    a, c, u = 4.6, 2.96, 0.305
    rutile = Atoms(
        "Ti2O4",
        scaled_positions=[
            [0, 0, 0], [0.5, 0.5, 0.5], [u, u, 0], [1 - u, 1 - u, 0],
            [0.5 + u, 0.5 - u, 0.5], [0.5 - u, 0.5 + u, 0.5],
        ],
        cell=[a, a, c],
        pbc=True,
    )  # fmt: skip
    assert len(inequivalent_atoms(rutile)) == 2
    assert standard_cell(rutile).system == "tetragonal"


@pytest.mark.parametrize("cell", [[3.0, 4.0, 5.0], [3.0, 4.0, 5.0, 80.0, 95.0, 110.0]])
def test_repeats_reach_width_and_number(cell):
    atoms = Atoms("Cu", cell=cell, pbc=True)
    wide = atoms.repeat(repeats_for_width(atoms, 10.0, 1000))
    assert widths(wide).min() >= 10.0 - 1e-6
    assert len(atoms.repeat(repeats_for_width(atoms, 30.0, 50))) <= 50
    many = atoms.repeat(repeats_for_atoms(atoms, 64))
    assert 64 <= len(many) < 150
    assert atoms_of(frame_of(atoms, MORSE)).get_volume() == pytest.approx(atoms.get_volume())
