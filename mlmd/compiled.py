"""Numba's decorator with types that a checker understands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile a function in fast mode, cached on disk, without the interpreter lock.

    Fast mode takes every number to be finite: callers check that before.
    """
    compiled = njit(fastmath=True, error_model="numpy", cache=True, nogil=True)
    return cast(F, compiled(function))


def inline_kernel(function: F) -> F:
    """Compile a function to be pasted into the kernels that call it."""
    compiled = njit(fastmath=True, error_model="numpy", cache=True, nogil=True, inline="always")
    return cast(F, compiled(function))


def exact_kernel(function: F) -> F:
    """Compile a function whose arithmetic keeps its order and sees NaN and infinity."""
    return cast(F, njit(error_model="numpy", cache=True, nogil=True)(function))
