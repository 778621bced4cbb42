"""Small programs that the faults tests run beside the workers.

``python -m tests.faults.site_command set-up|submit|race|report …``
"""

from __future__ import annotations

import getpass
import json
import os
import sys
import threading
import time
from pathlib import Path

import django


def set_up() -> None:
    from django.core.management import call_command

    from jobs.services import cluster_ensure_local
    from labs.models import Lab, Membership, User
    from tests.faults.counted import CLUSTER_RECIPES

    call_command("migrate", interactive=False, verbosity=0)
    lab = Lab.objects.create(name="Faults")
    user = User.objects.create_user("faults@example.org", "a long pass phrase", name="Faults")
    Membership.objects.create(user=user, lab=lab, role="member")
    cluster = cluster_ensure_local()
    cluster.recipes, cluster.cores = CLUSTER_RECIPES, 4
    cluster.save()


def submit(count: int, pause: float) -> None:
    """Create jobs until there are `count`: what a web process does, at a steady pace."""
    from jobs.models import Job
    from jobs.services import job_create
    from labs.models import Lab, User
    from tests.faults.counted import KIND

    owner, lab = User.objects.get(), Lab.objects.get()
    while (made := Job.objects.count()) < count:
        seconds = 0.1 + 0.13 * (made % 8)
        job_create(owner=owner, lab=lab, kind=KIND, title=f"run {made}", spec={"seconds": seconds})
        time.sleep(pause)


def race(racers: int) -> None:
    """Let many threads move one job at the same moment; print who won and who was late."""
    from django.db import connection

    from jobs import machine
    from jobs.errors import Overtaken
    from jobs.models import Job, JobMove
    from jobs.states import State

    submit(1, 0.0)
    outcomes: list[str] = []
    barrier = threading.Barrier(racers)

    def run() -> None:
        job = Job.objects.get()
        barrier.wait()
        try:
            machine.move(job, State.STAGED)
            outcomes.append("won")
        except Overtaken:
            outcomes.append("late")
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    moves = JobMove.objects.filter(target=State.STAGED).count()
    json.dump({"outcomes": outcomes, "moves": moves}, sys.stdout)


def report() -> None:
    """Print what is known about every job."""
    from jobs.files import job_folder
    from jobs.models import Job
    from labs.models import AuditEvent
    from tests.faults.counted import ACCEPTED

    entries = []
    for job in Job.objects.order_by("pk"):
        accepted = AuditEvent.objects.filter(verb=ACCEPTED, object_id=str(job.public_id)).count()
        starts = job_folder(job) / "starts"
        entries.append(
            {
                "pk": job.pk,
                "public_id": str(job.public_id),
                "state": job.state,
                "reason": job.reason,
                "attempt": job.attempt,
                "leased": bool(job.lease_until),
                "accepted": accepted,
                "submissions": job.submissions.count(),
                "starts": len(starts.read_text().split()) if starts.exists() else 0,
                "moves": list(job.moves.values_list("origin", "target")),
                "files": {file["path"]: file["size"] for file in job.files},
            }
        )
    json.dump(entries, sys.stdout)


def chaos_set_up(path: str) -> None:
    """Make a lab with the clusters that a file lists; print a token for the API."""
    from django.core.management import call_command

    from jobs.models import Cluster, Credential
    from jobs.vault import seal
    from labs.models import Lab, Membership, Scope, User
    from labs.services.accounts import token_create
    from tests.faults.far_side import PYTHON

    call_command("migrate", interactive=False, verbosity=0)
    lab = Lab.objects.create(name="Chaos")
    user = User.objects.create_user("chaos@example.org", "a long pass phrase", name="Chaos")
    Membership.objects.create(user=user, lab=lab, role="manager")
    for entry in json.loads(Path(path).read_text()):
        cluster = Cluster.objects.create(
            name=entry["name"],
            owner=user,
            lab=lab,
            transport="ssh",
            scheduler=entry["scheduler"],
            host="127.0.0.1",
            port=entry["port"],
            login=getpass.getuser(),
            known_hosts={f"127.0.0.1:{entry['port']}": entry["host_key"]},
            work_dir=entry["work_dir"],
            recipes={"python": {"argv": PYTHON}},
            queues=[{"name": "work", "nodes": 1, "cores": 2, "hours": 1}],
            options={"poll_interval_s": entry.get("poll_interval_s", 1.0)},
        )
        Credential.objects.create(
            cluster=cluster,
            method=Credential.Method.KEY,
            secret=seal(entry["key"]),
            public_key=entry["public_key"],
        )
    _token, secret = token_create(user=user, name="chaos", scopes=[str(scope) for scope in Scope])
    sys.stdout.write(secret)


def chaos_submit(path: str) -> None:
    """Create the jobs of a list, one after the other; those that are there already are left out."""
    from jobs.models import Cluster, Job
    from jobs.services import job_create
    from labs.models import Lab, User
    from tests.faults.chaos_jobs import KIND

    owner, lab = User.objects.get(), Lab.objects.get()
    clusters = {cluster.name: cluster for cluster in Cluster.objects.all()}
    made = set(Job.objects.values_list("title", flat=True))
    for entry in json.loads(Path(path).read_text()):
        if entry["title"] in made:
            continue
        job_create(
            owner=owner,
            lab=lab,
            kind=KIND,
            title=entry["title"],
            spec=entry["spec"],
            cluster=clusters[entry["cluster"]],
            resources={"walltime_s": entry["spec"]["walltime_s"]},
        )
        time.sleep(entry["pause"])


def chaos_expire() -> None:
    """Let the clusters' copies of all runs be due for removal."""
    from django.utils import timezone

    from jobs.models import Job

    Job.objects.filter(clean_at__isnull=False).update(clean_at=timezone.now())


def chaos_retry() -> None:
    """Retry what the faults made fail, without what their fate asked for."""
    from jobs.models import Job
    from jobs.services import job_retry
    from labs.models import User

    for job in Job.objects.filter(state="failed"):
        Job.objects.filter(pk=job.pk).update(spec={**job.spec, "seconds": 0.1, "status": 0})
        job_retry(job=job, actor=User.objects.get())


def chaos_left(count: str) -> None:
    """Print how many of so many jobs are not yet at their end."""
    from jobs.models import Job
    from jobs.states import FINAL

    sys.stdout.write(str(int(count) - Job.objects.filter(state__in=FINAL).count()))


def chaos_report() -> None:
    """Print what the database knows when all is over."""
    from django.apps import apps
    from django.db.models import Count

    from jobs.models import Cluster, Job, Leftover
    from labs.models import AuditEvent
    from tests.faults.chaos_jobs import ACCEPTED

    accepted = dict(
        AuditEvent.objects.filter(verb=ACCEPTED)
        .values_list("object_id")
        .annotate(count=Count("pk"))
        .order_by()
    )
    jobs = [
        {
            "title": job.title,
            "public_id": str(job.public_id),
            "cluster": job.cluster.name,
            "state": job.state,
            "reason": job.reason,
            "queue_reason": job.queue_reason,
            "cause": job.exit_cause,
            "attempt": job.attempt,
            "leased": bool(job.lease_until),
            "clean_at": str(job.clean_at or ""),
            "accepted": accepted.get(str(job.public_id), 0),
            "submissions": list(job.submissions.values_list("attempt", flat=True)),
            "moves": list(job.moves.values_list("origin", "target", "reason")),
            "moved_at": [str(at) for at in job.moves.values_list("at", flat=True)],
            "files": job.files,
        }
        for job in Job.objects.select_related("cluster").order_by("pk")
    ]
    clusters = list(Cluster.objects.values("name", "failures", "lease_token", "trouble"))
    rows = sum(model.objects.count() for model in apps.get_app_config("jobs").get_models())
    rows += AuditEvent.objects.count()
    leftovers = Leftover.objects.count()
    found = {"jobs": jobs, "clusters": clusters, "leftovers": leftovers, "rows": rows}
    json.dump(found, sys.stdout)


COMMANDS = {
    "chaos-set-up": chaos_set_up,
    "chaos-submit": chaos_submit,
    "chaos-expire": chaos_expire,
    "chaos-retry": chaos_retry,
    "chaos-left": chaos_left,
    "chaos-report": chaos_report,
}


def main(argv: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.faults.site_settings")
    django.setup()
    if argv[0] == "set-up":
        set_up()
    elif argv[0] == "submit":
        submit(int(argv[1]), float(argv[2]))
    elif argv[0] == "race":
        race(int(argv[1]))
    elif argv[0] == "report":
        report()
    elif argv[0] in COMMANDS:
        COMMANDS[argv[0]](*argv[1:])
    else:
        raise SystemExit(f"unknown command {argv[0]!r}")


if __name__ == "__main__":
    main(sys.argv[1:])
