"""What the job machine costs: many one-second runs on a real Slurm, reached over a real SSH.

    python benchmarks/jobs.py [--jobs 1000] [--processes 3] [--poll 2] [--bad]
    python benchmarks/jobs.py --waiting 10000

Starts an sshd and a Slurm of its own on the loopback (root, as the tests do), a worker and a beat on
SQLite, creates the runs and waits. Counts SSH commands and logins in sshd's log, bytes and connections at
a proxy, and database statements in the workers. Prints a table. With `--bad` a second cluster has as many
runs and its connections hang all the time. `--waiting` times the periodic sweep, and the search for the next
run, while so many runs wait for one cluster.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=3, help="of the worker")
    parser.add_argument("--poll", type=float, default=2.0, help="s between two looks")
    parser.add_argument("--processors", type=int, default=64, help="that Slurm's node says it has")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--bad", action="store_true", help="a second cluster hangs meanwhile")
    parser.add_argument("--waiting", type=int, help="time sweeps over so many waiting runs")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlmd-bench-")))
        os.environ["MLMD_VAR"] = str(folder / "own")
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.faults.site_settings"
        import django

        django.setup()
        if options.waiting:
            print(time_sweeps(options.waiting))
            return
        from tests.faults import servers

        urls = [None, None]
        if options.database == "postgres":
            urls = [stack.enter_context(servers.postgres()), stack.enter_context(servers.redis())]
        print(table(measure(stack, folder, options, urls), options.jobs))


def measure(stack: ExitStack, folder: Path, options: argparse.Namespace, urls: list[Any]) -> dict:
    """Run all and return what was counted."""
    from tests.faults.chaos_jobs import Fate, Plan, spec_of
    from tests.faults.chaos_site import ChaosSite
    from tests.faults.far_side import running_far_side

    for name in ("far", "site"):
        (folder / name).mkdir()
    far = stack.enter_context(running_far_side(folder / "far", processors=options.processors))
    site = ChaosSite(folder / "site", *urls, pace=1.0)
    stack.callback(site.end)
    site.environment |= {
        "MLMD_WORKER_PROCESSES": str(options.processes),
        "MLMD_FAULTS_COUNT": str(folder / "statements"),
    }
    (folder / "statements").mkdir()
    site.set_workers(options.processes)
    del site.commands["web"]
    jobs = []
    for number in range(options.jobs):
        plan = Plan(number, "slurm", Fate.WELL, 1.0, 2000, number + 1, 0.0)
        spec = spec_of(plan, far.ledger) | {"payload": 2000}
        jobs.append({"title": f"chaos {number}", "cluster": "slurm", "spec": spec, "pause": 0.0})
    clusters = [entry | {"poll_interval_s": options.poll} for entry in far.clusters()]
    if options.bad:
        far.proxies["second"].is_stalled = True
        jobs = [
            entry | {"cluster": name, "title": f"{entry['title']} {name}"}
            for entry in jobs
            for name in ("slurm", "pjm-plain")
        ]
    site.set_up([clusters[0], clusters[2]], jobs)
    began = time.time()
    with processor_time() as used:
        site.tend()
        wait(site, options.jobs, len(jobs))
        used["site"] = sum(cpu_of(pid) for pid in site.all_processes())
    report = site.report_chaos()
    seconds = time.time() - began
    report["jobs"] = [job for job in report["jobs"] if job["cluster"] == "slurm"]
    if any(job["state"] != "done" for job in report["jobs"]):
        raise SystemExit("not every run ended well")
    return {
        "seconds": seconds,
        "delays": delays(report, far),
        "commands": far.nodes["first"].log().count("Starting session: command"),
        "transfers": far.nodes["first"].log().count("Starting session: subsystem"),
        "logins": far.nodes["first"].logins,
        "bytes": sum(link.up + link.down for link in far.proxies["first"].connections),
        "statements": statements(folder / "statements"),
        "rows": report["rows"],
        "cpu": used["site"],
    }


def time_sweeps(count: int) -> str:
    """Return how long a sweep takes, and to find the next run, in milliseconds."""
    import uuid

    from django.core.management import call_command
    from django.utils import timezone

    from jobs import stepping, sweeping
    from jobs.models import Cluster, Job
    from labs.models import Lab, User

    call_command("migrate", verbosity=0)
    lab = Lab.objects.create(name="Bench")
    owner = User.objects.create_user("bench@example.org", "a long pass phrase", name="Bench")
    now = timezone.now()
    clusters = [
        Cluster.objects.create(name=name, owner=owner, lab=lab, transport="ssh")
        for name in ("crowded", "other")
    ]
    for index, cluster in enumerate(clusters):
        Job.objects.bulk_create(
            (
                Job(
                    owner=owner,
                    lab=lab,
                    kind="chaos",
                    cluster=cluster,
                    state=("created", "staged", "submitted")[number % 3],
                    state_changed_at=now,
                    next_step_at=now,
                    token=uuid.uuid4().hex,
                )
                for number in range(3 if index else count)
            ),
            batch_size=1000,
        )
    rows = []
    for name, act in (
        ("sweep", sweeping.sweep),
        ("next run of the crowded cluster", lambda: stepping._next_on(clusters[0].pk)),
        ("next run of the other cluster", lambda: stepping._next_on(clusters[1].pk)),
    ):
        times = []
        for _turn in range(20):
            began = time.perf_counter()
            act()
            times.append(1000 * (time.perf_counter() - began))
        rows.append(f"| {name}, {count:,} runs wait | {statistics.median(times):.1f} ms |")
    return "\n".join(["| | median |", "|---|---|", *rows])


def wait(site: Any, count: int, created: int) -> None:
    """Wait until `count` of the runs have ended."""
    while True:
        site.tend()
        left = int(site.run("chaos-left", str(created))) - (created - count)
        if left <= 0:
            return
        print(f"{left} to go", flush=True)
        time.sleep(5)


@contextmanager
def processor_time() -> Iterator[dict[str, float]]:
    yield {}


def cpu_of(pid: int) -> float:
    """Return the processor time of a process and of its ended children, s."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def delays(report: dict, far: Any) -> list[float]:
    """Return for each run the seconds from its record on the cluster to its accepted result."""
    found = []
    for job in report["jobs"]:
        record = far.work / "slurm" / f"{job['public_id']}-1" / "exit.json"
        done = datetime.datetime.fromisoformat(job["moved_at"][-1])
        found.append(done.timestamp() - record.stat().st_mtime)
    return found


def statements(folder: Path) -> dict[str, int]:
    """Add up what the workers counted."""
    total = {"read": 0, "write": 0}
    for path in folder.iterdir():
        for name, count in json.loads(path.read_text()).items():
            total[name] += count
    return total


def table(found: dict, jobs: int) -> str:
    late = sorted(found["delays"])
    rows = [
        ("runs a second, from creation to accepted result", f"{jobs / found['seconds']:.1f}"),
        ("SSH commands a run", f"{found['commands'] / jobs:.2f}"),
        ("SFTP sessions, all in all", f"{found['transfers']}"),
        ("logins, all in all", f"{found['logins']}"),
        ("bytes over the connection, a run", f"{found['bytes'] / jobs:,.0f}"),
        ("database reads a run", f"{found['statements']['read'] / jobs:.1f}"),
        ("database writes a run", f"{found['statements']['write'] / jobs:.1f}"),
        ("database rows a run", f"{found['rows'] / jobs:.1f}"),
        ("processor time of the site, ms a run", f"{1000 * found['cpu'] / jobs:.0f}"),
        ("end to accepted result, median s", f"{statistics.median(late):.2f}"),
        ("end to accepted result, 95 % s", f"{late[int(0.95 * len(late))]:.2f}"),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


if __name__ == "__main__":
    main()
