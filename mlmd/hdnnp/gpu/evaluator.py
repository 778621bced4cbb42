"""Energies, forces and stress of a potential on a GPU, behind the evaluator's own interface."""

from __future__ import annotations

import weakref
from dataclasses import fields
from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import ArrayLike, NDArray

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.devices import instead
from mlmd.hdnnp.evaluator import EXTRAPOLATION, MOST_LISTED, Evaluation, Evaluator
from mlmd.hdnnp.gpu.kernel_atoms import (
    UNIT,
    VIRIAL_SLOTS,
    DeviceResults,
    clear_results,
    evaluate_atoms,
)
from mlmd.hdnnp.gpu.lanes import LANES, SIMULATED
from mlmd.hdnnp.gpu.layout import gpu_tables, groups_per_block, layout_for, on_device, table_sizes
from mlmd.hdnnp.gpu.lists import BLOCKS, THREADS, DeviceList
from mlmd.hdnnp.kernel_atoms import ENERGIES, FORCES, FUNCTIONS
from mlmd.hdnnp.potential import Potential
from mlmd.hdnnp.skin_list import MOST_NEIGHBORS

# Enough blocks for any card; each takes atoms until there are none left.
MOST_BLOCKS = 2 if SIMULATED else 16_384
# How far forces may be from the processor's, of the largest, before the GPU isn't believed.
TRUST = 1e-3
# What a potential may say: the kernels, or the tables they read, take all of it in.
KNOWN = {
    "elements",
    "functions",
    "scaling",
    "networks",
    "cutoff_type",
    "cutoff_alpha",
    "scaling_mode",
    "scale_minimum",
    "scale_maximum",
    "atom_energies",
    "normalisation",
    "normalize_nodes",
    "units",
}
# Potentials whose first forces agreed.
_agreed: list[weakref.ref[Potential]] = []


class GpuEvaluator(Evaluator):
    """Evaluates a high-dimensional neural-network potential on a GPU.

    What the GPU can't do for one structure (atoms that overlap, more neighbours or atoms than
    fit) the processor's engine does, which this class is, too; a `ProcessorInstead`
    warning says so. The first forces of a potential are compared with the processor's: a card
    or a driver that computes something else is left alone. The same input gives the same bits.

    Args:
        potential: with functions that the GPU's kernels know, see `unsupported`.
        threads: of the processor's engine.
        skin: as for `Evaluator`.

    Raises:
        InvalidInput: the potential has other functions.
    """

    def __init__(self, potential: Potential, threads: int | None = None, skin: float = 1.0) -> None:
        super().__init__(potential, threads, skin)
        problem = unsupported(potential)
        if problem:
            raise InvalidInput("potential", problem, "functions that the GPU's kernels know")
        functions, networks = self._tables.functions, self._tables.networks
        self._sizes = table_sizes(functions, networks)
        self._on_gpu = on_device(gpu_tables(functions, networks, self._energy_unit))
        self._gpu_list = DeviceList(potential.cutoff_radius, skin, len(self.elements))
        self._results: DeviceResults | None = None
        self._distrusted = False

    def compute(
        self, numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike
    ) -> Evaluation:
        """Return energy, forces and stress; arguments and errors as of `Evaluator.compute`."""
        found = None if self._distrusted else self._compute(numbers, positions, cell, pbc)
        if found is None:
            return super().compute(numbers, positions, cell, pbc)
        if not any(reference() is self.potential for reference in _agreed):
            truth = super().compute(numbers, positions, cell, pbc)
            gap = float(np.abs(found.forces - truth.forces).max())
            if not gap <= TRUST * max(float(np.abs(truth.forces).max()), TRUST):
                self._distrusted = True
                instead(f"its forces differ by {gap:.2g} eV/Å from the processor's")
                return truth
            _agreed[:] = [reference for reference in _agreed if reference() is not None]
            _agreed.append(weakref.ref(self.potential))
        return found

    def _compute(
        self, numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike
    ) -> Evaluation | None:
        box = np.array(cell, dtype=np.float64).reshape(3, 3)
        elements = self._elements(numbers)
        results = self._on_device(elements, positions, box, pbc, FORCES)
        if results is None:
            return None
        atomic = self._in_ev(results, elements)
        stress = np.zeros((3, 3))
        volume = abs(float(np.linalg.det(box)))
        if volume > 0.0:
            xx, yy, zz, yz, xz, xy = results.virial.copy_to_host().sum(axis=0) * UNIT / volume
            stress = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        return Evaluation(
            float(atomic.sum()),
            atomic,
            self._gpu_list.forces(results.forces),
            stress,
            *self._outside(results, elements),
        )

    def atomic_energies(
        self, numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike
    ) -> FloatArray:
        """Return energies only, shape (N,), eV."""
        elements = self._elements(numbers)
        results = self._on_device(elements, positions, cell, pbc, ENERGIES)
        if results is None:
            return super().atomic_energies(numbers, positions, cell, pbc)
        return self._in_ev(results, elements)

    def symmetry_functions(
        self, numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike
    ) -> FloatArray:
        """Return raw symmetry functions as `Evaluator.symmetry_functions`, to seven digits."""
        elements = self._elements(numbers)
        results = self._on_device(elements, positions, cell, pbc, FUNCTIONS)
        if results is None:
            return super().symmetry_functions(numbers, positions, cell, pbc)
        return np.asarray(results.functions.copy_to_host(), dtype=np.float64)

    @property
    def list_rebuilds(self) -> int:
        """How many times the neighbour list was built, on the GPU."""
        return self._gpu_list.rebuilds

    def _in_ev(self, results: DeviceResults, elements: NDArray[np.int32]) -> FloatArray:
        outputs = results.energies.copy_to_host().astype(np.float64)
        return np.asarray(outputs * self._energy_unit + self._offsets[elements])

    def _on_device(
        self,
        elements: NDArray[np.int32],
        positions: ArrayLike,
        cell: ArrayLike,
        pbc: ArrayLike,
        depth: int,
    ) -> DeviceResults | None:
        """Evaluate on the GPU; None for what only the processor can do, or can refuse."""
        x = np.ascontiguousarray(positions, dtype=np.float64)
        box = np.array(cell, dtype=np.float64).reshape(3, 3)
        # One sum sees every number that isn't finite.
        if x.shape != (len(elements), 3) or not np.isfinite(x.sum() + box.sum()) or not len(x):
            return None
        try:
            self._gpu_list.update(elements, x, box, pbc)
            if self._gpu_list.most_neighbors > MOST_NEIGHBORS:
                return None
            layout = layout_for(self._sizes, self._gpu_list.most_neighbors)
        except InvalidInput as error:
            # What is wrong with the structure itself the processor's engine refuses in turn.
            instead(str(error).rstrip("."))
            return None
        results = self._cleared(len(x), depth)
        groups = groups_per_block(layout)
        blocks = min(-(-len(x) // groups), MOST_BLOCKS)
        evaluate_atoms[blocks, (LANES, groups), 0, 4 * groups * layout.words](
            self._on_gpu, self._gpu_list.around, layout, depth, results
        )
        if results.counts.copy_to_host()[1]:
            instead("forces too large for single precision: atoms overlap")
            return None
        return results

    def _cleared(self, atoms: int, depth: int) -> DeviceResults:
        """Return results with sums and counts at zero; memory is kept from call to call."""
        wanted = (atoms, self._functions.low.shape[1]) if depth == FUNCTIONS else (1, 1)
        if self._results is None or len(self._results.energies) != atoms:
            self._results = DeviceResults(
                cuda.device_array(atoms, np.float32),
                cuda.device_array((atoms, 3), np.int64),
                cuda.device_array((VIRIAL_SLOTS, 6), np.int64),
                cuda.to_device(np.zeros(wanted, dtype=np.float32)),
                cuda.device_array((MOST_LISTED, 2), np.int32),
                cuda.device_array(MOST_LISTED, np.float32),
                cuda.device_array(2, np.int32),
            )
        if self._results.functions.shape != wanted or depth == FUNCTIONS:
            zeros = cuda.to_device(np.zeros(wanted, dtype=np.float32))
            self._results = self._results._replace(functions=zeros)
        clear_results[BLOCKS, THREADS](self._results)
        return self._results

    def _outside(
        self, results: DeviceResults, elements: NDArray[np.int32]
    ) -> tuple[NDArray[np.void], int]:
        total = int(results.counts.copy_to_host()[0])
        listed = np.zeros(min(total, MOST_LISTED), dtype=EXTRAPOLATION)
        if total:
            rows = results.outside.copy_to_host()[: len(listed)]
            values = results.outside_values.copy_to_host()[: len(listed)]
            pick = np.lexsort((rows[:, 1], rows[:, 0]))
            listed["atom"], listed["function"] = rows[pick, 0], rows[pick, 1]
            listed["value"] = values[pick]
            kinds = elements[listed["atom"]]
            listed["low"] = self._functions.low[kinds, listed["function"]]
            listed["high"] = self._functions.high[kinds, listed["function"]]
        return listed, total


def unsupported(potential: Any) -> str:
    """Return in words what the GPU's kernels don't know of a potential; empty if nothing."""
    if not isinstance(potential, Potential):
        return "a potential of another family than n2p2's"
    kinds = {f.kind for functions in potential.functions.values() for f in functions}
    strange = sorted(kinds - {2, 3, 9, 12, 13})
    if strange:
        return f"symmetry functions of type {', '.join(map(str, strange))}"
    # What potentials learn to say later is not left out in silence.
    more = [
        field.name
        for field in fields(potential)
        if field.name not in KNOWN and getattr(potential, field.name) != field.default
    ]
    if more:
        return f"{', '.join(more)} of the potential"
    return ""
