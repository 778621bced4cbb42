"""Downloads parse back, and say the same each time."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.repulsion import automatic_repulsion
from mlmd.units import BOHR, HARTREE
from potentials.archives import deterministic_zip
from potentials.cards import archive_of
from potentials.families.base import Card, Facts
from potentials.families.hdnnp_files import pair_lines
from potentials.models import PotentialFile
from tests.potentials.factories import make_potential, network, network_files

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.django_db


def card(**facts) -> Card:
    values = {
        "elements": ("O", "Si"),
        "cutoff_radius": 6.0,
        "length_unit": "angstrom",
        "energy_unit": "ev",
        "parameters": 100,
    }
    return Card(
        "Silica", 2, "https://example.org/", Facts(**(values | facts)), "CC-BY-4.0",
        "205 frames", "0" * 64, 5.0, 100.0, "",
    )  # fmt: skip


def test_the_same_files_give_the_same_archive(tmp_path):
    files = {"b.txt": b"2", "a.txt": b"1"}
    first = deterministic_zip("folder", files)
    assert first == deterministic_zip("folder", dict(reversed(files.items())))
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == ["folder/SHA256SUMS", "folder/a.txt", "folder/b.txt"]
        sums = archive.read("folder/SHA256SUMS").decode()
    assert f"{hashlib.sha256(b'1').hexdigest()}  a.txt\n" in sums


def test_an_unpacked_potential_gives_the_same_energies_and_forces(owner, lab, tmp_path):
    potential = make_potential(owner, lab)
    _name, content = archive_of(potential, "https://example.org/")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    atoms = bulk("Si", "diamond", a=5.3, cubic=True)
    atoms.rattle(0.1, seed=1)
    arguments = (atoms.numbers, atoms.positions, atoms.cell.array, (True, True, True))
    expected = Evaluator(network()).compute(*arguments)
    found = Evaluator(load_potential(folder)).compute(*arguments)
    assert found.energy == pytest.approx(expected.energy, rel=1e-12)
    np.testing.assert_allclose(found.forces, expected.forces, atol=1e-12)
    assert np.abs(found.forces).max() > 1e-6
    names = {path.name for path in folder.iterdir()}
    assert {"input.nn", "scaling.data", "weights.014.data", "README.txt", "in.lammps"} <= names
    sums = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    for digest, name in sums:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_a_repulsion_of_nuclei_goes_along_and_is_said(owner, lab, tmp_path, client):
    potential = make_potential(owner, lab)
    repelling = replace(network(), repulsion=automatic_repulsion(["Si"]))
    content = network_files(repelling)["zbl.json"]
    PotentialFile.objects.create(
        potential=potential, name="zbl.json", size=len(content), sha256="0" * 64, content=content
    )
    _name, packed = archive_of(potential, "https://example.org/")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert load_potential(folder).repulsion == repelling.repulsion
    for name in ("README.txt", "in.lammps"):
        text = (folder / name).read_text()
        assert 'pair_style hybrid/overlay hdnnp 5.01 dir "." ' in text
        assert " zbl 0.777 1.554\npair_coeff * * hdnnp Si\npair_coeff 1 1 zbl 14 14\n" in text
    assert "n2p2's programs don't know it" in (folder / "README.txt").read_text()
    client.force_login(owner)
    page = client.get(f"/potentials/{potential.public_id}/").content.decode()
    assert "Short-range repulsion (ZBL)" in page
    assert "hybrid/overlay" in page


def test_the_ase_example_runs_as_it_is(owner, lab, tmp_path):
    _name, content = archive_of(make_potential(owner, lab), "https://example.org/")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    bulk("Si", "diamond", a=5.4).write(tmp_path / "POSCAR", format="vasp")
    ended = subprocess.run(
        [sys.executable, str(folder / "ase_example.py"), str(tmp_path / "POSCAR")],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "energy (eV):" in ended.stdout


def test_lammps_lines_convert_from_metal_units():
    style, coefficients = pair_lines(card())
    assert style.startswith("pair_style hdnnp 6.01 ")
    assert style.endswith("cflength 1 cfenergy 1")
    assert coefficients == "pair_coeff * * O Si"
    words = pair_lines(card(length_unit="bohr", energy_unit="hartree"))[0].split()
    assert float(words[words.index("cflength") + 1]) == pytest.approx(1 / BOHR)
    assert float(words[words.index("cfenergy") + 1]) == pytest.approx(1 / HARTREE)
