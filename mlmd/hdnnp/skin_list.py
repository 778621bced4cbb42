"""A neighbour list that outlives small movements of atoms and cell.

It reaches a skin farther than the cutoff. As long as no pair can have come from beyond the list
to within the cutoff, only positions are refreshed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_lists import fold_ghosts, place_entries
from mlmd.hdnnp.neighborhood import Surround
from mlmd.neighbors import find_surroundings, list_neighbors

# An atom with more neighbours has lost its place, or the cell its unit.
MOST_NEIGHBORS = 3000


class SkinList:
    """Sorted atoms, their ghosts and neighbours, rebuilt when needed.

    Args:
        cutoff: Å.
        skin: Å, how much farther the list reaches.
        elements: number of elements of the potential.
        threads: how many build a list.
    """

    def __init__(self, cutoff: float, skin: float, elements: int, threads: int = 1) -> None:
        self.cutoff = cutoff
        self.skin = skin
        self.rebuilds = 0
        self.surround: Surround
        self.order: NDArray[np.int64]
        self._elements = elements
        self._threads = threads
        self._built_for: NDArray[np.int32] | None = None

    @property
    def positions(self) -> FloatArray:
        """Places of atoms and ghosts, shape (entries, 3), Å."""
        return self.surround.positions

    def update(
        self, elements: NDArray[np.int32], positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike
    ) -> None:
        """Make the list right for these atoms.

        Raises:
            InvalidInput: shapes that don't fit, or what `mlmd.neighbors` refuses.
        """
        x = np.ascontiguousarray(positions, dtype=np.float64)
        box = np.array(cell, dtype=np.float64).reshape(3, 3)
        periodic = np.broadcast_to(np.asarray(pbc, dtype=bool), (3,))
        if x.shape != (len(elements), 3):
            raise InvalidInput("positions", f"shape {x.shape}", f"{(len(elements), 3)}")
        if self._holds(elements, x, box, periodic):
            places = self._places(x, box, periodic)
            self.surround = self.surround._replace(positions=places)
        else:
            self._build(elements, x, box, periodic)

    def fold(self, entries: FloatArray) -> FloatArray:
        """Add what fell on ghosts to their owners: (entries, 3) → (atoms, 3), atoms' own order."""
        folded = np.empty((len(self.order), 3))
        fold_ghosts(len(self.order), self._owners, self.order, entries, folded)
        return folded

    def shares(self, parts: int) -> NDArray[np.int64]:
        """Split the atoms into runs of about equal work; returns ``parts`` + 1 bounds."""
        first = self.surround.first[:: self._elements]
        # Work grows between once (moments) and twice (pairs) the number of neighbours.
        work = np.cumsum(20.0 + np.diff(first).astype(np.float64) ** 1.5)
        total = work[-1] if len(work) else 0.0
        inner = np.searchsorted(work, total * np.arange(1, parts) / parts)
        return np.concatenate([[0], inner, [len(self.order)]]).astype(np.int64)

    def nearest(self) -> str:
        """Say which two atoms are closest to each other (for an error message)."""
        surround = self.surround
        counts = np.diff(surround.first[:: self._elements])
        i = np.repeat(np.arange(len(self.order)), counts)
        j = surround.neighbors
        gaps = np.linalg.norm(surround.positions[j] - surround.positions[i], axis=1)
        worst = int(np.argmin(gaps))
        pair = sorted((int(self.order[i[worst]]), int(self.order[self._owners[j[worst]]])))
        return f"Atoms {pair[0] + 1} and {pair[1] + 1} are {gaps[worst]:.2g} Å apart."

    def _holds(
        self,
        elements: NDArray[np.int32],
        x: FloatArray,
        box: FloatArray,
        periodic: NDArray[np.bool_],
    ) -> bool:
        if (
            self._built_for is None
            or not np.array_equal(self._built_for, elements)
            or not np.array_equal(self._periodic, periodic)
            or not np.isfinite(x).all()
            or not np.isfinite(box).all()
        ):
            return False
        if np.array_equal(box[periodic], self._cell[periodic]):
            shrink, moved = 1.0, x - self._built_at
        elif periodic.all():
            # x = x₀F + u: a pair farther than c + s is now farther than σ(c + s) − 2|u|, σ the
            # least singular value of the deformation F.
            deformation = np.linalg.solve(self._cell, box)
            shrink = float(np.linalg.svd(deformation, compute_uv=False)[-1])
            moved = x - self._built_at @ deformation
        else:
            return False
        farthest = float(np.sqrt(np.max(np.einsum("ij,ij->i", moved, moved), initial=0.0)))
        return shrink * (self.cutoff + self.skin) - 2.0 * farthest >= self.cutoff

    def _build(
        self,
        elements: NDArray[np.int32],
        x: FloatArray,
        box: FloatArray,
        periodic: NDArray[np.bool_],
    ) -> None:
        self._built_for = None
        reach = self.cutoff + self.skin
        around = find_surroundings(x, box, periodic, reach)
        kinds = np.ascontiguousarray(elements[around.order[around.owners]])
        first, neighbors = list_neighbors(around, kinds, self._elements, reach, self._threads)
        most = int(np.diff(first[:: self._elements]).max(initial=0))
        if most > MOST_NEIGHBORS:
            raise InvalidInput(
                "structure",
                f"an atom with {most} neighbours within {reach:.3g} Å",
                f"at most {MOST_NEIGHBORS}",
                "Atoms overlap, or the unit of length is wrong.",
            )
        self.order = around.order
        self._owners = around.owners
        self._source = around.order[around.owners]
        self._shifts = around.shifts
        self._cell, self._periodic, self._built_at = box, periodic.copy(), x.copy()
        self._built_for = elements.copy()
        # Not those of the search: the same atoms must stand on the same bits whenever asked.
        self.surround = Surround(self._places(x, box, periodic), kinds, first, neighbors)
        self.rebuilds += 1

    def _places(self, x: FloatArray, box: FloatArray, periodic: NDArray[np.bool_]) -> FloatArray:
        vectors = np.where(periodic[:, None], box, 0.0)
        places = np.empty((len(self._source), 3))
        place_entries(0, len(places), x, self._source, self._shifts, vectors, places)
        return places
