"""Runs made of parts as arrays of a real Slurm, and as bulk runs of PJM's programs before it."""

from __future__ import annotations

import sys

import pytest
from ase.build import bulk

from datasets.dft.services import DftRequest, dft_outcomes, dft_start
from datasets.models import Frame
from datasets.services import structure_create_from_atoms
from jobs.files import job_folder
from jobs.kinds import JobKind, register
from jobs.services import job_cancel, job_create
from jobs.states import State
from mlmd.codes.vasp_settings import protocol_settings
from mlmd.launch import Command, Launch, Part, Resources
from tests.jobs.slurm.test_batch_clusters import server, slurm  # noqa: F401 - fixtures
from tests.jobs.ssh_server import make_ssh_cluster
from tests.mlmd.codes.test_vasp import STUB, potentials

pytestmark = [pytest.mark.sshd, pytest.mark.slurm]


def prepare(job, folder) -> Launch:
    parts = []
    for number in range(job.spec["parts"]):
        (folder / f"p{number}").mkdir()
        (folder / f"p{number}" / "in").write_text(str(number))
        text = f"echo $(cat in) >> ../log; {job.spec['text']}"
        parts.append(Part(f"p{number}", (Command(("sh", "-c", text), folder=f"p{number}"),)))
    resources = Resources(at_once=job.resources["at_once"], walltime_s=600)
    return Launch((), ("log", "*/exit.json"), resources=resources, parts=tuple(parts))


@pytest.fixture(params=["slurm", "pjm"])
def create(request, server, tmp_path, owner, lab):  # noqa: F811 - the fixture
    register(JobKind("parts", "Parts", prepare, lambda job, folder: None))
    cluster = make_ssh_cluster(
        server,
        tmp_path / "work",
        owner=owner,
        lab=lab,
        scheduler=request.param,
        queues=[{"name": "work", "nodes": 1, "cores": 2, "hours": 1, "jobs": 2}],
    )

    def make(parts: int, text: str):
        return job_create(
            owner=owner,
            lab=lab,
            kind="parts",
            title="parts",
            spec={"parts": parts, "text": text},
            cluster=cluster,
            resources={"at_once": 8, "walltime_s": 600},
        )

    return make


def test_an_array_computes_every_part_once_within_the_queues_limit(create, until):
    job = until(create(7, "sleep 0.2"), State.DONE, seconds=60)
    folder = job_folder(job)
    assert sorted((folder / "log").read_text().split()) == [str(i) for i in range(7)]
    assert len(list(folder.glob("p*/exit.json"))) == 7
    assert job.resources["at_once"] == 2  # eight were asked for, two fit the queue
    assert job.progress["fraction"] == 1.0
    assert job.scheduler_id.isdecimal()
    assert job.submissions.count() == 1


def test_a_waiting_and_working_array_is_cancelled_as_one(create, until, owner, slurm):  # noqa: F811
    job = until(create(4, "exec sleep 60"), State.RUNNING, seconds=30)
    job_cancel(job=job, actor=owner)
    job = until(job, State.CANCELLED, seconds=40)
    left = slurm.ask("squeue", "-h", "-t", "R,PD", "-o", "%F").split()
    assert job.scheduler_id not in left


def test_a_vasp_batch_is_an_array_whose_potentials_stay_there(
    server,  # noqa: F811 - the fixture
    tmp_path,
    settings,
    owner,
    lab,
    until,
):
    settings.MEDIA_ROOT = tmp_path / "media"
    cluster = make_ssh_cluster(
        server,
        tmp_path / "work",
        owner=owner,
        lab=lab,
        scheduler="slurm",
        queues=[{"name": "work"}],
    )
    library = potentials(tmp_path / "licensed", "Si")
    cluster.recipes = {
        "vasp_std": {"argv": [sys.executable, str(STUB)]},
        "potpaw_PBE.54": {"argv": [str(library)]},
    }
    cluster.save()
    atoms = bulk("Si", "diamond", a=5.43)
    structures = [
        structure_create_from_atoms(owner=owner, lab=lab, name=name, atoms=atoms)
        for name in ("one", "hard", "crash", "four")
    ]
    wanted = protocol_settings("fast", k_spacing=0.8, scf_steps=5)
    request = DftRequest(structures, wanted, cluster, code="vasp", at_once=2)
    job = until(dft_start(owner=owner, lab=lab, request=request), State.DONE, seconds=90)
    assert [row.outcome for row in dft_outcomes(job)] == [
        *("converged", "converged", "failed", "converged")
    ]
    assert "#SBATCH --array=0-1" in (job_folder(job) / "job.sh").read_text()
    assert Frame.objects.count() == 3
    for folder in (job_folder(job), tmp_path / "work"):
        assert not list(folder.rglob("POTCAR"))
