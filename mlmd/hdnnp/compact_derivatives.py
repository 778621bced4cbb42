"""Symmetry functions with compact support and their derivatives, for training.

They are added to what `mlmd.hdnnp.derivatives` finds for all other functions, in its form.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import kernel, subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.compact_tables import CompactTables, IndexArray, WindowTables
from mlmd.hdnnp.kernel_windows import window_values

# Rows and columns of the six different components of a symmetric tensor, in Voigt's order.
VOIGT = np.array([[0, 0], [1, 1], [2, 2], [1, 2], [0, 2], [0, 1]])


@subkernel
def _window(
    windows: WindowTables, index: int, a: FloatArray, value: FloatArray, slope: FloatArray
) -> None:
    window_values(
        windows.shape[index], windows.center[index], windows.inverse_width[index], a, value, slope
    )


@kernel
def add_compact(  # noqa: C901  one atom after another, as in `derivatives`
    tables: CompactTables,
    element: int,
    atoms: IndexArray,
    species: IndexArray,
    first: IndexArray,
    neighbors: IndexArray,
    vectors: FloatArray,
    wanted: bool,
    values: FloatArray,
    pairs: IndexArray,
    gradients: NDArray[np.float32],
    strains: NDArray[np.float32],
) -> None:
    """Add the compact functions of one element's atoms to values, gradients and strains.

    Args:
        tables: the terms of all elements.
        element: index of the atoms' element.
        atoms: indices in the frame, shape (A,).
        species: element of every atom, shape (N,).
        first: atom i owns the neighbours ``first[i]`` to ``first[i + 1]``.
        neighbors: their indices.
        vectors: from the atom to them, shape (P, 3), Å.
        wanted: are gradients and strains?
        values: shape (A, S).
        pairs: rows of ``gradients`` of each atom, itself first, then its neighbours in the order
            in which they first appear, shape (A + 1,).
        gradients: shape (rows, 3, S), 1/Å.
        strains: shape (A, 6, S), in Voigt's order.
    """
    elements = int(math.sqrt(tables.radial_first.shape[0] - 1.0) + 0.5)
    slot_of = np.full(len(species), -1, np.int64)
    stamp = np.full(len(species), -1, np.int64)
    for row in range(len(atoms)):
        i = atoms[row]
        n = first[i + 1] - first[i]
        r = np.zeros(n)
        u = vectors[first[i] : first[i + 1]]
        kind = np.zeros(n, np.int64)
        slot = np.zeros(n, np.int64)
        slots = 1
        stamp[i], slot_of[i] = i, 0
        for k in range(n):
            j = neighbors[first[i] + k]
            if stamp[j] != i:
                stamp[j], slot_of[j] = i, slots
                slots += 1
            slot[k], kind[k] = slot_of[j], species[j]
            r[k] = math.sqrt(u[k, 0] ** 2 + u[k, 1] ** 2 + u[k, 2] ** 2)
        g = np.zeros((slots if wanted else 1, 3, values.shape[1]))
        if not wanted:
            slot[:] = 0
        strain = np.zeros((6, values.shape[1]))
        own = np.zeros((2, n))
        for e in range(elements):
            start = tables.radial_first[element * elements + e]
            stop = tables.radial_first[element * elements + e + 1]
            for q in range(start, stop):
                _window(tables.radial, q, r, own[0], own[1])
                _add_radial(
                    e, tables.radial_weight[q], tables.radial_out[q], r, u, kind, slot, own,
                    values[row], g, strain,
                )  # fmt: skip
        for group in range(tables.group_first[element], tables.group_first[element + 1]):
            for x in range(tables.window_first[group], tables.window_first[group + 1]):
                _window(tables.windows, x, r, own[0], own[1])
                _add_angular(tables, group, x, r, u, kind, slot, own, values[row], g, strain)
        if wanted:
            for c in range(6):
                for s in range(values.shape[1]):
                    strains[row, c, s] += np.float32(strain[c, s])
            for q in range(slots):
                for d in range(3):
                    for s in range(values.shape[1]):
                        gradients[pairs[row] + q, d, s] += np.float32(g[q, d, s])


@kernel
def _add_radial(
    e: int,
    weight: float,
    out: int,
    r: FloatArray,
    u: FloatArray,
    kind: IndexArray,
    slot: IndexArray,
    own: FloatArray,
    values: FloatArray,
    g: FloatArray,
    strain: FloatArray,
) -> None:
    for k in range(r.shape[0]):
        if kind[k] == e:
            values[out] += weight * own[0, k]
            for d in range(3):
                along = weight * own[1, k] / r[k] * u[k, d]
                g[slot[k], d, out] += along
                g[0, d, out] -= along
            for c in range(6):
                a, b = VOIGT[c, 0], VOIGT[c, 1]
                strain[c, out] += weight * own[1, k] / r[k] * u[k, a] * u[k, b]


@kernel
def _add_angular(
    tables: CompactTables,
    group: int,
    x: int,
    r: FloatArray,
    u: FloatArray,
    kind: IndexArray,
    slot: IndexArray,
    own: FloatArray,
    values: FloatArray,
    g: FloatArray,
    strain: FloatArray,
) -> None:
    """Add the terms of one window of distances; symbols as in `derivatives`."""
    e1 = tables.first_element[group]
    e2 = tables.second_element[group]
    narrow = tables.narrow[group] == 1
    side = np.ones((3, 1))
    angle = np.zeros((3, 1))
    for j in range(r.shape[0]):
        for k in range(j + 1, r.shape[0]):
            if min(kind[j], kind[k]) != e1 or max(kind[j], kind[k]) != e2:
                continue
            if own[0, j] == 0.0 or own[0, k] == 0.0:
                continue
            rr = 1.0 / (r[j] * r[k])
            c = (u[j, 0] * u[k, 0] + u[j, 1] * u[k, 1] + u[j, 2] * u[k, 2]) * rr
            c = min(1.0, max(-1.0, c))
            angle[0, 0] = math.acos(c)
            slope_of_angle = -1.0 / math.sqrt(max((1.0 - c) * (1.0 + c), 1e-30))
            side[1, 0], side[2, 0] = 1.0, 0.0
            if narrow:
                square = 0.0
                for d in range(3):
                    square += (u[k, d] - u[j, d]) ** 2
                side[0, 0] = math.sqrt(max(square, 1e-20))
                _window(tables.windows, x, side[0], side[1], side[2])
                if side[1, 0] == 0.0:
                    continue
            product = own[0, j] * own[0, k] * side[1, 0]
            for term in range(tables.term_first[x], tables.term_first[x + 1]):
                _window(tables.angles, tables.angle[term], angle[0], angle[1], angle[2])
                out = tables.out[term]
                w = tables.weight[term] * angle[1, 0]
                values[out] += w * product
                gc = tables.weight[term] * angle[2, 0] * slope_of_angle * product
                gl = w * own[0, j] * own[0, k] * side[2, 0] / side[0, 0]
                beta = gc * rr - gl
                alpha_j = w * own[1, j] * own[0, k] * side[1, 0] / r[j] + gl
                alpha_j -= gc * c / (r[j] * r[j])
                alpha_k = w * own[0, j] * own[1, k] * side[1, 0] / r[k] + gl
                alpha_k -= gc * c / (r[k] * r[k])
                for d in range(3):
                    at_j = alpha_j * u[j, d] + beta * u[k, d]
                    at_k = alpha_k * u[k, d] + beta * u[j, d]
                    g[slot[j], d, out] += at_j
                    g[slot[k], d, out] += at_k
                    g[0, d, out] -= at_j + at_k
                for v in range(6):
                    a, b = VOIGT[v, 0], VOIGT[v, 1]
                    both = u[j, a] * u[k, b] + u[k, a] * u[j, b]
                    own_j = alpha_j * u[j, a] * u[j, b]
                    strain[v, out] += own_j + alpha_k * u[k, a] * u[k, b] + beta * both
