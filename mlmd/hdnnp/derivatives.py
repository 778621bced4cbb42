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

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from mlmd.compiled import kernel
from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.compact_derivatives import VOIGT as VOIGT
from mlmd.hdnnp.compact_derivatives import add_compact
from mlmd.hdnnp.compact_tables import CompactTables, Placed, compact_tables
from mlmd.hdnnp.cutoffs import cutoff_and_slope
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
            pairs = _count_moved(atoms, first, neighbors, len(species))
            if not wanted:
                pairs[:] = 0
            moved = np.zeros(pairs[-1], np.int64)
            values = np.zeros((len(atoms), table.columns))
            gradients = np.zeros((pairs[-1], 3, table.columns), np.float32)
            strains = np.zeros((len(atoms) if wanted else 0, 6, table.columns), np.float32)
            _differentiate(
                atoms, species, first, neighbors, near.vectors,
                table.radial, table.radial_range, table.angular, table.angular_range,
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
    return _Tables(
        len(functions),
        np.array([row for _, row in radial], np.float64).reshape(-1, 5),
        radial_range,
        np.array([row for _, row in angular], np.float64).reshape(-1, 8),
        angular_range,
        max((function.cutoff for function in functions), default=0.0),
    )


@kernel
def _count_moved(atoms: IntArray, first: IntArray, neighbors: IntArray, count: int) -> IntArray:
    """Return how many different atoms move the functions of ``atoms``, as running sums."""
    seen = np.full(count, -1, np.int64)
    sums = np.zeros(len(atoms) + 1, np.int64)
    for k in range(len(atoms)):
        i = atoms[k]
        seen[i] = i
        found = 1
        for p in range(first[i], first[i + 1]):
            if seen[neighbors[p]] != i:
                seen[neighbors[p]] = i
                found += 1
        sums[k + 1] = sums[k] + found
    return sums


@kernel
def _differentiate(  # noqa: C901  one loop nest: calls inside it would cost its speed
    atoms: IntArray,
    species: IntArray,
    first: IntArray,
    neighbors: IntArray,
    vectors: FloatArray,
    radial: FloatArray,
    radial_range: IntArray,
    angular: FloatArray,
    angular_range: IntArray,
    cutoff_type: int,
    alpha: float,
    wanted: bool,
    values: FloatArray,
    pairs: IntArray,
    moved: IntArray,
    gradients: NDArray[np.float32],
    strains: NDArray[np.float32],
) -> None:
    """Fill values, moved, gradients and strains of one element's atoms.

    Symbols: a = exp[−η(r − r_s)²] f_c(r) of one neighbour, p = 2^(1−ζ)(1 + λc)^ζ with
    c = cos θ_jik, b = a(r_jk) in narrow terms; G = Σ p a_j a_k b. With u the vectors from i,
    ∂G/∂r_j = α_j u_j + β u_k, ∂G/∂r_k = α_k u_k + β u_j and ∂G/∂r_i minus their sum.
    """
    n_terms = len(angular)
    slot_of = np.full(len(species), -1, np.int64)
    stamp = np.full(len(species), -1, np.int64)
    most = 0
    for k in range(len(atoms)):
        most = max(most, first[atoms[k] + 1] - first[atoms[k]])
    r = np.zeros(most)
    u = np.zeros((most, 3))
    kind = np.zeros(most, np.int64)
    slot = np.zeros(most, np.int64)
    a = np.zeros((most, n_terms))
    da = np.zeros((most, n_terms))
    alpha_j = np.zeros(n_terms)
    alpha_k = np.zeros(n_terms)
    beta = np.zeros(n_terms)
    column = np.zeros(n_terms, np.int64)
    columns = values.shape[1]
    for t in range(n_terms):
        column[t] = int(angular[t, 7])
    for row in range(len(atoms)):
        i = atoms[row]
        n = first[i + 1] - first[i]
        slots = 1
        if wanted:
            moved[pairs[row]] = i
        stamp[i], slot_of[i] = i, 0
        for k in range(n):
            p = first[i] + k
            j = neighbors[p]
            if stamp[j] != i:
                stamp[j], slot_of[j] = i, slots
                if wanted:
                    moved[pairs[row] + slots] = j
                slots += 1
            slot[k], kind[k] = slot_of[j], species[j]
            for d in range(3):
                u[k, d] = vectors[p, d]
            r[k] = math.sqrt(u[k, 0] ** 2 + u[k, 1] ** 2 + u[k, 2] ** 2)
        # By each neighbour vector, images apart: strain moves an image, too.
        g = np.zeros((n if wanted else 0, 3, columns))
        angular_g = np.zeros((n if wanted else 0, 3, n_terms))

        for k in range(n):
            for t in range(radial_range[kind[k], 0], radial_range[kind[k], 1]):
                r_c = radial[t, 2]
                if r[k] >= r_c:
                    continue
                f, df = cutoff_and_slope(cutoff_type, alpha, r[k], r_c)
                x = r[k] - radial[t, 1]
                e = radial[t, 3] * math.exp(-radial[t, 0] * x * x)
                s = int(radial[t, 4])
                values[row, s] += e * f
                if wanted:
                    slope = e * (df - 2.0 * radial[t, 0] * x * f) / r[k]
                    for d in range(3):
                        g[k, d, s] += slope * u[k, d]
            for t in range(n_terms):
                r_c = angular[t, 4]
                if (
                    t > 0
                    and angular[t, 0] == angular[t - 1, 0]
                    and (angular[t, 1] == angular[t - 1, 1] and r_c == angular[t - 1, 4])
                ):
                    a[k, t], da[k, t] = a[k, t - 1], da[k, t - 1]
                elif r[k] >= r_c:
                    a[k, t], da[k, t] = 0.0, 0.0
                else:
                    f, df = cutoff_and_slope(cutoff_type, alpha, r[k], r_c)
                    x = r[k] - angular[t, 1]
                    e = math.exp(-angular[t, 0] * x * x)
                    a[k, t], da[k, t] = e * f, e * (df - 2.0 * angular[t, 0] * x * f)

        for j in range(n):
            for k in range(j + 1, n):
                start = angular_range[kind[j], kind[k], 0]
                end = angular_range[kind[j], kind[k], 1]
                if start == end:
                    continue
                rr = 1.0 / (r[j] * r[k])
                c = (u[j, 0] * u[k, 0] + u[j, 1] * u[k, 1] + u[j, 2] * u[k, 2]) * rr
                c = min(1.0, max(-1.0, c))
                r_jk = math.sqrt(
                    (u[k, 0] - u[j, 0]) ** 2 + (u[k, 1] - u[j, 1]) ** 2 + (u[k, 2] - u[j, 2]) ** 2
                )
                b, db = 1.0, 0.0
                for t in range(start, end):
                    lam, zeta = angular[t, 2], angular[t, 3]
                    y = 1.0 + lam * c
                    steps = int(zeta)
                    if steps == zeta and 0 < steps <= 16:
                        # Powers by multiplication: pow() would cost more than all the rest.
                        dp = angular[t, 6]
                        for _ in range(steps - 1):
                            dp *= 0.5 * y
                        p_t = dp * y
                    elif y > 0.0:
                        dp = angular[t, 6] * 2.0 ** (1.0 - zeta) * y ** (zeta - 1.0)
                        p_t = dp * y
                    else:
                        dp, p_t = 0.0, 0.0
                    dp *= zeta * lam
                    if angular[t, 5] <= 0.0:
                        b, db = 1.0, 0.0
                    elif not (
                        t > start
                        and angular[t, 0] == angular[t - 1, 0]
                        and angular[t, 1] == angular[t - 1, 1]
                        and angular[t, 4] == angular[t - 1, 4]
                        and angular[t - 1, 5] > 0.0
                    ):
                        # Terms that differ in λ and ζ alone share the third side.
                        r_c = angular[t, 4]
                        if r_jk >= r_c:
                            b, db = 0.0, 0.0
                        else:
                            f, df = cutoff_and_slope(cutoff_type, alpha, r_jk, r_c)
                            x = r_jk - angular[t, 1]
                            e = math.exp(-angular[t, 0] * x * x)
                            b, db = e * f, e * (df - 2.0 * angular[t, 0] * x * f)
                    aa = a[j, t] * a[k, t]
                    values[row, column[t]] += p_t * aa * b
                    if wanted:
                        gc = dp * aa * b
                        gl = p_t * aa * db / r_jk if db != 0.0 else 0.0
                        beta[t] = gc * rr - gl
                        alpha_j[t] = p_t * b * da[j, t] * a[k, t] / r[j] + gl
                        alpha_j[t] -= gc * c / (r[j] * r[j])
                        alpha_k[t] = p_t * b * a[j, t] * da[k, t] / r[k] + gl
                        alpha_k[t] -= gc * c / (r[k] * r[k])
                if wanted:
                    for d in range(3):
                        u_j, u_k = u[j, d], u[k, d]
                        at_j = angular_g[j, d]
                        at_k = angular_g[k, d]
                        for t in range(start, end):
                            at_j[t] += alpha_j[t] * u_j + beta[t] * u_k
                            at_k[t] += alpha_k[t] * u_k + beta[t] * u_j

        if wanted:
            total = np.zeros((slots, 3, columns))
            strain = np.zeros((6, columns))
            for k in range(n):
                for d in range(3):
                    for t in range(n_terms):
                        g[k, d, column[t]] += angular_g[k, d, t]
                    for s in range(columns):
                        total[slot[k], d, s] += g[k, d, s]
                        total[0, d, s] -= g[k, d, s]
                for c in range(6):
                    a_c, b_c = VOIGT[c, 0], VOIGT[c, 1]
                    x, pull = u[k, b_c], g[k, a_c]
                    for s in range(columns):
                        strain[c, s] += x * pull[s]
            strains[row] = strain
            for q in range(slots):
                for d in range(3):
                    for s in range(columns):
                        gradients[pairs[row] + q, d, s] = total[q, d, s]
