"""n2p2 itself, where it is installed: from silicon to a potential that our engine reads."""

from __future__ import annotations

import os

import numpy as np
import pytest

from mlmd.data import silicon_frames
from mlmd.frame import Frame
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.training import load_parity
from mlmd.n2p2 import N2p2, Programs


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    # Open MPI refuses to start as root, which is who runs tests in a container.
    if os.geteuid() == 0:
        monkeypatch.setenv("OMPI_ALLOW_RUN_AS_ROOT", "1")
        monkeypatch.setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")


@pytest.mark.parametrize("processes", [1, 2])
def test_silicon_is_learned_and_both_engines_agree(
    real_programs: Programs, as_root: None, processes: int, tmp_path
) -> None:
    programs = Programs(
        processes=processes, mpi=("mpirun", "--oversubscribe", "-np", "{processes}")
    )
    n2p2 = N2p2(
        silicon_frames()[::8], tmp_path, programs=programs, epochs=2, hidden_nodes="8",
        angular_zetas="1", told=lambda fraction, words: None,
    )  # fmt: skip
    result = n2p2.run()
    curve = result.curve
    assert len(curve) == 3
    assert curve.force_train[-1] < curve.force_train[0]
    assert result.training.energy_rmse == pytest.approx(
        1000 * curve.energy_train[result.best_epoch], rel=1e-4
    )
    assert result.validation.force_rmse == pytest.approx(
        1000 * curve.force_test[result.best_epoch], rel=1e-4
    )
    evaluator = Evaluator(n2p2.potential())
    parity = load_parity(tmp_path / "parity.npz")
    for frame, energy in zip(n2p2.data.frames, parity.energy_predicted, strict=True):
        ours = evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc)
        assert ours.energy / len(frame) == pytest.approx(energy, rel=1e-8)


def test_forces_agree_in_cells_larger_than_the_cutoff(
    real_programs: Programs, as_root: None, tmp_path
) -> None:
    n2p2 = N2p2(
        silicon_frames()[::25], tmp_path, programs=real_programs, epochs=1, hidden_nodes="4",
        angular_zetas="1", cutoff_radius=4.5, repeat_small_cells=True,
        told=lambda fraction, words: None,
    )  # fmt: skip
    n2p2.run()
    frames = list(n2p2.data.frames[:3])
    found = n2p2.predict(frames)
    evaluator = Evaluator(n2p2.potential())
    for frame, forces in zip(frames, found.forces, strict=True):
        ours = evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc)
        scale = max(float(np.abs(ours.forces).max()), 1e-3)
        np.testing.assert_allclose(forces, ours.forces, atol=1e-7 * scale)


def test_an_element_without_neighbours_gets_one_energy(
    real_programs: Programs, as_root: None, tmp_path
) -> None:
    alone = [
        Frame(
            np.array([26], np.uint8), np.zeros((1, 3)), (12.0 + k) * np.eye(3),
            energy=-100.0, forces=np.zeros((1, 3)), label_source="ab initio",
        )
        for k in range(4)
    ]  # fmt: skip
    n2p2 = N2p2(
        silicon_frames()[::25] + alone, tmp_path, programs=real_programs, epochs=1,
        hidden_nodes="4", angular_zetas="1", told=lambda fraction, words: None,
    )  # fmt: skip
    result = n2p2.run()
    assert n2p2.data.constant == ("Fe",)
    assert np.isfinite(result.curve.energy_train).all()
    frame = alone[0]
    ours = Evaluator(n2p2.potential()).compute(
        frame.numbers, frame.positions, frame.cell, frame.pbc
    )
    assert np.isfinite(ours.energy)
    assert not ours.forces.any()
