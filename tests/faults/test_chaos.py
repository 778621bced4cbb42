"""A short run of `chaos.py` with a fixed seed."""

from __future__ import annotations

import os

import pytest

from tests.faults.chaos import run_chaos


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.sshd
@pytest.mark.slurm
def test_chaos_loses_nothing_and_does_nothing_twice(tmp_path):
    outcome = run_chaos(
        tmp_path,
        jobs=18,
        seed=int(os.environ.get("MLMD_FAULTS_SEED", "20261122")),
        pace=0.1,
        pause=0.1,
        hurry=0.4,
        rounds=1,
    )
    print(f"\n{outcome.table()}")
    assert not outcome.wrong, "\n".join(outcome.wrong)
    assert len(outcome.faults) >= 20
