"""Products that leave the interpreter to other threads."""

import threading

import numpy as np
import pytest

from mlmd.hdnnp.training.products import (
    LARGE,
    divide_by_factor,
    subtract_square,
    symmetric_times,
)


def symmetric(size, seed=0):
    full = np.random.default_rng(seed).normal(size=(size, size))
    return full + full.T


def lower(matrix):
    """Return it with nothing of use above the diagonal."""
    return np.asfortranarray(np.where(np.tri(len(matrix), dtype=bool), matrix, 1e30))


def test_a_symmetric_matrix_is_known_by_its_lower_triangle():
    full = symmetric(7)
    rows = np.random.default_rng(1).normal(size=(4, 11))
    for part in (rows[:, :7], rows[:, 3:10], rows[:1, 4:]):
        found = symmetric_times(lower(full), part.T)
        assert found.flags.f_contiguous
        np.testing.assert_allclose(found, full @ part.T, rtol=1e-13, atol=1e-13)


def test_squares_are_taken_off_below_the_diagonal_only():
    full = symmetric(6)
    matrix = lower(full)
    for columns in (np.ones((6, 2)), np.asfortranarray(np.eye(6)), np.zeros((6, 0))):
        full -= columns @ columns.T
        subtract_square(matrix, columns)
    np.testing.assert_allclose(np.tril(matrix), np.tril(full), rtol=1e-13)
    assert (matrix[np.triu_indices(6, 1)] == 1e30).all()


def test_division_by_a_triangle():
    generator = np.random.default_rng(2)
    factor = lower(np.tril(generator.normal(size=(5, 5))) + 3.0 * np.eye(5))
    columns = np.asfortranarray(generator.normal(size=(8, 5)))
    expected = np.linalg.solve(np.tril(factor), columns.T).T
    divide_by_factor(columns, factor)
    np.testing.assert_allclose(columns, expected, rtol=1e-12)


def test_large_products_are_the_same_with_any_number_of_threads():
    generator = np.random.default_rng(4)
    full = symmetric(LARGE + 37)
    columns = np.asfortranarray(generator.normal(size=(len(full), 150)))
    factor = lower(np.tril(generator.normal(size=(150, 150))) + 20.0 * np.eye(150))
    found = []
    for threads in (1, 2, 5):
        matrix, divided = lower(full), columns.copy(order="F")
        times = symmetric_times(matrix, columns, threads)
        subtract_square(matrix, columns, threads)
        divide_by_factor(divided, factor, threads)
        found.append((times, matrix, divided))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)
    times, matrix, divided = found[0]
    np.testing.assert_allclose(times, full @ columns, atol=1e-9)
    np.testing.assert_allclose(np.tril(matrix), np.tril(full - columns @ columns.T), atol=1e-9)
    np.testing.assert_allclose(divided @ np.tril(factor).T, columns, atol=1e-9)


def test_rows_where_columns_are_expected_are_refused():
    with pytest.raises(TypeError, match="Fortran"):
        symmetric_times(symmetric(4), np.ones((3, 4)).T[::2])
    with pytest.raises(TypeError, match="double"):
        symmetric_times(symmetric(4).astype(np.float32), np.ones((4, 2)))


def test_other_threads_go_on_meanwhile():
    matrix, columns = lower(symmetric(1500)), np.asfortranarray(np.ones((1500, 600)))
    working = threading.Thread(target=lambda: symmetric_times(matrix, columns))
    counted = 0
    working.start()
    while working.is_alive():
        counted += 1
    assert counted > 100
