"""Inputs of VASP, the POTCAR that is put together on the cluster, and what is made of results."""

from __future__ import annotations

import json
import lzma
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.vasp import Vasp
from ase.calculators.vasp.setups import setups_defaults
from ase.constraints import FixAtoms, FixCartesian
from ase.io.vasp import read_vasp

from mlmd.codes.batches import NamedStructure, Outcome
from mlmd.codes.vasp import (
    VaspSpec,
    collect,
    error_message,
    estimate_seconds,
    potentials_used,
    prepare,
)
from mlmd.codes.vasp_input import (
    held_components,
    incar_text,
    k_points_text,
    ordered,
    poscar_text,
    smearing_of,
)
from mlmd.codes.vasp_potcar import fitting_set, variants_of
from mlmd.codes.vasp_settings import VaspSettings, protocol_settings
from mlmd.elements import SYMBOLS
from mlmd.errors import InvalidInput
from mlmd.launch import Command, Launch, Resources
from tests.faults.servers import missing

STUB = Path(__file__).with_name("vasp_stub.py")
SECRET = "local part of a licensed potential"


def made(**values: object) -> VaspSettings:
    return VaspSettings.from_json(values)


def quartz() -> Atoms:
    """Return Si and O in mixed order, with one oxygen held."""
    atoms = Atoms("OSiOSiO", cell=[5.0, 6.0, 7.0], pbc=True)
    atoms.positions = [[0.1, 0, 0], [1.7, 0.2, 0], [3.3, 0, 0.4], [0, 3, 3], [2, 3, 3.5]]
    atoms.set_constraint([FixAtoms([2]), FixCartesian(0, [True, False, False])])
    return atoms


def potentials(folder: Path, *variants: str) -> Path:
    for variant in variants:
        (folder / variant).mkdir(parents=True)
        (folder / variant / "POTCAR").write_text(
            f"  PAW_PBE {variant} 05Jan2001\n   TITEL  = PAW_PBE {variant} 05Jan2001\n{SECRET}\n"
        )
    return folder


def execute(launch: Launch, folder: Path) -> None:
    """Run the parts as the script of a job would."""
    for part in launch.parts:
        cause = "ok"
        for command in part.commands:
            asked = command.only_if
            if asked:
                path = folder / asked.path
                holds = path.is_file() and asked.text in path.read_text()
                if holds != asked.present:
                    continue
            words = [sys.executable, str(STUB)] if command.argv[0] == "vasp_std" else command.argv
            output = folder / command.stdout if command.stdout else Path("/dev/null")
            with output.open("w") as stream:
                done = subprocess.run(
                    words, cwd=folder / command.folder, stdout=stream, check=False
                )
            if done.returncode and not command.may_fail:
                cause = "failed"
                break
        (folder / part.folder / "exit.json").write_text(json.dumps({"cause": cause}))


def incar(atoms: Atoms, settings: VaspSettings, **resources: int) -> dict[str, str]:
    text = incar_text(
        ordered(atoms), settings, smearing_of([atoms], settings), Resources(**resources)
    )
    return dict(line.split(" = ", 1) for line in text.splitlines())


def test_the_poscar_is_read_back_by_ase_as_the_same_atoms(tmp_path: Path) -> None:
    structure = ordered(quartz())
    assert structure.species == ("O", "Si")
    assert structure.order == (0, 2, 4, 1, 3)
    path = tmp_path / "POSCAR"
    path.write_text(poscar_text(structure, "α\nquartz"))
    back = read_vasp(str(path))
    assert back.get_chemical_symbols() == ["O", "O", "O", "Si", "Si"]
    np.testing.assert_allclose(back.positions, quartz().positions[[0, 2, 4, 1, 3]], atol=1e-12)
    np.testing.assert_array_equal(
        held_components(back), [[1, 0, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    )
    assert "Selective" in path.read_text()
    assert "Selective" not in poscar_text(ordered(bulk("Si")))


def test_a_left_handed_cell_becomes_the_same_crystal_in_a_right_handed_one() -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    atoms.set_cell(atoms.cell.array[[1, 0, 2]], scale_atoms=False)
    assert np.linalg.det(atoms.cell.array) < 0 or np.linalg.det(-atoms.cell.array) < 0
    turned = ordered(atoms).atoms
    assert np.linalg.det(turned.cell.array) > 0
    np.testing.assert_allclose(
        np.sort(atoms.get_all_distances(mic=True).ravel()),
        np.sort(turned.get_all_distances(mic=True).ravel()),
        atol=1e-9,
    )


def test_the_incar_is_read_back_by_ase(tmp_path: Path) -> None:
    settings = made(spin=True, hubbard_u="Si p 2.5", dispersion="D3(BJ)", cutoff=450.0)
    structure = ordered(quartz())
    path = tmp_path / "INCAR"
    path.write_text(incar_text(structure, settings, smearing_of([quartz()], settings)))
    reader = Vasp()
    reader.read_incar(str(path))
    assert reader.float_params["encut"] == 450.0
    assert reader.int_params["ivdw"] == 12
    assert reader.string_params["gga"] == "PE"
    assert reader.bool_params["lwave"] is False
    assert reader.list_float_params["magmom"] == [0.6] * 5
    assert reader.list_int_params["ldaul"] == [-1, 1]
    assert reader.list_float_params["ldauu"] == [0.0, 2.5]


def test_smearing_follows_the_material() -> None:
    copper, silicon = bulk("Cu"), bulk("Si")
    assert smearing_of([copper], VaspSettings()).kind == 1
    assert smearing_of([copper, silicon], VaspSettings()).kind == 0
    insulator = made(material="insulator")
    assert smearing_of([silicon], insulator).kind == -5
    assert smearing_of([silicon], made(material="insulator", calculation="relax")).kind == 0
    box = Atoms("Si", cell=[12, 12, 12], pbc=False)
    assert smearing_of([silicon, box], insulator).kind == 0  # one for the whole batch
    assert smearing_of([copper], made(smearing_width=0.1)).width == 0.1


def test_moments_and_hubbard_follow_the_order_of_the_species() -> None:
    atoms = Atoms("OFeOFe", cell=[4, 4, 4], pbc=True, positions=np.eye(4, 3) * 2)
    found = incar(atoms, made(spin=True, moments="Fe 4", hubbard_u="Fe d 4.0"))
    assert found["MAGMOM"] == "2*0.6 2*4"
    assert (found["LDAUL"], found["LDAUU"], found["LMAXMIX"]) == ("-1 2", "0 4", "4")
    atoms.set_initial_magnetic_moments([0.0, 3.0, 0.0, -3.0])
    assert incar(atoms, made(spin=True))["MAGMOM"] == "2*0 3 -3"


def test_every_calculation_moves_what_it_should() -> None:
    silicon = bulk("Si")
    kinds = ("static", "relax", "cell-relax", "md")
    found = [incar(silicon, made(calculation=kind)) for kind in kinds]
    assert [(f["IBRION"], f["ISIF"]) for f in found] == [
        ("-1", "2"),
        ("2", "2"),
        ("2", "3"),
        ("0", "2"),
    ]
    assert (found[3]["MDALGO"], found[3]["TEBEG"], found[3]["TEEND"]) == ("2", "300", "300")
    assert "GGA" not in incar(silicon, made(functional="LDA"))
    assert incar(silicon, made(functional="r2SCAN"))["METAGGA"] == "R2SCAN"
    assert incar(silicon, made(further="LREAL = Auto; NBANDS = 64"))["LREAL"] == "Auto"


def test_processes_are_spread_over_k_points_and_bands() -> None:
    silicon = bulk("Si")
    assert "NCORE" not in incar(silicon, VaspSettings())
    found = incar(silicon, VaspSettings(), nodes=2, processes=32)
    assert (found["KPAR"], found["NCORE"]) == ("4", "4")
    one = incar(Atoms("Si", cell=[12, 12, 12]), VaspSettings(), processes=16)
    assert (one["KPAR"], one["NCORE"]) == ("1", "4")
    assert incar(silicon, made(kpar=2, ncore=8), processes=16)["NCORE"] == "8"


def test_the_mesh_contains_gamma_and_follows_the_cell() -> None:
    assert k_points_text(bulk("Si", a=5.43, cubic=True), 0.4).splitlines()[2:4] == [
        "Gamma",
        "3 3 3",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"further": "MAGMOM = 5"},
        {"further": "ICHARG = 11"},
        {"further": "NBANDS"},
        {"further": "NBANDS = 3 # `rm`"},
        {"moments": "Fe"},
        {"hubbard_u": "Fe q 3"},
        {"variants": "Fe Ti_pv"},
        {"variants": "Fe ../../etc"},
        {"potentials": "../x"},
        {"cutoff": 5.0},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        made(**wrong)


def test_protocols_differ_and_take_changes() -> None:
    fast, precise = protocol_settings("fast"), protocol_settings("precise", spin=True)
    assert fast.cutoff < precise.cutoff
    assert fast.k_spacing > precise.k_spacing
    assert precise.spin
    with pytest.raises(InvalidInput, match="Did you mean 'cutoff'"):
        protocol_settings("fast", cutof=20)


def test_the_recommended_variants_are_those_of_ase_but_for_the_newer_release() -> None:
    known = [s for s in SYMBOLS[1:97] if s not in ("At", "W")]  # changed from potpaw.52 to .54
    ours = variants_of(known, VaspSettings())
    assert ours == {s: s + setups_defaults["recommended"].get(s, "") for s in known}
    assert variants_of(["W"], VaspSettings()) == {"W": "W_sv"}
    assert variants_of(["Ti"], made(variants="Ti Ti_pv")) == {"Ti": "Ti_pv"}


def test_the_set_of_potentials_fits_the_functional() -> None:
    names = ("vasp_std", "potpaw_LDA.54", "potpaw_PBE.52", "potpaw_PBE.54")
    assert fitting_set(names, VaspSettings()) == "potpaw_PBE.54"
    assert fitting_set(names, made(functional="LDA")) == "potpaw_LDA.54"
    assert fitting_set(names, made(potentials="potpaw_PBE.52")) == "potpaw_PBE.52"
    assert fitting_set(("potpaw",), made(functional="LDA")) == "potpaw"
    with pytest.raises(InvalidInput, match=r"Its manager adds a line"):
        fitting_set(("vasp_std", "potpaw", "potpaw_LDA.54"), VaspSettings())


def test_a_batch_runs_through_the_stub_and_nothing_licensed_comes_back(tmp_path: Path) -> None:
    if not shutil.which("xz"):
        missing("needs xz: apt-get install xz-utils")
    library = potentials(tmp_path / "potpaw_PBE.54", "O", "Si")
    silicon = bulk("Si", "diamond", a=5.43)
    named = (
        NamedStructure("quartz", quartz()),
        NamedStructure("hard", silicon),
        NamedStructure("crash", silicon),
    )
    run = tmp_path / "run"
    run.mkdir()
    settings = protocol_settings("fast", k_spacing=0.8, scf_steps=5)
    launch = prepare(VaspSpec(named, settings, str(library), Resources()), run)
    execute(launch, run)
    good, hard, crashed = collect(run)
    assert (good.outcome, good.message) == (Outcome.CONVERGED, "")
    (frame,) = good.frames
    np.testing.assert_array_equal(frame.numbers, quartz().numbers)
    np.testing.assert_allclose(frame.positions, quartz().positions, atol=1e-7)
    assert frame.fixed is None or frame.fixed.shape == (5, 3)
    assert frame.calculation.pseudopotentials == {
        "O": "PAW_PBE O 05Jan2001",
        "Si": "PAW_PBE Si 05Jan2001",
    }
    assert hard.outcome == Outcome.CONVERGED
    assert hard.frames[0].calculation.settings["second_try"] == "ALGO = All"
    assert crashed.outcome == Outcome.FAILED
    assert "triple product" in crashed.message
    used = potentials_used(run)
    assert used["Si"].title == "PAW_PBE Si 05Jan2001"
    assert re.fullmatch(r"[0-9a-f]{64}", used["Si"].sha256)
    assert (run / "0001/vasprun.xml.xz").is_file()
    assert lzma.decompress((run / "0001/vasprun.xml.xz").read_bytes()).startswith(b"<?xml")
    for path in run.rglob("*"):
        if path.is_file() and path.suffix != ".xz":
            assert SECRET not in path.read_text(), path
    assert not list(run.rglob("WAVECAR"))
    assert not any("POTCAR" in pattern or "OUTCAR" in pattern for pattern in launch.fetch)


def test_a_missing_potential_ends_the_part_before_vasp_starts(tmp_path: Path) -> None:
    library = potentials(tmp_path / "set", "O")
    run = tmp_path / "run"
    run.mkdir()
    spec = VaspSpec((NamedStructure("q", quartz()),), VaspSettings(), str(library), Resources())
    execute(prepare(spec, run), run)
    (result,) = collect(run)
    assert result.outcome == Outcome.FAILED
    assert "no readable POTCAR for Si in" in result.message
    assert not (run / "0001/vasp.out").exists()


def test_md_keeps_one_step_in_so_many(tmp_path: Path) -> None:
    library = potentials(tmp_path / "set", "Si")
    run = tmp_path / "run"
    run.mkdir()
    settings = made(calculation="md", ionic_steps=21, k_spacing=0.8)
    named = (NamedStructure("hot", bulk("Si")),)
    execute(prepare(VaspSpec(named, settings, str(library), Resources()), run), run)
    (result,) = collect(run)
    assert [frame.ionic_step for frame in result.frames] == [0, 10, 20]


def test_without_a_record_a_structure_is_unfinished(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    named = (NamedStructure("late", bulk("Si")),)
    launch = prepare(VaspSpec(named, made(second_try=False), "/none", Resources()), run)
    assert [command.argv[0] for command in launch.parts[0].commands] == ["sh", "vasp_std", "sh"]
    assert isinstance(launch.parts[0].commands[1], Command)
    (result,) = collect(run)
    assert result.outcome == Outcome.UNFINISHED


def test_words_of_errors_are_found(tmp_path: Path) -> None:
    path = tmp_path / "vasp.out"
    assert error_message(path) == ""
    path.write_text(" running\n VERY BAD NEWS! internal error in subroutine IBZKPT:\n")
    assert error_message(path).startswith("VERY BAD NEWS! internal error")
    path.write_text(" reached required accuracy\n")
    assert error_message(path) == ""


def test_more_atoms_take_longer() -> None:
    small = bulk("Si", "diamond", a=5.43, cubic=True)
    settings = VaspSettings()
    one = estimate_seconds([small], settings)
    assert estimate_seconds([small.repeat(2)], settings) > 4 * one
    assert estimate_seconds([small], made(functional="HSE06")) > 10 * one
