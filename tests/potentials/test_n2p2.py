"""Trainings with n2p2 on the site: the choice, the run on a cluster, what comes into the catalog.

The programs are the stand-in of ``tests/mlmd/n2p2``; ``test_real.py`` there runs n2p2 itself.
"""

from __future__ import annotations

import os
import shutil
import time

import numpy as np
import pytest
from rest_framework.test import APIClient

from jobs.clusters import run_folder
from jobs.files import job_folder
from jobs.models import Job
from jobs.services import job_cancel
from jobs.states import State
from mlmd.hdnnp.training import load_parity
from mlmd.n2p2 import N2p2Spec, prepare, settings_from
from potentials.models import Potential, Training
from tests.jobs.conftest import turn
from tests.mlmd.n2p2.conftest import write_stand_in
from tests.potentials.factories import labelled_frames, make_version

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = {
    "family": "n2p2", "set-validation_fraction": "0.2", "set-seed": "1", "set-cutoff_radius": "5",
    "set-radial_functions": "3", "set-angular_widths": "0.5", "set-angular_zetas": "1",
    "set-descriptor_selection": "cur", "set-correlation_limit": "0.99",
    "set-hidden_nodes": "3", "set-activation": "t", "set-split": "stratified",
    "set-largest_force": "15", "set-shortest_distance": "0.6", "set-energy_emphasis": "10",
}  # fmt: skip
SMALL = {"cutoff_radius": 5.0, "hidden_nodes": "3", "radial_functions": 3, "angular_zetas": "1"}


@pytest.fixture
def n2p2_here(tmp_path, monkeypatch):
    """n2p2's programs on the PATH of the built-in cluster."""
    place = write_stand_in(tmp_path / "programs")
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def api(owner) -> APIClient:
    client = APIClient()
    client.force_authenticate(owner)
    return client


def start(api: APIClient, version, **changes) -> Training:
    body = {
        "name": "By n2p2",
        "versions": [str(version.public_id)],
        "family": "n2p2",
        "settings": {**SMALL, "epochs": 4},
        "threads": 1,
        **changes,
    }
    answer = api.post("/api/v1/trainings/", body, format="json")
    assert answer.status_code == 201, answer.content
    return Training.objects.get(public_id=answer.json()["id"])


def test_a_training_with_n2p2_becomes_a_potential_of_the_catalog(
    n2p2_here, api, owner, lab, cluster, finish
) -> None:
    version = make_version(owner, lab, frames=labelled_frames(18))
    training = start(api, version)
    job = finish(training.job)
    assert job.state == State.DONE, job.reason + job.log_tail
    programs = [line.split()[0] for line in (calls(job)).splitlines()]
    assert programs == ["nnp-norm", "nnp-scaling", "nnp-train", "nnp-dataset"]
    potential = Potential.objects.get(training=training)
    assert potential.family == "hdnnp"  # of the same kind, whoever trained it
    assert potential.data_checksum == version.checksum
    assert potential.energy_rmse == pytest.approx(10.0, abs=1e-3)
    assert potential.force_rmse == pytest.approx(100.0, abs=1e-3)
    assert potential.validation["best_epoch"] == 3
    assert {file.name for file in potential.files.all()} >= {"input.nn", "weights.014.data"}
    parity = load_parity(job_folder(job) / "parity.npz")
    assert int(parity.validation.sum()) == potential.validation["validation_frames"] == 3
    curve = api.get(f"/api/v1/trainings/{training.public_id}/curve/").content.decode()
    assert curve.splitlines()[0].startswith("epoch,train_energy_rmse_mev_per_atom,validation_")
    assert len(curve.splitlines()) == 6
    card = api.get(f"/api/v1/potentials/{potential.public_id}/").json()
    assert card["settings"]["force_updates"] == 2.0


def calls(job: Job) -> str:
    with open(f"{run_folder(job)}/calls.log", encoding="utf-8") as log:
        return log.read()


def test_the_learning_curve_is_live_and_a_run_can_be_cancelled(
    n2p2_here, api, owner, lab, cluster, finish, sign_in, tmp_path
) -> None:
    write_stand_in(tmp_path / "programs", STAND_IN_SECONDS="0.5")
    training = start(api, make_version(owner, lab, frames=labelled_frames(18)),
                     settings={**SMALL, "epochs": 200})  # fmt: skip
    page = f"/train/{training.public_id}/"
    client = sign_in(owner)
    deadline = time.monotonic() + 60
    figure: dict = {"data": []}
    while time.monotonic() < deadline and not any(trace["x"] for trace in figure["data"]):
        turn()
        figure = client.get(f"{page}curve/energy/").json()
        time.sleep(0.1)
    assert figure["data"][0]["y"][0] == pytest.approx(10 * (1 + 199))  # meV/atom
    assert "of 200:" in client.get(page).content.decode()
    job_cancel(job=Job.objects.get(pk=training.job.pk), actor=owner)
    assert finish(training.job).state == State.CANCELLED
    assert not Potential.objects.exists()


def test_where_n2p2_is_missing_the_form_says_so_and_offers_ours(
    owner, lab, cluster, sign_in, monkeypatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, *_: None)
    version = make_version(owner, lab)
    client = sign_in(owner)
    body = {
        "versions": [str(version.public_id)], "effort": "quick", "visibility": "lab",
        "cluster": str(cluster.public_id), "threads": "1", "family": "n2p2",
    }  # fmt: skip
    page = client.post("/train/", body).content.decode()
    assert "has no nnp-norm, nnp-scaling, nnp-train, nnp-dataset" in page
    assert "Train with our own engine" in page
    assert "n2p2, nnp-train (on no cluster of yours)" in page
    assert not Training.objects.exists()
    preview = client.post("/train/preview/", body).content.decode()
    assert "has no nnp-norm" in preview


def test_the_api_says_the_same(api, owner, lab, cluster, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, *_: None)
    version = make_version(owner, lab)
    body = {"name": "x", "versions": [str(version.public_id)], "family": "n2p2", "threads": 1}
    answer = api.post("/api/v1/trainings/", body, format="json")
    assert answer.status_code == 400
    assert "has no nnp-norm" in answer.content.decode()


def test_the_form_has_the_settings_of_both_and_says_whose_they_are(
    n2p2_here, owner, lab, cluster, sign_in
) -> None:
    make_version(owner, lab)
    page = sign_in(owner).get("/train/").content.decode()
    assert page.count('name="set-cutoff_radius"') == 1
    assert 'data-families="hdnnp n2p2"' in page  # shared ones
    assert 'data-families="n2p2"' in page  # force_updates, …
    assert 'data-families="hdnnp"' in page  # patience, …


def test_the_form_starts_a_training_with_what_was_typed(
    n2p2_here, owner, lab, cluster, sign_in
) -> None:
    version = make_version(owner, lab)
    body = {
        "versions": [str(version.public_id)], "effort": "quick", "visibility": "lab",
        "cluster": str(cluster.public_id), "threads": "1", **TYPED,
        "set-force_updates": "3", "set-hidden_nodes": "5", "set-patience": "7",
    }  # fmt: skip
    answer = sign_in(owner).post("/train/", body)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    training = Training.objects.get()
    assert training.family == "n2p2"
    assert training.settings["force_updates"] == 3.0
    assert training.settings["hidden_nodes"] == "5"
    assert training.settings["epochs"] == 10  # as the effort says
    assert "patience" not in training.settings
    assert training.job.resources["processes"] == 1


def test_the_script_is_shown_before_the_run_starts(n2p2_here, owner, lab, cluster, sign_in) -> None:
    version = make_version(owner, lab)
    body = {
        "versions": [str(version.public_id)], "effort": "quick", "visibility": "lab",
        "cluster": str(cluster.public_id), "threads": "2", **TYPED,
    }  # fmt: skip
    client = sign_in(owner)
    # Several runs on one machine: Open MPI mustn't bind all of them to the same cores.
    client.post("/lab/switch/", {"lab": str(lab.public_id)})
    preview = client.post("/train/preview/", body).content.decode()
    assert "nnp-scaling 100" in preview
    assert "mpirun -np 2" in preview
    assert "OMPI_MCA_hwloc_base_binding_policy" in preview


def test_a_program_that_fails_ends_the_run_with_its_log(
    n2p2_here, api, owner, lab, cluster, finish, tmp_path
) -> None:
    write_stand_in(tmp_path / "programs", STAND_IN="nan")
    training = start(api, make_version(owner, lab, frames=labelled_frames(18)))
    job = finish(training.job)
    assert job.state == State.FAILED
    assert "no epoch of learning-curve.out has finite errors" in job.log_tail
    assert not Potential.objects.exists()


def test_several_cores_are_processes_of_mpi(tmp_path) -> None:
    folder = tmp_path / "run"
    spec = N2p2Spec(settings_from(SMALL), labelled_frames(6), processes=4)
    launch = prepare(spec, folder)
    assert launch.resources.processes == 4
    assert [c.argv[0] for c in launch.commands if c.mpi] == [
        "nnp-norm", "nnp-scaling", "nnp-train", "nnp-dataset",
    ]  # fmt: skip
    assert np.isfinite(launch.resources.walltime_s)
