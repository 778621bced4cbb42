"""Matrix products that leave the interpreter to other threads.

SciPy's own wrappers of BLAS hold the interpreter's lock while they work, so that the members of a
committee would wait for each other. These call the same routines of the same library without it.
Matrices are in Fortran order; of symmetric ones the lower triangle is read and changed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
from numba.extending import get_cython_function_address

from mlmd.frame import FloatArray

_LEFT, _RIGHT, _LOWER, _PLAIN, _TRANSPOSED, _GENERAL = b"L", b"R", b"L", b"N", b"T", b"N"


def _routine(name: str, arguments: int) -> Callable[..., None]:
    """Return a routine of BLAS; all of its arguments are addresses."""
    address = get_cython_function_address("scipy.linalg.cython_blas", name)
    # A foreign function made by CFUNCTYPE gives up the lock while it runs.
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)(address)


_dsymm = _routine("dsymm", 12)
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


def symmetric_times(matrix: FloatArray, columns: FloatArray) -> FloatArray:
    """Return S·B.

    Args:
        matrix: S, shape (n, n).
        columns: B, shape (n, m).

    Returns:
        Shape (n, m), Fortran order.
    """
    n, m = columns.shape
    result = np.empty((n, m), order="F")
    a, b, c = _place(matrix), _place(columns), _place(result)
    _dsymm(_LEFT, _LOWER, _count(n), _count(m), _number(1.0), *a, *b, _number(0.0), *c)
    return result


def subtract_square(matrix: FloatArray, columns: FloatArray) -> None:
    """Take off Y·Yᵀ of a symmetric matrix, in place.

    Args:
        matrix: shape (n, n).
        columns: Y, shape (n, m).
    """
    columns = np.asfortranarray(columns)
    n, m = columns.shape
    if not m:
        return
    y, c = _place(columns), _place(matrix)
    _dsyrk(_LOWER, _PLAIN, _count(n), _count(m), _number(-1.0), *y, _number(1.0), *c)


def divide_by_factor(columns: FloatArray, factor: FloatArray) -> None:
    """Replace X by X·L⁻ᵀ.

    Args:
        columns: X, shape (n, m).
        factor: L, lower triangle, shape (m, m).
    """
    n, m = columns.shape
    a, b = _place(factor), _place(columns)
    _dtrsm(_RIGHT, _LOWER, _TRANSPOSED, _GENERAL, _count(n), _count(m), _number(1.0), *a, *b)
