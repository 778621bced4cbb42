"""The sum over atoms behind structure factors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import kernel
from mlmd.frame import FloatArray

BLOCK = 256  # atoms whose phases stay in the cache


def density_modes(
    fractional: FloatArray, starts: NDArray[np.int64], indices: FloatArray
) -> FloatArray:
    """Return Σ cos q·r and Σ sin q·r of each element's atoms.

    Args:
        fractional: positions in units of the cell, atoms of one element together, shape (N, 3).
        starts: where each element's atoms begin, and the end, shape (S + 1,).
        indices: Miller indices of the wave vectors, shape (K, 3).

    Returns:
        shape (K, S, 2).
    """
    whole = np.ascontiguousarray(indices, dtype=np.int64)
    modes = np.zeros((len(whole), len(starts) - 1, 2))
    highest = int(np.abs(whole).max()) if len(whole) else 0
    tables = np.empty((2, 3, highest + 1, BLOCK))
    for species in range(len(starts) - 1):
        for begin in range(int(starts[species]), int(starts[species + 1]), BLOCK):
            end = min(begin + BLOCK, int(starts[species + 1]))
            _add_block(fractional[begin:end], whole, tables, modes[:, species])
    return modes


@kernel
def _add_block(
    fractional: FloatArray, indices: NDArray[np.int64], tables: FloatArray, modes: NDArray[Any]
) -> None:
    atoms = len(fractional)
    cosines, sines = tables[0], tables[1]
    for axis in range(3):
        for i in range(atoms):
            cosines[axis, 0, i], sines[axis, 0, i] = 1.0, 0.0
        # Powers of one phase: a rotation each, with an error that grows by 1e-16 a step.
        for i in range(atoms):
            angle = 2.0 * np.pi * fractional[i, axis]
            c, s = np.cos(angle), np.sin(angle)
            for h in range(1, cosines.shape[1]):
                x, y = cosines[axis, h - 1, i], sines[axis, h - 1, i]
                cosines[axis, h, i], sines[axis, h, i] = x * c - y * s, x * s + y * c
    for k in range(len(indices)):
        a, b, c_ = indices[k, 0], indices[k, 1], indices[k, 2]
        sign_a, sign_b, sign_c = np.sign(a), np.sign(b), np.sign(c_)
        ca, sa = cosines[0, abs(a)], sines[0, abs(a)]
        cb, sb = cosines[1, abs(b)], sines[1, abs(b)]
        cc, sc = cosines[2, abs(c_)], sines[2, abs(c_)]
        real, imaginary = 0.0, 0.0
        for i in range(atoms):
            y1, y2, y3 = sign_a * sa[i], sign_b * sb[i], sign_c * sc[i]
            x = ca[i] * cb[i] - y1 * y2
            y = ca[i] * y2 + y1 * cb[i]
            real += x * cc[i] - y * y3
            imaginary += x * y3 + y * cc[i]
        modes[k, 0] += real
        modes[k, 1] += imaginary
