"""Analyses of trajectories on disk."""

import numpy as np
import pytest
from ase.build import bulk

from mlmd.analysis import mean_squared_displacement, radial_distribution
from mlmd.analysis.runs import (
    FrameRange,
    last_stage,
    thinned,
    trajectory_coordination,
    trajectory_motion,
    trajectory_radial,
)
from mlmd.errors import InvalidInput
from mlmd.trajectory import TrajectoryFrame, TrajectoryReader, TrajectoryWriter

ATOMS = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(2)


def write(path, positions, stages=None, times=None):
    with TrajectoryWriter(path, ATOMS.numbers, positions[0]) as writer:
        for index, frame in enumerate(positions):
            time = 10.0 * index if times is None else times[index]
            stage = 0 if stages is None else stages[index]
            writer.write(TrajectoryFrame(index, time, ATOMS.cell.array, frame, 0.0, 0.0, stage))
    return TrajectoryReader(path)


@pytest.fixture
def positions():
    rng = np.random.default_rng(0)
    return ATOMS.positions + rng.normal(0, 0.15, (50, 64, 3))


def test_a_file_gives_the_same_as_arrays(tmp_path, positions):
    reader = write(tmp_path / "a.mtj", positions)
    ours = trajectory_radial(reader, FrameRange(5, 30, 3), 5.0, 50)
    arrays = radial_distribution(positions[5:30:3], ATOMS.cell.array, ATOMS.numbers, 5.0, 50)
    assert np.allclose(ours.g, arrays.g, atol=1e-3)
    assert ours.frames == 9
    motion = trajectory_motion(reader, FrameRange())
    expected = mean_squared_displacement(positions, ATOMS.numbers, 0.01, ATOMS.get_masses())
    assert np.allclose(motion.displacement.values, expected.values, atol=1e-4)
    assert motion.displacement.times[1] == pytest.approx(0.01)
    assert not motion.diffusion[0].is_diffusive


def test_coordination_follows_the_first_minimum(tmp_path, positions):
    reader = write(tmp_path / "a.mtj", positions)
    radial = trajectory_radial(reader, None, 5.0, 100)
    numbers = trajectory_coordination(reader, None, radial)
    table = {(d.center, d.neighbor): d.mean for d in numbers.distributions}
    assert table["Na", "Cl"] == pytest.approx(6, abs=0.1)


def test_the_last_stage_is_taken_without_its_beginning(tmp_path, positions):
    reader = write(tmp_path / "a.mtj", positions, [0] * 20 + [1] * 30)
    assert last_stage(reader).start == 26
    assert trajectory_radial(reader, None, 4.0, 20).frames == 24
    assert trajectory_radial(reader, None, 4.0, 20, work_limit=64 * 8).frames == 8


def test_a_last_frame_out_of_step_does_not_spoil_the_displacements(tmp_path, positions):
    times = [10.0 * index for index in range(49)] + [483.0]
    reader = write(tmp_path / "a.mtj", positions, times=times)
    assert len(trajectory_motion(reader, FrameRange()).displacement.times) == 49


def test_long_runs_are_thinned_evenly(tmp_path, positions, monkeypatch):
    monkeypatch.setattr("mlmd.analysis.runs.MOST_FRAMES_MSD", 20)
    reader = write(tmp_path / "a.mtj", positions)
    times = trajectory_motion(reader, FrameRange()).displacement.times
    assert len(times) == 17
    assert times[1] == pytest.approx(0.03)


def test_large_systems_are_thinned_more(tmp_path, positions, monkeypatch):
    monkeypatch.setattr("mlmd.analysis.runs.LEAST_FRAMES_MSD", 10)
    reader = write(tmp_path / "a.mtj", positions)
    motion = trajectory_motion(reader, FrameRange(), work_limit=64 * 25)
    assert len(motion.displacement.times) == 25
    assert len(trajectory_motion(reader, FrameRange(), work_limit=1).displacement.times) == 10


def test_thinning_keeps_both_ends():
    indices = np.arange(100, 200)
    few = thinned(indices, 7)
    assert (few[0], few[-1], len(few)) == (100, 199, 7)
    assert np.array_equal(thinned(indices, 500), indices)


def test_ranges_without_frames_are_refused(tmp_path, positions):
    reader = write(tmp_path / "a.mtj", positions)
    with pytest.raises(InvalidInput, match="50 in the trajectory"):
        trajectory_radial(reader, FrameRange(60))
    with pytest.raises(InvalidInput, match="two frames"):
        trajectory_motion(reader, FrameRange(49))
