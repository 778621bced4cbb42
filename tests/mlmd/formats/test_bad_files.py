"""Bad files get a clear answer, nothing breaks, and what is whole is kept."""

import bz2
import gzip
import lzma
import time
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmd.data import silicon_file
from mlmd.errors import FormatError, HostileInput, InvalidInput
from mlmd.formats import Limits, Severity, open_frames, read_structures, write_frames
from mlmd.formats.source import safe_name
from tests.mlmd.formats.frames import silicon
from tests.mlmd.formats.vasprun_files import vasprun

EXTXYZ = (
    '1\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:forces:R:3 energy={e}\n{row}\n'
)


def outcome(path, name=None, **options):
    reader = open_frames(path, name=name, **options)
    return list(reader), reader.issues


def saved(tmp_path, content, name="upload"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"  \n\n ", "empty"),
        (bytes(range(256)) * 50, "binary"),
        (b"<!-- hi --><html><body>Login</body></html>", "web page"),
        (b"<svg></svg>", "root <svg>"),
        (b"just some words\nand more\n", "just some words"),
        (b" vasp.5.4.4 ...\n executed on LinuxIFC date 2020\n", "OUTCAR"),
    ],
)
def test_files_of_no_known_format_are_named_for_what_they_are(tmp_path, content, says):
    with pytest.raises(FormatError, match=says):
        open_frames(saved(tmp_path, content))


def test_the_name_is_never_believed(tmp_path):
    path = saved(tmp_path, EXTXYZ.format(e=-1, row="Si 0 0 0 0 0 0"), "vasprun.xml")
    reader = open_frames(path)
    assert reader.format == "extxyz"
    reader.close()


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\run.xml", "run.xml"),
        ("<b>安定.xml</b>", "b>"),
        ("結晶シリコン.xyz", "結晶シリコン.xyz"),
        ("a\x00\n\x1bb.xyz", "ab.xyz"),
        ("..", "unnamed"),
        ("", "unnamed"),
    ],
)
def test_names_lose_their_folders_and_control_characters(given_name, shown, tmp_path):
    assert safe_name(given_name) == shown
    path = saved(tmp_path, EXTXYZ.format(e="x", row="Si 0 0 0 0 0 0"))
    _, issues = outcome(path, name=given_name)
    assert issues[0].where.startswith(shown)


@pytest.mark.parametrize(
    ("energy", "row", "says"),
    [
        ("1", "Si nan 0 0 0 0 0", "position of atom 1"),
        ("1", "Si inf 0 0 0 0 0", "position of atom 1"),
        ("1", "Si 1e300 0 0 0 0 0", "larger"),
        ("nan", "Si 0 0 0 0 0 0", "energy"),
        ("low", "Si 0 0 0 0 0 0", "low"),
        ("1", "Si 0 0 0 nan 0 0", "forces"),
        ("1", "Si 0 0 0 1e9 0 0", "larger"),
        ("1", "Qq 0 0 0 0 0 0", "Qq"),
        ("1", "X 0 0 0 0 0 0", "“X”"),
        ("1", "Si 0 0 0 0 0", "6 columns"),
        ("1", "Si 0 zero 0 0 0 0", "pos"),
    ],
)
def test_a_bad_frame_is_left_out_and_its_neighbours_are_kept(tmp_path, energy, row, says):
    good = EXTXYZ.format(e=-1, row="Si 0 0 0 0.1 0 0")
    frames, issues = outcome(saved(tmp_path, good + EXTXYZ.format(e=energy, row=row) + good))
    assert [f.energy for f in frames] == [-1, -1]
    assert [i.severity for i in issues] == [Severity.LOST]
    assert says in str(issues[0])
    assert "frame 2" in issues[0].where


@pytest.mark.parametrize("lattice", ["0 0 0 0 0 0 0 0 0", "1 0 0 2 0 0 0 0 1"])
def test_a_periodic_cell_without_volume_is_refused(tmp_path, lattice):
    text = EXTXYZ.format(e=1, row="Si 0 0 0 0 0 0").replace("5 0 0 0 5 0 0 0 5", lattice)
    frames, issues = outcome(saved(tmp_path, text))
    assert frames == []
    assert "no volume" in str(issues[0])


def test_a_cut_extxyz_keeps_what_is_whole(tmp_path):
    text = EXTXYZ.format(e=-1, row="Si 0 0 0 0.1 0 0") * 3
    frames, issues = outcome(saved(tmp_path, text + "5\nProperties=species:S:1:pos:R:3\nSi 0 0"))
    assert len(frames) == 3
    assert "cut off" in str(issues[0])


def test_lines_between_frames_are_skipped_and_reported(tmp_path):
    good = EXTXYZ.format(e=-1, row="Si 0 0 0 0.1 0 0")
    frames, issues = outcome(saved(tmp_path, good + "rubbish\nmore\n" + good))
    assert len(frames) == 2
    assert "rubbish" in str(issues[0])


def test_an_absurd_number_of_atoms_is_refused_at_once(tmp_path):
    with pytest.raises(HostileInput, match="atoms"):
        outcome(saved(tmp_path, "99999999999\nx\nH 0 0 0\n"))


@pytest.mark.parametrize("keyword", ["stress 1 2 3", "atom 0 0 0 Si", "lattice 1 2"])
def test_n2p2_blocks_with_something_wrong_are_left_out(tmp_path, keyword):
    good = "begin\natom 0 0 0 Si 0 0 0 0 0\nenergy 1\ncharge 0\nend\n"
    frames, issues = outcome(saved(tmp_path, good + good.replace("energy 1", keyword) + good))
    assert len(frames) == 2
    assert [i.severity for i in issues] == ["note", "lost"]
    assert "structure 2 (line 6)" in issues[1].where


def test_n2p2_cut_in_a_structure_keeps_those_before(tmp_path):
    good = "begin\natom 0 0 0 Si 0 0 0 0 0\nenergy 1\ncharge 0\nend\n"
    frames, issues = outcome(saved(tmp_path, good + "begin\natom 0 0"))
    assert len(frames) == 1
    assert "inside a structure" in str(issues[-1])


def test_json_lines_lose_only_the_bad_line(tmp_path):
    write_frames([silicon(), silicon()], tmp_path / "a", "jsonl")
    one, two = (tmp_path / "a").read_text().splitlines()
    deep = '{"a":' + "[" * 100_000
    text = "\n".join([one, "{broken", '{"schema_version":"1.0"}', "[1]", deep, two])
    frames, issues = outcome(saved(tmp_path, text))
    assert len(frames) == 2
    assert [i.severity for i in issues] == ["lost"] * 4


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files_are_read_and_cut_ones_give_what_is_there(tmp_path, pack):
    text = EXTXYZ.format(e=-1, row="Si 0 0 0 0.1 0 0") * 3000
    rng = np.random.default_rng(1)
    text += "".join(EXTXYZ.format(e=x, row=f"Si {x} 0 0 0 0 0") for x in rng.random(3000).tolist())
    packed = pack(text.encode())
    frames, issues = outcome(saved(tmp_path, packed))
    assert (len(frames), issues) == (6000, [])
    half = saved(tmp_path, packed[: len(packed) * 2 // 3])
    if pack is bz2.compress:  # gives nothing of an unfinished block of 900 kB
        with pytest.raises(FormatError, match="compressed data ends"):
            outcome(half)
        return
    frames, issues = outcome(half)
    assert len(frames) > 1000
    assert any("compressed data ends" in str(i) for i in issues)


def test_damaged_compressed_data_is_reported(tmp_path):
    packed = bytearray(gzip.compress(b"1\n\nH 0 0 0\n" * 100))
    packed[12:20] = b"\xff" * 8
    with pytest.raises(FormatError, match="damaged compressed data"):
        open_frames(saved(tmp_path, bytes(packed)))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_decompression_bomb_is_stopped_early(tmp_path, pack):
    path = saved(tmp_path, pack(b"<modeling>" + b" " * (300 << 20)))
    tracemalloc.start()
    with pytest.raises(HostileInput, match="expands more than"):
        outcome(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20


def test_a_file_beyond_the_absolute_limit_is_refused(tmp_path):
    path = saved(tmp_path, EXTXYZ.format(e=-1, row="Si 0 0 0 0.1 0 0") * 20_000)
    with pytest.raises(HostileInput, match="more than 1 MiB"):
        outcome(path, limits=Limits(decompressed_bytes=1 << 20))


@pytest.mark.parametrize("root", ["modeling", "espresso"])
@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_document_types_and_entities_are_refused(tmp_path, root, prolog):
    text = f'<?xml version="1.0"?>{prolog}<{root}><a>&a;</a></{root}>'
    with pytest.raises(HostileInput, match="document type"):
        outcome(saved(tmp_path, text))


@pytest.mark.parametrize("root", ["modeling", "espresso"])
def test_deep_nesting_is_refused(tmp_path, root):
    text = f"<{root}><step>" + "<a>" * 100_000
    with pytest.raises(HostileInput, match="nested"):
        outcome(saved(tmp_path, text))


@pytest.mark.parametrize(
    "content",
    [
        b"<modeling>" + b"<!-- " * 400_000,
        b"<!-- " * 400_000,
        b"<modeling><dos><!-- " + b"x" * 80_000_000,
        b'<modeling><varray name="forces">' + b" " * 80_000_000,
        b"<espresso><step><a>" + b" " * 80_000_000,
        b"Program PWSCF v.7.2\n" + b"x" * 4_000_000,
        b"Program PWSCF v.7.2\n" + b"\n" * 4_000_000,
        b" \n" * 30_000 + b"&" + b"\n" * 500_000,
        b"1\n" + b"a={" * 1_000_000 + b"\nH 0 0 0\n",
        b"1\n" + b'a="' * 300_001 + b"\nH 0 0 0\n",
        b"begin\ncomment " + b'kind="' * 300_001 + b"\nend\n",
        b'{"a":' * 300_000,
        b"9" * 4_000_000,
    ],
    ids=range(13),
)
def test_content_made_to_waste_time_is_dealt_with_quickly(tmp_path, content):
    path = saved(tmp_path, content)
    start = time.process_time()
    for read in (outcome, read_structures):
        with suppress(InvalidInput):
            read(path)
    assert time.process_time() - start < 5


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damaging_a_vasprun_anywhere_never_crashes(data, tmp_path_factory):
    content = bytearray(vasprun(steps=2).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["cut", "change", "remove", "insert"])):
            case "cut":
                del content[at:]
            case "change":
                content[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case "remove":
                del content[at : at + data.draw(st.integers(1, 60))]
            case "insert":
                content[at:at] = data.draw(st.binary(max_size=8) | st.just(b"<!-- <dos> -->"))
        if not content:
            break
    path = saved(tmp_path_factory.mktemp("fuzz"), bytes(content))
    try:
        frames, _ = outcome(path)
    except InvalidInput:
        return
    assert all(np.isfinite(f.positions).all() and f.energy is not None for f in frames)


@given(
    content=st.binary(max_size=400),
    format=st.sampled_from(["extxyz", "n2p2", "jsonl", "vasprun", "espresso-xml"]),
)
@settings(max_examples=150, deadline=None)
def test_rubbish_in_any_format_is_answered_in_words(content, format, tmp_path_factory):
    path = saved(tmp_path_factory.mktemp("rubbish"), content)
    with suppress(InvalidInput):
        reader = open_frames(path, format)
        assert list(reader) or reader.issues


@given(
    content=st.binary(max_size=300),
    format=st.sampled_from(["poscar", "cif", "lammps-data", "xsf", "espresso-in", "xyz", None]),
)
@settings(max_examples=200, deadline=None)
def test_rubbish_as_a_structure_is_answered_in_words(content, format, tmp_path_factory):
    path = saved(tmp_path_factory.mktemp("rubbish"), content)
    with suppress(InvalidInput):
        assert read_structures(path, format)


def test_memory_does_not_grow_with_the_length_of_a_trajectory(tmp_path):
    path = tmp_path / "vasprun.xml"
    path.write_text(vasprun(steps=3000))
    tracemalloc.start()
    count = sum(1 for _ in open_frames(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 3000
    assert peak < 8 << 20


def test_the_bundled_data_has_no_issues():
    with silicon_file() as path:
        frames, issues = outcome(path)
    assert (len(frames), issues) == (205, [])
    assert {f.label_source for f in frames} == {"ab initio"}
    assert all(f.scf_converged and f.kind and f.stress is not None for f in frames)
    assert min(len(f) for f in frames) == 4
