"""What the lanes of a group do together, and how GPU code is compiled.

One group of `LANES` threads (a warp) works on one atom. Numba's simulator has no warps: there a
group is a block of few threads, and the four functions below are made of its block barrier. All
other code is the same in both. Lanes must come to each of these functions together.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numba import config, cuda

F = TypeVar("F", bound=Callable[..., object])
Number = TypeVar("Number", float, np.int64)

SIMULATED = bool(cast(Any, config).ENABLE_CUDASIM)
LANES = 4 if SIMULATED else 32
ALL = 0xFFFFFFFF
# Of a thread: with more, too few groups would be at work to hide each other's waiting. The large
# kernel then keeps 30 numbers in memory, and as many groups run as shared memory allows.
MOST_REGISTERS = 128


class Kernel(Protocol):
    """A function that runs on the GPU, once it knows its grid."""

    def __getitem__(self, configuration: tuple[Any, ...]) -> Callable[..., None]:
        """Return what starts it with (blocks, threads, stream, bytes of shared memory)."""


def device_kernel(function: Callable[..., None]) -> Kernel:
    """Compile a function that is started from Python; quick arithmetic, cached on disk."""
    compile_it = cast(Callable[..., Any], cuda.jit)
    if SIMULATED:
        return cast(Kernel, compile_it(function))
    made = compile_it(fastmath=True, cache=True, max_registers=MOST_REGISTERS)(function)
    # As in `mlmd.compiled`: a change in another file of this folder makes the cached code old.
    file = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if file is not None and hasattr(file, "_source_stamp"):
        file._source_stamp = _stamp()
    return cast(Kernel, made)


@cache
def _stamp() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def device_function(function: F) -> F:
    """Compile a function that kernels call."""
    if SIMULATED:
        return function  # Its arrays are NumPy's there, and nothing has to be compiled.
    compile_it = cast(Callable[..., Any], cuda.jit)
    return cast(F, compile_it(device=True, fastmath=True)(function))


if SIMULATED:
    _box: list[Any] = [0] * LANES

    def at(index: int) -> int:
        """Return an index of an array as CUDA likes it: never negative.

        Numba looks at a signed index for one that counts from the end, which takes more
        instructions than the access itself.
        """
        return index

    def sync_lanes() -> None:
        """Wait for all lanes; what they wrote is then seen by all."""
        cast(Any, threading.current_thread()).syncthreads()

    def _exchange(value: Any) -> list[Any]:
        _box[cast(Any, threading.current_thread()).threadIdx.x] = value
        sync_lanes()
        values = list(_box)
        sync_lanes()
        return values

    def lane_sum(value: Number) -> Number:
        """Return the sum over all lanes, to all of them."""
        return cast(Number, sum(_exchange(value)))

    def lane_rank(flag: bool, lane: int) -> int:
        """Return how many lanes before this one say yes."""
        return sum(1 for other in _exchange(flag)[:lane] if other)

    def lane_count(flag: bool) -> int:
        """Return how many lanes say yes."""
        return sum(1 for other in _exchange(flag) if other)

else:

    @device_function
    def at(index: int) -> int:
        unsigned: int = np.uint64(index)  # type: ignore[assignment]
        return unsigned

    @device_function
    def sync_lanes() -> None:
        cuda.syncwarp()

    @device_function
    def lane_sum(value: Number) -> Number:
        # A butterfly: every lane ends with the same bits.
        value += cuda.shfl_xor_sync(ALL, value, 16)
        value += cuda.shfl_xor_sync(ALL, value, 8)
        value += cuda.shfl_xor_sync(ALL, value, 4)
        value += cuda.shfl_xor_sync(ALL, value, 2)
        value += cuda.shfl_xor_sync(ALL, value, 1)
        return value

    @device_function
    def lane_rank(flag: bool, lane: int) -> int:
        before: int = cuda.popc(cuda.ballot_sync(ALL, flag) & ((1 << lane) - 1))
        return before

    @device_function
    def lane_count(flag: bool) -> int:
        count: int = cuda.popc(cuda.ballot_sync(ALL, flag))
        return count
