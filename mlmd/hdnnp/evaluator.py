"""Energies, forces and stress of a potential, for any arrangement of atoms."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import ArrayLike, NDArray

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.compact_tables import CompactTables
from mlmd.hdnnp.kernel_atoms import ENERGIES, FORCES, FUNCTIONS, Results, evaluate_atoms
from mlmd.hdnnp.kernel_chebyshev import ChebyshevTables
from mlmd.hdnnp.kernel_lists import add_parts
from mlmd.hdnnp.kernel_network import NetworkTables, network_tables
from mlmd.hdnnp.kernel_repulsion import add_repulsion
from mlmd.hdnnp.potential import Potential
from mlmd.hdnnp.repulsion import repulsion_tables
from mlmd.hdnnp.skin_list import SkinList
from mlmd.hdnnp.tables import FunctionTables, function_tables

# A thread isn't worth its start for fewer atoms.
LEAST_ATOMS_PER_THREAD = 16
LEAST_ENTRIES_PER_THREAD = 10_000  # of what is only added
# Extrapolations listed one by one; beyond it they are only counted.
MOST_LISTED = 10_000

EXTRAPOLATION = np.dtype(
    [
        ("atom", np.int64),
        ("function", np.int64),
        ("value", np.float64),
        ("low", np.float64),
        ("high", np.float64),
    ]
)


class EngineTables(NamedTuple):
    """Everything that the kernels need of a potential; None for what it doesn't have."""

    functions: FunctionTables
    compact: CompactTables | None
    chebyshev: ChebyshevTables | None
    networks: NetworkTables
    repulsion: FloatArray | None = None  # of `repulsion_tables`, in the networks' energy unit


@dataclass(frozen=True)
class Evaluation:
    """What a potential says of one arrangement of N atoms.

    Args:
        energy: eV, offsets of the free atoms included.
        atomic_energies: shape (N,), eV; their sum is ``energy``.
        forces: shape (N, 3), eV/Å.
        stress: Cauchy, tension positive, shape (3, 3), eV/Å³; zero where the cell has no volume.
        extrapolations: symmetry functions outside the range of the training data, structured
            array with atom, function (index among those of the atom's element), value, low and
            high; at most `MOST_LISTED`, in order of atoms.
        extrapolation_count: how many there are in all.
    """

    energy: float
    atomic_energies: FloatArray
    forces: FloatArray
    stress: FloatArray
    extrapolations: NDArray[np.void]
    extrapolation_count: int


class AtomwiseEvaluator:
    """Evaluates a potential whose energy is a sum over atoms, of any family.

    It keeps a neighbour list between calls while it holds. The same input with the same number
    of threads gives the same bits. One evaluator serves one caller at a time.

    Args:
        tables: what the kernels loop over.
        elements: symbols, in the order of the tables.
        cutoff: largest cutoff radius, Å.
        energy_unit: one unit of the networks' outputs in eV.
        offsets: added to each atom's energy, by element, eV.
        threads: at most so many; None for ``NUMBA_NUM_THREADS`` or all cores of this process.
        skin: how much farther than the cutoff the neighbour list reaches, Å.
    """

    def __init__(
        self,
        tables: EngineTables,
        elements: tuple[str, ...],
        cutoff: float,
        energy_unit: float,
        offsets: FloatArray,
        threads: int | None = None,
        skin: float = 1.0,
    ) -> None:
        if threads is not None and threads < 1:
            raise InvalidInput("threads", str(threads), "at least 1")
        self.elements = elements
        self.threads = threads or _default_threads()
        self._tables = tables
        self._functions = tables.functions
        self._list = SkinList(cutoff, skin, len(elements), self.threads)
        self._pool: ThreadPoolExecutor | None = None
        # Forces that each thread found; kept for the time of one call.
        self._parts = np.zeros((0, 0, 3))
        self._index = np.full(len(chemical_symbols), -1, dtype=np.int32)
        for index, element in enumerate(elements):
            self._index[atomic_numbers[element]] = index
        self._energy_unit = energy_unit
        self._offsets = offsets

    def compute(
        self, numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike
    ) -> Evaluation:
        """Return energy, forces and stress.

        Args:
            numbers: atomic numbers, shape (N,).
            positions: shape (N, 3), Å; need not lie inside the cell.
            cell: lattice vectors as rows, shape (3, 3), Å; ignored where not periodic.
            pbc: periodic along each lattice vector, shape (3,).

        Raises:
            InvalidInput: an element that the potential doesn't know, positions that aren't
                finite, atoms on one spot, a cell without volume.
        """
        box = np.asarray(cell, dtype=np.float64).reshape(3, 3)
        elements = self._elements(numbers)
        results = self._run(elements, positions, box, pbc, FORCES)
        order = self._list.order
        atoms = len(order)
        atomic = np.empty(atoms)
        atomic[order] = results[0].energies
        atomic = atomic * self._energy_unit + self._offsets[elements]
        scattered, virial = self._added(results)
        forces = self._list.fold(scattered) * self._energy_unit
        volume = abs(float(np.linalg.det(box)))
        stress = np.zeros((3, 3))
        if volume > 0.0 and atoms:
            stress = -0.5 * (virial + virial.T) * self._energy_unit / volume
        self._parts = np.zeros((0, 0, 3))
        return Evaluation(
            float(atomic.sum()), atomic, forces, stress, *self._extrapolations(results)
        )

    def atomic_energies(
        self, numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike
    ) -> FloatArray:
        """Return energies only, shape (N,), eV; about half the work of `compute`."""
        elements = self._elements(numbers)
        results = self._run(elements, positions, cell, pbc, ENERGIES)
        atomic = np.empty(len(elements))
        atomic[self._list.order] = results[0].energies
        return np.asarray(atomic * self._energy_unit + self._offsets[elements])

    def symmetry_functions(
        self, numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike
    ) -> FloatArray:
        """Return raw symmetry functions, shape (N, S).

        S is the largest number of functions of an element; rows of elements that have fewer
        end in zeros.
        """
        elements = self._elements(numbers)
        results = self._run(elements, positions, cell, pbc, FUNCTIONS)
        values = np.empty_like(results[0].functions)
        values[self._list.order] = results[0].functions
        return values

    def share_neighbors(self, other: AtomwiseEvaluator) -> None:
        """Use the neighbour list of an evaluator of the same elements and cutoff from now on."""
        self._list = other._list

    @property
    def list_rebuilds(self) -> int:
        """How many times the neighbour list was built."""
        return self._list.rebuilds

    def close(self) -> None:
        """Let the threads go; they come back when needed."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _elements(self, numbers: ArrayLike) -> NDArray[np.int32]:
        z = np.asarray(numbers, dtype=np.int64).reshape(-1)
        known = (z >= 0) & (z < len(self._index))
        elements = np.where(known, self._index[np.where(known, z, 0)], -1).astype(np.int32)
        if (elements < 0).any():
            strange = sorted({int(number) for number in z[elements < 0]})
            names = [
                chemical_symbols[n] if 0 < n < len(chemical_symbols) else str(n) for n in strange
            ]
            raise InvalidInput(
                "structure",
                f"elements the potential doesn't know: {' '.join(names)}",
                f"only {' '.join(self.elements)}",
            )
        return elements

    def _run(
        self,
        elements: NDArray[np.int32],
        positions: ArrayLike,
        cell: ArrayLike,
        pbc: ArrayLike,
        depth: int,
    ) -> list[Results]:
        """Evaluate all atoms; returns one result per thread, the first with everyone's rows."""
        self._list.update(elements, positions, cell, pbc)
        around = self._list.surround
        atoms = len(elements)
        bounds = self._list.shares(max(1, min(self.threads, atoms // LEAST_ATOMS_PER_THREAD)))
        width = self._functions.low.shape[1]
        energies = np.zeros(atoms)
        functions = np.zeros((atoms if depth == FUNCTIONS else 0, width))
        entries = len(around.positions) if depth == FORCES else 0
        self._parts = np.zeros((len(bounds) - 1, entries, 3))
        results = [
            Results(
                energies,
                forces,
                functions,
                np.zeros((MOST_LISTED, 2), dtype=np.int32),
                np.zeros(MOST_LISTED),
                np.zeros(2, dtype=np.int64),
                np.full(1, np.inf if atoms == 0 else 1e300),
            )
            for forces in self._parts
        ]

        repulsion = self._tables.repulsion

        def work(part: int) -> None:
            evaluate_atoms(
                self._functions,
                self._tables.compact,
                self._tables.chebyshev,
                self._tables.networks,
                around,
                int(bounds[part]),
                int(bounds[part + 1]),
                depth,
                results[part],
            )
            if repulsion is not None and depth != FUNCTIONS:
                add_repulsion(
                    repulsion,
                    around,
                    int(bounds[part]),
                    int(bounds[part + 1]),
                    depth == FORCES,
                    energies,
                    results[part].forces,
                )

        self._at_once(work, len(results))
        if min(float(r.closest[0]) for r in results) < 1e-12:
            raise InvalidInput(
                "structure", "two atoms on one spot", "atoms at a distance", self._list.nearest()
            )
        return results

    def _added(self, results: list[Results]) -> tuple[FloatArray, FloatArray]:
        """Return forces on all entries, shape (M, 3), and Σ F r over them, shape (3, 3)."""
        places = self._list.positions
        scattered = np.empty_like(places)
        parts = max(1, min(len(results), len(places) // LEAST_ENTRIES_PER_THREAD))
        bounds = np.linspace(0, len(places), parts + 1).astype(np.int64)
        virials = np.zeros((parts, 3, 3))
        # The sum of forces is zero, so any origin will do.
        origin = places[0] if len(places) else np.zeros(3)

        def work(part: int) -> None:
            add_parts(
                int(bounds[part]),
                int(bounds[part + 1]),
                self._parts,
                places,
                origin,
                scattered,
                virials[part],
            )

        self._at_once(work, parts)
        return scattered, virials.sum(axis=0)

    def _at_once(self, work: Callable[[int], None], parts: int) -> None:
        """Call ``work`` for every part, each in a thread, the first in this one."""
        if parts > 1 and self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads - 1, thread_name_prefix="hdnnp")
        others = [self._pool.submit(work, part) for part in range(1, parts)] if self._pool else []
        try:
            work(0)
        finally:
            # No thread may go on writing into what the caller gives away.
            wait(others)
        for other in others:
            other.result()

    def _extrapolations(self, results: list[Results]) -> tuple[NDArray[np.void], int]:
        total = sum(int(r.counts[0]) for r in results)
        listed = np.zeros(min(total, MOST_LISTED), dtype=EXTRAPOLATION)
        if not total:
            return listed, 0
        rows = np.concatenate([r.outside[: r.counts[0]] for r in results])
        values = np.concatenate([r.outside_values[: r.counts[0]] for r in results])
        atoms = self._list.order[rows[:, 0]]
        pick = np.lexsort((rows[:, 1], atoms))[: len(listed)]
        elements = self._list.surround.elements[rows[pick, 0]]
        listed["atom"] = atoms[pick]
        listed["function"] = rows[pick, 1]
        listed["value"] = values[pick]
        listed["low"] = self._functions.low[elements, rows[pick, 1]]
        listed["high"] = self._functions.high[elements, rows[pick, 1]]
        return listed, total


class Evaluator(AtomwiseEvaluator):
    """Evaluates one high-dimensional neural-network potential.

    Args:
        potential: what to evaluate.
        threads: as for `AtomwiseEvaluator`.
        skin: as for `AtomwiseEvaluator`.
    """

    def __init__(self, potential: Potential, threads: int | None = None, skin: float = 1.0) -> None:
        self.potential = potential
        functions, compact = function_tables(potential)
        units, normal = potential.units, potential.normalisation
        alone = [
            normal.mean_energy + potential.atom_energies.get(e, 0.0) for e in potential.elements
        ]
        unit = units.ev / normal.conv_energy
        repulsion = None
        if potential.repulsion is not None:
            repulsion = repulsion_tables(potential.repulsion, potential.elements, unit)
        super().__init__(
            EngineTables(functions, compact, None, network_tables(potential), repulsion),
            potential.elements,
            potential.cutoff_radius,
            unit,
            units.ev * np.array(alone),
            threads,
            skin,
        )


def _default_threads() -> int:
    said = os.environ.get("NUMBA_NUM_THREADS", "")
    if said.isdigit() and int(said) > 0:
        return int(said)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
