"""Numba's decorator with types that a checker understands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])

# Fast mode takes numbers to be finite: callers check that before.
_FAST = {"fastmath": True, "error_model": "numpy", "cache": True, "nogil": True}


def kernel(function: F) -> F:
    """Compile a function in Numba's fast mode, cached on disk, without the interpreter lock."""
    return cast(F, njit(**_FAST)(function))


def inline_kernel(function: F) -> F:
    """Compile a function to be pasted into the kernels that call it."""
    return cast(F, njit(**_FAST, inline="always")(function))


def exact_kernel(function: F) -> F:
    """Compile a function whose arithmetic must keep its order and see NaN and infinity."""
    return cast(F, njit(error_model="numpy", cache=True, nogil=True)(function))
