"""aenet on the site: training with its programs, potentials from elsewhere, dynamics, downloads.

The programs are the stand-in of ``tests/mlmd/aenet``; ``test_real.py`` there runs aenet itself.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from base64 import b64encode
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write
from rest_framework.test import APIClient

import mlmd
from jobs.files import job_folder
from jobs.states import State
from labs.services.accounts import token_create
from mlmd.aenet.pipeline import Aenet
from mlmd.aenet.writing import Form, save_aenet
from mlmd.external.programs import Programs
from mlmd.hdnnp.training import load_parity
from mlmd.runs import read_json
from potentials.models import Potential, Simulation, Training
from tests.mlmd.aenet.conftest import write_stand_in
from tests.mlmd.aenet.potentials import soft_potential
from tests.potentials.factories import labelled_frames, make_structure, make_version

pytestmark = pytest.mark.django_db(transaction=True)

REPOSITORY = Path(__file__).resolve().parents[2]
IMPORT = "/api/v1/potentials/import/"
SMALL = {"cutoff_radius": 5.0, "hidden_nodes": "3", "radial_order": 3, "angular_order": 2}


@pytest.fixture
def aenet_here(tmp_path, monkeypatch):
    """aenet's programs on the PATH of the built-in cluster."""
    place = write_stand_in(tmp_path / "programs")
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def api(owner) -> APIClient:
    client = APIClient()
    client.force_authenticate(owner)
    return client


def network_files(tmp_path, form: Form = Form.BINARY) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in save_aenet(soft_potential(), tmp_path / form, form)}


def imported(api, tmp_path) -> Potential:
    files = network_files(tmp_path)
    body = {
        "name": "Soft",
        "binary_files": {name: b64encode(data).decode() for name, data in files.items()},
    }
    answer = api.post(IMPORT, body, format="json")
    assert answer.status_code == 201, answer.content
    return Potential.objects.get(public_id=answer.json()["id"])


def test_a_training_with_aenet_becomes_a_potential_of_the_catalog(
    aenet_here, api, owner, lab, cluster, finish, sign_in
) -> None:
    version = make_version(owner, lab, frames=labelled_frames(18))
    body = {
        "name": "By aenet", "versions": [str(version.public_id)], "family": "aenet",
        "settings": {**SMALL, "epochs": 4}, "threads": 1,
    }  # fmt: skip
    answer = api.post("/api/v1/trainings/", body, format="json")
    assert answer.status_code == 201, answer.content
    training = Training.objects.get(public_id=answer.json()["id"])
    job = finish(training.job)
    assert job.state == State.DONE, job.reason + job.log_tail
    potential = Potential.objects.get(training=training)
    assert potential.family == "aenet"
    assert [file.name for file in potential.files.all()] == ["Si.nn"]
    assert potential.validation["best_epoch"] == 3
    assert any("no form in n2p2" in words for words in potential.validation["warnings"])
    parity = load_parity(job_folder(job) / "parity.npz")
    assert int(parity.validation.sum()) == potential.validation["validation_frames"] == 3
    assert potential.force_rmse > 0
    curve = api.get(f"/api/v1/trainings/{training.public_id}/curve/").content.decode()
    assert len(curve.splitlines()) == 6
    client = sign_in(owner)
    for page in (f"/train/{training.public_id}/", f"/potentials/{potential.public_id}/"):
        assert client.get(page).status_code == 200
    curves = f"/train/{training.public_id}/curve"
    assert "after 4 epochs" in client.get(f"{curves}/energy/").json()["alt"]
    words = client.get(f"{curves}/force/").json()["alt"]
    assert words == "No errors of forces on held-out frames are known."


def test_networks_from_elsewhere_come_over_the_api(api, tmp_path) -> None:
    potential = imported(api, tmp_path)
    assert (potential.family, potential.elements) == ("aenet", ["Si"])
    assert (potential.length_unit, potential.energy_unit) == ("angstrom", "ev")
    assert potential.validation["parameters"] == soft_potential().parameters
    (file,) = potential.files.all()
    assert file.name == "Si.nn"
    assert bytes(file.content) == network_files(tmp_path)["Si.2.nn"]


def test_networks_in_ascii_become_binary_with_the_same_numbers(api, tmp_path) -> None:
    files = {name: data.decode() for name, data in network_files(tmp_path, Form.ASCII).items()}
    answer = api.post(IMPORT, {"name": "Soft", "files": files}, format="json")
    assert answer.status_code == 201, answer.content
    (file,) = Potential.objects.get().files.all()
    assert file.name == "Si.nn"
    assert bytes(file.content) == network_files(tmp_path)["Si.2.nn"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"Si.nn": b64encode(b"\4\0\0\0\3\0\0\0").decode()}, "Si.nn"),
        ({"Si.nn": "no base64!"}, "no base64"),
    ],
)
def test_what_is_no_network_is_refused_in_words(api, files, words) -> None:
    answer = api.post(IMPORT, {"name": "x", "binary_files": files}, format="json")
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not Potential.objects.exists()


def test_a_training_elsewhere_goes_into_the_catalog(owner, lab, live_server, tmp_path) -> None:
    _row, secret = token_create(user=owner, name="aenet", scopes=["read", "write"])
    Aenet(
        labelled_frames(18), tmp_path / "si-aenet", epochs=4, hidden_nodes="3", cutoff_radius=5.0,
        programs=Programs(write_stand_in(tmp_path / "bin")), told=lambda fraction, words: None,
        store=mlmd.Portal(live_server.url, secret),
    ).train()  # fmt: skip
    potential = Potential.objects.get()
    assert (potential.name, potential.family, potential.frame_count) == ("si-aenet", "aenet", 18)
    assert potential.energy_rmse == pytest.approx(20.0)
    assert potential.force_rmse is None
    assert potential.validation["validation_frames"] == 3
    assert [file.name for file in potential.files.all()] == ["Si.nn"]


def test_its_download_runs_with_ase_and_says_how_lammps_takes_it(
    api, owner, sign_in, tmp_path
) -> None:
    potential = imported(api, tmp_path)
    page = sign_in(owner).get(f"/potentials/{potential.public_id}/").content.decode()
    assert "pair_coeff * * v00 Si nn Si" in page
    answer = api.get(f"/api/v1/potentials/{potential.public_id}/archive/")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer)))
    archive.extractall(tmp_path / "x")
    (folder,) = (tmp_path / "x").iterdir()
    readme = (folder / "README.txt").read_text()
    assert "pair_style aenet" in readme
    assert "predict.x, version 2.0.4" in readme
    write(tmp_path / "POSCAR", bulk("Si", cubic=True), format="vasp")
    done = subprocess.run(
        [sys.executable, str(folder / "ase_example.py"), str(tmp_path / "POSCAR")],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    atoms = bulk("Si", cubic=True)
    atoms.calc = mlmd.load(folder, 1)
    printed = float(done.stdout.split("energy (eV):")[1].split()[0])
    assert printed == pytest.approx(atoms.get_potential_energy())


def test_dynamics_with_it_run_on_the_site(api, owner, lab, cluster, finish, tmp_path) -> None:
    potential = imported(api, tmp_path)
    structure = make_structure(owner, lab)
    body = {
        "name": "MD", "potential": str(potential.public_id), "structure": str(structure.public_id),
        "repeats": [2, 2, 2], "threads": 1,
        "settings": {"stages": [{"steps": 20, "ensemble": "npt", "temperature_start": 300.0}]},
    }  # fmt: skip
    answer = api.post("/api/v1/simulations/", body, format="json")
    assert answer.status_code == 201, answer.content
    simulation = Simulation.objects.get(public_id=answer.json()["id"])
    job = finish(simulation.job)
    assert job.state == State.DONE, job.reason + job.log_tail
    simulation.refresh_from_db()
    assert simulation.result["steps"] == 20
    assert "entries" in read_json(job_folder(job) / "extrapolation.json")


def test_where_aenet_is_missing_the_form_says_so(owner, lab, cluster, sign_in, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, *_: None)
    version = make_version(owner, lab)
    body = {
        "versions": [str(version.public_id)], "effort": "quick", "visibility": "lab",
        "cluster": str(cluster.public_id), "threads": "1", "family": "aenet",
    }  # fmt: skip
    page = sign_in(owner).post("/train/", body).content.decode()
    assert "has no generate.x, train.x" in page
    assert "aenet, train.x (on no cluster of yours)" in page
    assert not Training.objects.exists()
