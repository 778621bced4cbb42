"""One atom's neighbours as the kernels see them: tables, and how they are filled."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import cutoff_values
from mlmd.hdnnp.tables import FunctionTables, IndexArray

SmallIndexArray = NDArray[np.int32]


class Surround(NamedTuple):
    """Sorted atoms with their ghosts, and who is near whom (see `mlmd.neighbors`)."""

    positions: FloatArray  # (entries, 3), Å
    elements: SmallIndexArray  # (entries,)
    first: IndexArray  # (atoms·elements + 1,)
    neighbors: SmallIndexArray


class Neighborhood(NamedTuple):
    """One atom's neighbours, sorted by element, and what flows back to them.

    Rows of ``values``, each shape (neighbours,): see the constants below. ``cutoff``
    and ``log_slope`` have one row per cutoff radius.
    """

    values: FloatArray
    cutoff: FloatArray
    log_slope: FloatArray
    segments: IndexArray  # (elements + 1,)


# Rows of Neighborhood.values.
DX, DY, DZ, R2, R, INVERSE_R = range(6)
ALONG = 6  # (dE/dr_ij)/r_ij, apart from what is in GX, GY, GZ
GX, GY, GZ = 7, 8, 9  # the rest of dE/dr_j
FACTOR = 10  # workspace: one factor per neighbour
ROWS = 11


@subkernel
def gather(
    i: int,
    elements: int,
    radii: FloatArray,
    around: Surround,
    near: Neighborhood,
    entries: SmallIndexArray,
    closest: FloatArray,
) -> int:
    """Collect the neighbours within the largest cutoff, by element; return their number."""
    limit = radii[radii.shape[0] - 1] ** 2
    dx = near.values[DX]
    dy = near.values[DY]
    dz = near.values[DZ]
    r2 = near.values[R2]
    x = around.positions[i, 0]
    y = around.positions[i, 1]
    z = around.positions[i, 2]
    smallest = closest[0]
    n = 0
    for e in range(elements):
        near.segments[e] = n
        row = around.neighbors[around.first[i * elements + e] : around.first[i * elements + e + 1]]
        for slot in range(row.shape[0]):
            j = row[slot]
            u = around.positions[j, 0] - x
            v = around.positions[j, 1] - y
            w = around.positions[j, 2] - z
            d = u * u + v * v + w * w
            # Written always, kept only where inside: no branch to mispredict.
            dx[n] = u
            dy[n] = v
            dz[n] = w
            r2[n] = d
            entries[n] = j
            smallest = min(smallest, d)
            n += 1 if d < limit else 0
    near.segments[elements] = n
    closest[0] = smallest
    return n


@subkernel
def prepare(n: int, functions: FunctionTables, near: Neighborhood) -> None:
    """Fill distances and cutoff functions."""
    r2 = near.values[R2, :n]
    r = near.values[R, :n]
    inverse = near.values[INVERSE_R, :n]
    for a in range(n):
        r[a] = math.sqrt(r2[a])
    for a in range(n):
        inverse[a] = 1.0 / r[a]
    cutoffs = functions.cutoffs
    for c in range(cutoffs.radius.shape[0]):
        cutoff_values(
            cutoffs.kind,
            cutoffs.inner[c],
            cutoffs.inverse_width[c],
            r,
            near.cutoff[c, :n],
            near.log_slope[c, :n],
        )
