"""The filter on problems whose answer is known."""

import numpy as np
import pytest

from mlmd.hdnnp.training.kalman import Covariance, KalmanFilter, KalmanSettings

STILL = KalmanSettings(
    growth=0.0, initial_variance=4.0, rate=2.0, rate_limit=2.0, noise=0.0, noise_limit=0.0
)


def linear_problem():
    generator = np.random.default_rng(3)
    truth = generator.normal(size=6)
    rows = generator.normal(size=(40, 6))
    return truth, rows, rows @ truth + 0.01 * generator.normal(size=40)


def test_without_noise_it_is_regularised_least_squares_whatever_the_batches():
    _, rows, values = linear_problem()
    weights = np.zeros(6)
    kalman = KalmanFilter(((0, 6),), STILL)
    for part in np.split(np.arange(40), [7, 8, 20]):
        kalman.update(weights, rows[part], values[part] - rows[part] @ weights)
    # Least squares with variance 1/η of a value and 4 of a weight.
    expected = np.linalg.solve(rows.T @ rows * 2.0 + np.eye(6) / 4.0, rows.T @ values * 2.0)
    np.testing.assert_allclose(weights, expected, rtol=1e-9)


def test_covariance_is_the_inverse_of_what_was_learned():
    _, rows, values = linear_problem()
    weights = np.zeros(6)
    kalman = KalmanFilter(((0, 6),), STILL)
    kalman.update(weights, rows, values)
    lower = np.tril(kalman.covariance[0].matrix())
    full = lower + np.tril(lower, -1).T
    np.testing.assert_allclose(full, np.linalg.inv(rows.T @ rows * 2.0 + np.eye(6) / 4), atol=1e-10)


def test_factors_and_matrix_are_the_same_covariance():
    generator = np.random.default_rng(5)
    few, full = Covariance(40, 3.0), Covariance(40, 3.0)
    full.subtract(np.zeros((40, 40)))  # more factors than half the weights: a matrix
    assert set(full.state()) == {"covariance"}
    for _ in range(4):
        y = np.asfortranarray(0.1 * generator.normal(size=(40, 5)))
        rows = generator.normal(size=(7, 40))
        for covariance in (few, full):
            covariance.subtract(y)
            covariance.widen(0.01)
        assert set(few.state()) == {"factors", "variance"}
        np.testing.assert_allclose(few.times(rows), full.times(rows), atol=1e-12)
    again = Covariance(40, 1.0)
    again.restore(few.state())
    np.testing.assert_array_equal(again.times(rows), few.times(rows))
    for covariance in (few, full):
        covariance.subtract(y)
        covariance.widen(0.01)
    assert set(few.state()) == {"covariance"}
    np.testing.assert_allclose(few.times(rows), full.times(rows), atol=1e-12)


def test_blocks_still_find_the_answer():
    truth, rows, values = linear_problem()
    weights = np.zeros(6)
    kalman = KalmanFilter(((0, 2), (2, 6)), KalmanSettings(growth=0.01, noise=1e-3))
    for _ in range(200):
        for part in np.split(np.arange(40), 8):
            kalman.update(weights, rows[part], values[part] - rows[part] @ weights)
            kalman.advance()
    np.testing.assert_allclose(weights, truth, atol=0.02)


def test_rates_end_at_their_limits():
    kalman = KalmanFilter(((0, 1),), KalmanSettings(growth=1.0))
    for _ in range(50):
        kalman.update(np.zeros(1), np.ones((1, 1)), np.zeros(1))
        kalman.advance()
    assert kalman.rate == 1.0
    assert kalman.noise == 1e-6


def test_a_residual_that_is_not_finite_is_said_and_changes_nothing():
    weights = np.ones(2)
    kalman = KalmanFilter(((0, 2),), STILL)
    for jacobian, residual in (([[np.nan, 1.0]], [1.0]), ([[1.0, 1.0]], [np.inf])):
        with pytest.raises(FloatingPointError):
            kalman.update(weights, np.array(jacobian), np.array(residual))
    np.testing.assert_array_equal(weights, 1.0)
