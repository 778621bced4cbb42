"""What is written reads back to the same frame."""

import io
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from hypothesis import given, settings

from mlmd.data import silicon_frames
from mlmd.errors import FormatError, InvalidInput
from mlmd.formats import open_frames, read_frames, write_frames
from mlmd.formats.atoms import atoms_to_frame, frame_to_atoms
from mlmd.units import BOHR, HARTREE
from tests.mlmd.formats.frames import differences, labelled_frames, silicon

# What n2p2's format has no place for.
NOT_IN_N2P2 = (
    "energy_sigma0",
    "stress",
    "scf_converged",
    "calculation",
    "fixed",
    "flags",
    "magnetic_moments",
)


def reread(tmp_path, frames, format, **options):
    path = tmp_path / "frames"
    assert write_frames(frames, path, format, **options) == len(frames)
    reader = open_frames(path)
    assert reader.format == format
    return list(reader), reader.issues


@pytest.mark.parametrize("format", ["extxyz", "jsonl"])
@given(frame=labelled_frames())
@settings(max_examples=60, deadline=None)
def test_any_frame_survives_extxyz_and_json_lines(format, frame, tmp_path_factory):
    if any(frame.pbc) and not all(np.linalg.norm(frame.cell, axis=1)):
        frame = replace(frame, pbc=(False, False, False))
    read, issues = reread(tmp_path_factory.mktemp("x"), [frame, frame], format)
    assert {i.found for i in issues if i.severity != "note"} <= {
        "a stress that no solid withstands",
        "stress is not symmetric",
    }
    # A quoted value of extxyz is stripped of nothing but cannot hold a line break.
    assert [differences(frame, r) for r in read] == [[], []]


@pytest.mark.parametrize("format", ["extxyz", "jsonl", "n2p2"])
def test_the_bundled_silicon_survives(format, tmp_path):
    frames = silicon_frames()
    read, _ = reread(tmp_path, frames, format)
    skip = NOT_IN_N2P2 if format == "n2p2" else ()
    assert [d for a, b in zip(frames, read, strict=True) if (d := differences(a, b, skip))] == []


@given(labelled_frames())
@settings(max_examples=60, deadline=None)
def test_ase_atoms_carry_a_frame_and_bring_it_back(frame):
    again = atoms_to_frame(frame_to_atoms(frame))
    # ASE holds six stress components, so only a symmetric stress comes back.
    skip = ("stress",) if frame.stress is not None else ()
    assert differences(frame, again, skip) == []


def test_forces_of_fixed_atoms_are_not_zeroed_on_the_way_to_ase(tmp_path):
    frame = silicon(fixed=np.array([[True] * 3, [False] * 3]))
    atoms = frame_to_atoms(frame)
    np.testing.assert_array_equal(atoms.get_forces(), frame.forces)
    np.testing.assert_array_equal(atoms_to_frame(atoms).fixed, frame.fixed)


def test_ase_reads_our_extxyz_with_the_same_numbers(tmp_path):
    frame = silicon()
    write_frames([frame], tmp_path / "a.extxyz", "extxyz")
    atoms = ase.io.read(tmp_path / "a.extxyz")
    assert atoms.get_potential_energy() == frame.energy
    assert atoms.get_potential_energy(force_consistent=True) == frame.energy
    np.testing.assert_array_equal(atoms.get_forces(), frame.forces)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), frame.stress)
    assert atoms.info["kind"] == "strain"


def test_we_read_the_extxyz_of_ase(tmp_path):
    atoms = frame_to_atoms(silicon())
    ase.io.write(tmp_path / "a.extxyz", [atoms, atoms], format="extxyz")
    read = list(read_frames(tmp_path / "a.extxyz"))
    assert len(read) == 2
    assert read[1].energy == -10.5
    assert read[1].energy_sigma0 == -10.49
    np.testing.assert_allclose(read[1].stress, silicon().stress)


def test_the_energy_at_zero_smearing_is_an_export_option(tmp_path):
    frame = silicon()
    write_frames([frame], tmp_path / "a.extxyz", "extxyz", energy="sigma0")
    assert ase.io.read(tmp_path / "a.extxyz").get_potential_energy() == -10.49
    assert next(read_frames(tmp_path / "a.extxyz")).energy == -10.5
    with pytest.raises(InvalidInput, match="zero smearing"):
        write_frames([silicon(energy_sigma0=None)], io.StringIO(), "n2p2", energy="sigma0")


@pytest.mark.parametrize("prefix", ["", "REF_", "dft_", "DFT_"])
def test_prefixes_of_the_machine_learning_world_are_understood(prefix, tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text(
        f'1\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:{prefix}forces:R:3 '
        f'{prefix}energy=-1.5 {prefix}virial="1 0 0 0 2 0 0 0 3" config_type=bulk\n'
        "H 0 0 0 0.1 0.2 0.3\n"
    )
    frame = next(read_frames(path))
    assert (frame.energy, frame.kind) == (-1.5, "bulk")
    np.testing.assert_allclose(frame.forces, [[0.1, 0.2, 0.3]])
    np.testing.assert_allclose(frame.stress, -np.diag([1, 2, 3]) / 125)


def test_a_stress_of_the_wrong_sign_beside_a_virial_is_noticed(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text(
        '1\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3 energy=1 '
        'virial="1 0 0 0 1 0 0 0 1" stress="0.008 0 0 0 0.008 0 0 0 0.008"\nH 0 0 0\n'
    )
    reader = open_frames(path)
    (frame,) = reader
    np.testing.assert_allclose(frame.stress, -np.eye(3) / 125)
    assert [i.severity for i in reader.issues] == ["warning"]


def test_n2p2_files_in_atomic_units_are_converted(tmp_path):
    path = tmp_path / "input.data"
    path.write_text(
        "begin\ncomment x\nlattice 10 0 0\nlattice 0 10 0\nlattice 0 0 10\n"
        "atom 1 2 3 Cu 0 0 0.1 0.2 0.3\nenergy -2\ncharge 0\nend\n"
    )
    (frame,) = open_frames(path, length_unit="bohr", energy_unit="hartree")
    np.testing.assert_allclose(frame.positions, np.array([[1, 2, 3]]) * BOHR)
    np.testing.assert_allclose(frame.forces, np.array([[0.1, 0.2, 0.3]]) * HARTREE / BOHR)
    assert frame.energy == pytest.approx(-2 * HARTREE)
    plain = open_frames(path)
    assert next(iter(plain)).energy == -2
    assert "angstrom" in plain.issues[0].action


def test_n2p2_cannot_hold_an_unlabelled_frame():
    for missing in ("energy", "forces"):
        with pytest.raises(InvalidInput, match=missing):
            write_frames([silicon(**{missing: None})], io.StringIO(), "n2p2")


def test_real_n2p2_data_is_read(shared_reference):
    for name in ("Cu2S_PBE", "synthetic_ct2"):
        frames = list(read_frames(shared_reference / "n2p2" / name / "input.data"))
        text = (shared_reference / "n2p2" / name / "input.data").read_text()
        assert len(frames) == sum(line.split()[:1] == ["end"] for line in text.splitlines())
        assert sum(len(f) for f in frames) == text.count("\natom")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.data"
    path.write_text("old")
    with pytest.raises(InvalidInput):
        write_frames([silicon(), silicon(forces=None)], path, "n2p2")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_formats_that_are_only_read_say_so(tmp_path):
    with pytest.raises(InvalidInput, match="only be read"):
        write_frames([silicon()], tmp_path / "x", "vasprun")


def test_reading_nothing_useful_is_an_error_not_an_empty_list(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text("2\ncomment\nH 0 0 0\n")
    with pytest.raises(FormatError, match="1 atom lines"):
        list(read_frames(path))
