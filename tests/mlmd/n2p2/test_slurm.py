"""A training with n2p2 through a real Slurm; the programs are the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlmd.n2p2 import Batch, BatchSystem, N2p2, ProgramFailed, Programs
from tests.jobs.slurm.server import Slurm, running_slurm
from tests.mlmd.n2p2.conftest import write_stand_in
from tests.mlmd.training.materials import crystal

pytestmark = pytest.mark.slow

BATCH = Batch(BatchSystem.SLURM, queue="work", walltime=60, interval=0.2)


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    with running_slurm() as slurm:
        yield slurm


@pytest.fixture(autouse=True)
def _its_commands(slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, slurm.environment[name])


def train(tmp_path: Path, **environment: str) -> N2p2:
    programs = Programs(write_stand_in(tmp_path / "bin", **environment))
    return N2p2(
        crystal(["Fe"], 8, seed=3), tmp_path / "run", programs=programs, batch=BATCH, epochs=2,
        hidden_nodes="3", told=lambda fraction, words: None,
    )  # fmt: skip


def test_every_step_is_a_run_of_the_queue(slurm: Slurm, tmp_path: Path) -> None:
    n2p2 = train(tmp_path)
    n2p2.normalize()
    reports = [n2p2.scaling(), n2p2.train(), n2p2.predict()]
    numbers = [int(report.queue_id) for report in reports]
    assert numbers == sorted(set(numbers))
    assert n2p2.result().best_epoch == 1
    shown = slurm.ask("squeue", "-h", "-t", "all", "-o", "%j %P")
    assert "n2p2train work" in shown


def test_a_program_that_fails_is_told_as_if_it_had_run_here(slurm: Slurm, tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match=r"nnp-train: the errors became NaN"):
        train(tmp_path, STAND_IN="nan").train()
