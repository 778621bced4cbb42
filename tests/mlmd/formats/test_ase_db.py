"""ASE's databases: read without trusting them, written so that ASE finds everything."""

import gzip
import sqlite3
from dataclasses import replace

import ase.db
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmd.errors import FormatError, HostileInput, InvalidInput
from mlmd.formats import open_frames, write_frames
from tests.mlmd.formats.frames import differences, labelled_frames, silicon


def database(path, count=2):
    """A database as ASE's users write it."""
    with ase.db.connect(path, type="db") as rows:
        for index in range(count):
            atoms = Atoms("OH2", positions=np.eye(3) + index, cell=[4, 5, 6], pbc=(1, 1, 0))
            atoms.set_constraint(FixAtoms([0]))
            atoms.calc = SinglePointCalculator(
                atoms, energy=-5.0, free_energy=-5.5, forces=np.ones((3, 3)), stress=np.arange(6.0)
            )
            rows.write(atoms, config_type="liquid", data={"x": np.zeros(3)})
    return path


@given(frame=labelled_frames())
@settings(max_examples=40, deadline=None)
def test_any_frame_survives(frame, tmp_path_factory):
    if any(frame.pbc) and not all(np.linalg.norm(frame.cell, axis=1)):
        frame = replace(frame, pbc=(False, False, False))
    if frame.stress is not None:  # ASE keeps six components
        frame = replace(frame, stress=0.5 * (frame.stress + frame.stress.T))
    path = tmp_path_factory.mktemp("x") / "a.db"
    write_frames([frame, frame], path, "asedb")
    reader = open_frames(path)
    read = list(reader)
    assert reader.format == "asedb"
    assert reader.issues == []
    # A mask that holds nothing is no constraint; which file it was stays unsaid where nothing is.
    skip = ["calculation"] if frame.calculation.code == "unknown" else []
    skip += ["fixed"] if frame.fixed is not None and not frame.fixed.any() else []
    assert [differences(frame, r, tuple(skip)) for r in read] == [[], []]


def test_ase_finds_what_was_written(tmp_path):
    write_frames([silicon()], tmp_path / "a.db", "asedb", energy="sigma0")
    (row,) = ase.db.connect(tmp_path / "a.db").select("Si=2,kind=strain,functional=PBE")
    assert (row.energy, row.free_energy) == (-10.49, -10.5)
    np.testing.assert_array_equal(row.forces, silicon().forces)
    np.testing.assert_allclose(row.toatoms().get_stress(voigt=False), silicon().stress)
    assert row.data["calculation"]["functional"] == "PBE"
    (frame,) = open_frames(tmp_path / "a.db")
    assert differences(silicon(), frame) == []


@pytest.mark.parametrize("pack", [False, True])
def test_databases_of_ase_are_read_also_compressed(tmp_path, pack):
    path = database(tmp_path / "a.db")
    if pack:
        (tmp_path / "a.db.gz").write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / "a.db.gz"
    frames = list(open_frames(path))
    assert len(frames) == 2
    frame = frames[1]
    assert (frame.energy, frame.energy_sigma0, frame.kind) == (-5.5, -5.0, "liquid")
    assert frame.pbc == (True, True, False)
    assert frame.fixed.tolist() == [[True] * 3, [False] * 3, [False] * 3]
    np.testing.assert_array_equal(frame.forces, np.ones((3, 3)))  # constraints aren't applied
    assert frame.stress[1, 2] == 3.0
    assert frame.calculation.source_name == path.name


def test_reading_leaves_no_trace_beside_the_file(tmp_path):
    path = database(tmp_path / "a.db")
    before = (path.read_bytes(), sorted(tmp_path.iterdir()))
    list(open_frames(path))
    assert (path.read_bytes(), sorted(tmp_path.iterdir())) == before


@pytest.mark.parametrize(
    ("sql", "error", "says"),
    [
        ("DROP TABLE systems", FormatError, "without a table"),
        (
            "ALTER TABLE systems RENAME TO s; CREATE VIEW systems AS SELECT * FROM s",
            FormatError,
            "without a table",
        ),
        (
            "DROP TABLE systems; CREATE VIRTUAL TABLE systems USING fts5(id)",
            HostileInput,
            "runs code",
        ),
        ("UPDATE information SET value = '99' WHERE name = 'version'", FormatError, "version 99"),
        ("ALTER TABLE systems DROP COLUMN numbers", FormatError, "lacks numbers"),
    ],
)
def test_databases_that_ase_did_not_write_are_refused(tmp_path, sql, error, says):
    path = database(tmp_path / "a.db")
    with sqlite3.connect(path) as connection:
        connection.executescript(sql)
    with pytest.raises(error, match=says):
        list(open_frames(path))


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("positions = x'00'", "positions is not an array"),
        ("positions = zeroblob(24)", "positions has 3 values"),
        ("numbers = zeroblob(12)", "without an element"),
        ("forces = zeroblob(48)", "forces has 6 values"),
        ("cell = NULL", "no cell"),
        ("key_value_pairs = '{{{'", "not JSON"),
        ("stress = zeroblob(24)", "3 stress components"),
    ],
)
def test_a_bad_row_is_left_out_with_its_reason(tmp_path, sql, says):
    path = database(tmp_path / "a.db")
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE systems SET {sql} WHERE id = 2")  # noqa: S608
    reader = open_frames(path)
    assert len(list(reader)) == 1
    assert says in reader.issues[0].found
    assert "row 2" in reader.issues[0].where


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_damaged_databases_give_frames_or_a_clear_error(data, tmp_path_factory):
    root = tmp_path_factory.mktemp("fuzz")
    content = bytearray(_whole(root))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(16, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = root / "x.db"
    path.write_bytes(content)
    try:
        reader = open_frames(path)
        frames = list(reader)
    except InvalidInput:
        return
    assert frames or reader.issues


_MADE = []


def _whole(root):
    if not _MADE:
        _MADE.append(database(root / "whole.db", 5).read_bytes())
    return _MADE[0]
