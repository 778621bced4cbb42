"""How quick the lists of runs stay: a million runs in one database, each page timed.

    python benchmarks/run_lists.py [--runs 1000000]

Makes a SQLite database of its own in a temporary folder. Times are of whole pages, through the
views and templates, in this process: the median of several, after one that warms up.
"""

from __future__ import annotations

import argparse
import datetime
import os
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LABS, PEOPLE = 10, 5  # people in each lab
CHUNK = 5000
REPEATS = 7
SHARES = (("done", 0.86), ("failed", 0.1), ("cancelled", 0.0399), ("running", 0.0001))


def main() -> None:
    """Fill a database and time pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="run-lists-") as folder:
        os.environ |= {"MLMD_VAR": folder, "DJANGO_SETTINGS_MODULE": "portal.settings"}
        os.environ["MLMD_LOG_LEVEL"] = "WARNING"
        os.environ.pop("DATABASE_URL", None)
        sys.path.insert(0, str(ROOT))
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        begin = time.perf_counter()
        person = _fill(asked.runs)
        print(f"{asked.runs} runs and their usage written in {time.perf_counter() - begin:.0f} s")
        _time_pages(person)
        _time_sums()


def _fill(count: int) -> Any:
    from django.utils import timezone

    from jobs.endings import month_of
    from jobs.models import Batch, Job, Usage
    from jobs.services import cluster_ensure_local
    from labs.models import Lab, Membership, User

    cluster, now = cluster_ensure_local(), timezone.now()
    labs = [Lab.objects.create(name=f"Lab {k}") for k in range(LABS)]
    people = {}
    for lab in labs:
        people[lab.pk] = [
            User.objects.create_user(f"p{k}@{lab.pk}.example", name=f"Person {k}")
            for k in range(PEOPLE)
        ]
        Membership.objects.bulk_create(
            Membership(user=user, lab=lab, role="manager") for user in people[lab.pk]
        )
    batch = Batch.objects.create(owner=people[labs[0].pk][0], lab=labs[0], title="B", kind="md")
    draw = random.Random(1)
    states, weights = zip(*SHARES, strict=True)

    def rows() -> Iterator[Job]:
        for number in range(count):
            lab = draw.choice(labs)
            yield Job(
                owner=draw.choice(people[lab.pk]),
                lab=lab,
                kind=draw.choice(["md", "train", "dft"]),
                title=f"Run {number}",
                cluster=cluster,
                batch=batch if number % 10_000 == 0 else None,
                state=draw.choices(states, weights)[0],
                state_changed_at=now,
                ended_at=now - datetime.timedelta(days=draw.random() * 700),
                token=uuid.UUID(int=draw.getrandbits(128)).hex,
                resources={"threads": 4, "walltime_s": 3600},
            )

    pending: list[Job] = []
    for row in rows():
        pending.append(row)
        if len(pending) == CHUNK:
            _write(Job, Usage, pending, month_of)
            pending = []
    _write(Job, Usage, pending, month_of)
    return people[labs[0].pk][0]


def _write(job_model: Any, usage_model: Any, rows: list[Any], month_of: Any) -> None:
    made = job_model.objects.bulk_create(rows)
    usage_model.objects.bulk_create(
        usage_model(
            job=row,
            job_id_text=row.public_id,
            attempt=1,
            lab_id=row.lab_id,
            owner_id=row.owner_id,
            cluster_id=row.cluster_id,
            cluster_name="local",
            kind=row.kind,
            outcome=row.state,
            month=month_of(row.ended_at),
            ended_at=row.ended_at,
            node_hours=0.5,
            core_hours=2.0,
        )
        for row in made
    )


def _time_pages(person: Any) -> None:
    from django.conf import settings
    from django.test import Client

    from jobs.models import Batch, Job

    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    batch = Batch.objects.get()
    # The other kinds need rows of their own rooms.
    run = Job.objects.filter(lab__memberships__user=person, kind="dft").first()
    addresses = {
        "list of runs": "/runs/",
        "page 1000 of it": "/runs/?page=1000",
        "runs on their way": "/runs/?state=active",
        "failed runs": "/runs/?state=failed",
        "runs of a kind and a person": "/runs/?kind=md&owner=Person+3",
        "a word in the title": "/runs/?q=99999",
        "a batch": f"/runs/batches/{batch.public_id}/",
        "runs of a batch": f"/runs/?batch={batch.public_id}",
        "one run": f"/runs/{run.public_id}/",
        "notifications": "/notifications/",
        "usage, 12 months": "/usage/",
        "API: list of runs": "/api/v1/jobs/",
    }
    print("| page | median, ms |\n|---|---|")
    for name, address in addresses.items():
        times = []
        for _ in range(REPEATS + 1):
            begin = time.perf_counter()
            answer = client.get(address)
            times.append(time.perf_counter() - begin)
            if answer.status_code != 200:
                raise RuntimeError(f"{address}: {answer.status_code}")
        print(f"| {name} | {1000 * statistics.median(times[1:]):.0f} |", flush=True)


def _time_sums() -> None:
    from jobs.limits import check_new_run, limit_set
    from jobs.models import Cluster
    from jobs.sweeping import sweep
    from labs.models import Lab

    lab, cluster = Lab.objects.order_by("pk")[0], Cluster.objects.get()
    actor = lab.members.first()
    limit_set(lab=lab, actor=actor, what="node-hours", amount=1e9)
    acts = {
        "check of a node-hour limit": lambda: check_new_run(lab=lab, cluster=cluster, asked={}),
        "sweep": sweep,
    }
    for name, act in acts.items():
        times = []
        for _ in range(REPEATS + 1):
            begin = time.perf_counter()
            act()
            times.append(time.perf_counter() - begin)
        print(f"| {name} | {1000 * statistics.median(times[1:]):.1f} |", flush=True)


if __name__ == "__main__":
    main()
