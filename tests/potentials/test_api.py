"""The API gives what the pages show, to the same people."""

from __future__ import annotations

import io
import zipfile

import ase.io
import numpy as np
import pytest
from rest_framework.test import APIClient

from jobs.files import job_folder
from jobs.models import Job
from jobs.states import State
from labs.models import ApiToken
from labs.services.accounts import token_create
from mlmd.trajectory import TrajectoryFrame, TrajectoryWriter
from potentials.models import Potential, Simulation, Training
from tests.potentials.factories import (
    make_potential,
    make_simulation,
    make_structure,
    make_training,
    make_version,
)

pytestmark = pytest.mark.django_db

STAGES = [{"kind": "hold", "ensemble": "nve", "temperature_start": 300.0, "steps": 100}]


@pytest.fixture
def api(owner):
    client = APIClient()
    client.force_authenticate(owner)
    return client


def with_token(person, *scopes: str) -> APIClient:
    _token, secret = token_create(user=person, name="test", scopes=scopes)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_potentials_are_listed_filtered_and_paged(api, owner, lab):
    make_potential(owner, lab, name="Silicon")
    make_potential(owner, lab, name="Silica", elements=("O", "Si"))
    answer = api.get("/api/v1/potentials/", {"elements": "O"}).json()
    assert answer["count"] == 1
    assert answer["results"][0]["elements"] == ["O", "Si"]
    assert "settings" not in answer["results"][0]
    assert api.get("/api/v1/potentials/", {"elements": "Xx"}).status_code == 400
    assert len(api.get("/api/v1/potentials/", {"page_size": 1}).json()["results"]) == 1


def test_a_potential_says_everything_on_its_card(api, owner, lab):
    potential = make_potential(owner, lab)
    found = api.get(f"/api/v1/potentials/{potential.public_id}/").json()
    assert found["validation"]["by_kind"][0]["label"] == "bulk"
    assert {file["name"] for file in found["files"]} >= {"input.nn", "scaling.data"}
    archive = api.get(f"/api/v1/potentials/{potential.public_id}/archive/")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as unpacked:
        assert any(name.endswith("/input.nn") for name in unpacked.namelist())
    file = api.get(f"/api/v1/potentials/{potential.public_id}/files/input.nn/")
    assert file.status_code == 200
    assert len(file.content) == next(f["size"] for f in found["files"] if f["name"] == "input.nn")


def test_people_change_only_what_people_say(api, owner, lab, guest):
    potential = make_potential(owner, lab)
    url = f"/api/v1/potentials/{potential.public_id}/"
    answer = api.patch(url, {"not_for": "liquids", "force_rmse": 1.0}, format="json")
    assert answer.status_code == 200
    potential.refresh_from_db()
    assert potential.not_for == "liquids"
    assert potential.force_rmse == 110.0
    other = APIClient()
    other.force_authenticate(guest)
    assert other.patch(url, {"not_for": ""}, format="json").status_code == 403
    assert other.delete(url).status_code == 403
    assert api.delete(url).status_code == 204
    assert not Potential.objects.exists()


def test_a_training_is_started_and_cancelled(api, owner, lab, cluster):
    version = make_version(owner, lab)
    body = {
        "name": "By API",
        "versions": [str(version.public_id)],
        "effort": "quick",
        "settings": {"cutoff_radius": 5.0},
        "threads": 1,
    }
    answer = api.post("/api/v1/trainings/", body, format="json")
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made["settings"]["cutoff_radius"] == 5.0
    assert made["run"]["state"] == "created"
    assert made["potential"] is None
    answer = api.post(f"/api/v1/trainings/{made['id']}/cancel/")
    assert answer.json()["run"]["state"] == "cancelled"
    assert Training.objects.get().job.resources["threads"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": {"cutof_radius": 5.0}}, "cutoff_radius"),
        ({"settings": {"cutoff_radius": 50.0}}, "at most"),
        ({"filters": {"colour": "red"}}, "colour"),
        ({"versions": ["00000000-0000-0000-0000-000000000000"]}, "visible"),
        ({"threads": 1000}, "cores"),
    ],
)
def test_a_request_that_cannot_be_is_answered_in_words(api, owner, lab, cluster, change, words):
    version = make_version(owner, lab)
    body = {"name": "Wrong", "versions": [str(version.public_id)]}
    answer = api.post("/api/v1/trainings/", body | change, format="json")
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not Job.objects.exists()


def test_an_md_run_is_started(api, owner, lab, cluster):
    body = {
        "name": "By API",
        "potential": str(make_potential(owner, lab).public_id),
        "structure": str(make_structure(owner, lab).public_id),
        "repeats": [2, 1, 1],
        "settings": {"stages": STAGES, "time_step": 0.5},
    }
    answer = api.post("/api/v1/simulations/", body, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["atom_count"] == 16
    wrong = body | {"settings": {"stages": [STAGES[0] | {"temperature": 3}]}}
    answer = api.post("/api/v1/simulations/", wrong, format="json")
    assert answer.status_code == 400
    assert "temperature" in answer.json()["detail"]
    assert Simulation.objects.count() == 1


def test_starting_a_run_needs_the_scope_run(owner, lab, cluster):
    version = make_version(owner, lab)
    body = {"name": "Scoped", "versions": [str(version.public_id)]}
    reader = with_token(owner, "read", "write")
    assert reader.get("/api/v1/trainings/").status_code == 200
    assert reader.post("/api/v1/trainings/", body, format="json").status_code == 403
    runner = with_token(owner, "read", "run")
    assert runner.post("/api/v1/trainings/", body, format="json").status_code == 201
    assert ApiToken.objects.filter(user=owner).count() == 2


def test_guests_and_strangers_start_nothing(owner, lab, guest, stranger, cluster):
    version = make_version(owner, lab)
    body = {"name": "No", "versions": [str(version.public_id)]}
    for person, status in ((guest, 403), (stranger, 400)):
        client = APIClient()
        client.force_authenticate(person)
        assert client.post("/api/v1/trainings/", body, format="json").status_code == status
    training = make_training(owner, lab, version=version)
    client = APIClient()
    client.force_authenticate(stranger)
    assert client.get(f"/api/v1/trainings/{training.public_id}/").status_code == 404
    client.force_authenticate(guest)
    url = f"/api/v1/trainings/{make_training(owner, lab, state=State.RUNNING).public_id}/cancel/"
    assert client.post(url).status_code == 403


def test_the_learning_curve_is_a_table(api, owner, lab):
    training = make_training(owner, lab)
    answer = api.get(f"/api/v1/trainings/{training.public_id}/curve/")
    text = b"".join(answer.streaming_content).decode()
    assert text.splitlines()[0].startswith("epoch,")
    assert len(text.splitlines()) == 3


def test_trajectories_stream_in_both_formats_with_a_stride(api, owner, lab, tmp_path):
    simulation = make_simulation(owner, lab)
    folder = job_folder(simulation.job)
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    cell, start = 6.0 * np.eye(3), rng.uniform(0, 6, (8, 3))
    with TrajectoryWriter(folder / "trajectory.mtj", [14] * 8, start) as writer:
        for step in range(10):
            writer.write(TrajectoryFrame(step, float(step), cell, start + 0.1 * step, -1.0, 0.5))
    url = f"/api/v1/simulations/{simulation.public_id}/trajectory"
    answer = api.get(f"{url}/extxyz/", {"stride": 3})
    path = tmp_path / "t.extxyz"
    path.write_bytes(b"".join(answer.streaming_content))
    frames = ase.io.read(path, index=":")
    assert len(frames) == 4
    np.testing.assert_allclose(frames[-1].positions, start + 0.9, atol=1e-6)
    dump = b"".join(api.get(f"{url}/lammps-dump/", {"start": 8}).streaming_content).decode()
    assert dump.count("ITEM: TIMESTEP") == 2
    assert api.get(f"{url}/extxyz/", {"stride": 0}).status_code == 400


def test_one_configuration_is_kept_as_a_structure(api, owner, lab):
    simulation = make_simulation(owner, lab)
    url = f"/api/v1/simulations/{simulation.public_id}/structure/"
    assert api.post(url, {"name": "None yet"}, format="json").status_code == 400
