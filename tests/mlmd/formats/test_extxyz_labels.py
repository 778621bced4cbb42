"""Conventions of extended XYZ in the wild: prefixes, virials, orders, signs and units."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mlmd.formats import open_frames

BOX = 'Lattice="5 0 0 0 5 0 0 0 5"'


def read(tmp_path, info, columns="", values="", frames=1):
    path = tmp_path / "a.xyz"
    text = f"1\n{BOX} Properties=species:S:1:pos:R:3{columns} {info}\nH 0 0 0 {values}\n"
    path.write_text(text * frames)
    reader = open_frames(path)
    return next(iter(list(reader)), None), list(reader.issues)


def test_reference_data_win_over_the_plain_keys_that_calculators_overwrite(tmp_path):
    frame, issues = read(
        tmp_path,
        "energy=-1 free_energy=-1 REF_energy=-2",
        ":forces:R:3:REF_forces:R:3",
        "9 9 9 0.1 0.2 0.3",
        frames=3,
    )
    assert (frame.energy, frame.energy_sigma0) == (-2.0, None)
    np.testing.assert_allclose(frame.forces, [[0.1, 0.2, 0.3]])
    assert [i.found for i in issues] == [
        "ref_energy and energy differ",
        "ref_forces and forces differ",
    ]


def test_the_same_value_under_two_keys_needs_no_word(tmp_path):
    frame, issues = read(tmp_path, "energy=-2.0 dft_energy=-2", ":force:R:3", "1 2 3")
    assert frame.energy == -2.0
    np.testing.assert_allclose(frame.forces, [[1, 2, 3]])
    assert issues == []


def test_the_energy_at_zero_smearing_of_ase_is_kept_apart_and_said(tmp_path):
    frame, issues = read(tmp_path, "energy=-2.0 free_energy=-2.1", frames=4)
    assert (frame.energy, frame.energy_sigma0) == (-2.1, -2.0)
    assert [(i.severity, i.found) for i in issues] == [("note", "energy and free_energy differ")]


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ('stress="1e-2 2e-2 3e-2 4e-3 5e-3 6e-3"', (1e-2, 5e-3, 4e-3)),
        ('virials="-1.25 -2.5 -3.75 -0.5 -0.625 -0.75"', (1e-2, 5e-3, 4e-3)),
        ('REF_stress="{1e-2 6e-3 5e-3 6e-3 2e-2 4e-3 5e-3 4e-3 3e-2}"', (1e-2, 5e-3, 4e-3)),
        ('stress="[[1e-2,6e-3,5e-3],[6e-3,2e-2,4e-3],[5e-3,4e-3,3e-2]]"', (1e-2, 5e-3, 4e-3)),
    ],
)
def test_stress_and_virial_of_any_shape_give_the_same_tensor(tmp_path, info, expected):
    frame, issues = read(tmp_path, f"energy=0 {info}")
    s = frame.stress
    np.testing.assert_allclose((s[0, 0], s[0, 2], s[1, 2]), expected)
    np.testing.assert_allclose(s, s.T)
    assert {i.severity for i in issues} <= {"note"}
    assert bool(issues) == ("[" not in info and "{" not in info)


def test_stress_in_gpa_is_noticed(tmp_path):
    frame, (issue,) = read(tmp_path, 'energy=0 stress="12 0 0 0 12 0 0 0 12"', frames=3)
    assert frame.stress[0, 0] == 12
    assert issue.severity == "warning"
    assert "1.92e+03 GPa" in issue.expected


def test_a_stress_with_the_sign_of_the_virial_is_named_as_that(tmp_path):
    virial = 'virial="1 0 0 0 1 0 0 0 1"'
    frame, (issue,) = read(tmp_path, f'energy=0 {virial} stress=".008 0 0 0 .008 0 0 0 .008"')
    assert issue.found == "stress and virial have the same sign"
    np.testing.assert_allclose(frame.stress, -np.eye(3) / 125)


def test_a_tensor_that_is_not_symmetric_is_noticed(tmp_path):
    _, (issue,) = read(tmp_path, 'energy=0 stress="0 .1 0 0 0 0 0 0 0"')
    assert "not symmetric" in issue.found


@pytest.mark.parametrize("info", ['stress="1 2 3"', "energy=abc", 'virial="1 2"'])
def test_labels_that_are_no_numbers_lose_their_frame_only(tmp_path, info):
    frame, (issue,) = read(tmp_path, info)
    assert frame is None
    assert issue.severity == "lost"


def test_what_ase_writes_is_what_we_read(tmp_path):
    atoms = Atoms("Cu", cell=np.eye(3) * 3 + 0.1, pbc=True)
    stress = np.array([0.01, 0.02, 0.03, 0.004, 0.005, 0.006])
    atoms.calc = SinglePointCalculator(
        atoms, energy=-3.0, free_energy=-3.1, forces=[[0.1, 0.2, 0.3]], stress=stress
    )
    ase.io.write(tmp_path / "a.xyz", atoms, format="extxyz")
    (frame,) = open_frames(tmp_path / "a.xyz")
    assert (frame.energy, frame.energy_sigma0) == (-3.1, -3.0)
    np.testing.assert_allclose(frame.stress, atoms.get_stress(voigt=False))
