"""Batches of DFT through the real chain: VASP's stub, time limits, kills, and going on."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk
from django.urls import reverse

from datasets.dft.services import (
    DftRequest,
    dft_continue,
    dft_lanes,
    dft_outcomes,
    dft_potentials,
    dft_retry_failed,
    dft_start,
)
from datasets.models import Dataset, Frame
from datasets.services import structure_create_from_atoms
from jobs.clusters import run_folder
from jobs.files import job_folder
from jobs.models import Job
from jobs.services import cluster_ensure_local
from jobs.states import State
from labs.exceptions import Refused
from mlmd.codes.vasp_settings import protocol_settings
from mlmd.errors import InvalidInput
from tests.datasets.factories import filled, make_structure
from tests.jobs.conftest import turn
from tests.mlmd.codes.test_vasp import SECRET, STUB, potentials

COARSE = {"k_spacing": 0.8, "scf_steps": 5}


@pytest.fixture
def cluster(db, settings, tmp_path, monkeypatch):
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.LOCAL_CLUSTER_DIR = tmp_path / "cluster"
    monkeypatch.setattr("jobs.following.MISSING_GRACE", 0.2)
    monkeypatch.setattr("jobs.schedulers.direct.GRACE", 1)
    library = potentials(tmp_path / "licensed", "Si", "O")
    cluster = cluster_ensure_local()
    cluster.options = {"poll_interval_s": 0}
    cluster.cores = 4
    cluster.recipes = {
        "vasp_std": {"argv": [sys.executable, str(STUB)]},
        "potpaw_PBE.54": {"argv": [str(library)]},
    }
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


def named(owner, lab, *names: str):
    atoms = bulk("Si", "diamond", a=5.43)
    return [
        structure_create_from_atoms(owner=owner, lab=lab, name=name, atoms=atoms) for name in names
    ]


def asked(structures, cluster, **more) -> DftRequest:
    return DftRequest(structures, protocol_settings("fast", **COARSE), cluster, code="vasp", **more)


@pytest.mark.django_db(transaction=True)
def test_vasp_computes_structures_and_its_potentials_stay_on_the_cluster(
    owner, lab, cluster
) -> None:
    silica = Atoms("OSiO", [[0.1, 0, 0], [1.7, 0.2, 0], [3.3, 0, 0.4]], cell=[5, 6, 7], pbc=True)
    mixed = structure_create_from_atoms(owner=owner, lab=lab, name="mixed", atoms=silica)
    structures = [mixed, *named(owner, lab, "hard", "crash")]
    job = finish(dft_start(owner=owner, lab=lab, request=asked(structures, cluster)))
    assert job.state == State.DONE, job.reason + job.log_tail
    assert [row.outcome for row in dft_outcomes(job)] == ["converged", "converged", "failed"]
    assert "triple product" in dft_outcomes(job)[2].message
    assert job.progress["message"] == "3 of 3 done"
    frames = Frame.objects.filter(dataset__public_id=job.spec["dataset"]).order_by("pk")
    assert [frame.formula for frame in frames] == ["O2Si", "Si2"]
    said = frames[0].calculation.document["settings"]
    assert said["portal_structure"] == str(mixed.public_id)
    assert re.fullmatch(r"[0-9a-f]{64}", said["portal_script_sha256"])
    assert set(said["pseudopotential_sha256"]) == {"O", "Si"}
    assert frames[1].calculation.document["settings"]["second_try"] == "ALGO = All"
    assert dft_potentials(job)["Si"]["name"] == "PAW_PBE Si 05Jan2001"
    for folder in (job_folder(job), Path(run_folder(job))):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix != ".xz":
                assert SECRET not in path.read_text(errors="replace"), path
    again = dft_retry_failed(job=job, actor=owner)
    assert [entry["name"] for entry in again.spec["structures"]] == ["crash"]
    assert again.spec["code"] == "vasp"


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_meets_its_time_limit_keeps_what_is_whole_and_goes_on(
    page, owner, lab, cluster
) -> None:
    structures = named(owner, lab, "quick", "slow", "late")
    request = asked(structures, cluster, walltime_s=6)
    job = finish(dft_start(owner=owner, lab=lab, request=request))
    assert job.state == State.DONE, job.reason + job.log_tail
    assert [row.outcome for row in dft_outcomes(job)] == ["converged", "unfinished", "unfinished"]
    assert "time limit" in job.moves.last().reason
    assert "1 of 3 structures" in job.moves.last().reason
    assert Frame.objects.count() == 1
    shown = page.get(reverse("datasets:dft", args=[job.public_id])).content.decode()
    assert "Continue with the unfinished ones" in shown
    assert "time limit" in shown
    answer = page.post(reverse("api:dft-continue", args=[job.public_id]))
    assert answer.status_code == 201, answer.content
    following = Job.objects.get(public_id=answer.json()["id"])
    assert [entry["name"] for entry in following.spec["structures"]] == ["slow", "late"]
    assert (following.parent, following.spec["dataset"]) == (job, job.spec["dataset"])
    with pytest.raises(Refused, match="nothing of that kind"):
        dft_retry_failed(job=job, actor=owner)


@pytest.mark.django_db(transaction=True)
def test_a_killed_batch_keeps_what_is_whole(owner, lab, cluster) -> None:
    structures = named(owner, lab, "quick", "slow")
    job = dft_start(owner=owner, lab=lab, request=asked(structures, cluster, at_once=2))
    record = Path(run_folder(job)) / "0001" / "exit.json"
    deadline = time.monotonic() + 30
    while not record.exists() and time.monotonic() < deadline:
        turn()
        time.sleep(0.05)
    job = Job.objects.get(pk=job.pk)
    os.killpg(int(job.scheduler_id.partition(":")[0]), signal.SIGKILL)
    job = finish(job)
    assert job.state == State.DONE, job.reason
    assert [row.outcome for row in dft_outcomes(job)] == ["converged", "unfinished"]
    assert [e["name"] for e in dft_continue(job=job, actor=owner).spec["structures"]] == ["slow"]


@pytest.mark.django_db(transaction=True)
def test_a_missing_potential_is_told_before_anything_is_computed(owner, lab, cluster) -> None:
    structures = [make_structure(owner, lab, symbol="W")]
    job = finish(dft_start(owner=owner, lab=lab, request=asked(structures, cluster)))
    assert job.state == State.FAILED
    assert "no readable POTCAR for W_sv" in job.reason


def test_vasp_needs_its_program_and_a_folder_of_potentials(owner, lab, cluster) -> None:
    request = asked([make_structure(owner, lab)], cluster)
    del cluster.recipes["potpaw_PBE.54"]
    with pytest.raises(InvalidInput, match="Its manager adds a line"):
        dft_start(owner=owner, lab=lab, request=request)
    cluster.recipes = {}
    with pytest.raises(Refused, match="VASP is licensed"):
        dft_start(owner=owner, lab=lab, request=request)


def test_how_many_at_a_time_follows_the_cluster(owner, lab, cluster) -> None:
    structures = [make_structure(owner, lab)] * 30
    assert dft_lanes(asked(structures, cluster)) == 1
    assert dft_lanes(asked(structures, cluster, at_once=50)) == 30
    cluster.scheduler = "slurm"
    assert dft_lanes(asked(structures, cluster)) == 10
    cluster.queues = [{"name": "short", "jobs": 4}]
    assert dft_lanes(asked(structures, cluster)) == 4


def test_the_form_of_vasp_previews_all_its_files(page, owner, lab, cluster) -> None:
    structure = make_structure(owner, lab)
    address = reverse("datasets:dft-new")
    shown = page.get(address, {"code": "vasp", "structure": structure.public_id})
    text = shown.content.decode()
    assert 'aria-current="page">VASP' in text
    form = shown.context["form"]
    fields = filled(form)
    fields |= {"structures": structure.public_id, "cluster": cluster.public_id, "code": "vasp"}
    preview = page.post(reverse("datasets:dft-preview"), fields).content.decode()
    for part in ("INCAR", "ENCUT = 520", "KPOINTS", "POSCAR", "potpaw_PBE.54/Si"):
        assert part in preview
    answer = page.post(f"{address}?code=vasp", fields)
    assert answer.status_code == 302, answer.content.decode()
    job = Job.objects.get(kind="dft")
    assert (job.spec["code"], job.spec["settings"]["cutoff"]) == ("vasp", 520.0)
    assert "DFT with VASP" in page.get(answer.url).content.decode()


def test_the_api_starts_vasp(page, owner, lab, cluster) -> None:
    structure = make_structure(owner, lab)
    body = {
        "code": "vasp",
        "structures": [str(structure.public_id)],
        "protocol": "fast",
        "settings": {"functional": "PBEsol"},
        "at_once": 3,
    }
    send = {"data": json.dumps(body), "content_type": "application/json"}
    made = page.post(reverse("api:dft-list"), **send)
    assert made.status_code == 201, made.content
    assert made.json()["code"] == "vasp"
    assert made.json()["settings"]["functional"] == "PBEsol"
    assert made.json()["potentials"] == {"Si": {"name": "potpaw_PBE.54/Si", "sha256": ""}}
    assert Dataset.objects.count() == 1
