"""kill -9 of web, worker, beat or all, at any moment: no job is lost, none runs twice."""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest

from jobs.moves import replay
from jobs.states import State
from tests.faults.conftest import JOBS
from tests.faults.killable_site import Site

CHAOS = 26.0  # s of killing
CALM = 55.0  # s until everything must be done afterwards


def one_round_of_chaos(site: Site, seed: int) -> Counter[str]:
    """Kill at random moments of a repeatable sequence; return how often what was killed."""
    chance = random.Random(seed)
    killed: Counter[str] = Counter()
    end = time.monotonic() + CHAOS
    while time.monotonic() < end:
        # A worker needs two to three seconds to start: most kills should hit one at work.
        time.sleep(chance.choice([0.4, 2.5, 3.5, 4.5]) * chance.uniform(0.8, 1.2))
        names = chance.choice([["worker"], ["worker"], ["worker"], ["web"], ["beat"], []])
        names = names or ["web", "worker", "beat"]
        site.kill(names, group=chance.random() < 0.6)
        killed["+".join(names)] += 1
        site.tend()
    return killed


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
        assert not list((tmp_path / "jobs" / job["public_id"]).rglob("*.part"))
    interrupted = {
        what: len((tmp_path / what).read_text().split()) - JOBS
        for what in ("prepared", "accepting")
    }
    print(f"\n{sum(killed.values())} kills: {dict(killed)}; cut short: {interrupted}")
