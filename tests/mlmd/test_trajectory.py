"""Trajectories on disk: whole or cut off, growing or finished, and for other programs."""

import io

import ase.io
import numpy as np
import pytest
from ase.geometry import get_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmd.errors import FormatError, InvalidInput
from mlmd.trajectory import TrajectoryFrame, TrajectoryReader, TrajectoryWriter
from mlmd.trajectory_export import (
    TrajectoryFormat,
    export_lines,
    export_trajectory,
    lammps_cell,
    player_description,
    player_positions,
    wrap_positions,
)

CELL = np.array([[8.0, 0.0, 0.0], [2.5, 7.0, 0.0], [-1.0, 1.5, 9.0]])
NUMBERS = np.array([8, 1, 1, 14, 8], dtype=np.uint8)


def make_frames(count=6, with_velocities=False, seed=0):
    rng = np.random.default_rng(seed)
    walk = rng.uniform(0, 8, (1, 5, 3)) + rng.normal(0, 2, (count, 5, 3)).cumsum(axis=0)
    return [
        TrajectoryFrame(
            step=10 * index,
            time=5.0 * index,
            cell=CELL * (1 + 0.01 * index),
            positions=walk[index],
            energy=-100.0 - index,
            kinetic_energy=1.5 * index,
            stage=index // 3,
            velocities=rng.normal(0, 0.01, (5, 3)) if with_velocities else None,
        )
        for index in range(count)
    ]


def write(path, frames, **options):
    with TrajectoryWriter(path, NUMBERS, frames[0].positions, **options) as writer:
        for frame in frames:
            writer.write(frame)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trajectory.mtj"


@pytest.mark.parametrize("with_velocities", [False, True])
def test_what_is_written_is_read(path, with_velocities):
    frames = make_frames(with_velocities=with_velocities)
    write(path, frames, with_velocities=with_velocities, pbc=(True, False, True))
    with TrajectoryReader(path) as reader:
        assert len(reader) == 6
        assert reader.pbc == (True, False, True)
        assert np.array_equal(reader.numbers, NUMBERS)
        assert reader.has_velocities == with_velocities
        for written, read in zip(frames, reader, strict=True):
            assert read.step == written.step
            assert read.time == written.time
            assert read.stage == written.stage
            assert read.energy == written.energy
            assert np.array_equal(read.cell, written.cell)
            assert np.abs(read.positions - written.positions).max() < 1e-6
            if with_velocities:
                assert np.abs(read.velocities - written.velocities).max() < 1e-8
            else:
                assert read.velocities is None
        assert np.array_equal(reader[0].positions, frames[0].positions)
        assert reader.steps.tolist() == [0, 10, 20, 30, 40, 50]
        assert reader.stages.tolist() == [0, 0, 0, 1, 1, 1]
        assert reader[-1].step == 50


def test_positions_far_from_the_origin_keep_their_digits(path):
    frames = make_frames()
    far = [frame.positions + 1e5 for frame in frames]
    with TrajectoryWriter(path, NUMBERS, far[0]) as writer:
        for frame, positions in zip(frames, far, strict=True):
            writer.write(TrajectoryFrame(frame.step, 0, CELL, positions, 0, 0))
    with TrajectoryReader(path) as reader:
        for index, positions in enumerate(far):
            assert np.abs(reader[index].positions - positions).max() < 2e-6


def test_parts_of_the_positions_are_read(path):
    frames = make_frames()
    write(path, frames)
    expected = np.array([frame.positions for frame in frames])
    with TrajectoryReader(path) as reader:
        assert np.allclose(reader.positions(), expected, atol=1e-5)
        assert np.allclose(reader.positions(slice(1, 5, 2)), expected[1:5:2], atol=1e-5)
        assert np.allclose(
            reader.positions(np.array([4, 0]), slice(1, 3)), expected[[4, 0], 1:3], atol=1e-5
        )
        assert [frame.step for frame in reader.frames(1, -1, 2)] == [10, 30]
        with pytest.raises(IndexError):
            reader[6]


def test_a_reader_sees_frames_as_they_come(path):
    frames = make_frames()
    with TrajectoryWriter(path, NUMBERS, frames[0].positions) as writer:
        reader = TrajectoryReader(path)
        assert len(reader) == 0
        assert reader.positions().shape == (0, 5, 3)
        for count, frame in enumerate(frames, 1):
            writer.write(frame)
            assert reader.refresh() == count
        assert reader[-1].step == 50


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1))
def test_a_file_cut_anywhere_gives_its_whole_frames(tmp_path_factory, share):
    path = tmp_path_factory.mktemp("cut") / "trajectory.mtj"
    frames = make_frames()
    write(path, frames[:1])
    one = path.stat().st_size
    write(path, frames)
    whole = path.read_bytes()
    record = (len(whole) - one) // 5
    header = one - record
    cut = round(share * len(whole))
    path.write_bytes(whole[:cut])
    if cut < header - 64:  # up to 64 bytes of padding end the header
        with pytest.raises(FormatError, match="header"):
            TrajectoryReader(path)
        return
    if cut < header:
        return
    reader = TrajectoryReader(path)
    assert len(reader) == (cut - header) // record
    for index in range(len(reader)):
        assert reader[index].step == frames[index].step
        assert np.abs(reader[index].positions - frames[index].positions).max() < 1e-6


def test_a_record_that_reached_the_disk_in_part_is_left_out(path):
    frames = make_frames()
    write(path, frames)
    content = bytearray(path.read_bytes())
    content[-60:] = bytes(60)  # the length is there, the content isn't
    path.write_bytes(bytes(content))
    assert len(TrajectoryReader(path)) == 5


def test_a_writer_goes_on_after_a_crash_and_drops_what_will_come_again(path):
    frames = make_frames()
    write(path, frames)
    expected = path.read_bytes()
    with path.open("ab") as stream:
        stream.write(b"half a record")
    with TrajectoryWriter(path, NUMBERS, np.zeros((5, 3)), append=True, last_step=20) as writer:
        for frame in frames[3:]:
            writer.write(frame)
    assert path.read_bytes() == expected


def test_going_on_with_other_atoms_is_refused(path):
    write(path, make_frames())
    with pytest.raises(InvalidInput, match="another structure"):
        TrajectoryWriter(path, NUMBERS[::-1], np.zeros((5, 3)), append=True)


def test_velocities_cannot_be_left_out_silently(path):
    frames = make_frames()
    with (
        TrajectoryWriter(path, NUMBERS, frames[0].positions, with_velocities=True) as writer,
        pytest.raises(InvalidInput, match="no velocities"),
    ):
        writer.write(frames[0])


@pytest.mark.parametrize(
    "content",
    [b"", b"MLMDTRJ", b"PK\x03\x04" + bytes(100), b"MLMDTRJ\n\x01\0\0\0\xff\xff\xff\x7f{}"],
)
def test_other_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"trajectory\.mtj"):
        TrajectoryReader(path)


def test_a_later_version_is_refused(path):
    write(path, make_frames())
    content = bytearray(path.read_bytes())
    content[8] = 9
    path.write_bytes(bytes(content))
    with pytest.raises(FormatError, match="version 9"):
        TrajectoryReader(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FormatError, match="doesn't exist"):
        TrajectoryReader(tmp_path / "nothing.mtj")


def test_extxyz_is_read_by_ase(path):
    frames = make_frames(with_velocities=True)
    write(path, frames, with_velocities=True)
    stream = io.StringIO()
    with TrajectoryReader(path) as reader:
        assert export_trajectory(reader, stream, TrajectoryFormat.EXTXYZ, 1, None, 2) == 3
    stream.seek(0)
    images = ase.io.read(stream, index=":", format="extxyz")
    assert len(images) == 3
    for image, frame in zip(images, frames[1::2], strict=True):
        assert image.get_chemical_symbols() == ["O", "H", "H", "Si", "O"]
        assert np.allclose(image.positions, frame.positions, atol=1e-6)
        assert np.allclose(image.cell.array, frame.cell)
        assert image.get_potential_energy() == pytest.approx(frame.energy)
        assert np.allclose(image.arrays["vel"], frame.velocities, atol=1e-7)
        assert image.info["step"] == frame.step


@pytest.mark.parametrize("cell", [CELL, CELL[[1, 0, 2]], np.diag([5.0, 6.0, 7.0])])
def test_a_lammps_dump_keeps_all_distances(path, cell):
    frames = [
        TrajectoryFrame(f.step, f.time, cell, f.positions, f.energy, 0.0) for f in make_frames()
    ]
    write(path, frames)
    stream = io.StringIO()
    with TrajectoryReader(path) as reader:
        export_trajectory(reader, stream, TrajectoryFormat.LAMMPS_DUMP)
        assert stream.getvalue() == "".join(export_lines(reader, TrajectoryFormat.LAMMPS_DUMP))
    stream.seek(0)
    images = ase.io.read(stream, index=":", format="lammps-dump-text")
    assert len(images) == 6
    for image, frame in zip(images, frames, strict=True):
        assert image.get_chemical_symbols() == ["O", "H", "H", "Si", "O"]
        ours = get_distances(frame.positions, cell=frame.cell, pbc=True)[1]
        theirs = get_distances(image.positions, cell=image.cell, pbc=True)[1]
        assert np.allclose(ours, theirs, atol=1e-5)
        assert image.cell.volume == pytest.approx(abs(np.linalg.det(frame.cell)))


def test_the_lammps_cell_is_a_rotation():
    cell, rotation, order = lammps_cell(CELL[[1, 0, 2]])
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert np.allclose(np.triu(cell, 1), 0)
    assert np.all(np.diag(cell) > 0)
    assert np.allclose(CELL[[1, 0, 2]][order] @ rotation, cell)


def test_a_molecule_gets_a_box_in_the_dump(path):
    frames = [TrajectoryFrame(0, 0.0, np.zeros((3, 3)), make_frames()[0].positions, 0.0, 0.0)]
    write(path, frames, pbc=(False, False, False))
    stream = io.StringIO()
    with TrajectoryReader(path) as reader:
        export_trajectory(reader, stream, TrajectoryFormat.LAMMPS_DUMP)
    assert "BOX BOUNDS ff ff ff" in stream.getvalue()


def test_the_player_gets_wrapped_float32(path):
    frames = make_frames()
    write(path, frames)
    with TrajectoryReader(path) as reader:
        description = player_description(reader, 0, None, 2)
        assert (description.frames, description.total_frames) == (3, 6)
        assert description.symbols == ("O", "H", "H", "Si", "O")
        assert description.steps == (0, 20, 40)
        assert description.times_ps == (0.0, 0.01, 0.02)
        content = b"".join(player_positions(reader, 0, None, 2))
    positions = np.frombuffer(content, "<f4").reshape(3, 5, 3)
    for index in range(3):
        cell = frames[2 * index].cell
        fractional = positions[index] @ np.linalg.inv(cell)
        assert np.all((fractional > -1e-5) & (fractional < 1 + 1e-5))
        shift = (positions[index] - frames[2 * index].positions) @ np.linalg.inv(cell)
        assert np.allclose(shift, shift.round(), atol=1e-5)


def test_open_directions_are_not_wrapped():
    positions = np.array([[-3.0, 12.0, -5.0]])
    wrapped = wrap_positions(positions, np.diag([4.0, 5.0, 6.0]), (True, False, False))
    assert np.allclose(wrapped, [[1.0, 12.0, -5.0]])
    assert np.array_equal(wrap_positions(positions, np.zeros((3, 3)), (False,) * 3), positions)
