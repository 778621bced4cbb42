"""Symmetry functions with their derivatives, for training.

Inference never stores dG/dr; training uses every row of it many times, so here it is computed
once per frame. What is kept is summed over the images of a neighbour, which is all that a force
component of the cell needs:

    G_is(r_1 … r_N)  and  ∂G_is/∂r_j  for every atom j that i can see, itself included.

Under a strain ε every vector u_k to a neighbour becomes (1 + ε) u_k, images included, so
∂G_is/∂ε = Σ_k ∂G_is/∂u_k ⊗ u_k, symmetric because G doesn't see rotations.

The sums are those of `mlmd.hdnnp.symmetry`: every kind of function that is made of radial and
angular terms works here without being known. Compact terms are added by `compact_derivatives`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.compact_derivatives import VOIGT as VOIGT
from mlmd.hdnnp.compact_derivatives import add_compact
from mlmd.hdnnp.compact_tables import CompactTables, Placed, compact_tables
from mlmd.hdnnp.kernel_derivatives import LAMBDA, WEIGHT, ZETA, count_moved, differentiate
from mlmd.hdnnp.potential import CutoffType, Potential, SymmetryFunction
from mlmd.hdnnp.symmetry import FUNCTION_KINDS
from mlmd.hdnnp.symmetry.kind import (
    AngularTerm,
    CompactAngularTerm,
    CompactRadialTerm,
    RadialTerm,
)
from mlmd.neighbors import neighbor_list

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ElementDerivatives:
    """The symmetry functions of one element's atoms in one frame.

    Args:
        atoms: indices in the frame, shape (A,).
        values: raw functions G, shape (A, S), dimensionless.
        first: row k of ``atoms`` owns the pairs ``first[k]`` to ``first[k + 1]``, shape (A + 1,).
        moved: the atom that moves in each pair, shape (P,).
        gradients: ∂G/∂r of the moved atom, shape (P, 3, S), 1/Å, float32: training needs no more.
        strains: ∂G/∂ε, shape (A, 6, S), in the order of `VOIGT`, float32.
    """

    atoms: IntArray
    values: FloatArray
    first: IntArray
    moved: IntArray
    gradients: NDArray[np.float32]
    strains: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Memory of its large arrays."""
        return self.values.nbytes + self.gradients.nbytes + self.strains.nbytes

    def of_columns(self, columns: IntArray) -> ElementDerivatives:
        """Return these functions alone, in this order."""
        if np.array_equal(columns, np.arange(self.values.shape[1])):
            return self
        return replace(
            self,
            values=self.values[:, columns],
            gradients=self.gradients[:, :, columns],
            strains=self.strains[:, :, columns],
        )


@dataclass(frozen=True)
class _Tables:
    """One element's terms as flat arrays, sorted so that each neighbour pair's are together."""

    columns: int
    radial: FloatArray  # (R, 5): η, r_s, r_c, weight, column
    radial_range: IntArray  # (E, 2)
    angular: FloatArray  # (T, 8): η, r_s, λ, ζ, r_c, narrow, weight, column
    angular_range: IntArray  # (E, E, 2)
    alike: IntArray  # (T,), an earlier term with the same λ, ζ and weight, or the term itself
    cutoff: float


class DescriptorSet:
    """The functions of every element, ready to be evaluated on frames.

    Args:
        elements: symbols sorted by atomic number.
        functions: element → its functions; lengths in Å.
        cutoff_type: of all functions.
        cutoff_alpha: inner cutoff as a fraction of the cutoff radius.
    """

    def __init__(
        self,
        elements: tuple[str, ...],
        functions: Mapping[str, tuple[SymmetryFunction, ...]],
        cutoff_type: CutoffType = CutoffType.POLY2,
        cutoff_alpha: float = 0.0,
    ) -> None:
        self.elements, self.functions = elements, dict(functions)
        self.cutoff_type, self.cutoff_alpha = cutoff_type, cutoff_alpha
        self._tables = [_tabulate(elements, self.functions[symbol]) for symbol in elements]
        self._compact = _tabulate_compact(elements, self.functions)
        self.cutoff_radius = max((table.cutoff for table in self._tables), default=0.0)

    @classmethod
    def of(cls, potential: Potential) -> DescriptorSet:
        """Return the functions of a potential whose files are in Å.

        Raises:
            InvalidInput: the potential's length unit is another.
        """
        if potential.units.length != "angstrom":
            raise InvalidInput("potential", f"lengths in {potential.units.length}", "angstrom")
        return cls(
            potential.elements, potential.functions, potential.cutoff_type, potential.cutoff_alpha
        )

    def values(
        self,
        numbers: NDArray[Any],
        positions: FloatArray,
        cell: FloatArray,
        pbc: tuple[bool, bool, bool],
    ) -> tuple[tuple[IntArray, FloatArray], ...]:
        """Return (atoms, raw functions (A, S)) of every element, in order of the elements."""
        parts = self._evaluate(numbers, positions, cell, pbc, wanted=False)
        return tuple((part.atoms, part.values) for part in parts)

    def values_of_many(
        self, frames: Sequence[Frame], threads: int
    ) -> Iterator[tuple[tuple[IntArray, FloatArray], ...]]:
        """Yield `values` of every frame in order, a few frames at a time in parallel."""

        def one(frame: Frame) -> tuple[tuple[IntArray, FloatArray], ...]:
            return self.values(frame.numbers, frame.positions, frame.cell, frame.pbc)

        with ThreadPoolExecutor(max_workers=threads) as pool:
            for start in range(0, len(frames), 8 * threads):
                yield from pool.map(one, frames[start : start + 8 * threads])

    def derivatives(
        self,
        numbers: NDArray[Any],
        positions: FloatArray,
        cell: FloatArray,
        pbc: tuple[bool, bool, bool],
    ) -> tuple[ElementDerivatives, ...]:
        """Return functions and their derivatives of every element, in order of the elements.

        Args:
            numbers: atomic numbers, shape (N,).
            positions: shape (N, 3), Å.
            cell: rows are lattice vectors, shape (3, 3), Å.
            pbc: periodic along each lattice vector.

        Raises:
            InvalidInput: an element has no functions.
        """
        return self._evaluate(numbers, positions, cell, pbc, wanted=True)

    def _evaluate(
        self,
        numbers: NDArray[Any],
        positions: FloatArray,
        cell: FloatArray,
        pbc: tuple[bool, bool, bool],
        *,
        wanted: bool,
    ) -> tuple[ElementDerivatives, ...]:
        species = self._species(numbers)
        near = neighbor_list(positions, cell, pbc, self.cutoff_radius)
        first = np.ascontiguousarray(near.first, np.int64)
        neighbors = np.ascontiguousarray(near.neighbors, np.int64)
        parts = []
        for index, table in enumerate(self._tables):
            atoms = np.flatnonzero(species == index).astype(np.int64)
            pairs = count_moved(atoms, first, neighbors, len(species))
            if not wanted:
                pairs[:] = 0
            moved = np.zeros(pairs[-1], np.int64)
            values = np.zeros((len(atoms), table.columns))
            gradients = np.zeros((pairs[-1], 3, table.columns), np.float32)
            strains = np.zeros((len(atoms) if wanted else 0, 6, table.columns), np.float32)
            differentiate(
                atoms, species, first, neighbors, near.vectors,
                table.radial, table.radial_range,
                table.angular, table.angular_range, table.alike,
                int(self.cutoff_type), self.cutoff_alpha, wanted,
                values, pairs, moved, gradients, strains,
            )  # fmt: skip
            if self._compact is not None:
                add_compact(
                    self._compact, index, atoms, species, first, neighbors, near.vectors, wanted,
                    values, pairs, gradients, strains,
                )  # fmt: skip
            parts.append(ElementDerivatives(atoms, values, pairs, moved, gradients, strains))
        return tuple(parts)

    def _species(self, numbers: NDArray[Any]) -> IntArray:
        symbols = {int(z): chemical_symbols[int(z)] for z in np.unique(numbers)}
        index = np.full(max(symbols, default=0) + 1, -1, np.int64)
        for z, symbol in symbols.items():
            if symbol not in self.elements:
                raise InvalidInput("structure", f"element {symbol}", ", ".join(self.elements))
            index[z] = self.elements.index(symbol)
        return index[np.asarray(numbers, np.int64)]


def _tabulate_compact(
    elements: tuple[str, ...], functions: Mapping[str, tuple[SymmetryFunction, ...]]
) -> CompactTables | None:
    placed: list[list[Placed]] = [
        [
            (column, term)
            for column, function in enumerate(functions[element])
            for term in FUNCTION_KINDS[function.kind].terms(function, elements)
            if isinstance(term, CompactRadialTerm | CompactAngularTerm)
        ]
        for element in elements
    ]
    return compact_tables(placed) if any(placed) else None


def _tabulate(elements: tuple[str, ...], functions: tuple[SymmetryFunction, ...]) -> _Tables:
    radial: list[tuple[int, tuple[float, ...]]] = []
    angular: list[tuple[tuple[int, int], tuple[float, ...]]] = []
    for column, function in enumerate(functions):
        for t in FUNCTION_KINDS[function.kind].terms(function, elements):
            if isinstance(t, RadialTerm):
                radial.append((t.neighbor, (t.eta, t.rs, t.cutoff, t.weight, column)))
            elif isinstance(t, AngularTerm):
                row = (t.eta, t.rs, t.lam, t.zeta, t.cutoff, t.narrow, t.weight, column)
                angular.append(((t.first, t.second), row))
    radial.sort(key=lambda item: item[0])
    angular.sort(key=lambda item: item[0])
    count = len(elements)
    radial_range = np.zeros((count, 2), np.int64)
    for e in range(count):
        keys = [key for key, _ in radial]
        radial_range[e] = keys.index(e) if e in keys else 0, 0
        radial_range[e, 1] = radial_range[e, 0] + keys.count(e)
    angular_range = np.zeros((count, count, 2), np.int64)
    pair_keys = [key for key, _ in angular]
    for a in range(count):
        for b in range(a, count):
            start = pair_keys.index((a, b)) if (a, b) in pair_keys else 0
            span = (start, start + pair_keys.count((a, b)))
            angular_range[a, b] = angular_range[b, a] = span
    terms = np.array([row for _, row in angular], np.float64).reshape(-1, 8)
    return _Tables(
        len(functions),
        np.array([row for _, row in radial], np.float64).reshape(-1, 5),
        radial_range,
        terms,
        angular_range,
        _first_alike(terms, pair_keys),
        max((function.cutoff for function in functions), default=0.0),
    )


def _first_alike(terms: FloatArray, keys: Sequence[tuple[int, int]]) -> IntArray:
    """Return for every angular term the first one of its neighbour pair with its λ, ζ and weight."""
    seen: dict[tuple[object, ...], int] = {}
    return np.array(
        [
            seen.setdefault((key, *term[[LAMBDA, ZETA, WEIGHT]].tolist()), t)
            for t, (key, term) in enumerate(zip(keys, terms, strict=True))
        ],
        np.int64,
    )
