"""Symmetry functions of the training frames, looked at before any of them is chosen.

Which functions are worth keeping, and their ranges, are known only after all of them were worked
out on all training frames. Their derivatives cost little on top, so they are worked out at the
same time and kept as far as memory allows; `FrameStore` takes them from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.automatic import Functions
from mlmd.hdnnp.derivatives import DescriptorSet, ElementDerivatives

IntArray = NDArray[np.int64]


class FirstLook:
    """Values of all offered functions, and as many of their derivatives as fit.

    Args:
        frames: all frames that are used.
        chosen: indices of those to look at.
        memory_limit: bytes that the derivatives may take.
        threads: frames worked out at the same time.
    """

    def __init__(
        self, frames: Sequence[Frame], chosen: Sequence[int], memory_limit: int, threads: int
    ) -> None:
        self.frames, self.chosen = frames, tuple(chosen)
        self.memory_limit, self.threads = memory_limit, threads
        self._offered: DescriptorSet | None = None
        self._kept: dict[int, tuple[ElementDerivatives, ...]] = {}

    def values(self, offered: DescriptorSet) -> Iterator[tuple[tuple[IntArray, FloatArray], ...]]:
        """Yield (atoms, raw functions (A, S)) of every element for each chosen frame, in order."""
        self._offered, self._kept = offered, {}
        used, step = 0, 4 * self.threads

        def values(index: int) -> tuple[tuple[IntArray, FloatArray], ...]:
            f = self.frames[index]
            return offered.values(f.numbers, f.positions, f.cell, f.pbc)

        def derivatives(index: int) -> tuple[ElementDerivatives, ...]:
            f = self.frames[index]
            return offered.derivatives(f.numbers, f.positions, f.cell, f.pbc)

        with ThreadPoolExecutor(max_workers=self.threads) as pool:
            for start in range(0, len(self.chosen), step):
                indices = self.chosen[start : start + step]
                if used >= self.memory_limit:
                    yield from pool.map(values, indices)
                    continue
                for index, parts in zip(indices, pool.map(derivatives, indices), strict=True):
                    used += sum(part.nbytes for part in parts)
                    if used <= self.memory_limit:
                        self._kept[index] = parts
                    yield tuple((part.atoms, part.values) for part in parts)

    def take(self, index: int, functions: Functions) -> tuple[ElementDerivatives, ...] | None:
        """Hand over the derivatives of a frame for these functions; None where there are none."""
        parts = self._kept.pop(index, None)
        if parts is None or self._offered is None:
            return None
        offered = self._offered
        return tuple(
            part.of_columns(
                np.array(
                    [offered.functions[element].index(f) for f in functions[element]], np.int64
                )
            )
            for element, part in zip(offered.elements, parts, strict=True)
        )
