"""Inputs of pw.x, and what is made of its outputs."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlmd.codes.batches import NamedStructure, Outcome
from mlmd.codes.espresso import (
    EspressoSpec,
    collect,
    error_message,
    estimate_seconds,
    prepare,
)
from mlmd.codes.espresso_input import input_text
from mlmd.codes.espresso_settings import EspressoSettings, protocol_settings
from mlmd.codes.k_points import k_mesh
from mlmd.codes.pseudopotentials import pseudopotential_table, pseudopotentials_for
from mlmd.errors import InvalidInput
from mlmd.formats import read_structures
from mlmd.launch import Resources

UPF_1 = "<PP_HEADER>\n  0   Version Number\n  Si  Element\n  NC\n   4.00000000000  Z valence\n</PP_HEADER>\n"
UPF_2 = '<UPF version="2.0.1">\n<PP_HEADER\n element="O "\n z_valence="6.0e0"\n/>\n</UPF>\n'


@pytest.fixture
def table(tmp_path: Path):
    folder = tmp_path / "upf"
    folder.mkdir()
    (folder / "Si.UPF").write_text(UPF_1)
    (folder / "O.upf").write_text(UPF_2)
    (folder / "Fe.UPF").write_text("not what it says")
    return pseudopotential_table([folder])


def test_files_say_their_element_themselves(table) -> None:
    assert {e: f.valence for e, f in table.items()} == {"Si": 4.0, "O": 6.0}
    assert all(len(file.sha256) == 64 for file in table.values())


def test_the_element_without_a_file_is_named(table) -> None:
    with pytest.raises(InvalidInput, match="no UPF file for Fe, Ga"):
        pseudopotentials_for(["Si", "Ga", "Fe"], table)


def test_the_mesh_follows_the_cell() -> None:
    cubic = bulk("Si", "diamond", a=5.43, cubic=True)
    assert k_mesh(cubic, 0.4) == (3, 3, 3)
    assert k_mesh(cubic.repeat((1, 1, 4)), 0.4) == (3, 3, 1)
    cubic.pbc = (True, True, False)
    assert k_mesh(cubic, 0.2) == (6, 6, 1)


def test_an_input_is_read_back_as_the_same_atoms(tmp_path: Path) -> None:
    atoms = Atoms("OSiO", [[0.1, 0, 0], [1.7, 0.2, 0], [3.3, 0, 0.4]], cell=[5, 6, 7.5], pbc=True)
    path = tmp_path / "pw.in"
    path.write_text(input_text(atoms, EspressoSettings(), {"O": "O.upf", "Si": "Si.UPF"}))
    (back,) = read_structures(path)
    assert back.get_chemical_symbols() == ["O", "Si", "O"]
    np.testing.assert_allclose(back.positions, atoms.positions, atol=1e-9)
    np.testing.assert_allclose(back.cell.array, atoms.cell.array, atol=1e-9)


def test_spin_and_further_keywords_reach_their_namelists() -> None:
    settings = EspressoSettings(
        spin=True, further="SYSTEM: vdw_corr = 'grimme-d3'; electrons: startingpot = 'file'"
    )
    text = input_text(bulk("Fe", a=2.87), settings, {"Fe": "Fe.upf"})
    system = text.split("&SYSTEM")[1].split("\n/")[0]
    assert "nspin = 2" in system
    assert "starting_magnetization(1) = 0.5" in system
    assert "vdw_corr = 'grimme-d3'" in system
    assert "startingpot = 'file'" in text.split("&ELECTRONS")[1].split("\n/")[0]


@pytest.mark.parametrize(
    "line",
    [
        "CONTROL: outdir = '/etc'",
        "SYSTEM: nbnd = 20 /",
        "SYSTEM: a = 'x'\n/\n&CONTROL",
        "nbnd = 3",
        "OTHER: x = 1",
    ],
)
def test_what_is_no_keyword_or_not_ones_own_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput, match="further"):
        EspressoSettings(further=line)


def test_protocols_differ_and_take_changes() -> None:
    fast, precise = protocol_settings("fast"), protocol_settings("precise", smearing="gaussian")
    assert fast.cutoff < precise.cutoff
    assert fast.k_spacing > precise.k_spacing
    assert precise.smearing == "gaussian"
    with pytest.raises(InvalidInput, match="Did you mean 'cutoff'"):
        protocol_settings("fast", cutof=20)
    with pytest.raises(InvalidInput, match="protocol"):
        protocol_settings("brisk")


def test_a_structure_without_a_cell_is_named(table, tmp_path: Path) -> None:
    spec = EspressoSpec(
        (NamedStructure("dimer", Atoms("Si2", [[0, 0, 0], [0, 0, 2.2]])),),
        EspressoSettings(),
        table,
        Resources(),
    )
    with pytest.raises(InvalidInput, match="dimer: structure: no cell"):
        prepare(spec, tmp_path)


def test_more_atoms_take_longer(table) -> None:
    small = bulk("Si", "diamond", a=5.43, cubic=True)
    settings = EspressoSettings(cutoff=20.0, k_spacing=0.4)
    one = estimate_seconds([small], settings, table)
    assert one == pytest.approx(9.5, rel=0.5)  # measured on one core
    assert estimate_seconds([small.repeat(2)], settings, table) > 4 * one
    assert estimate_seconds([small, small], settings, table, cores=2) == pytest.approx(one)


def test_a_failed_structure_says_why_and_leaves_the_others_alone(
    table, tmp_path: Path, shared_reference: Path
) -> None:
    silicon = bulk("Si", "diamond", a=5.43)
    named = tuple(NamedStructure(word, silicon) for word in ("good", "bad", "never begun"))
    launch = prepare(EspressoSpec(named, EspressoSettings(), table, Resources()), tmp_path)
    assert all(command.may_fail for part in launch.parts for command in part.commands)
    ended = {"0001": "ok", "0002": "ok"}
    for folder, cause in ended.items():
        (tmp_path / folder / "exit.json").write_text(json.dumps({"cause": cause}))
    source = sorted((shared_reference / "si_qe").glob("*.xml.gz"))[0]
    target = tmp_path / "0001/out/pwscf.save/data-file-schema.xml"
    target.parent.mkdir(parents=True)
    with gzip.open(source) as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    bar = "%" * 79
    (tmp_path / "0002/pw.out").write_text(
        f"\n {bar}\n     Error in routine cdiaghg (1):\n     S not definite\n {bar}\n"
    )
    good, bad, missing = collect(tmp_path)
    assert (good.outcome, good.message, len(good.frames)) == (Outcome.CONVERGED, "", 1)
    assert good.frames[0].forces is not None
    assert (bad.outcome, bad.frames) == (Outcome.FAILED, ())
    assert bad.message == "Error in routine cdiaghg (1): S not definite"
    assert (missing.outcome, missing.name) == (Outcome.UNFINISHED, "never begun")


def test_what_the_time_limit_cut_is_unfinished_and_what_was_whole_stays(
    table, tmp_path: Path, shared_reference: Path
) -> None:
    silicon = bulk("Si", "diamond", a=5.43)
    named = tuple(NamedStructure(word, silicon) for word in ("whole", "cut"))
    prepare(EspressoSpec(named, EspressoSettings(), table, Resources()), tmp_path)
    _result(shared_reference, tmp_path / "0001/out/pwscf.save")
    (tmp_path / "0002/pw.out").write_text("Program PWSCF starts\n")
    for folder in ("0001", "0002"):
        (tmp_path / folder / "exit.json").write_text(json.dumps({"cause": "time"}))
    whole, cut = collect(tmp_path)
    assert whole.outcome == Outcome.CONVERGED
    assert (cut.outcome, cut.frames) == (Outcome.UNFINISHED, ())
    assert "time limit" in cut.message


def test_a_second_try_with_gentler_mixing_follows_and_can_be_switched_off(
    table, tmp_path: Path, shared_reference: Path
) -> None:
    named = (NamedStructure("hard", bulk("Si", "diamond", a=5.43)),)
    launch = prepare(EspressoSpec(named, EspressoSettings(), table, Resources()), tmp_path)
    first, second, tidy = launch.parts[0].commands
    assert tidy.argv == ("sh", "tidy.sh", "0001")
    assert first.only_if is None
    assert second.only_if is not None
    assert "mixing_beta = 0.3" in (tmp_path / "0001/again/pw.in").read_text()
    assert "electron_maxstep = 240" in (tmp_path / "0001/again/pw.in").read_text()
    (tmp_path / "0001/pw.out").write_text(
        "convergence NOT achieved after 3 iterations\n JOB DONE.\n"
    )
    assert second.only_if.text in (tmp_path / second.only_if.path).read_text()
    (tmp_path / "0001/exit.json").write_text(json.dumps({"cause": "ok"}))
    (failed,) = collect(tmp_path)
    assert (failed.outcome, failed.frames) == (Outcome.FAILED, ())
    _result(shared_reference, tmp_path / "0001/again/out/pwscf.save")
    (tmp_path / "0001/again/pw.out").write_text(" JOB DONE.\n")
    (mended,) = collect(tmp_path)
    assert mended.outcome == Outcome.CONVERGED
    assert mended.frames[0].calculation.settings["second_try"] == "gentler mixing"
    (tmp_path / "off").mkdir()
    settings = EspressoSettings(second_try=False)
    launch = prepare(EspressoSpec(named, settings, table, Resources()), tmp_path / "off")
    assert [c.argv[0] for c in launch.parts[0].commands] == ["pw.x", "sh"]


def _result(shared_reference: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    source = sorted((shared_reference / "si_qe").glob("*.xml.gz"))[0]
    with gzip.open(source) as packed, (folder / "data-file-schema.xml").open("wb") as plain:
        shutil.copyfileobj(packed, plain)


def test_an_output_that_stops_in_the_middle_is_no_success(tmp_path: Path) -> None:
    path = tmp_path / "pw.out"
    assert error_message(path) == ""
    path.write_text("Program PWSCF starts\n")
    assert "before its job was done" in error_message(path)
    path.write_text("convergence NOT achieved after 3 iterations: stopping\n JOB DONE.\n")
    assert "did not converge" in error_message(path)


def test_tidying_keeps_the_results_only(table, tmp_path: Path) -> None:
    named = (NamedStructure("one", bulk("Si", "diamond", a=5.43)),)
    prepare(EspressoSpec(named, EspressoSettings(), table, Resources()), tmp_path)
    save = tmp_path / "0001/out/pwscf.save"
    save.mkdir(parents=True)
    for name in ("data-file-schema.xml", "charge-density.dat", "wfc1.dat", "Si.UPF"):
        (save / name).touch()
    (tmp_path / "0001/out/pwscf.wfc1").touch()
    subprocess.run(["sh", "tidy.sh", "0001"], cwd=tmp_path, check=True)
    left = [path.name for path in (tmp_path / "0001/out").rglob("*") if path.is_file()]
    assert left == ["data-file-schema.xml"]
