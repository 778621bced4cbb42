"""Sample objects of the job machine, for its own tests and for those that walk all pages."""

from __future__ import annotations

import itertools
import json
import sys
import uuid
from dataclasses import replace
from pathlib import Path

from django.utils import timezone

from jobs import machine
from jobs.batches import batch_create
from jobs.keys import fingerprint
from jobs.kinds import JobKind, register
from jobs.models import Batch, Cluster, Job
from jobs.registration import ClusterSettings, cluster_create
from jobs.services import cluster_ensure_local
from jobs.states import State
from labs.models import Lab, Membership, Role, User
from mlmd.errors import InvalidInput
from mlmd.launch import Command, Launch, Resources

KIND = "example"
_numbers = itertools.count(1)
accepted: list[int] = []
"""Primary keys of the jobs whose results the example kind has taken over."""

PROGRAM = """\
import json, os, sys, time
spec = json.load(open("spec.json"))
with open("starts", "a") as log:
    log.write(f"{os.getpid()}\\n")
def progress(fraction):
    with open("progress.json.part", "w") as stream:
        json.dump({"fraction": fraction, "message": "counting", "eta_s": 1}, stream)
    os.replace("progress.json.part", "progress.json")
print("threads", os.environ["OMP_NUM_THREADS"], flush=True)
progress(0.5)
sum(range(spec.get("work", 0)))
if spec.get("steps"):
    done = int(open("state").read()) if os.path.exists("state") else 0
    print("begins at", done, flush=True)
    while done < spec["steps"]:
        done += 1
        with open("state", "w") as state:
            state.write(str(done))
        time.sleep(spec["step_s"])
end = time.monotonic() + spec.get("seconds", 0)
while time.monotonic() < end:
    time.sleep(0.02)
if spec.get("result", True):
    with open("result.json", "w") as stream:
        json.dump({"answer": 42}, stream)
progress(1.0)
sys.exit(spec.get("status", 0))
"""


def prepare_example(job: Job, folder: Path) -> Launch:
    if job.spec.get("bad"):
        raise InvalidInput("spec", "bad", "good", "Choose another.")
    (folder / "spec.json").write_text(json.dumps(job.spec))
    (folder / "count.py").write_text(PROGRAM)
    (folder / "input").mkdir()
    (folder / "input" / "data.txt").write_text("data\n")
    return Launch(
        commands=(Command(("python", "count.py")),),
        fetch=("result.json", "starts"),
        resources=Resources(
            threads=job.resources.get("threads", 1),
            walltime_s=job.resources.get("walltime_s", 3600),
        ),
    )


def accept_example(job: Job, folder: Path) -> None:
    path = folder / "result.json"
    if not path.exists():
        raise InvalidInput("result.json", "missing", "the result", "Retry the run.")
    if json.loads(path.read_text())["answer"] != 42:
        raise ZeroDivisionError("a defect")
    accepted.append(job.pk)


def register_example() -> None:
    register(
        JobKind(KIND, "Example", prepare_example, accept_example, checkpoint=("state", "trace"))
    )


def make_lab(name: str = "") -> Lab:
    return Lab.objects.create(name=name or f"Lab {next(_numbers)}")


def make_user(lab: Lab | None = None, role: str = Role.MEMBER, name: str = "") -> User:
    number = next(_numbers)
    user = User.objects.create_user(
        f"person{number}@example.org", "a long pass phrase", name=name or f"Person {number}"
    )
    if lab:
        Membership.objects.create(user=user, lab=lab, role=role)
    return user


def make_cluster(**fields: object) -> Cluster:
    """Return the cluster `local`, able to run plain Python."""
    register_example()
    cluster = cluster_ensure_local()
    cluster.recipes = {"python": {"argv": [sys.executable]}}
    for name, value in fields.items():
        setattr(cluster, name, value)
    cluster.save()
    return cluster


def make_job(
    owner: User, lab: Lab, visibility: str = "lab", state: str = State.CREATED, **fields: object
) -> Job:
    """Return a job as if it had come to this state; its history has only the first line."""
    register_example()
    now = timezone.now()
    fields = {"kind": KIND, "title": f"Run {next(_numbers)}", "spec": {}} | fields
    job = Job.objects.create(
        owner=owner,
        lab=lab,
        visibility=visibility,
        state=state,
        state_changed_at=now,
        next_step_at=now,
        token=uuid.uuid4().hex,
        **({"cluster": make_cluster()} | fields),
    )
    machine.born(job, actor=owner)
    return job


def make_batch(owner: User, lab: Lab, visibility: str = "lab", *states: str) -> Batch:
    """Return a batch with a run in each of the states; by default one that failed and one on its way."""
    batch = batch_create(
        owner=owner, lab=lab, title=f"Batch {next(_numbers)}", kind=KIND, visibility=visibility
    )
    for state in states or (State.FAILED, State.CREATED):
        make_job(owner, lab, visibility, state, batch=batch)
    return batch


FAR_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHn6vYwzDkVtDkCJ0fVaxJZ4J3oUcm2VbnYdrb4xkWbq"
SHOWN_KEY = {"place": "far.example:22", "fingerprint": fingerprint(FAR_KEY)}
"""What the API is told to confirm the host key that `make_far_cluster` has seen."""


def make_far_cluster(manager: User, lab: Lab, **fields: object) -> Cluster:
    """Return a cluster that a manager registered and that nobody has reached yet."""
    settings = ClusterSettings(
        name="Far",
        host="far.example",
        login="portal",
        scheduler="slurm",
        work_dir="/group/glass/portal",
        queues="short nodes=2 cores=8 hours=1",
        recipes="mlmd = mlmd",
    )
    cluster = cluster_create(owner=manager, lab=lab, settings=replace(settings, **fields))
    cluster.probe = {"host_keys": {SHOWN_KEY["place"]: FAR_KEY}}
    cluster.save()
    return cluster
