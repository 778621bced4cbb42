"""Runs on a real Slurm, and on PJM's programs in front of it, reached over a real SSH."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from jobs.files import job_folder
from jobs.models import Job
from jobs.moves import replay
from jobs.services import job_cancel, job_create
from jobs.states import State
from tests.jobs import factories
from tests.jobs.slurm.pjm import write_programs
from tests.jobs.slurm.server import Slurm, running_slurm
from tests.jobs.ssh_server import Server, make_ssh_cluster, running_server

pytestmark = [pytest.mark.sshd, pytest.mark.slurm]


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    with running_slurm() as slurm:
        yield slurm


@pytest.fixture(scope="module")
def server(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    programs = tmp_path_factory.mktemp("programs")
    write_programs(programs)
    path = f"{programs}:{slurm.environment['PATH']}"
    with running_server(
        tmp_path_factory.mktemp("sshd"), environment=f"SLURM_CONF={slurm.configuration} PATH={path}"
    ) as server:
        yield server


@pytest.fixture(params=["slurm", "pjm"])
def create(request, server, tmp_path, owner, lab) -> Callable[..., Job]:
    factories.register_example()
    cluster = make_ssh_cluster(
        server,
        tmp_path / "work",
        owner=owner,
        lab=lab,
        scheduler=request.param,
        queues=[{"name": "work", "nodes": 1, "cores": 2, "hours": 1}],
        setup="export FROM_SETUP=yes",
    )

    def make(resources=None, **spec) -> Job:
        return job_create(
            owner=owner,
            lab=lab,
            kind=factories.KIND,
            title="counting",
            spec=spec,
            cluster=cluster,
            resources={"walltime_s": 600, **(resources or {})},
        )

    return make


def history(job: Job) -> list[tuple[str, str]]:
    return list(job.moves.values_list("origin", "target"))


def test_a_run_goes_all_the_way(create, until):
    job = create({"threads": 2}, seconds=1)
    until(job, State.RUNNING, seconds=30)
    job = until(job, State.DONE, seconds=30)
    assert len((job_folder(job) / "starts").read_text().split()) == 1
    assert job.scheduler_id.isdecimal()
    assert job.resources["queue"] == "work"
    assert "threads 2" in job.log_tail
    assert "export FROM_SETUP=yes" in (job_folder(job) / "job.sh").read_text()
    assert replay(history(job)) == State.DONE


def test_runs_wait_in_the_queue_with_a_reason_and_are_cancelled_there(create, until, owner, slurm):
    first, second = create({"threads": 2}, seconds=60), create({"threads": 2})
    until(first, State.RUNNING, seconds=30)
    second = until(second, State.SUBMITTED)
    for _ in range(100):
        second = until(second, State.SUBMITTED)
        if second.queue_reason:
            break
    assert second.queue_reason
    for job in (second, first):
        job_cancel(job=job, actor=owner)
        job = until(job, State.CANCELLED, seconds=30)
        assert owner.name in job.reason
        assert replay(history(job)) == State.CANCELLED
    working = slurm.ask("squeue", "-h", "-t", "R,PD", "-o", "%A").split()
    assert not {first.scheduler_id, second.scheduler_id} & set(working)


def test_a_lost_answer_starts_nothing_twice(create, until, monkeypatch):
    """The connection dies between the submission and its answer, as often as it likes."""
    from jobs.errors import ClusterTrouble
    from jobs.transports.ssh import SshTransport

    real, lost = SshTransport.run, []

    def loses_answers(self, command, *, timeout=60.0):
        answer = real(self, command, timeout=timeout)
        if "job.asked" in command and len(lost) < 2:
            lost.append(answer)
            raise ClusterTrouble("the connection ended before the answer came")
        return answer

    monkeypatch.setattr(SshTransport, "run", loses_answers)
    monkeypatch.setattr("jobs.machine.FIRST_WAIT", 0.1)
    job = until(create(), State.DONE, seconds=30)
    assert len(lost) == 2
    assert len((job_folder(job) / "starts").read_text().split()) == 1
    assert job.submissions.count() == 1
