"""Hundreds of runs over real Slurm and real SSH while everything is killed, cut, stalled and filled.

    python tests/faults/chaos.py --jobs 200 --seed 1 [--site postgres-redis] [--pace 1]

Prints the table of faults and outcomes; ends with status 1 when a run ended wrongly, was submitted
twice, lost a byte, or when anything was left behind.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CALM = 400.0  # s that the site has after the last fault
QUIET = {"done", "failed", "cancelled"}


@dataclass
class Outcome:
    """What a chaos run has shown."""

    seed: int
    seconds: float
    faults: Counter[str]
    ends: dict[str, Counter[str]]
    connections: dict[str, int]
    bound: dict[str, int]
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def table(self) -> str:
        """Return faults and outcomes as Markdown."""
        lines = ["| what happened | times |", "|---|---|"]
        lines += [f"| {fault} | {count} |" for fault, count in sorted(self.faults.items())]
        lines += ["", "| fate of the run | runs | ended as |", "|---|---|---|"]
        for fate, states in self.ends.items():
            ended = ", ".join(f"{state} {count}" for state, count in sorted(states.items()))
            lines.append(f"| {fate} | {states.total()} | {ended} |")
        lines += [
            "",
            f"Seed {self.seed}: {sum(states.total() for states in self.ends.values())} runs, "
            f"{self.faults.total()} faults, {self.seconds:.0f} s.",
            "Connections: "
            + ", ".join(
                f"{name} {count} (at most {self.bound[name]})"
                for name, count in self.connections.items()
            )
            + ".",
            *self.notes,
            *(f"WRONG: {text}" for text in self.wrong),
        ]
        return "\n".join(lines)


def run_chaos(
    folder: Path,
    *,
    jobs: int,
    seed: int,
    pace: float,
    pause: float,
    hurry: float = 1.0,
    rounds: int | None = None,
    database: str | None = None,
    broker: str | None = None,
    say: Any = lambda line: None,
) -> Outcome:
    """Run the whole: chaos until all jobs are created and every fault has struck, then calm.

    Args:
        folder: for the site and the clusters.
        jobs: how many.
        seed: chooses fates and faults.
        pace: factor on the site's waiting times after a failure.
        pause: s between two new jobs.
        hurry: factor on the times between faults, and on how long they last.
        rounds: how often each fault strikes; None: until most runs have ended.
        database: URL; None for SQLite.
        broker: URL; None for the folder broker.
        say: takes a line of progress.
    """
    from tests.faults import chaos_verdict as verdict
    from tests.faults.chaos_jobs import plans, spec_of
    from tests.faults.chaos_schedule import ENDS_LINKS, Adversary, Fault, schedule
    from tests.faults.chaos_site import ChaosSite
    from tests.faults.far_side import running_far_side
    from tests.faults.fates import Fates

    began = time.monotonic()
    with ExitStack() as stack:
        (folder / "far").mkdir()
        (folder / "site").mkdir()
        far = stack.enter_context(running_far_side(folder / "far"))
        site = ChaosSite(folder / "site", database, broker, pace=pace)
        stack.callback(site.end)
        clusters = far.clusters()
        planned = plans(jobs, seed, [str(cluster["name"]) for cluster in clusters])
        site.set_up(
            clusters,
            [
                {
                    "title": verdict.title_of(plan),
                    "cluster": plan.cluster,
                    "spec": spec_of(plan, far.ledger),
                    "pause": pause,
                }
                for plan in planned
            ],
        )
        site.tend()
        adversary = Adversary(site, far)
        fates = Fates(planned, site, far)
        left_out = frozenset() if far.has_own_disk else frozenset({Fault.DISK})
        kinds = len(Fault) - len(left_out)
        for event in schedule(seed, left_out, hurry):
            wait_until = time.monotonic() + event.after
            while time.monotonic() < wait_until:
                site.tend()
                adversary.undo()
                fates.tend()
                time.sleep(0.1)
            everything_struck = adversary.done.total() >= kinds
            is_late = time.monotonic() - began > 30 + 2.5 * jobs * pause + 2 * kinds
            if rounds is not None:
                is_late = adversary.done.total() >= rounds * kinds
            if everything_struck and (is_late or fates.count(QUIET) >= 0.85 * jobs):
                break
            say(f"{time.monotonic() - began:6.1f} s  {event.fault}  {dict(fates.states())}")
            adversary.strike(event)
        adversary.undo(all_of_it=True)
        say(f"{time.monotonic() - began:6.1f} s  calm  {dict(fates.states())}")
        notes = []
        is_over = _calm(site, fates, jobs, say)
        report = site.report_chaos()
        for job in report["jobs"]:
            # A controller that is killed between taking a run and noting it loses the run.
            job["may_be_lost"] = adversary.done[Fault.SLURMCTLD_KILL] > 0
        wrong = (
            verdict.judge_jobs(planned, report, far, site.folder / "jobs")
            if is_over
            else [
                f"still {job['state']}: {job['title']} {job['reason']} {job['queue_reason']} {job['moves'][-3:]}"
                for job in report["jobs"]
                if job["state"] not in QUIET
            ]
        )
        ends: dict[str, Counter[str]] = defaultdict(Counter)
        states = {job["title"]: job["state"] for job in report["jobs"]}
        for plan in planned:
            ends[str(plan.fate)][states.get(verdict.title_of(plan), "lost")] += 1
        if is_over:
            wrong += verdict.judge_parts(far)
            wrong += _retry(site, fates, report, say)
            wrong += _clean_up(site, far, verdict)
        enders = sum(adversary.done[fault] for fault in ENDS_LINKS)
        wrong += verdict.judge_logins(far, enders)
        files = site.open_files()
        notes.append(f"Open files of the worker's processes: {sorted(files.values())}.")
        if any(count > 120 for count in files.values()):
            wrong.append(f"open files: {files}")
        open_links = {name: proxy.open_count for name, proxy in far.proxies.items()}
        if any(count > verdict.LINKS[name] for name, count in open_links.items()):
            wrong.append(f"open connections: {open_links}")
        notes.append(
            f"API requests: {site.requests}, unanswered {site.lost_requests}; "
            f"sbatch called {far.submissions()} times."
        )
        if not far.has_own_disk:
            notes.append("No file system could be mounted here: the work folder was never full.")
        return Outcome(
            seed=seed,
            seconds=time.monotonic() - began,
            faults=Counter({str(fault): count for fault, count in adversary.done.items()}),
            ends=dict(ends),
            connections={name: len(proxy.connections) for name, proxy in far.proxies.items()},
            bound={name: verdict.LINKS[name] * (1 + enders) for name in far.proxies},
            wrong=wrong,
            notes=notes,
        )


def _calm(site: Any, fates: Any, jobs: int, say: Any) -> bool:
    deadline = time.monotonic() + CALM
    while time.monotonic() < deadline:
        site.tend()
        fates.tend()
        if fates.count(QUIET) == jobs:
            return True
        time.sleep(0.3)
    say(f"not over: {dict(fates.states())}")
    return False


def _retry(site: Any, fates: Any, report: dict[str, Any], say: Any) -> list[str]:
    """Try every failed run once more, now that all is calm: each must end well."""
    failed = [job["title"] for job in report["jobs"] if job["state"] == "failed"]
    site.run("chaos-retry")
    fates.forget()
    _calm(site, fates, len(report["jobs"]), say)
    after = {job["title"]: job for job in site.report_chaos()["jobs"]}
    return [
        f"retried {title}: {after[title]['state']} {after[title]['reason']}"
        for title in failed
        if after[title]["state"] != "done" or after[title]["attempt"] != 2
    ]


def _clean_up(site: Any, far: Any, verdict: Any) -> list[str]:
    """Let the time of the clusters' copies be over, and see what stays."""
    site.run("chaos-expire")
    deadline = time.monotonic() + 60
    while True:
        site.tend()
        wrong: list[str] = verdict.judge_leftovers(site.report_chaos(), far, site.folder)
        if not wrong or time.monotonic() > deadline:
            return wrong
        time.sleep(1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--site", choices=["sqlite-folder", "postgres-redis"], default="sqlite-folder"
    )
    parser.add_argument(
        "--pace", type=float, default=1.0, help="factor on the site's waiting times"
    )
    parser.add_argument("--pause", type=float, default=0.5, help="s between two new runs")
    parser.add_argument("--keep", action="store_true", help="leave the site's folder for a look")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    # Told to stop, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    with ExitStack() as stack:
        name = (
            tempfile.mkdtemp(prefix="mlmd-chaos-")
            if options.keep
            else stack.enter_context(
                tempfile.TemporaryDirectory(prefix="mlmd-chaos-", ignore_cleanup_errors=True)
            )
        )
        os.environ["MLMD_VAR"] = f"{name}/own"
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.faults.site_settings"
        import django

        django.setup()
        from tests.faults import servers

        database = broker = None
        if options.site == "postgres-redis":
            database = stack.enter_context(servers.postgres())
            broker = stack.enter_context(servers.redis())
        outcome = run_chaos(
            Path(name),
            jobs=options.jobs,
            seed=options.seed,
            pace=options.pace,
            pause=options.pause,
            database=database,
            broker=broker,
            say=lambda line: print(line, flush=True),
        )
        print(f"\n{outcome.table()}")
        if options.keep:
            print(f"Kept: {name}")
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
