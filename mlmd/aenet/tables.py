"""An aenet potential, flattened into what the engine's kernels loop over.

The angular functions go through moments of the neighbour density as wide angular symmetry
functions do (`mlmd.hdnnp.kernel_moments`): T_n is a sum of Legendre polynomials.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from mlmd.aenet.potential import AenetPotential, ChebyshevBasis
from mlmd.frame import FloatArray
from mlmd.hdnnp.evaluator import EngineTables
from mlmd.hdnnp.kernel_chebyshev import ChebyshevTables
from mlmd.hdnnp.kernel_math import cutoff_parameters
from mlmd.hdnnp.kernel_network import flatten_networks
from mlmd.hdnnp.potential import CutoffType
from mlmd.hdnnp.tables import (
    CutoffTables,
    FunctionTables,
    MomentTables,
    no_pairs,
    no_radial,
)


def engine_tables(potential: AenetPotential) -> EngineTables:
    """Flatten a potential of Chebyshev functions."""
    parts, bases = potential.parts, _bases(potential)
    radii = sorted({b.radial_cutoff for b in bases} | {b.angular_cutoff for b in bases})
    kind = int(CutoffType.COSINE)
    inner, inverse_width = np.array([cutoff_parameters(kind, r, 0.0) for r in radii]).T.copy()
    counts = np.array([p.basis.count for p in parts], dtype=np.int64)
    low, high = np.zeros((2, len(parts), counts.max()))
    for index, part in enumerate(parts):
        # The structure that set a bound must not exceed it by rounding.
        margin = 1e-9 * (part.maximum - part.minimum) + 1e-12
        low[index, : counts[index]] = part.minimum - margin
        high[index, : counts[index]] = part.maximum + margin
    functions = FunctionTables(
        CutoffTables(kind, np.array(radii), inner, inverse_width),
        no_radial(len(parts)),
        no_pairs(len(parts)),
        _moments(potential, radii),
        counts,
        low,
        high,
    )
    networks = flatten_networks(
        [p.network for p in parts], [p.factors() for p in parts], normalize_nodes=False
    )
    return EngineTables(functions, None, _radial(potential, radii), networks)


def chebyshev_series(order: int) -> FloatArray:
    """Return a_l, l = 0 … n, with T_n(c) = Σ_l a_l P_l(c)."""
    power = np.polynomial.chebyshev.cheb2poly(np.eye(order + 1)[order])
    return np.asarray(np.polynomial.legendre.poly2leg(power), dtype=np.float64)


def _bases(potential: AenetPotential) -> list[ChebyshevBasis]:
    return [part.basis for part in potential.parts if isinstance(part.basis, ChebyshevBasis)]


def _weights(basis: ChebyshevBasis, elements: tuple[str, ...]) -> list[float]:
    return [basis.weights[element] for element in elements]


def _radial(potential: AenetPotential, radii: list[float]) -> ChebyshevTables:
    bases = _bases(potential)
    out = []
    for basis in bases:
        once = basis.radial_order + basis.angular_order + 2
        out.append((0, once if basis.count > once else -1))
    return ChebyshevTables(
        np.array([basis.radial_order for basis in bases], dtype=np.int64),
        np.array([radii.index(basis.radial_cutoff) for basis in bases], dtype=np.int64),
        np.array([1.0 / basis.radial_cutoff for basis in bases]),
        np.array(out, dtype=np.int64),
        np.array([_weights(basis, potential.elements) for basis in bases]),
    )


def _moments(potential: AenetPotential, radii: list[float]) -> MomentTables:
    """One block for each central element: one radial, the bare cutoff function."""
    bases = _bases(potential)
    widest = max(basis.angular_order for basis in bases) + 1
    rows: list[tuple[int, int, int, int]] = []
    series: list[FloatArray] = []
    term_first = [0]
    for basis in bases:
        weights = _weights(basis, potential.elements)
        once = basis.radial_order + basis.angular_order + 2
        # Terms of the same elements stand together: they share their moments' products.
        for a, b in combinations_with_replacement(range(len(bases)), 2):
            for n in range(basis.angular_order + 1):
                coefficients = np.zeros(widest)
                coefficients[: n + 1] = chebyshev_series(n)
                out = basis.radial_order + 1 + n
                rows.append((a, b, n, out))
                series.append(coefficients)
                if basis.count > once:
                    rows.append((a, b, n, once + out))
                    series.append(coefficients * weights[a] * weights[b])
        term_first.append(len(rows))
    first, second, degree, out_column = np.array(rows, dtype=np.int64).T.copy()
    blocks = np.arange(len(bases) + 1)
    return MomentTables(
        blocks,
        np.array([radii.index(basis.angular_cutoff) for basis in bases], dtype=np.int64),
        np.array([basis.angular_order for basis in bases], dtype=np.int64),
        blocks,
        np.zeros(len(bases)),
        np.zeros(len(bases)),
        np.array(term_first, dtype=np.int64),
        first,
        second,
        np.zeros(len(rows), dtype=np.int64),
        degree,
        np.array(series),
        out_column,
    )
