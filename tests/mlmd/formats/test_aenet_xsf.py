"""aenet's XSF files: one structure each, in files, folders and archives."""

from __future__ import annotations

import tarfile
from dataclasses import replace

import numpy as np
import pytest

from mlmd.errors import FormatError, InvalidInput
from mlmd.formats import Severity, frame_sink, open_frames, read_frames, write_frames
from tests.mlmd.formats.frames import silicon

CRYSTAL = """\
# total energy = -4990.44928342 eV

CRYSTAL
PRIMVEC
   2.967  0.000  0.000
   0.000  4.648  0.000
   0.000 -0.000  4.648
PRIMCOORD
2 1
Ti 1.483  2.324  2.324  0.001  0.000  0.000
8  1.483  0.905  0.905  0.000 -0.004 -4.0D-03
"""
MOLECULE = """\
# total energy = -19543.67017695 eV

ATOMS
O   5.900  3.922  0.851
C   5.133  4.445  0.095
"""


def issues_of(path):
    reader = open_frames(path)
    return list(reader), reader.issues


def test_a_crystal_and_a_molecule_are_read_as_they_stand(tmp_path):
    (tmp_path / "a.txt").write_text(CRYSTAL)
    (tmp_path / "b.txt").write_text(MOLECULE)
    (crystal,) = read_frames(tmp_path / "a.txt")
    assert crystal.numbers.tolist() == [22, 8]
    assert crystal.energy == -4990.44928342
    assert crystal.pbc == (True, True, True)
    np.testing.assert_array_equal(np.diag(crystal.cell), [2.967, 4.648, 4.648])
    np.testing.assert_array_equal(crystal.forces[1], [0, -0.004, -0.004])
    assert crystal.stress is None
    (molecule,) = read_frames(tmp_path / "b.txt")
    assert molecule.forces is None
    assert molecule.pbc == (False, False, False)


def test_structures_one_after_another_are_all_read(tmp_path):
    (tmp_path / "all.xsf").write_text(CRYSTAL + MOLECULE + CRYSTAL)
    frames = list(read_frames(tmp_path / "all.xsf"))
    assert [len(f) for f in frames] == [2, 2, 2]
    assert [f.energy for f in frames] == [-4990.44928342, -19543.67017695, -4990.44928342]
    assert [f.ionic_step for f in frames] == [0, 1, 2]


@pytest.mark.parametrize("name", ["folder", "out.zip"])
def test_what_is_written_reads_back(tmp_path, name):
    molecule = replace(silicon(), pbc=(False,) * 3, cell=np.zeros((3, 3)))
    slab = silicon(pbc=(True, True, False))
    wire = silicon(pbc=(True, False, False), kind="")
    frames = [silicon(), molecule, slab, wire, silicon(forces=None)]
    assert write_frames(frames, tmp_path / name, "aenet") == 5
    again = list(open_frames(tmp_path / name))
    for one, two in zip(frames, again, strict=True):
        np.testing.assert_array_equal(one.numbers, two.numbers)
        np.testing.assert_array_equal(one.positions, two.positions)
        np.testing.assert_array_equal(one.cell, two.cell)
        assert (one.pbc, one.energy, one.kind) == (two.pbc, two.energy, two.kind)
        if one.forces is None:
            assert two.forces is None
        else:
            np.testing.assert_array_equal(one.forces, two.forces)


def test_a_tar_of_files_is_read_where_it_lies(tmp_path):
    write_frames([silicon(), silicon(energy=-9.0)], tmp_path / "set", "aenet")
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "set", "set")
    reader = open_frames(tmp_path / "set.tar.gz")
    assert reader.format == "aenet"
    assert [f.energy for f in reader] == [-10.5, -9.0]


def test_an_archive_is_the_same_bytes_again(tmp_path):
    for name in ("a.zip", "b.zip"):
        write_frames([silicon()], tmp_path / name, "aenet")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_the_words_for_the_energy_come_only_once(tmp_path):
    """aenet takes the last line that says “total energy”, also in a comment of ours."""
    write_frames([silicon(kind="low total energy")], tmp_path / "x", "aenet")
    text = (tmp_path / "x" / "structure-000001.xsf").read_text()
    assert text.count("total energy") == 1
    assert text.startswith("# total energy = -10.5 eV\n# kind = low total E\n\nCRYSTAL\nPRIMVEC\n")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("# total energy = -4990.44928342 eV\n", ""), "no comment"),
        (("eV", "Ha"), "energy in Ha"),
        (("2 1\n", "3 1\n"), "2 atoms where PRIMCOORD says 3"),
        (("Ti 1.483", "Qq 1.483"), "unknown element “Qq”"),
        (("  0.001  0.000  0.000\n", "\n"), "lines of 4 and 7 values"),
        (("   0.000 -0.000  4.648\n", ""), "lattice vectors|where PRIMCOORD"),
        (("2.967", "2.9.7"), "could not convert"),
        (("PRIMVEC", "PRIMVEK"), "line 4: “PRIMVEK” where a keyword should be"),
    ],
)
def test_a_damaged_structure_is_left_out_with_its_reason(tmp_path, change, words):
    text = CRYSTAL.replace(*change)
    (tmp_path / "x.xsf").write_text(text + MOLECULE)
    frames, issues = issues_of(tmp_path / "x.xsf")
    lost = [str(issue) for issue in issues if issue.severity is Severity.LOST]
    assert len(lost) == 1
    assert any(word in lost[0] for word in words.split("|"))
    assert len(frames) <= 1


def test_what_was_assumed_is_said(tmp_path):
    bare = CRYSTAL.replace(" eV", "").replace("0.001", "0.0").replace("-0.004", "0.0")
    (tmp_path / "x.xsf").write_text(bare.replace("-4.0D-03", "0.0"))
    frames, issues = issues_of(tmp_path / "x.xsf")
    assert len(frames) == 1
    assert [issue.severity for issue in issues] == [Severity.NOTE, Severity.WARNING]
    assert "1 energies without a unit" in issues[0].found
    assert "forces are all zero" in issues[1].found


def test_frames_that_xsf_cannot_hold_are_named_and_others_follow(tmp_path):
    with frame_sink(tmp_path / "x", "aenet") as sink:
        with pytest.raises(InvalidInput, match="no energy"):
            sink.write(silicon(energy=None))
        with pytest.raises(InvalidInput, match="some directions"):
            sink.write(silicon(pbc=(False, True, False)))
        with pytest.raises(InvalidInput, match="some directions"):
            sink.write(silicon(pbc=(True, True, False), cell=np.diag([3.0, 3.0, 0.0])))
        sink.write(silicon())
    assert len(list(open_frames(tmp_path / "x"))) == 1


def test_a_damaged_archive_is_refused(tmp_path):
    write_frames([silicon()] * 3, tmp_path / "x.zip", "aenet")
    (tmp_path / "x.zip").write_bytes((tmp_path / "x.zip").read_bytes()[:300])
    with pytest.raises(FormatError, match="damaged archive"):
        list(open_frames(tmp_path / "x.zip"))
