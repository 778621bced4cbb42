"""Matrix products that leave the interpreter to other threads.

SciPy's own wrappers of BLAS hold the interpreter's lock while they work, so that the members of a
committee would wait for each other. These call the same routines of the same library without it.
Matrices are in Fortran order; of symmetric ones the lower triangle is read and changed.

Products of large matrices are cut into parts whose sizes depend on the matrix alone, and threads
of our own take them: the numbers are the same however many there are, and on a machine with other
work nobody waits for BLAS' threads, which spin until the last one is done.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numpy as np
from numba.extending import get_cython_function_address

from mlmd.frame import FloatArray

# Matrices of fewer rows are not cut; others into parts of so many.
LARGE = 1500
PART_ROWS = 384

_LEFT, _RIGHT, _LOWER, _PLAIN, _TRANSPOSED, _GENERAL = b"L", b"R", b"L", b"N", b"T", b"N"


def _routine(name: str, arguments: int) -> Callable[..., None]:
    """Return a routine of BLAS; all of its arguments are addresses."""
    address = get_cython_function_address("scipy.linalg.cython_blas", name)
    # A foreign function made by CFUNCTYPE gives up the lock while it runs.
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)(address)


_dsymm = _routine("dsymm", 12)
_dgemm = _routine("dgemm", 13)
_dsyrk = _routine("dsyrk", 10)
_dtrsm = _routine("dtrsm", 11)


def _count(value: int) -> object:
    # Read as 32 bits where the library counts so: the lower half comes first.
    return ctypes.byref(ctypes.c_int64(value))


def _number(value: float) -> object:
    return ctypes.byref(ctypes.c_double(value))


def _place(matrix: FloatArray) -> tuple[int, object]:
    """Return where a matrix in Fortran order begins, and the distance of its columns."""
    if matrix.dtype != np.float64 or (matrix.shape[0] > 1 and matrix.strides[0] != 8):
        raise TypeError("expected double precision in Fortran order")
    apart = matrix.strides[1] // 8 if matrix.shape[1] > 1 else matrix.shape[0]
    return matrix.ctypes.data, _count(max(apart, 1))


def symmetric_times(matrix: FloatArray, columns: FloatArray, threads: int = 1) -> FloatArray:
    """Return S·B.

    Args:
        matrix: S, shape (n, n).
        columns: B, shape (n, m).
        threads: to use where n is large.

    Returns:
        Shape (n, m), Fortran order.
    """
    n, m = columns.shape
    columns = np.asfortranarray(columns)
    result = np.empty((n, m), order="F")
    _share([partial(_times, matrix, columns, result, part) for part in _parts(n)], threads)
    return result


def _times(matrix: FloatArray, columns: FloatArray, result: FloatArray, part: slice) -> None:
    """Fill the rows of a part."""
    here = result[part]
    size, m = here.shape
    a, b, c = _place(matrix[part, part]), _place(columns[part]), _place(here)
    _dsymm(_LEFT, _LOWER, _count(size), _count(m), _number(1.0), *a, *b, _number(0.0), *c)
    if part.start:
        _add_product(_PLAIN, matrix[part, : part.start], columns[: part.start], here)
    if part.stop < len(matrix):
        _add_product(_TRANSPOSED, matrix[part.stop :, part], columns[part.stop :], here)


def _add_product(turned: bytes, one: FloatArray, other: FloatArray, result: FloatArray) -> None:
    """Add A·B, or Aᵀ·B."""
    a, b, c = _place(one), _place(other), _place(result)
    _dgemm(
        turned, _PLAIN, _count(len(result)), _count(result.shape[1]), _count(len(other)),
        _number(1.0), *a, *b, _number(1.0), *c,
    )  # fmt: skip


def subtract_square(matrix: FloatArray, columns: FloatArray, threads: int = 1) -> None:
    """Take off Y·Yᵀ of a symmetric matrix, in place.

    Args:
        matrix: shape (n, n).
        columns: Y, shape (n, m).
        threads: to use where n is large.
    """
    columns = np.asfortranarray(columns)
    n, m = columns.shape
    if not m:
        return
    _share([partial(_subtract, matrix, columns, part) for part in _parts(n)], threads)


def _subtract(matrix: FloatArray, columns: FloatArray, part: slice) -> None:
    """Take Y·Yᵀ off the columns of a part, on and below the diagonal."""
    here, below = columns[part], columns[part.stop :]
    size, m = here.shape
    y, c = _place(here), _place(matrix[part, part])
    _dsyrk(_LOWER, _PLAIN, _count(size), _count(m), _number(-1.0), *y, _number(1.0), *c)
    if len(below):
        z, d = _place(below), _place(matrix[part.stop :, part])
        _dgemm(
            _PLAIN, _TRANSPOSED, _count(len(below)), _count(size), _count(m), _number(-1.0),
            *z, *y, _number(1.0), *d,
        )  # fmt: skip


def divide_by_factor(columns: FloatArray, factor: FloatArray, threads: int = 1) -> None:
    """Replace X by X·L⁻ᵀ.

    Args:
        columns: X, shape (n, m).
        factor: L, lower triangle, shape (m, m).
        threads: to use where n is large.
    """
    _share([partial(_divide, columns[k], factor) for k in _parts(len(columns))], threads)


def _divide(columns: FloatArray, factor: FloatArray) -> None:
    n, m = columns.shape
    a, b = _place(factor), _place(columns)
    _dtrsm(_RIGHT, _LOWER, _TRANSPOSED, _GENERAL, _count(n), _count(m), _number(1.0), *a, *b)


def _parts(count: int) -> Iterator[slice]:
    """Yield the rows of every part: the same however many threads there are."""
    size = PART_ROWS if count >= LARGE else max(count, 1)
    return (slice(k, min(k + size, count)) for k in range(0, count, size))


def _share(tasks: list[Callable[[], None]], threads: int) -> None:
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            task()
        return
    for future in [_workers(threads).submit(task) for task in tasks]:
        future.result()


@cache
def _workers(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)
