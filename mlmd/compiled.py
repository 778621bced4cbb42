"""Numba's decorator with types that a checker understands, and a cache that notices changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])

# Numba's own types leave out some of the options it takes.
_njit = cast(Callable[..., Any], njit)


def kernel(function: F) -> F:
    """Compile a function in fast mode, cached on disk, without the interpreter lock.

    Fast mode takes every number to be finite: callers check that before.
    """
    return _compiled(function, fastmath=True)


def subkernel(function: F) -> F:
    """Compile a function that only kernels call, and that makes no arrays of its own.

    As `kernel`, but without a way in from Python (for tables of arrays that takes longer to
    compile than most loops) and without counting references: its caller holds the arrays,
    and an atomic count per slice costs more than a short loop over it.
    """
    return _compiled(
        function, fastmath=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False
    )


def inline_kernel(function: F) -> F:
    """Compile a function to be pasted into the kernels that call it."""
    return _compiled(function, fastmath=True, inline="always")


def exact_kernel(function: F) -> F:
    """Compile a function whose arithmetic keeps its order and sees NaN and infinity."""
    return _compiled(function)


def _compiled(function: F, **options: object) -> F:
    dispatcher = _njit(error_model="numpy", nogil=True, cache=True, **options)(function)
    # Numba takes a cached kernel as good while the kernel's own file is unchanged, and would
    # go on using old machine code after a change in another file that it calls into.
    file = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if file is not None and hasattr(file, "_source_stamp"):
        file._source_stamp = _stamp(Path(function.__code__.co_filename).parent)
    return cast(F, dispatcher)


@cache
def _stamp(folder: Path) -> str:
    """Return a digest of all kernels in a folder, and of how they are compiled."""
    digest = hashlib.sha256()
    everywhere = (Path(__file__), Path(__file__).with_name("vectors.py"))
    for path in (*everywhere, *sorted(folder.glob("*.py"))):
        source = path.read_bytes()
        if path in everywhere or b"mlmd.compiled import" in source:
            digest.update(source)
    return digest.hexdigest()
