"""A program in a container on a real Slurm, with several processes: hybrid MPI as on a cluster."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.files import job_folder
from jobs.kinds import JobKind, register
from jobs.models import Job
from jobs.services import job_create
from jobs.states import State
from mlmd.launch import Command, Launch, Resources
from tests.faults.servers import missing
from tests.jobs.apptainer import make_image, write_runtime
from tests.jobs.slurm.server import Slurm, running_slurm
from tests.jobs.ssh_server import Server, make_ssh_cluster, running_server

pytestmark = [pytest.mark.sshd, pytest.mark.slurm]
PSEUDO = Path("/usr/share/espresso/pseudo/Si.pz-vbc.UPF")
INPUT = """\
&CONTROL pseudo_dir='.' outdir='.' /
&SYSTEM ibrav=2 celldm(1)=10.2 nat=2 ntyp=1 ecutwfc=8 /
&ELECTRONS /
ATOMIC_SPECIES
Si 28.086 Si.UPF
ATOMIC_POSITIONS alat
Si 0 0 0
Si 0.25 0.25 0.25
K_POINTS automatic
2 2 2 0 0 0
"""


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    with running_slurm() as slurm:
        yield slurm


@pytest.fixture(scope="module")
def server(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    programs = tmp_path_factory.mktemp("programs")
    write_runtime(programs, "singularity")
    seen = f"SLURM_CONF={slurm.configuration} PATH={programs}:{slurm.environment['PATH']}"
    with running_server(tmp_path_factory.mktemp("sshd"), environment=seen) as server:
        yield server


def prepare(job: Job, folder: Path) -> Launch:
    (folder / "scf.in").write_text(INPUT)
    shutil.copy(PSEUDO, folder / "Si.UPF")
    return Launch(
        commands=(Command(("pw.x", "-in", "scf.in"), mpi=True, stdout="scf.out"),),
        fetch=("scf.out",),
        resources=Resources(processes=2, walltime_s=600),
    )


def test_pw_x_runs_in_a_container_on_two_processes(server, slurm, tmp_path, owner, lab, until):
    if shutil.which("pw.x") is None or not PSEUDO.exists():
        missing("no pw.x here: apt-get install quantum-espresso quantum-espresso-data")
    register(JobKind("contained", "In a container", prepare, lambda job, folder: None))
    image = make_image(tmp_path / "images")
    root = "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1\n"
    cluster = make_ssh_cluster(
        server,
        tmp_path / "work",
        owner=owner,
        lab=lab,
        scheduler="slurm",
        setup=root if os.getuid() == 0 else "",
        recipes={"pw.x": {"argv": ["pw.x"], "image": str(image)}},
        options={
            "poll_interval_s": 0,
            "container": "singularity",
            "mpi": ["mpirun", "--oversubscribe", "-np", "{processes}"],
        },
    )
    job = job_create(
        owner=owner, lab=lab, kind="contained", title="silicon", spec={}, cluster=cluster
    )
    job = until(job, State.DONE, State.FAILED, seconds=60)
    assert job.state == State.DONE, job.reason + job.log_tail
    output = (job_folder(job) / "scf.out").read_text()
    assert "JOB DONE" in output
    assert "running on     2 processors" in output
    calls = image.with_name("calls").read_text().splitlines()
    assert len(calls) == 2
    assert all(call.endswith(f"--bind={tmp_path}/work {image} pw.x -in scf.in") for call in calls)
