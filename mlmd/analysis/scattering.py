"""Structure factors S(q) from positions, by the sum over atoms itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike, NDArray

from mlmd.analysis.scattering_kernel import density_modes
from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray

IndexArray = NDArray[np.int64]

MOST_VECTORS = 60  # a shell: more of them say little more
LEAST_VECTORS = 6
# Atoms times wave vectors: some 2 s on one core for a frame.
FRAME_WORK = 400_000_000
# As many wave vectors are listed one by one; beyond, they are drawn at random.
MOST_LISTED = 200_000
SEED = 7


@dataclass(frozen=True)
class StructureFactor:
    """Partial structure factors after Faber and Ziman, averaged over frames.

    S_ab(q) = 1 + [⟨ρ_a ρ_b*⟩/N − c_a δ_ab] / (c_a c_b),  ρ_a(q) = Σ exp(i q·r) over atoms of a

    They are what a scattering experiment sees, weighted: S(q) = Σ c_a c_b b_a b_b S_ab / ⟨b⟩²
    with the scattering lengths b. Source: Faber & Ziman, Phil. Mag. 11, 153 (1965),
    doi:10.1080/14786436508211931.

    Args:
        wave_numbers: mean |q| of each shell's vectors, shape (B,), 1/Å; shells without any
            are left out.
        pairs: element pairs, each once, P of them.
        partial: S_ab, shape (P, B); 1 for an ideal gas.
        total: of all atoms alike, shape (B,).
        concentrations: share of each element's atoms, by symbol.
        vectors: wave vectors in each shell, shape (B,).
        frames: how many were averaged.
    """

    wave_numbers: FloatArray
    pairs: tuple[tuple[str, str], ...]
    partial: FloatArray
    total: FloatArray
    concentrations: dict[str, float]
    vectors: FloatArray
    frames: int

    def weighted(self, lengths: dict[str, float]) -> FloatArray:
        """Return the total S(q), shape (B,), for scattering lengths by symbol, in any unit."""
        c, total = self.concentrations, np.zeros(len(self.wave_numbers))
        mean = sum(c[symbol] * lengths[symbol] for symbol in c)
        for (a, b), values in zip(self.pairs, self.partial, strict=True):
            share = c[a] * c[b] * lengths[a] * lengths[b] * (1 if a == b else 2)
            total += share / mean**2 * values
        return total


class _Shells(NamedTuple):
    cell: FloatArray
    indices: FloatArray  # Miller indices of wave vectors, shell by shell, shape (K, 3)
    first: IndexArray  # where each shell starts, shape (shells + 1,)


class StructureFactorAccumulator:
    """Adds up frames; each has its own wave vectors, those of its cell.

    Args:
        numbers: atomic numbers, shape (N,).
        q_max: largest wave number, 1/Å.
        width: of a shell, 1/Å.

    Raises:
        InvalidInput: no atoms, or a range that isn't positive.
    """

    def __init__(self, numbers: ArrayLike, q_max: float = 12.0, width: float = 0.1) -> None:
        kinds = np.asarray(numbers, dtype=np.int64)
        if not len(kinds):
            raise InvalidInput("structure factor", "no atoms", "at least one atom")
        if not 0 < width < q_max < 1000:
            raise InvalidInput(
                "structure factor", f"q_max {q_max} with shells of {width} 1/Å", "0 < width < q_max"
            )
        self._order = np.argsort(kinds, kind="stable")
        self.elements, counts = np.unique(kinds, return_counts=True)
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.q_max, self.width = float(q_max), float(width)
        self._shells = int(np.ceil(q_max / width))
        species = len(self.elements)
        self._sums = np.zeros((species, species, self._shells))
        self._counts = np.zeros(self._shells)
        self._lengths = np.zeros(self._shells)
        self._rng = np.random.Generator(np.random.PCG64(SEED))
        self._frames = 0
        # Of the cell before: it mostly stays the same, and listing takes longer than the sums.
        self._listed: _Shells | None = None

    def add(self, positions: FloatArray, cell: FloatArray) -> None:
        """Add a frame of a cell that is periodic throughout: positions (N, 3), cell (3, 3), Å."""
        places = np.linalg.solve(cell.T, positions[self._order].T).T
        fractional = np.asarray(np.ascontiguousarray(places - np.floor(places)), dtype=np.float64)
        indices = self._vectors(cell)
        q = np.linalg.norm(2 * np.pi * indices @ np.linalg.inv(cell).T, axis=1)
        where = np.minimum((q / self.width).astype(np.int64), self._shells - 1)
        modes = density_modes(fractional, self._starts, indices)
        for a, b in np.ndindex(len(self.elements), len(self.elements)):
            products = (modes[:, a] * modes[:, b]).sum(axis=1)
            self._sums[a, b] += np.bincount(where, products, self._shells)
        self._counts += np.bincount(where, minlength=self._shells)
        self._lengths += np.bincount(where, q, self._shells)
        self._frames += 1

    def result(self) -> StructureFactor:
        """Return the average over all frames added so far."""
        seen = self._counts > 0
        counts = self._counts[seen]
        atoms = int(self._starts[-1])
        c = np.diff(self._starts) / atoms
        symbols = [chemical_symbols[number] for number in self.elements]
        pairs, partial = [], []
        for a in range(len(c)):
            for b in range(a, len(c)):
                mean = self._sums[a, b][seen] / (atoms * counts)
                partial.append(1 + (mean - c[a] * (a == b)) / (c[a] * c[b]))
                pairs.append((symbols[a], symbols[b]))
        return StructureFactor(
            wave_numbers=self._lengths[seen] / counts,
            pairs=tuple(pairs),
            partial=np.array(partial).reshape(len(pairs), -1),
            total=self._sums.sum(axis=(0, 1))[seen] / (atoms * counts),
            concentrations=dict(zip(symbols, c.tolist(), strict=True)),
            vectors=counts,
            frames=self._frames,
        )

    def _vectors(self, cell: FloatArray) -> FloatArray:
        """Return Miller indices of the frame's wave vectors, shape (K, 3), some in every shell.

        Of q and −q one is enough: their amplitudes are complex conjugates.
        """
        atoms = int(self._starts[-1])
        per_shell = int(FRAME_WORK / (atoms * self._shells))
        per_shell = min(max(per_shell, LEAST_VECTORS), MOST_VECTORS)
        volume = abs(float(np.linalg.det(cell)))
        if self.q_max**3 * volume / (6 * np.pi**2) >= 2 * MOST_LISTED:
            shells = self._sorted(self._drawn(cell, 4 * per_shell), cell)
        else:
            if self._listed is None or not np.array_equal(self._listed.cell, cell):
                self._listed = self._sorted(_all_vectors(cell, self.q_max), cell)
            shells = self._listed
        counts = np.diff(shells.first)[:, None]
        # Each frame takes the next ones of a shell, so that all have their turn.
        turn = np.arange(self._frames * per_shell, (self._frames + 1) * per_shell)
        places = shells.first[:-1, None] + turn % np.maximum(counts, 1)
        return np.ascontiguousarray(shells.indices[places[np.arange(per_shell) < counts]])

    def _sorted(self, indices: FloatArray, cell: FloatArray) -> _Shells:
        """Return the wave vectors inside the sphere by shell, in a random order within each."""
        q = np.linalg.norm(2 * np.pi * indices @ np.linalg.inv(cell).T, axis=1)
        inside = self._rng.permutation(np.flatnonzero((q < self.q_max) & (q > 0)))
        shells = np.minimum((q[inside] / self.width).astype(np.int64), self._shells - 1)
        counts = np.bincount(shells, minlength=self._shells)
        order = inside[np.argsort(shells, kind="stable")]
        return _Shells(cell.copy(), indices[order], np.concatenate([[0], np.cumsum(counts)]))

    def _drawn(self, cell: FloatArray, per_shell: int) -> FloatArray:
        """Return wave vectors next to random points of every shell."""
        middles = (np.arange(self._shells) + self._rng.random((per_shell, 1))).ravel() * self.width
        directions = self._rng.standard_normal((len(middles), 3))
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        found = _half(np.round(directions * middles[:, None] @ cell.T / (2 * np.pi)))
        # One number each: unique rows take NumPy a hundred times longer.
        reach = np.abs(found).max() + 1
        _, first = np.unique(found @ np.array([4 * reach**2, 2 * reach, 1.0]), return_index=True)
        return np.asarray(found[first])


def structure_factor(
    frames: ArrayLike, cells: ArrayLike, numbers: ArrayLike, q_max: float = 12.0, width: float = 0.1
) -> StructureFactor:
    """Return partial structure factors averaged over frames.

    Args:
        frames: positions, shape (F, N, 3), Å.
        cells: shape (F, 3, 3), Å, periodic throughout.
        numbers: atomic numbers, shape (N,).
        q_max: largest wave number, 1/Å.
        width: of a shell, 1/Å.

    Raises:
        InvalidInput: no atoms, or a range that isn't positive.
    """
    accumulator = StructureFactorAccumulator(numbers, q_max, width)
    pairs = zip(np.asarray(frames, float), np.asarray(cells, float), strict=True)
    for positions, cell in pairs:
        accumulator.add(positions, cell)
    return accumulator.result()


def _all_vectors(cell: FloatArray, q_max: float) -> FloatArray:
    """Return the indices of all wave vectors in a box around the sphere, one of each pair."""
    most = np.floor(q_max * np.linalg.norm(cell, axis=1) / (2 * np.pi)).astype(int)
    axes = [np.arange(-n, n + 1) for n in most]
    axes[0] = axes[0][axes[0] >= 0]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    i, j, k = grid.T
    half = (i > 0) | ((i == 0) & ((j > 0) | ((j == 0) & (k > 0))))
    return np.asarray(grid[half], dtype=np.float64)


def _half(indices: FloatArray) -> FloatArray:
    """Turn each vector so that its first component that isn't zero is positive."""
    signs = np.sign(indices @ np.array([4e12, 2e6, 1.0]))
    return np.asarray(indices * np.where(signs == 0, 1.0, signs)[:, None])
