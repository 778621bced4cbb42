"""Mean squared displacements and diffusion of motions whose answer is known."""

import numpy as np
import pytest

from mlmd.analysis import diffusion_coefficient, mean_squared_displacement
from mlmd.analysis.diffusion import split_segments, squared_displacements
from mlmd.errors import InvalidInput


def direct(positions):
    """The definition, in four lines."""
    result = np.zeros(positions.shape[:2])
    for lag in range(len(positions)):
        moved = positions[lag:] - positions[: len(positions) - lag]
        result[lag] = (moved**2).sum(axis=2).mean(axis=0)
    return result


@pytest.mark.parametrize("frames", [2, 3, 7, 64, 129])
def test_the_transform_agrees_with_the_definition(frames):
    rng = np.random.default_rng(frames)
    # Far from the origin: sums of squares must not lose the digits.
    positions = 1e4 + np.cumsum(rng.normal(0, 0.1, (frames, 5, 3)), axis=0)
    assert np.allclose(squared_displacements(positions), direct(positions), atol=1e-9)


def test_blocks_of_atoms_give_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    positions = np.cumsum(rng.normal(0, 0.1, (30, 17, 3)), axis=0)
    numbers = [14] * 9 + [8] * 8
    masses = [28.0] * 9 + [16.0] * 8
    whole = mean_squared_displacement(positions, numbers, 0.01, masses)
    monkeypatch.setattr("mlmd.analysis.diffusion._BLOCK_VALUES", 300)
    parts = mean_squared_displacement(lambda atoms: positions[:, atoms], numbers, 0.01, masses)
    assert np.allclose(whole.values, parts.values)
    assert whole.elements == ("O", "Si")
    assert whole.atoms == (8, 9)
    assert np.allclose(whole.times, 0.01 * np.arange(30))


def test_a_drift_of_everything_is_no_diffusion():
    rng = np.random.default_rng(0)
    still = rng.uniform(0, 5, (1, 10, 3))
    moving = still + 0.3 * np.arange(20)[:, None, None]
    masses = rng.uniform(1, 50, 10)
    assert mean_squared_displacement(moving, [6] * 10, 1.0, masses).total.max() < 1e-12
    assert mean_squared_displacement(moving, [6] * 10, 1.0).total[-1] > 10


def test_a_random_walk_has_its_diffusion_coefficient():
    rng = np.random.default_rng(11)
    time_step, exact = 0.05, 0.7  # ps, Å²/ps
    steps = rng.normal(0, np.sqrt(2 * exact * time_step), (4000, 100, 3))
    walk = np.cumsum(steps, axis=0)
    segments = [
        mean_squared_displacement(walk[part], [3] * 100, time_step)
        for part in split_segments(4000, 10)
    ]
    lithium, everything = diffusion_coefficient(segments)
    assert lithium.element == "Li"
    assert everything.element == "*"
    assert lithium.is_diffusive
    assert lithium.exponent == pytest.approx(1, abs=0.05)
    assert lithium.value == pytest.approx(exact * 1e-4, rel=0.05)
    assert abs(lithium.value - exact * 1e-4) < 4 * lithium.error
    # The error is neither lost nor invented: 100 walkers in 10 parts know D to a few per cent.
    assert 0.002 < lithium.error / lithium.value < 0.05


def test_the_stated_error_covers_the_truth_as_often_as_it_should():
    rng = np.random.default_rng(12)
    inside = 0
    for _ in range(60):
        walk = np.cumsum(rng.normal(0, 1.0, (500, 20, 3)), axis=0)
        parts = [
            mean_squared_displacement(walk[part], [3] * 20, 1.0) for part in split_segments(500, 5)
        ]
        result = diffusion_coefficient(parts)[0]
        inside += abs(result.value - 0.5e-4) < 2.78 * result.error  # Student's t, 4 degrees, 95 %
    assert 50 <= inside <= 60


def test_a_vibrating_solid_is_not_called_diffusive():
    rng = np.random.default_rng(13)
    solid = rng.normal(0, 0.1, (200, 30, 3))
    result = diffusion_coefficient([mean_squared_displacement(solid, [14] * 30, 0.01)])[0]
    assert not result.is_diffusive
    assert result.error is None
    assert abs(result.exponent) < 0.1


def test_free_flight_has_exponent_two():
    rng = np.random.default_rng(14)
    flight = np.arange(100)[:, None, None] * rng.normal(0, 1, (1, 50, 3))
    result = diffusion_coefficient([mean_squared_displacement(flight, [2] * 50, 0.01)])[0]
    assert result.exponent == pytest.approx(2, abs=1e-6)
    assert not result.is_diffusive


def test_too_few_frames_are_refused():
    with pytest.raises(InvalidInput, match="two frames"):
        mean_squared_displacement(np.zeros((1, 2, 3)), [1, 1], 1.0)
    with pytest.raises(InvalidInput, match="three points"):
        diffusion_coefficient([mean_squared_displacement(np.zeros((3, 2, 3)), [1, 1], 1.0)])
    with pytest.raises(InvalidInput, match="no segments"):
        diffusion_coefficient([])


def test_segments_cover_a_run_without_overlap():
    assert split_segments(100, 5) == [slice(i * 20, i * 20 + 20) for i in range(5)]
    assert split_segments(25, 5) == [slice(0, 12), slice(12, 24)]
    assert split_segments(3, 5) == [slice(0, 3)]
