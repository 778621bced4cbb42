"""deepmd/npy: folders and archives of it, read and written, whole or hostile."""

import io
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmd.errors import FormatError, HostileInput, InvalidInput
from mlmd.formats import Limits, frame_sink, open_frames, write_frames
from mlmd.formats.bundle import members
from tests.mlmd.formats.frames import differences, silicon

# What the format has no place for.
LOST = ("energy_sigma0", "scf_converged", "kind", "calculation", "fixed", "flags", "stress")


def system(folder, frames=2, **changes):
    """A system of three atoms, O H H, as dpdata writes it."""
    values = {
        "coord": np.arange(frames * 9.0).reshape(frames, 9) / 3,
        "box": np.tile(np.diag([4.0, 5.0, 6.0]).ravel(), (frames, 1)),
        "energy": -np.arange(1.0, frames + 1),
        "force": np.arange(frames * 9.0).reshape(frames, 9) / 90,
        "virial": np.tile(np.diag([1.2, 0.0, -2.4]).ravel(), (frames, 1)),
    } | changes
    (folder / "set.000").mkdir(parents=True)
    (folder / "type.raw").write_text("1\n0\n0\n")
    (folder / "type_map.raw").write_text("H\nO\n")
    for name, array in values.items():
        if array is not None:
            np.save(folder / "set.000" / f"{name}.npy", array)
    return folder


def packed(folder, kind):
    root = folder.parent / "packed"
    return shutil.make_archive(str(root), kind, folder.parent, folder.name)


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "gztar", "xztar"])
def test_a_system_is_read_from_a_folder_and_from_any_archive(tmp_path, kind):
    folder = system(tmp_path / "in" / "water")
    path = folder if kind == "folder" else packed(folder, kind)
    reader = open_frames(path)
    frames = list(reader)
    assert reader.format == "deepmd"
    assert [i for i in reader.issues if i.severity != "note"] == []
    assert [f.numbers.tolist() for f in frames] == [[8, 1, 1]] * 2
    assert [f.energy for f in frames] == [-1.0, -2.0]
    assert [f.ionic_step for f in frames] == [0, 1]
    np.testing.assert_array_equal(frames[1].positions.ravel(), np.arange(9.0, 18.0) / 3)
    np.testing.assert_array_equal(frames[1].forces.ravel(), np.arange(9.0, 18.0) / 90)
    # A positive virial is compression, a positive stress is tension.
    np.testing.assert_allclose(frames[0].stress, np.diag([-0.01, 0.0, 0.02]))
    assert len(frames[0].calculation.source_sha256) == 64


def test_vasp_under_pressure_has_a_positive_virial_as_dpdata_computes_it(tmp_path):
    """dpdata: virial = kB × volume / 1602.1766; VASP prints +10 kB in compression."""
    volume = 4.0 * 5.0 * 6.0
    virial = np.diag([10.0] * 3).ravel() * volume / 1602.1766
    (frame,) = open_frames(system(tmp_path / "a", frames=1, virial=virial[None]))
    np.testing.assert_allclose(frame.stress, -np.eye(3) * 10 * 6.2415e-4, rtol=1e-5, atol=1e-12)


def test_several_systems_and_sets_and_single_precision_are_read(tmp_path):
    system(tmp_path / "all" / "a", frames=3, energy=np.array([-1, -2, -3], np.float32))
    system(tmp_path / "all" / "deep" / "b", virial=None, box=None)
    shutil.copytree(tmp_path / "all" / "a" / "set.000", tmp_path / "all" / "a" / "set.001")
    (tmp_path / "all" / "deep" / "b" / "nopbc").touch()
    frames = list(open_frames(tmp_path / "all"))
    assert len(frames) == 8
    assert sorted(f.ionic_step for f in frames if any(f.pbc)) == [0, 1, 2, 3, 4, 5]
    assert [f.stress for f in frames if not any(f.pbc)] == [None, None]


def test_mixed_systems_take_their_elements_from_each_frame(tmp_path):
    types = np.array([[1, 0, 0], [0, 0, -1]])
    frames = list(open_frames(system(tmp_path / "a", real_atom_types=types)))
    assert [f.numbers.tolist() for f in frames] == [[8, 1, 1], [1, 1]]
    assert frames[1].forces.shape == (2, 3)


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_what_is_written_reads_back(tmp_path, name):
    molecule = replace(silicon(), pbc=(False,) * 3, cell=np.zeros((3, 3)), stress=None)
    carbide = silicon(numbers=np.array([14, 6], np.uint8))
    without_forces = silicon(forces=None, stress=None)
    frames = [silicon(), carbide, molecule, silicon(energy=-9.0), without_forces]
    assert write_frames(frames, tmp_path / name, "deepmd") == 5
    read = list(open_frames(tmp_path / name))
    assert len(read) == 5
    unmatched = list(frames)
    for frame in read:
        same = [f for f in unmatched if not differences(f, frame, (*LOST, "ionic_step"))]
        assert len(same) == 1
        if same[0].stress is not None:
            np.testing.assert_allclose(frame.stress, same[0].stress, atol=1e-15)
        unmatched = [f for f in unmatched if f is not same[0]]


def test_all_systems_share_one_type_map_and_the_layout_of_dpdata(tmp_path):
    frames = [silicon(), silicon(numbers=np.array([8, 14], np.uint8))]
    write_frames(frames, tmp_path / "x", "deepmd", energy="sigma0")
    assert {p.name for p in (tmp_path / "x").iterdir()} == {"Si2", "O1Si1"}
    for name, types in (("Si2", "1\n1\n"), ("O1Si1", "0\n1\n")):
        assert (tmp_path / "x" / name / "type_map.raw").read_text() == "O\nSi\n"
        assert (tmp_path / "x" / name / "type.raw").read_text() == types
    loaded = {
        p.stem: np.load(p, allow_pickle=False) for p in (tmp_path / "x/Si2/set.000").iterdir()
    }
    assert {k: v.shape for k, v in loaded.items()} == {
        "coord": (1, 6),
        "box": (1, 9),
        "energy": (1,),
        "force": (1, 6),
        "virial": (1, 9),
    }
    assert loaded["energy"][0] == -10.49
    volume = np.linalg.det(silicon().cell)
    np.testing.assert_allclose(loaded["virial"][0], -silicon().stress.ravel() * abs(volume))


def test_frames_that_the_format_cannot_hold_are_named_and_others_follow(tmp_path):
    with frame_sink(tmp_path / "x", "deepmd") as sink:
        with pytest.raises(InvalidInput, match="no energy"):
            sink.write(silicon(energy=None))
        with pytest.raises(InvalidInput, match="some directions"):
            sink.write(silicon(pbc=(True, True, False)))
        sink.write(silicon())
    assert len(list(open_frames(tmp_path / "x"))) == 1


def test_an_existing_folder_is_never_written_into(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "mine").touch()
    with pytest.raises(InvalidInput, match="exists"):
        write_frames([silicon()], tmp_path / "x", "deepmd")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"force": np.zeros((2, 8))}, "force.npy has the shape"),
        ({"energy": np.array(["a", "b"])}, "energy.npy holds"),
        ({"coord": None}, "no coord.npy"),
        ({"real_atom_types": np.array([[7, 0, 0]] * 2)}, "types from 0 to 7"),
    ],
)
def test_a_bad_set_is_left_out_with_its_reason(tmp_path, changes, says):
    system(tmp_path / "all" / "good")
    system(tmp_path / "all" / "bad", **changes)
    reader = open_frames(tmp_path / "all")
    assert len(list(reader)) == 2
    (issue,) = [i for i in reader.issues if i.severity == "lost"]
    assert says in issue.found
    assert "bad/set.000" in issue.where


def test_pickled_objects_are_never_loaded(tmp_path):
    folder = system(tmp_path / "a", energy=None)
    np.save(folder / "set.000" / "energy.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    reader = open_frames(folder)
    assert list(reader) == []
    assert "energy.npy holds object" in reader.issues[0].found


def test_an_array_that_claims_more_than_its_file_holds_is_refused(tmp_path):
    folder = system(tmp_path / "a")
    path = folder / "set.000" / "coord.npy"
    path.write_bytes(path.read_bytes().replace(b"(2, 9), }         ", b"(299999999999, 9)}"))
    reader = open_frames(folder)
    assert list(reader) == []
    assert "don't fit" in reader.issues[0].found


def test_archives_reach_nothing_outside_and_links_are_not_followed(tmp_path):
    folder = system(tmp_path / "in" / "a")
    secret = tmp_path / "secret.npy"
    np.save(secret, np.full((2, 9), 42.0))
    (folder / "set.000" / "force.npy").unlink()
    (folder / "set.000" / "force.npy").symlink_to(secret)
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(folder, "../../a")
    before = sorted(tmp_path.rglob("*"))
    for source in (path, folder):
        assert [f.forces for f in open_frames(source)] == [None, None]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_zip_bomb_is_refused(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/type.raw", bytes(64 << 20))
    with pytest.raises(HostileInput, match="expands"):
        list(open_frames(path))
    with pytest.raises(HostileInput, match="content"):
        list(open_frames(path, limits=Limits(decompressed_bytes=1 << 20)))


@pytest.mark.parametrize("content", [b"PK\x03\x04 zip", b"PK\x05\x06" + bytes(18)])
def test_an_archive_of_anything_else_asks_to_be_unpacked(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(FormatError, match="archive"):
        list(open_frames(tmp_path / "x"))


def test_a_cut_archive_says_so(tmp_path):
    whole = system(tmp_path / "in" / "a", frames=2000)
    path = packed(whole, "gztar")
    content = Path(path).read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError, match="damaged archive"):
        list(open_frames(tmp_path / "cut"))


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_damaged_archives_give_frames_or_a_clear_error(data, tmp_path_factory):
    stream = io.BytesIO()
    root = tmp_path_factory.mktemp("fuzz")
    with zipfile.ZipFile(stream, "w") as archive:
        for member in members(open_frames(system(root / "a"))._source):
            archive.writestr(f"a/{member.path}", bytes(member.load()[:]))
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    (root / "x.zip").write_bytes(content)
    try:
        reader = open_frames(root / "x.zip")
        frames = list(reader)
    except InvalidInput:
        return
    assert frames or reader.issues
