"""kill -9 of web, worker, beat or all, at any moment: no job is lost, none runs twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from jobs.moves import replay
from jobs.states import State
from tests.faults import servers

JOBS = 20
CHAOS = 22.0  # s of killing
CALM = 55.0  # s until everything must be done afterwards
ROOT = Path(__file__).resolve().parents[2]
CELERY = (sys.executable, "-m", "celery", "-A", "tests.faults.celery_app")


class Site:
    """A submitter in place of the web process, a worker and a beat, all killable."""

    def __init__(self, folder: Path, database: str | None, broker: str | None) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "MLMD_VAR": str(folder),
            "DJANGO_SETTINGS_MODULE": "tests.faults.site_settings",
            "MLMD_LEASE_SECONDS": "3",
            "MLMD_SWEEP_SECONDS": "1",
            "MLMD_LOG_LEVEL": "WARNING",
        }
        for name, value in (("DATABASE_URL", database), ("CELERY_BROKER_URL", broker)):
            self.environment.pop(name, None)
            if value:
                self.environment[name] = value
        self.log = (folder / "processes.log").open("ab")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.groups: list[int] = []
        self.submitted = False
        self.commands = {
            "web": (sys.executable, "-m", "tests.faults.site_command", "submit", str(JOBS), "0.8"),
            "worker": (
                *(*CELERY, "worker", "--concurrency", "2", "--loglevel", "WARNING"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ),
            "beat": (
                *(*CELERY, "beat", "--loglevel", "WARNING", "--pidfile="),
                *("--schedule", str(folder / "beat-schedule")),
            ),
        }

    def run(self, *command: str) -> str:
        answer = subprocess.run(
            [sys.executable, "-m", "tests.faults.site_command", *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr[-3000:]
        return answer.stdout

    def tend(self) -> None:
        """Start what isn't running, as the supervisor does."""
        for name, command in self.commands.items():
            process = self.processes.get(name)
            if process and process.poll() is None:
                continue
            if name == "web" and process and process.returncode == 0:
                continue  # all jobs are created
            self.processes[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=self.log,
                start_new_session=True,
            )
            self.groups.append(self.processes[name].pid)

    def kill(self, names: list[str], group: bool) -> None:
        """End processes without warning, with or without their children."""
        for name in names:
            process = self.processes[name]
            if process.poll() is not None:
                continue
            if group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()

    def end(self) -> None:
        for pid in self.groups:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in self.processes.values():
            process.wait()
        self.log.close()

    def report(self) -> list[dict]:
        return json.loads(self.run("report"))


def one_round_of_chaos(site: Site, seed: int) -> Counter[str]:
    """Kill at random moments of a repeatable sequence; return how often what was killed."""
    chance = random.Random(seed)
    killed: Counter[str] = Counter()
    end = time.monotonic() + CHAOS
    while time.monotonic() < end:
        time.sleep(chance.choice([0.3, 1.0, 2.5, 3.5]) * chance.uniform(0.5, 1.2))
        names = chance.choice([["worker"], ["worker"], ["worker"], ["web"], ["beat"], []])
        names = names or ["web", "worker", "beat"]
        site.kill(names, group=chance.random() < 0.6)
        killed["+".join(names)] += 1
        site.tend()
    return killed


@pytest.fixture(
    params=[
        "sqlite-folder",
        pytest.param("postgres-redis", marks=[pytest.mark.postgres, pytest.mark.redis]),
    ]
)
def site(request, tmp_path):
    with ExitStack() as stack:
        database = broker = None
        if request.param == "postgres-redis":
            database = stack.enter_context(servers.postgres())
            broker = stack.enter_context(servers.redis())
        site = Site(tmp_path, database, broker)
        stack.callback(site.end)
        site.run("set-up")
        yield site


@pytest.mark.slow
@pytest.mark.faults
def test_no_kill_loses_a_job_or_runs_one_twice(site, tmp_path):
    site.tend()
    killed = one_round_of_chaos(site, seed=int(os.environ.get("MLMD_FAULTS_SEED", "20261122")))
    assert sum(killed.values()) >= 5

    deadline = time.monotonic() + CALM
    while time.monotonic() < deadline:
        site.tend()
        jobs = site.report()
        if len(jobs) == JOBS and all(job["state"] == State.DONE for job in jobs):
            break
        time.sleep(0.5)

    states = Counter(job["state"] for job in jobs)
    assert states == {State.DONE: JOBS}, [job for job in jobs if job["state"] != State.DONE]
    folders = sorted((tmp_path / "local-cluster").iterdir())
    assert len(folders) == JOBS
    for job in jobs:
        run_dir = tmp_path / "local-cluster" / f"{job['public_id']}-1"
        assert len((run_dir / "starts").read_text().split()) == 1
        assert (job["starts"], job["accepted"], job["submissions"]) == (1, 1, 1), job
        assert job["attempt"] == 1
        assert replay([tuple(move) for move in job["moves"]]) == State.DONE
        assert job["files"]["result"] == (run_dir / "result").stat().st_size
        assert not list(run_dir.rglob("*.part"))
    print(f"\n{sum(killed.values())} kills: {dict(killed)}")
