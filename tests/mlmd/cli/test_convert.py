"""``python -m mlmd convert``: what it writes, what it says, how it ends."""

import argparse
import json

import pytest

from mlmd.cli import convert
from mlmd.documents import validate
from mlmd.errors import InvalidInput
from mlmd.formats import open_frames, write_frames
from tests.mlmd.formats.frames import silicon
from tests.mlmd.formats.vasprun_files import vasprun


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command in a folder of its own; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser(prog="mlmd")
    convert.register(parser.add_subparsers())

    def _run(*words):
        arguments = parser.parse_args(["convert", *map(str, words)])
        code = arguments.run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _run


def test_json_lines_are_one_document_per_frame_and_line(run, tmp_path):
    (tmp_path / "vasprun.xml").write_text(vasprun(steps=3))
    code, out, err = run("vasprun.xml", "--to", "jsonl")
    assert code == 0
    documents = [json.loads(line) for line in out.splitlines()]
    assert len(documents) == 3
    for document in documents:
        validate(document)
    assert documents[2]["ionic_step"] == 2
    assert documents[0]["calculation"]["source_name"] == "vasprun.xml"
    assert "3 frames" in err


@pytest.mark.parametrize("target", ["extxyz", "n2p2", "jsonl", "deepmd", "asedb", "aenet"])
def test_every_format_reads_back_from_the_file_it_wrote(run, tmp_path, target):
    (tmp_path / "vasprun.xml").write_text(vasprun(steps=2))
    code, out, _ = run("vasprun.xml", "--to", target, "-o", "out")
    assert code == 0
    assert "2 frames written to out" in out
    frames = list(open_frames(tmp_path / "out"))
    assert [f.energy for f in frames] == [-10.0, -10.0]


def test_formats_that_need_a_path_say_so(run, tmp_path):
    (tmp_path / "vasprun.xml").write_text(vasprun())
    with pytest.raises(InvalidInput, match="--output: nothing; expected a name, which deepmd"):
        run("vasprun.xml", "--to", "deepmd")
    code, out, _ = run("vasprun.xml", "--to", "deepmd", "-o", "systems.zip")
    assert (code, out.splitlines()[-1]) == (0, "1 frames written to systems.zip")
    assert len(list(open_frames(tmp_path / "systems.zip", "deepmd"))) == 1


def test_several_files_go_into_one_and_a_bad_one_does_not_stop_the_rest(run, tmp_path):
    (tmp_path / "a.xml").write_text(vasprun(steps=2))
    (tmp_path / "b.txt").write_text("hello")
    (tmp_path / "c.xml").write_text(vasprun(parameters={"ICHARG": "11"}))
    write_frames([silicon()], tmp_path / "d.jsonl", "jsonl")
    code, out, _err = run(
        "a.xml", "b.txt", "c.xml", "missing", "d.jsonl", "--to", "jsonl", "-o", "x", "--json"
    )
    assert code == 1
    report = json.loads(out)
    assert report["frames"] == 3
    assert [f["frames"] for f in report["files"]] == [2, 0, 0, 0, 1]
    assert [f["issues"][0]["severity"] for f in report["files"][1:4]] == ["lost", "refused", "lost"]
    assert "ICHARG" in report["files"][2]["issues"][0]["found"]
    assert report["levels_of_theory"] == {"vasp / PBE / 400 eV": 3}
    assert len((tmp_path / "x").read_text().splitlines()) == 3


def test_nothing_is_written_where_nothing_was_found(run, tmp_path):
    (tmp_path / "b.txt").write_text("hello")
    (tmp_path / "out").write_text("old")
    code, _, err = run("b.txt", "--to", "extxyz", "-o", "out")
    assert code == 1
    assert "unknown format" in err
    assert (tmp_path / "out").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.txt", "out"]


def test_a_cut_file_gives_its_steps_and_says_what_is_lost(run, tmp_path):
    text = vasprun(steps=3)
    (tmp_path / "v.xml").write_text(text[: text.rindex("<structure>")])
    code, out, err = run("v.xml", "--to", "jsonl")
    assert code == 0
    assert len(out.splitlines()) == 2
    assert "ends early" in err


def test_machine_learned_frames_stay_out_of_n2p2_unless_asked_for(run, tmp_path):
    (tmp_path / "v.xml").write_text(vasprun(steps=1, machine_learned=2))
    _, out, err = run("v.xml", "--to", "n2p2")
    assert out.count("begin") == 1
    assert "2 frames from a machine-learned force field" in err
    _, out, _ = run("v.xml", "--to", "n2p2", "--labels", "all")
    assert out.count("begin") == 3
    _, out, _ = run("v.xml", "--to", "jsonl")
    assert [json.loads(line)["label_source"] for line in out.splitlines()] == [
        "ab initio",
        "ml",
        "ml",
    ]


def test_the_energy_can_be_chosen(run, tmp_path):
    (tmp_path / "v.xml").write_text(vasprun())
    _, out, _ = run("v.xml", "--to", "n2p2", "--energy", "sigma0")
    assert "energy -9.9" in out


def test_frames_that_a_format_cannot_hold_are_refused_one_by_one(run, tmp_path):
    write_frames([silicon(), silicon(forces=None)], tmp_path / "a", "jsonl")
    code, out, err = run("a", "--to", "n2p2")
    assert code == 0
    assert out.count("begin") == 1
    assert "no forces" in err


def test_mixed_levels_of_theory_are_pointed_out(run, tmp_path):
    (tmp_path / "a.xml").write_text(vasprun())
    (tmp_path / "b.xml").write_text(vasprun(parameters={"GGA": "PS"}))
    _, _, err = run("a.xml", "b.xml", "--to", "jsonl")
    assert "mix levels of theory" in err
    assert "PBEsol" in err


def test_units_of_n2p2_input_can_be_given(run, tmp_path):
    (tmp_path / "a").write_text("begin\natom 1 0 0 H 0 0 0 0 0\nenergy 1\ncharge 0\nend\n")
    _, out, _ = run("a", "--to", "jsonl", "--length-unit", "bohr", "--energy-unit", "hartree")
    assert json.loads(out)["energy"] == pytest.approx(27.211386245988)


@pytest.mark.parametrize(
    "words", [[], ["a", "--to", "vasprun"], ["a", "--to", "jsonl", "--energy", "x"]]
)
def test_wrong_usage_exits_with_2(run, words):
    with pytest.raises(SystemExit) as caught:
        run(*words)
    assert caught.value.code == 2
