"""Numba's decorator with types that a checker understands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])

# Numba's own types leave out some of the options it takes.
_njit = cast(Callable[..., Any], njit)


def kernel(function: F) -> F:
    """Compile a function in fast mode, cached on disk, without the interpreter lock.

    Fast mode takes every number to be finite: callers check that before.
    """
    compiled = _njit(fastmath=True, error_model="numpy", cache=True, nogil=True)
    return cast(F, compiled(function))


def subkernel(function: F) -> F:
    """Compile a function that only kernels call, and that makes no arrays of its own.

    As `kernel`, but without a way in from Python (for tables of arrays that takes longer to
    compile than most loops) and without counting references: its caller holds the arrays,
    and an atomic count per slice costs more than a short loop over it.
    """
    compiled = _njit(
        fastmath=True,
        error_model="numpy",
        cache=True,
        nogil=True,
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        _nrt=False,
    )
    return cast(F, compiled(function))


def inline_kernel(function: F) -> F:
    """Compile a function to be pasted into the kernels that call it."""
    compiled = _njit(fastmath=True, error_model="numpy", cache=True, nogil=True, inline="always")
    return cast(F, compiled(function))


def exact_kernel(function: F) -> F:
    """Compile a function whose arithmetic keeps its order and sees NaN and infinity."""
    return cast(F, _njit(error_model="numpy", cache=True, nogil=True)(function))
