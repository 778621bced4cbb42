"""Neighbours within a cutoff, for any cell and any periodicity.

Periodic images that lie within the cutoff of the cell are written out as *ghost* atoms; a grid
of bins then finds every pair without looking at images again. So a cell smaller than the
cutoff, a slab, a wire, a molecule and a skewed crystal are one case, an atom sees its own
images, and memory and time grow linearly with the number of atoms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.neighbor_search import Bins, find_pairs

IndexArray = NDArray[np.int64]
SmallIndexArray = NDArray[np.int32]

# More ghosts than this are a mistaken unit or a collapsed cell, not a material.
MOST_IMAGES = 200_000_000


@dataclass(frozen=True)
class NeighborList:
    """All pairs within a cutoff, each from both sides.

    Args:
        first: shape (N + 1,); the neighbours of atom i are entries first[i] to first[i + 1].
        neighbors: shape (P,), atom indices.
        vectors: shape (P, 3), Å, from the atom to that neighbour or image, r_j − r_i.
    """

    first: IndexArray
    neighbors: IndexArray
    vectors: FloatArray


@dataclass(frozen=True)
class Surroundings:
    """Atoms sorted in space, followed by the ghosts around them.

    The position of entry m is ``positions[order[owners[m]]] + shifts[m] @ cell``, which stays
    true when atoms and cell move.

    Args:
        order: shape (N,), original index of each sorted atom.
        owners: shape (M,), the sorted atom that each entry is an image of; first N: itself.
        shifts: shape (M, 3), whole lattice vectors.
        positions: shape (M, 3), Å.
        bin_first: shape (B + 1,), where each bin's entries start in ``bin_entries``.
        bin_entries: shape (M,), entries sorted by bin.
        bin_of: shape (M, 3), bin of each entry along the three axes.
        bin_counts: number of bins along the axes.
        reach: how many bins along each axis the cutoff covers.
    """

    order: IndexArray
    owners: SmallIndexArray
    shifts: SmallIndexArray
    positions: FloatArray
    bin_first: IndexArray
    bin_entries: SmallIndexArray
    bin_of: SmallIndexArray
    bin_counts: tuple[int, int, int]
    reach: tuple[int, int, int]


def neighbor_list(
    positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, cutoff: float
) -> NeighborList:
    """Return every pair of atoms, periodic images included, closer than the cutoff.

    Args:
        positions: shape (N, 3), Å; atoms may lie outside the cell.
        cell: lattice vectors as rows, shape (3, 3), Å; ignored where not periodic.
        pbc: periodic along each lattice vector, shape (3,).
        cutoff: Å, not included; may exceed the cell.

    Returns:
        Pairs sorted by first atom; no atom is its own neighbour except through an image.

    Raises:
        InvalidInput: positions that aren't finite, a periodic cell without volume, a cutoff
            that isn't positive, or too many images.
    """
    around = find_surroundings(positions, cell, pbc, cutoff)
    count = len(around.order)
    kinds = np.zeros(len(around.owners), dtype=np.int32)
    first, entries = list_neighbors(around, kinds, 1, cutoff)
    counts = np.diff(first)
    ends = np.zeros(count + 1, dtype=np.int64)
    ends[1:][around.order] = counts
    ends = np.cumsum(ends)
    # Row k of the sorted list goes to the place of its original atom.
    target = np.repeat(ends[:-1][around.order] - first[:-1], counts) + np.arange(len(entries))
    vectors = np.empty((len(entries), 3))
    vectors[target] = around.positions[entries] - np.repeat(
        around.positions[:count], counts, axis=0
    )
    neighbors = np.empty(len(entries), dtype=np.int64)
    neighbors[target] = around.order[around.owners[entries]]
    return NeighborList(ends, neighbors, vectors)


def find_surroundings(
    positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, cutoff: float
) -> Surroundings:
    """Sort atoms in space, add their ghosts within the cutoff and put all into bins.

    Args, errors: as `neighbor_list`.
    """
    x, box, periodic = _checked(positions, cell, pbc, cutoff)
    inverse = np.linalg.inv(box)
    heights = 1.0 / np.linalg.norm(inverse, axis=0)
    fractions = x @ inverse
    wraps = np.where(periodic, np.floor(fractions), 0.0)
    fractions -= wraps
    # A hair more than the cutoff, so that rounding loses no image on the edge.
    margins = np.where(periodic, cutoff / heights * (1.0 + 1e-12) + 1e-12, 0.0)
    if not len(x):
        low, high = np.zeros(3), np.ones(3)
    else:
        low = np.where(periodic, -margins, fractions.min(axis=0))
        high = np.where(periodic, 1.0 + margins, fractions.max(axis=0))
    if len(x) * np.prod(1.0 + 2.0 * margins) > MOST_IMAGES:
        raise InvalidInput(
            "cell",
            f"heights of {heights[0]:.3g}, {heights[1]:.3g} and {heights[2]:.3g} Å with a cutoff "
            f"of {cutoff:g} Å",
            "a cell that isn't so much smaller than the cutoff",
            "Check the unit of the cell.",
        )
    owners, images = _images(fractions, low, high, periodic)
    placed = fractions[owners] + images
    bin_of, counts, reach = _bins(placed, low, high, heights, cutoff)
    flat = (bin_of[:, 0] * counts[1] + bin_of[:, 1]) * counts[2] + bin_of[:, 2]
    atoms = len(x)
    order = np.argsort(flat[:atoms], kind="stable")
    ghosts = atoms + np.argsort(flat[atoms:], kind="stable")
    entries = np.concatenate([order, ghosts])
    rank = np.empty(atoms, dtype=np.int64)
    rank[order] = np.arange(atoms)
    shifts = images - wraps[owners]
    flat = flat[entries]
    bin_first = np.zeros(counts[0] * counts[1] * counts[2] + 1, dtype=np.int64)
    np.cumsum(np.bincount(flat, minlength=len(bin_first) - 1), out=bin_first[1:])
    return Surroundings(
        order=order,
        owners=rank[owners[entries]].astype(np.int32),
        shifts=shifts[entries].astype(np.int32),
        positions=np.ascontiguousarray((x[owners] + shifts @ box)[entries]),
        bin_first=bin_first,
        bin_entries=np.argsort(flat, kind="stable").astype(np.int32),
        bin_of=bin_of[entries].astype(np.int32),
        bin_counts=counts,
        reach=reach,
    )


def list_neighbors(
    around: Surroundings,
    kinds: SmallIndexArray,
    kind_count: int,
    cutoff: float,
    threads: int = 1,
) -> tuple[IndexArray, SmallIndexArray]:
    """List the entries around each sorted atom, grouped by kind.

    Args:
        around: where everything is.
        kinds: shape (M,), kind of each entry, 0 … kind_count − 1.
        kind_count: number of kinds.
        cutoff: Å; at most that of ``around``.
        threads: how many work at a time; the result is the same.

    Returns:
        first, shape (N·kind_count + 1,), and entries, shape (P,): the neighbours of kind e
        around atom i are entries[first[i·kind_count + e]] up to the next start.
    """
    return find_pairs(
        around.positions,
        kinds,
        kind_count,
        Bins(around.bin_first, around.bin_entries, around.bin_of, around.bin_counts, around.reach),
        len(around.order),
        cutoff,
        threads,
    )


def _checked(
    positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, cutoff: float
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    x = np.ascontiguousarray(positions, dtype=np.float64).reshape(-1, 3)
    box = np.array(cell, dtype=np.float64).reshape(3, 3)
    periodic = np.broadcast_to(np.asarray(pbc, dtype=bool), (3,))
    if not np.isfinite(x).all():
        atom = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise InvalidInput(f"atom {atom + 1}", f"position {x[atom]}", "finite coordinates")
    if not np.isfinite(box).all():
        raise InvalidInput("cell", "numbers that aren't finite", "finite lattice vectors")
    if not 0.0 < cutoff < np.inf:
        raise InvalidInput("cutoff", f"{cutoff:g} Å", "a positive length")
    vectors = box[periodic]
    spread = np.linalg.svd(vectors, compute_uv=False) if len(vectors) else np.ones(1)
    if spread.min() <= 1e-9 * spread.max() or spread.max() == 0.0:
        raise InvalidInput("cell", "lattice vectors without volume", "independent vectors")
    # Along the other axes any complement does; unit vectors at right angles make good bins.
    box[~periodic] = np.linalg.svd(vectors.reshape(-1, 3))[2][len(vectors) :]
    return x, box, periodic


def _images(
    fractions: FloatArray, low: FloatArray, high: FloatArray, periodic: NDArray[np.bool_]
) -> tuple[IndexArray, FloatArray]:
    """Return owner and lattice shift of the atoms themselves, then of their ghosts."""
    atoms = len(fractions)
    # The first image along an axis, and how many fit between low and high.
    start = np.where(periodic, np.ceil(low - fractions), 0.0).astype(np.int64)
    number = np.where(periodic, np.floor(high - fractions) - start + 1, 1.0).astype(np.int64)
    totals = number.prod(axis=1)
    owners = np.repeat(np.arange(atoms), totals)
    place = np.arange(len(owners)) - np.repeat(np.cumsum(totals) - totals, totals)
    n = number[owners]
    images = np.empty((len(owners), 3))
    images[:, 2] = place % n[:, 2]
    images[:, 1] = place // n[:, 2] % n[:, 1]
    images[:, 0] = place // (n[:, 2] * n[:, 1])
    images += start[owners]
    ghost = images.any(axis=1)
    return (
        np.concatenate([np.arange(atoms), owners[ghost]]),
        np.concatenate([np.zeros((atoms, 3)), images[ghost]]),
    )


def _bins(
    placed: FloatArray, low: FloatArray, high: FloatArray, heights: FloatArray, cutoff: float
) -> tuple[IndexArray, tuple[int, int, int], tuple[int, int, int]]:
    """Return each entry's bin, the number of bins and the reach in bins along the axes."""
    lengths = (high - low) * heights
    width = cutoff / 2.0
    most = 4.0 * len(placed) + 64.0
    # Two far molecules must not ask for bins over all the vacuum between them.
    while np.prod(np.maximum(lengths / width, 1.0)) > most:
        width *= 1.3
    counts = np.maximum(np.floor(lengths / width), 1.0)
    widths = lengths / counts
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(counts > 1, np.ceil(cutoff / widths), 0.0)
        scaled = np.where(lengths > 0.0, (placed - low) / (high - low) * counts, 0.0)
    bin_of = np.clip(scaled.astype(np.int64), 0, counts.astype(np.int64) - 1)
    a, b, c = (int(number) for number in counts)
    i, j, k = (int(number) for number in reach)
    return bin_of, (a, b, c), (i, j, k)
