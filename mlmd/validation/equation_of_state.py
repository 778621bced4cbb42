"""Birch and Murnaghan's equation of state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.units import EV_PER_A3_IN_GPA

LEAST_POINTS = 5


@dataclass(frozen=True)
class EquationOfState:
    """What a fit of E(V) says.

    Args:
        volume: V₀ of the minimum, Å³.
        energy: E₀ there, eV.
        bulk_modulus: B₀, GPa.
        pressure_derivative: B₀′.
    """

    volume: float
    energy: float
    bulk_modulus: float
    pressure_derivative: float


def fit_birch_murnaghan(volumes: FloatArray, energies: FloatArray) -> EquationOfState:
    """Fit the third-order equation of state, a cubic polynomial in V^(−2/3).

    Args:
        volumes: shape (P,), Å³.
        energies: shape (P,), eV.

    Raises:
        InvalidInput: too few points, or no minimum between the outermost ones.

    Source: Birch, Phys. Rev. 71, 809 (1947), doi:10.1103/PhysRev.71.809.
    """
    where = "equation of state"
    if len(volumes) < LEAST_POINTS:
        raise InvalidInput(where, f"{len(volumes)} volumes", f"at least {LEAST_POINTS}")
    x = volumes ** (-2 / 3)
    polynomial = np.polynomial.Polynomial.fit(x, energies, 3)
    slope, curvature = polynomial.deriv(1), polynomial.deriv(2)
    roots = slope.roots()
    minima = [
        float(root.real)
        for root in roots
        if abs(root.imag) < 1e-12 * abs(root.real) and curvature(root.real) > 0
    ]
    inside = [root for root in minima if x.min() <= root <= x.max()]
    if not inside:
        raise InvalidInput(
            where,
            f"no minimum between {volumes.min():.4g} and {volumes.max():.4g} Å³",
            "volumes on both sides of the minimum",
        )
    x0 = inside[0]
    v0 = x0**-1.5
    # dx/dV = −⅔ x^(5/2); at the minimum E′(x) = 0, which leaves B₀ = (4/9) x₀^(7/2) E″(x₀).
    second, third = float(curvature(x0)), float(polynomial.deriv(3)(x0))
    bulk = 4 / 9 * x0**3.5 * second
    derivative = 4 + 2 * x0 * third / (3 * second)
    return EquationOfState(v0, float(polynomial(x0)), bulk * EV_PER_A3_IN_GPA, derivative)
