"""Sums over the neighbours of every atom, for `mlmd.analysis.fingerprint`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import inline_kernel, kernel

RADII = 8  # Gaussians along the distance
SHELLS = 3  # broader ones, for angles
PAIRS = SHELLS * (SHELLS + 1) // 2
DEGREES = 6  # spherical harmonics l = 1 … 6; l = 0 has no angle
_HARMONICS = (DEGREES + 1) ** 2
_FIRST = 0.8  # Å, centre of the first Gaussian
_NOWHERE = 1e-6  # Å: atoms on top of each other have no direction


def _factors() -> NDArray[np.float64]:
    """Return what turns a polynomial of `_harmonics` into one whose squares sum to one over m.

    The sum over m of the squares of degree l is 1 for a unit vector (addition theorem), so that
    an atom with one neighbour has equal power in all degrees.
    """
    factors = np.zeros((DEGREES + 1, DEGREES + 1))
    for degree in range(DEGREES + 1):
        for order in range(degree + 1):
            ratio = math.factorial(degree - order) / math.factorial(degree + order)
            factors[degree, order] = math.sqrt((2.0 if order else 1.0) * ratio)
    return factors


_FACTORS = _factors()


@inline_kernel
def _harmonics(
    x: float,
    y: float,
    z: float,
    factors: NDArray[np.float64],
    legendre: NDArray[np.float64],
    values: NDArray[np.float64],
) -> None:
    """Write the real spherical harmonics of a unit vector, l² + l + m being the place of (l, m).

    The recurrences in z, with the powers of x + iy taken out of the associated Legendre
    functions, have no division by the sine and so no special case at the poles.
    """
    legendre[0, 0] = 1.0
    for m in range(1, DEGREES + 1):
        legendre[m, m] = (2 * m - 1) * legendre[m - 1, m - 1]
    for m in range(DEGREES):
        legendre[m + 1, m] = (2 * m + 1) * z * legendre[m, m]
        for degree in range(m + 2, DEGREES + 1):
            legendre[degree, m] = (
                (2 * degree - 1) * z * legendre[degree - 1, m]
                - (degree + m - 1) * legendre[degree - 2, m]
            ) / (degree - m)
    real, imaginary = 1.0, 0.0
    for m in range(DEGREES + 1):
        for degree in range(m, DEGREES + 1):
            scaled = factors[degree, m] * legendre[degree, m]
            middle = degree * degree + degree
            values[middle + m] = scaled * real
            if m > 0:
                values[middle - m] = scaled * imaginary
        real, imaginary = x * real - y * imaginary, x * imaginary + y * real


@inline_kernel
def _see(
    vectors: NDArray[np.float64],
    shares: NDArray[np.float64],
    cutoff: float,
    factors: NDArray[np.float64],
    values: NDArray[np.float64],
    legendre: NDArray[np.float64],
    seen: NDArray[np.float64],
    density: NDArray[np.float64],
) -> None:
    """Add the neighbours of one atom, of weights `shares` (P, C), to its densities."""
    step = (cutoff - _FIRST) / (RADII - 1)
    wide = (cutoff - _FIRST) / SHELLS
    for p in range(len(vectors)):
        x, y, z = vectors[p, 0], vectors[p, 1], vectors[p, 2]
        r = math.sqrt(x * x + y * y + z * z)
        if r < _NOWHERE:
            continue
        fade = 0.5 * (math.cos(math.pi * r / cutoff) + 1.0)
        for k in range(RADII):
            away = (r - _FIRST - k * step) / step
            near = fade * math.exp(-away * away)
            for c in range(shares.shape[1]):
                seen[c, k] += shares[p, c] * near
        _harmonics(x / r, y / r, z / r, factors, legendre, values)
        for n in range(SHELLS):
            away = (r - _FIRST - (n + 0.5) * wide) / wide
            near = fade * math.exp(-2.0 * away * away)
            for c in range(shares.shape[1]):
                for m in range(1, _HARMONICS):
                    density[c, n, m] += shares[p, c] * near * values[m]


@inline_kernel
def _add_power(density: NDArray[np.float64], angular: NDArray[np.float64]) -> None:
    """Add the power spectrum of one atom's densities, shape (C, `SHELLS`, harmonics)."""
    for c in range(density.shape[0]):
        pair = 0
        for n in range(SHELLS):
            for other in range(n, SHELLS):
                for degree in range(1, DEGREES + 1):
                    power = 0.0
                    for m in range(degree * degree, (degree + 1) * (degree + 1)):
                        power += density[c, n, m] * density[c, other, m]
                    angular[c, pair, degree - 1] += power
                pair += 1


@kernel
def sum_environments(
    first: NDArray[np.int64],
    neighbors: NDArray[np.int64],
    vectors: NDArray[np.float64],
    weights: NDArray[np.float64],
    cutoff: float,
    radial: NDArray[np.float64],
    angular: NDArray[np.float64],
) -> None:
    """Add up the radial parts and the power spectra of all atoms.

    Args:
        first: shape (N + 1,), where each atom's neighbours start.
        neighbors: shape (P,), atom indices.
        vectors: shape (P, 3), Å, all shorter than the cutoff.
        weights: shape (N, C), of each atom in each channel.
        cutoff: Å.
        radial: shape (C, C, `RADII`), added to: channel of the atom, of the neighbours.
        angular: shape (C, `PAIRS`, `DEGREES`), added to.
    """
    values = np.zeros(_HARMONICS)
    legendre = np.zeros((DEGREES + 1, DEGREES + 1))
    factors = _FACTORS.copy()
    seen = np.zeros((weights.shape[1], RADII))
    density = np.zeros((weights.shape[1], SHELLS, _HARMONICS))
    for i in range(len(first) - 1):
        seen[:] = 0.0
        density[:] = 0.0
        around = slice(first[i], first[i + 1])
        shares = weights[neighbors[around]]
        _see(vectors[around], shares, cutoff, factors, values, legendre, seen, density)
        for a in range(weights.shape[1]):
            radial[a] += weights[i, a] * seen
        _add_power(density, angular)
