"""Repulsion of nuclei between sorted atoms and their neighbours; see `mlmd.hdnnp.repulsion`."""

from __future__ import annotations

import math

import numpy as np

from mlmd.compiled import kernel, subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import fast_exp
from mlmd.hdnnp.neighborhood import Surround
from mlmd.hdnnp.repulsion import (
    CONSTANT,
    CUBIC,
    DECAYS,
    INNER,
    INVERSE_LENGTH,
    OUTER,
    QUARTIC,
    SHARES,
    STRENGTH,
)


@kernel
def add_repulsion(
    tables: FloatArray,
    around: Surround,
    start: int,
    stop: int,
    with_forces: bool,
    energies: FloatArray,
    forces: FloatArray,
) -> None:
    """Add half of each pair's energy to its atoms start … stop − 1, and the forces of that half.

    Args:
        tables: of `repulsion_tables`.
        around: atoms, ghosts and all neighbours of each within the largest outer radius.
        start: first sorted atom.
        stop: one past the last.
        with_forces: are forces wanted?
        energies: shape (atoms,), added to.
        forces: shape (entries, 3), added to.
    """
    elements = tables.shape[0]
    pair = np.zeros(2)
    for i in range(start, stop):
        x, y, z = around.positions[i, 0], around.positions[i, 1], around.positions[i, 2]
        for e in range(elements):
            table = tables[around.elements[i], e]
            limit = table[OUTER] ** 2
            slots = around.first[i * elements + e], around.first[i * elements + e + 1]
            for slot in range(slots[0], slots[1]):
                j = around.neighbors[slot]
                u = around.positions[j, 0] - x
                v = around.positions[j, 1] - y
                w = around.positions[j, 2] - z
                square = u * u + v * v + w * w
                if square >= limit:
                    continue
                r = math.sqrt(square)
                repulsion_of_pair(table, r, pair)
                energies[i] += 0.5 * pair[0]
                if with_forces:
                    push = 0.5 * pair[1] / r
                    forces[i, 0] += push * u
                    forces[i, 1] += push * v
                    forces[i, 2] += push * w
                    forces[j, 0] -= push * u
                    forces[j, 1] -= push * v
                    forces[j, 2] -= push * w


@subkernel
def repulsion_of_pair(table: FloatArray, r: float, out: FloatArray) -> None:
    """Fill V and dV/dr of two atoms nearer than the outer radius, shape (2,)."""
    value = 0.0
    slope = 0.0
    for k in range(4):
        rate = DECAYS[k] * table[INVERSE_LENGTH]
        term = SHARES[k] * fast_exp(-rate * r)
        value += term
        slope -= rate * term
    energy = table[STRENGTH] * value / r
    slope = table[STRENGTH] * slope / r - energy / r
    energy += table[CONSTANT]
    t = r - table[INNER]
    if t > 0.0:
        energy += t * t * t * (table[CUBIC] + table[QUARTIC] * t)
        slope += t * t * (3.0 * table[CUBIC] + 4.0 * table[QUARTIC] * t)
    out[0] = energy
    out[1] = slope
