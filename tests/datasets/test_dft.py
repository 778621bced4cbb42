"""DFT runs through services, pages and API, and once through the real pw.x."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from ase.build import bulk
from django.urls import reverse

from datasets.dft.services import (
    DftRequest,
    dft_outcomes,
    dft_retry_failed,
    dft_start,
)
from datasets.models import Dataset, Frame
from datasets.services import structure_create_from_atoms
from jobs.files import job_folder
from jobs.models import Job
from jobs.services import cluster_ensure_local
from jobs.states import State
from labs.exceptions import PermissionDenied, Refused
from mlmd.codes.espresso_settings import protocol_settings
from mlmd.errors import InvalidInput
from tests.datasets.factories import make_dataset, make_structure
from tests.jobs.conftest import turn

EXAMPLE = Path("/usr/share/espresso/pseudo/Si.pz-vbc.UPF")  # of Debian
COARSE = {"cutoff": 12.0, "k_spacing": 0.8, "density_factor": 4.0}
HEADER = "<PP_HEADER>\n  Si  Element\n  4.0  Z valence\n</PP_HEADER>\n"


@pytest.fixture(autouse=True)
def pseudopotentials(settings, tmp_path, monkeypatch):
    monkeypatch.delenv("ESPRESSO_PSEUDO", raising=False)
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.LOCAL_CLUSTER_DIR = tmp_path / "cluster"
    settings.PSEUDO_DIR = tmp_path / "pseudo"
    settings.PSEUDO_DIR.mkdir()
    (settings.PSEUDO_DIR / "Si.UPF").write_text(HEADER)
    return settings.PSEUDO_DIR


@pytest.fixture
def cluster(db):
    cluster = cluster_ensure_local()
    cluster.options = {"poll_interval_s": 0}
    cluster.cores = 2
    cluster.recipes = {"pw.x": {"argv": [shutil.which("pw.x") or "/bin/false"]}}
    cluster.save()
    return cluster


def finish(job: Job, seconds: float = 60.0) -> Job:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        turn()
        job = Job.objects.get(pk=job.pk)
        if job.is_final:
            return job
        time.sleep(0.05)
    raise AssertionError(f"still {job.state}: {job.reason}")


def asked(structures, cluster, **more) -> DftRequest:
    return DftRequest(structures, protocol_settings("fast", **COARSE), cluster, **more)


@pytest.mark.django_db(transaction=True)
def test_real_structures_become_frames_and_a_bad_one_does_not_spoil_them(
    owner, lab, cluster, pseudopotentials
) -> None:
    if not shutil.which("pw.x") or not EXAMPLE.exists():
        pytest.skip("needs pw.x and Si.pz-vbc: apt-get install quantum-espresso")
    shutil.copyfile(EXAMPLE, pseudopotentials / "Si.UPF")
    atoms = bulk("Si", "diamond", a=5.43)
    good = structure_create_from_atoms(owner=owner, lab=lab, atoms=atoms, name="good", origin="run")
    atoms.positions[1] = atoms.positions[0] + 0.001
    bad = structure_create_from_atoms(owner=owner, lab=lab, atoms=atoms, name="bad", origin="run")
    request = asked([bad, good], cluster, frame_kind="crystal")
    job = finish(dft_start(owner=owner, lab=lab, request=request))
    assert job.state == State.DONE, job.reason + job.log_tail
    assert [row.outcome for row in dft_outcomes(job)] == ["failed", "converged"]
    assert dft_outcomes(job)[0].message
    dataset = Dataset.objects.get(public_id=job.spec["dataset"])
    frame = Frame.objects.get(dataset=dataset)
    assert (frame.kind, frame.scf_converged, frame.has_stress) == ("crystal", True, True)
    assert frame.energy == pytest.approx(-214.3, abs=0.5)
    said = frame.calculation.document["settings"]
    assert said["portal_job"] == str(job.public_id)
    assert said["portal_structure"] == str(good.public_id)
    again = dft_retry_failed(job=job, actor=owner)
    assert [entry["name"] for entry in again.spec["structures"]] == ["bad"]
    assert again.parent == job
    assert again.spec["dataset"] == job.spec["dataset"]


@pytest.mark.django_db(transaction=True)
def test_a_run_without_any_frame_fails_with_what_the_program_said(owner, lab, cluster) -> None:
    cluster.recipes = {"pw.x": {"argv": ["/bin/false"]}}
    cluster.save()
    job = finish(
        dft_start(owner=owner, lab=lab, request=asked([make_structure(owner, lab)], cluster))
    )
    assert job.state == State.FAILED
    assert "No structure gave a frame" in job.reason
    assert (job_folder(job) / "0001/pw.in").exists()
    assert Frame.objects.count() == 0


def test_the_element_without_a_pseudopotential_is_named(owner, lab, cluster) -> None:
    with pytest.raises(InvalidInput, match="no UPF file for W"):
        dft_start(
            owner=owner, lab=lab, request=asked([make_structure(owner, lab, symbol="W")], cluster)
        )


def test_a_cluster_without_pw_says_how_to_get_it(owner, lab, cluster, monkeypatch) -> None:
    cluster.recipes = {}
    monkeypatch.setattr("jobs.clusters.shutil.which", lambda name: None)
    with pytest.raises(Refused, match="apt-get install quantum-espresso"):
        dft_start(owner=owner, lab=lab, request=asked([make_structure(owner, lab)], cluster))


def test_frames_go_only_into_ones_own_datasets(owner, lab, cluster, stranger) -> None:
    theirs = make_dataset(stranger, stranger.memberships.get().lab, "public")
    request = asked([make_structure(owner, lab)], cluster, dataset=theirs)
    with pytest.raises(PermissionDenied, match="may not add frames"):
        dft_start(owner=owner, lab=lab, request=request)


def test_the_form_previews_and_starts(page, owner, lab, cluster) -> None:
    structure = make_structure(owner, lab)
    address = reverse("datasets:dft-new")
    shown = page.get(address, {"structure": structure.public_id}).content.decode()
    assert "Compute with DFT" in shown
    fields = {
        "structures": structure.public_id,
        "protocol": "fast",
        "cluster": cluster.public_id,
        "processes": 1,
        "visibility": "lab",
        "set-calculation": "scf",
        "set-density_factor": 4,
        "set-smearing": "gaussian",
        "set-smearing_width": 0.01,
        "set-starting_magnetisation": 0.5,
        "set-charge": 0,
        "set-mixing": 0.5,
        "set-scf_steps": 50,
        "set-ionic_steps": 50,
    }
    preview = page.post(reverse("datasets:dft-preview"), fields).content.decode()
    assert "1 structure, roughly" in preview
    assert "ecutwfc = 30" in preview
    answer = page.post(address, fields)
    assert answer.status_code == 302, answer.content.decode()
    job = Job.objects.get(kind="dft")
    assert (job.spec["settings"]["smearing"], job.spec["settings"]["cutoff"]) == ("gaussian", 30.0)
    detail = page.get(answer.url).content.decode()
    assert structure.name in detail
    assert "waiting" in detail
    refused = page.post(address, {**fields, "set-further": "SYSTEM: nonsense"})
    assert refused.status_code == 422


def test_the_api_starts_and_shows_a_run(page, owner, lab, cluster) -> None:
    structure = make_structure(owner, lab)
    body = {
        "structures": [str(structure.public_id)],
        "protocol": "fast",
        "settings": {"cutoff": 20},
    }
    send = {"data": json.dumps(body), "content_type": "application/json"}
    made = page.post(reverse("api:dft-list"), **send)
    assert made.status_code == 201, made.content
    shown = page.get(reverse("api:dft-detail", args=[made.json()["id"]])).json()
    assert shown["settings"]["cutoff"] == 20.0
    assert shown["structures"][0]["outcome"] == "waiting"
    again = page.post(reverse("api:dft-retry", args=[made.json()["id"]]))
    assert again.status_code == 400
