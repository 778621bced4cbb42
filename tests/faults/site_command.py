"""Small programs that the faults tests run beside the workers.

``python -m tests.faults.site_command set-up|submit|race|report …``
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

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
    else:
        raise SystemExit(f"unknown command {argv[0]!r}")


if __name__ == "__main__":
    main(sys.argv[1:])
