"""A neighbour list in device memory that outlives small movements of atoms and cell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import ArrayLike, NDArray

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.gpu.kernel_atoms import UNIT, Around
from mlmd.hdnnp.gpu.kernel_list import (
    Grid,
    fill_bins,
    list_neighbors,
    place_atoms,
    put_in_bins,
    sort_bins,
    take_along,
    unsort_forces,
)
from mlmd.hdnnp.gpu.lanes import SIMULATED

# Threads of a block where each has an atom to itself.
THREADS = 8 if SIMULATED else 128
# Blocks of a kernel whose threads take several atoms each.
BLOCKS = 1 if SIMULATED else 1056


class DeviceList:
    """Sorted atoms and their neighbours on the GPU, rebuilt when needed.

    Args:
        cutoff: Å.
        skin: Å, how much farther the list reaches.
        elements: number of elements of the potential.
    """

    def __init__(self, cutoff: float, skin: float, elements: int) -> None:
        self.cutoff, self.skin, self.elements = cutoff, skin, elements
        self.rebuilds = 0
        self.most_neighbors = 0
        self._deformed = False
        self.around: Around
        self._built_for: NDArray[np.int32] | None = None

    def update(
        self, kinds: NDArray[np.int32], x: FloatArray, box: FloatArray, pbc: ArrayLike
    ) -> None:
        """Make the list right for these atoms.

        Args:
            kinds: element of each atom, shape (N,).
            x: finite positions, shape (N, 3), Å.
            box: finite lattice vectors as rows, Å.
            pbc: periodic along each.

        Raises:
            InvalidInput: a cell without volume, or more atoms and images than fit.
        """
        periodic = np.broadcast_to(np.asarray(pbc, dtype=bool), (3,)).copy()
        positions = cuda.to_device(x)
        if not self._holds(kinds, positions, box, periodic):
            self._build(kinds, x, positions, box, periodic)

    def forces(self, sums: Any) -> FloatArray:
        """Return forces in the original order, shape (N, 3), eV/Å."""
        atoms = self.around.order.shape[0]
        forces = cuda.device_array((atoms, 3), np.float64)
        unsort_forces[_blocks(atoms), THREADS](self.around.order, sums, UNIT, forces)
        return np.asarray(forces.copy_to_host())

    def _holds(
        self,
        kinds: NDArray[np.int32],
        positions: Any,
        box: FloatArray,
        periodic: NDArray[np.bool_],
    ) -> bool:
        if (
            self._built_for is None
            or not np.array_equal(self._built_for, kinds)
            or not np.array_equal(self._periodic, periodic)
        ):
            return False
        shrink = 1.0
        deformation: FloatArray = np.eye(3)
        if not np.array_equal(box[periodic], self._cell[periodic]):
            if not periodic.all():
                return False
            # As in `mlmd.hdnnp.skin_list`: what counts is the movement beyond the deformation.
            deformation = np.asarray(np.linalg.solve(self._cell, box))
            shrink = float(np.linalg.svd(deformation, compute_uv=False)[-1])
        farthest = self._place(positions, box, periodic, deformation)
        if shrink * (self.cutoff + self.skin) - 2.0 * farthest < self.cutoff:
            return False
        if shrink != 1.0 or self._deformed:
            self._deformed = shrink != 1.0
            self.around = self.around._replace(shifts=cuda.to_device(self._steps @ box))
        return True

    def _place(
        self,
        positions: Any,
        box: FloatArray,
        periodic: NDArray[np.bool_],
        deformation: FloatArray,
    ) -> float:
        farthest = cuda.to_device(np.zeros(1))
        place_atoms[BLOCKS, THREADS](
            positions,
            cuda.to_device(np.where(periodic[:, None], box, 0.0)),
            self.around.order,
            self._wraps,
            self._built_at,
            cuda.to_device(deformation),
            self.around.positions,
            farthest,
        )
        return float(np.sqrt(farthest.copy_to_host()[0]))

    def _build(
        self,
        kinds: NDArray[np.int32],
        x: FloatArray,
        positions: Any,
        box: FloatArray,
        periodic: NDArray[np.bool_],
    ) -> None:
        self._built_for = None
        atoms = len(x)
        reach = self.cutoff + self.skin
        cell = _completed(box, periodic)
        grid = _grid(x, cell, periodic, reach)
        self._steps = np.array(
            [
                (a, b, c)
                for a in range(-grid.most[0], grid.most[0] + 1)
                for b in range(-grid.most[1], grid.most[1] + 1)
                for c in range(-grid.most[2], grid.most[2] + 1)
            ],
            dtype=np.float64,
        )
        bits = int(np.ceil(np.log2(len(self._steps))))
        if atoms << bits > np.iinfo(np.int32).max:
            raise InvalidInput(
                "structure", f"{atoms} atoms with {len(self._steps)} images", "fewer on a GPU"
            )
        first, order, bins, elements = self._sort(kinds, positions, cell, grid)
        nowhere = cuda.to_device(np.zeros(0, dtype=np.int32))
        places = cuda.device_array((atoms, 3), np.float64)
        shifts = cuda.to_device(self._steps @ np.where(periodic[:, None], box, 0.0))
        starts = cuda.to_device(np.zeros(1, dtype=np.int64))
        self.around = Around(places, elements, order, starts, nowhere, shifts, bits)
        self._built_at = positions
        self._place(positions, box, periodic, np.eye(3))
        search = (places, shifts, elements, bins, first, grid, reach * reach, bits, self.elements)
        counts = cuda.to_device(np.zeros(atoms * self.elements, dtype=np.int64))
        list_neighbors[_blocks(atoms), THREADS](*search, counts, nowhere)
        starts_here = np.zeros(atoms * self.elements + 1, dtype=np.int64)
        np.cumsum(counts.copy_to_host(), out=starts_here[1:])
        _check_memory(4 * int(starts_here[-1]) + 60 * atoms)
        codes = cuda.device_array(max(int(starts_here[-1]), 1), np.int32)
        cursors = cuda.to_device(starts_here[:-1])
        list_neighbors[_blocks(atoms), THREADS](*search, cursors, codes)
        self.most_neighbors = int(np.diff(starts_here[:: self.elements]).max(initial=0))
        self.around = self.around._replace(first=cuda.to_device(starts_here), codes=codes)
        self._cell, self._periodic, self._deformed = box.copy(), periodic, False
        self._built_for = kinds.copy()
        self.rebuilds += 1

    def _sort(
        self, kinds: NDArray[np.int32], positions: Any, cell: FloatArray, grid: Grid
    ) -> tuple[Any, Any, Any, Any]:
        """Return where bins start, the sorted order, and bins and elements in that order."""
        atoms = len(kinds)
        number = int(np.prod(grid.counts))
        self._wraps = cuda.device_array((atoms, 3), np.int32)
        bin_of, order, bins, elements = (cuda.device_array(atoms, np.int32) for _ in range(4))
        counts = cuda.to_device(np.zeros(number, dtype=np.int32))
        put_in_bins[_blocks(atoms), THREADS](
            positions, cuda.to_device(np.linalg.inv(cell)), grid, self._wraps, bin_of, counts
        )
        first_here = np.zeros(number + 1, dtype=np.int32)
        np.cumsum(counts.copy_to_host(), out=first_here[1:])
        first = cuda.to_device(first_here)
        cursors = cuda.to_device(np.zeros(number, dtype=np.int32))
        fill_bins[_blocks(atoms), THREADS](bin_of, first, cursors, order)
        sort_bins[_blocks(number), THREADS](first, order)
        take_along[_blocks(atoms), THREADS](order, cuda.to_device(kinds), bin_of, elements, bins)
        return first, order, bins, elements


def _check_memory(wanted: int) -> None:
    free, _ = cuda.current_context().get_memory_info()
    if wanted > free:
        raise InvalidInput(
            "structure",
            f"{wanted / 2**20:.0f} MB of neighbours",
            f"{free / 2**20:.0f} MB, all that is free on the GPU",
        )


def _blocks(count: int) -> int:
    return max(1, -(-count // THREADS))


def _completed(box: FloatArray, periodic: NDArray[np.bool_]) -> FloatArray:
    """Return the cell with unit vectors at right angles where it isn't periodic."""
    cell = box.copy()
    vectors = box[periodic]
    spread = np.linalg.svd(vectors, compute_uv=False) if len(vectors) else np.ones(1)
    if spread.min() <= 1e-9 * spread.max() or spread.max() == 0.0:
        raise InvalidInput("cell", "lattice vectors without volume", "independent vectors")
    cell[~periodic] = np.linalg.svd(vectors.reshape(-1, 3))[2][len(vectors) :]
    return cell


def _grid(x: FloatArray, cell: FloatArray, periodic: NDArray[np.bool_], reach: float) -> Grid:
    """Divide the cell, or the atoms' extent, into bins about half as wide as the reach."""
    inverse = np.linalg.inv(cell)
    heights = 1.0 / np.linalg.norm(inverse, axis=0)
    low, high = np.zeros(3), np.ones(3)
    if len(x) and not periodic.all():
        fractions = x @ inverse[:, ~periodic]
        low[~periodic], high[~periodic] = fractions.min(axis=0), fractions.max(axis=0)
    lengths = (high - low) * heights
    width = reach / 2.0
    # Two far molecules must not ask for bins over all the vacuum between them.
    while np.prod(np.maximum(lengths / width, 1.0)) > 4.0 * len(x) + 64.0:
        width *= 1.3
    counts = np.maximum(np.floor(lengths / width), 1.0)
    spans = np.ceil(reach * (1.0 + 1e-12) / np.where(lengths > 0.0, lengths / counts, np.inf))
    steps = np.where(periodic, spans, np.where(counts > 1, spans, 0.0)).astype(np.int64)
    number = counts.astype(np.int64)
    most = np.where(periodic, (number - 1 + steps) // number, 0)
    scale = counts / np.where(high > low, high - low, 1.0)

    def whole(values: NDArray[Any]) -> tuple[int, int, int]:
        a, b, c = (int(value) for value in values)
        return a, b, c

    def real(values: FloatArray) -> tuple[float, float, float]:
        a, b, c = (float(value) for value in values)
        return a, b, c

    return Grid(whole(number), whole(steps), real(low), real(scale), whole(periodic), whole(most))
