"""Partial radial distribution functions, their first peaks and running coordination numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike, NDArray

from mlmd.analysis.bins import FloatArray, bounding_cell
from mlmd.analysis.pairs import count_distances
from mlmd.errors import InvalidInput

Pbc = tuple[bool, bool, bool]


@dataclass(frozen=True)
class RadialPeak:
    """The first peak of one g(r).

    Args:
        position: of the maximum, Å, refined by a parabola through three bins.
        height: of g there.
        minimum: where g is least between the first peak and the next, Å; None where
            no second peak follows within the range.
        coordination: neighbours up to that minimum; None without one.
    """

    position: float
    height: float
    minimum: float | None
    coordination: float | None


@dataclass(frozen=True)
class RadialDistribution:
    """g(r) of each pair of elements, averaged over frames.

    Args:
        distances: centres of the bins, shape (B,), Å.
        pairs: element pairs (a, b), P of them: all ordered ones, since the number of
            O around Si isn't the number of Si around O.
        g: shape (P, B), dimensionless; 1 for an ideal gas.
        coordination: running number of b around an a, up to each bin's outer edge, shape (P, B).
        total: g(r) of all atoms alike, shape (B,).
        peaks: first peak per pair, None where g never rises.
        frames: how many were averaged.
        atoms: atoms per frame.
        in_periodic_cell: False where a direction isn't periodic: there the density that g is
            divided by comes from the box around the atoms, and only positions of peaks and
            coordination numbers mean something.
    """

    distances: FloatArray
    pairs: tuple[tuple[str, str], ...]
    g: FloatArray
    coordination: FloatArray
    total: FloatArray
    peaks: tuple[RadialPeak | None, ...]
    frames: int
    atoms: int
    in_periodic_cell: bool = True


class RadialAccumulator:
    """Adds up distances frame by frame; memory doesn't grow with their number.

    Args:
        numbers: atomic numbers, shape (N,).
        r_max: largest distance, Å; may exceed half of the cell.
        bins: equal bins from 0 to ``r_max``.

    Raises:
        InvalidInput: no atoms, or a range that isn't positive.
    """

    def __init__(self, numbers: ArrayLike, r_max: float = 10.0, bins: int = 400) -> None:
        self.numbers = np.asarray(numbers, dtype=np.int64)
        if not len(self.numbers):
            raise InvalidInput("radial distribution", "no atoms", "at least one atom")
        if not (np.isfinite(r_max) and r_max > 0 and bins > 0):
            raise InvalidInput(
                "radial distribution", f"r_max {r_max} Å with {bins} bins", "positive numbers"
            )
        self.r_max, self.bins = float(r_max), int(bins)
        self.elements, self._kinds = np.unique(self.numbers, return_inverse=True)
        kinds_count = len(self.elements)
        self._counts = np.zeros((kinds_count, kinds_count, bins))
        self._weights = np.zeros((kinds_count, kinds_count, bins))
        self._frames = 0
        self._is_periodic = True

    def add(self, positions: FloatArray, cell: FloatArray, pbc: Pbc = (True, True, True)) -> None:
        """Add a frame: positions (N, 3) and cell (3, 3), Å."""
        kinds_count = len(self.elements)
        counts = count_distances(
            positions, cell, pbc, self._kinds, kinds_count, self.r_max, self.bins
        )
        volume = abs(np.linalg.det(bounding_cell(positions, cell, pbc)[0]))
        self._counts += counts
        # Each frame has its own density, so it is divided before averaging (constant pressure).
        self._weights += counts * volume
        self._frames += 1
        self._is_periodic &= all(pbc)

    def result(self) -> RadialDistribution:
        """Return the average over all frames added so far.

        Raises:
            InvalidInput: no frame was added.
        """
        if not self._frames:
            raise InvalidInput("radial distribution", "no frames", "at least one frame")
        edges = np.linspace(0.0, self.r_max, self.bins + 1)
        shells = 4 / 3 * np.pi * np.diff(edges**3)
        population = np.array([np.count_nonzero(self._kinds == k) for k in range(self._size)])
        # ⟨n_ab(r)⟩ V / (N_a N_b 4πr²dr); N_b, not N_b − 1: images of an atom itself are counted.
        others = population[:, None] * population[None, :]
        g = self._weights / (self._frames * others[:, :, None] * shells)
        running = np.cumsum(self._counts, axis=2) / (self._frames * population[:, None, None])
        total = self._weights.sum(axis=(0, 1)) / (self._frames * len(self.numbers) ** 2 * shells)
        symbols = [chemical_symbols[number] for number in self.elements]
        pairs = [(a, b) for a in range(self._size) for b in range(self._size)]
        distances = (edges[:-1] + edges[1:]) / 2
        # Without a cell there is no density to be above of.
        level = 1.0 if self._is_periodic else 0.0
        return RadialDistribution(
            distances=distances,
            pairs=tuple((symbols[a], symbols[b]) for a, b in pairs),
            g=np.array([g[a, b] for a, b in pairs]),
            coordination=np.array([running[a, b] for a, b in pairs]),
            total=total,
            peaks=tuple(first_peak(distances, g[a, b], running[a, b], level) for a, b in pairs),
            frames=self._frames,
            atoms=len(self.numbers),
            in_periodic_cell=self._is_periodic,
        )

    @property
    def _size(self) -> int:
        return len(self.elements)


def radial_distribution(
    positions: FloatArray,
    cells: FloatArray,
    numbers: ArrayLike,
    r_max: float = 10.0,
    bins: int = 400,
    pbc: Pbc = (True, True, True),
) -> RadialDistribution:
    """Return partial g(r) averaged over frames.

    g_ab(r) = V ⟨n_ab(r)⟩ / (N_a N_b 4πr²Δr), with n_ab the ordered pairs at r, images included.

    Args:
        positions: shape (F, N, 3), Å.
        cells: shape (F, 3, 3), or (3, 3) for all frames, Å.
        numbers: atomic numbers, shape (N,).
        r_max: largest distance, Å; may exceed half of the cell.
        bins: equal bins from 0 to ``r_max``.
        pbc: periodic along each lattice vector.

    Raises:
        InvalidInput: no frames, no atoms, or positions that aren't finite.

    Source: Allen & Tildesley, Computer Simulation of Liquids, 2nd ed. (2017), section 8.2.
    """
    accumulator = RadialAccumulator(numbers, r_max, bins)
    all_cells = np.broadcast_to(cells, (len(positions), 3, 3))
    frames: Iterable[tuple[FloatArray, FloatArray]] = zip(positions, all_cells, strict=True)
    for frame, cell in frames:
        accumulator.add(frame, cell, pbc)
    return accumulator.result()


def first_peak(
    distances: FloatArray, g: FloatArray, running: FloatArray, level: float = 1.0
) -> RadialPeak | None:
    """Return the first peak of g(r), or None where there is none.

    The peak is the first one that rises above the level and above a third of the largest value,
    on a curve smoothed over 0.1 Å, so that single counts of a short run aren't taken for it.

    Args:
        distances: centres of equal bins, shape (B,), Å.
        g: shape (B,).
        running: neighbours up to each bin's outer edge, shape (B,).
        level: what a peak must exceed.
    """
    width = distances[1] - distances[0] if len(distances) > 1 else 1.0
    smooth = _smooth(g, 0.05 / width)
    threshold = max(level, float(smooth.max()) / 3)
    above = np.flatnonzero(smooth > threshold)
    if not len(above):
        return None
    start = int(above[0])
    # The peak ends where the smooth curve has fallen below half of what it reached.
    top = start
    for index in range(start, len(smooth)):
        if smooth[index] > smooth[top]:
            top = index
        elif smooth[index] < smooth[top] / 2:
            break
    low, high = max(top - round(0.1 / width), 0), top + round(0.1 / width) + 1
    best = low + int(np.argmax(g[low:high]))
    minimum = _first_minimum(smooth, top)
    return RadialPeak(
        position=_parabola_top(distances, g, best),
        height=float(g[best]),
        minimum=None if minimum is None else float(distances[minimum] + width / 2),
        coordination=None if minimum is None else float(running[minimum]),
    )


def _smooth(values: FloatArray, sigma_bins: float) -> NDArray[np.float64]:
    if sigma_bins < 0.5 or len(values) < 8 * sigma_bins:
        return values
    reach = int(np.ceil(3 * sigma_bins))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_bins) ** 2)
    padded = np.pad(values, reach, mode="reflect")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _first_minimum(smooth: FloatArray, top: int) -> int | None:
    """Return the middle of the deepest valley before g clearly rises again; None without a rise."""
    lowest = top
    for index in range(top, len(smooth)):
        if smooth[index] < smooth[lowest]:
            lowest = index
        elif smooth[index] > smooth[lowest] + max(0.05 * smooth[top], 0.05):
            floor = smooth[lowest] + 1e-3
            flat = np.flatnonzero(smooth[top : index + 1] <= floor) + top
            return int((flat[0] + flat[-1]) // 2)
    return None


def _parabola_top(distances: FloatArray, g: FloatArray, best: int) -> float:
    if not 0 < best < len(g) - 1:
        return float(distances[best])
    left, middle, right = g[best - 1], g[best], g[best + 1]
    curvature = left - 2 * middle + right
    if curvature >= 0:
        return float(distances[best])
    shift = 0.5 * (left - right) / curvature
    return float(distances[best] + shift * (distances[1] - distances[0]))
