"""A potential's symmetry functions, flattened into what the kernels loop over, in Å.

Terms that share something expensive stand together: radial terms by neighbour element;
angular terms by element pair and cutoff, and below that by exponential. Wide angular terms with
whole ζ up to `MOMENTS_UP_TO` go through moments (`kernel_moments`), all others through pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmd.frame import FloatArray
from mlmd.hdnnp.compact_tables import (
    CompactTables,
    Placed,
    compact_tables,
    window_in_angstrom,
)
from mlmd.hdnnp.kernel_math import cutoff_parameters
from mlmd.hdnnp.potential import Potential
from mlmd.hdnnp.symmetry import FUNCTION_KINDS
from mlmd.hdnnp.symmetry.kind import (
    AngularTerm,
    CompactAngularTerm,
    CompactRadialTerm,
    RadialTerm,
    Term,
)

IndexArray = NDArray[np.int64]

# Moments cost (ζ + 1)², pairs the square of the number of neighbours.
MOMENTS_UP_TO = 8
# Largest ζ whose terms are added up as polynomials in cos θ.
SERIES_UP_TO = 6
# An exponential that is another one's power up to this is multiplied, not computed.
LARGEST_POWER = 31


class CutoffTables(NamedTuple):
    """Distinct cutoff radii."""

    kind: int
    radius: FloatArray  # (cutoffs,), Å
    inner: FloatArray
    inverse_width: FloatArray


class RadialTables(NamedTuple):
    """Radial terms; those of (centre c, neighbour e) start at ``first[c·elements + e]``."""

    first: IndexArray
    eta: FloatArray
    rs: FloatArray
    weight: FloatArray
    cutoff: IndexArray
    out: IndexArray


class PairTables(NamedTuple):
    """Angular terms summed over pairs: centre → groups → exponentials → terms."""

    group_first: IndexArray  # (elements + 1,)
    first_element: IndexArray  # per group
    second_element: IndexArray
    cutoff: IndexArray
    narrow: IndexArray  # 1 or 0
    shifted: IndexArray  # 1 where an exponential has r_s ≠ 0
    exponential_first: IndexArray  # (groups + 1,)
    eta: FloatArray  # per exponential
    rs: FloatArray
    term_first: IndexArray  # (exponentials + 1,)
    lam: FloatArray  # per term
    zeta: FloatArray
    whole_zeta: IndexArray  # ζ, or 0 where it isn't a whole number
    weight: FloatArray  # 2^(1−ζ) included
    out: IndexArray
    # Per exponential: it is the one before times this power of its group's first; 0: on its own.
    power: IndexArray
    degree: IndexArray  # per exponential, largest ζ, or 0 where not all are whole and small
    series: FloatArray  # (terms, SERIES_UP_TO + 1), weight · (1 + λc)^ζ as powers of c, where so


class MomentTables(NamedTuple):
    """Wide angular terms through moments: centre → blocks of one cutoff → radials and terms."""

    block_first: IndexArray  # (elements + 1,)
    cutoff: IndexArray  # per block
    degree: IndexArray  # largest ζ of the block
    radial_first: IndexArray  # (blocks + 1,)
    eta: FloatArray  # per radial
    rs: FloatArray
    term_first: IndexArray  # (blocks + 1,)
    first_element: IndexArray  # per term
    second_element: IndexArray
    radial: IndexArray  # within the block
    zeta: IndexArray
    legendre: FloatArray  # (terms, largest degree + 1), weight included
    out: IndexArray


class FunctionTables(NamedTuple):
    """Everything about symmetry functions that a kernel needs, but for compact ones."""

    cutoffs: CutoffTables
    radial: RadialTables
    pairs: PairTables
    moments: MomentTables
    counts: IndexArray  # (elements,), functions of each
    low: FloatArray  # (elements, functions), range of the training data, slightly widened
    high: FloatArray


def function_tables(potential: Potential) -> tuple[FunctionTables, CompactTables | None]:
    """Flatten a potential's symmetry functions; the second part only where there are such."""
    elements = potential.elements
    unit = potential.units.angstrom
    placed = [
        [
            (index, _in_angstrom(term, unit))
            for index, function in enumerate(potential.functions[element])
            for term in FUNCTION_KINDS[function.kind].terms(function, elements)
        ]
        for element in elements
    ]
    every = [term for terms in placed for _, term in terms]
    # Compact terms need no cutoff function, but their neighbours have to be found.
    farthest = max(term.cutoff for term in every)
    radii = sorted(
        {t.cutoff for t in every if isinstance(t, RadialTerm | AngularTerm)} | {farthest}
    )
    kind = int(potential.cutoff_type)
    inner, inverse_width = np.array(
        [cutoff_parameters(kind, radius, potential.cutoff_alpha) for radius in radii]
    ).T.copy()
    counts = np.array([len(potential.functions[e]) for e in elements], dtype=np.int64)
    low, high = np.zeros((2, len(elements), counts.max()))
    for index, element in enumerate(elements):
        scaling = potential.scaling[element]
        # scaling.data is rounded: the structure that set a bound must not exceed it.
        margin = 1e-9 * (scaling.maximum - scaling.minimum) + 1e-12
        low[index, : counts[index]] = scaling.minimum - margin
        high[index, : counts[index]] = scaling.maximum + margin
    tables = FunctionTables(
        CutoffTables(kind, np.array(radii), inner, inverse_width),
        _radial(placed, radii, len(elements)),
        _pairs(placed, radii),
        _moments(placed, radii),
        counts,
        low,
        high,
    )
    if all(isinstance(term, RadialTerm | AngularTerm) for term in every):
        return tables, None
    return tables, compact_tables(placed)


def _in_angstrom(term: Term, unit: float) -> Term:
    if isinstance(term, CompactRadialTerm | CompactAngularTerm):
        return replace(term, window=window_in_angstrom(term.window, unit))
    return replace(term, eta=term.eta / unit**2, rs=term.rs * unit, cutoff=term.cutoff * unit)


def _by_moments(term: Term) -> bool:
    return (
        isinstance(term, AngularTerm)
        and not term.narrow
        and float(term.zeta).is_integer()
        and 1 <= term.zeta <= MOMENTS_UP_TO
    )


def no_radial(elements: int) -> RadialTables:
    """Return tables without a radial term."""
    return _radial([[]] * elements, [], elements)


def no_pairs(elements: int) -> PairTables:
    """Return tables without a pair term."""
    return _pairs([[]] * elements, [])


def _radial(placed: list[list[Placed]], radii: list[float], elements: int) -> RadialTables:
    rows: list[tuple[float, float, float, int, int]] = []
    first = [0]
    for terms in placed:
        for neighbor in range(elements):
            rows += [
                (t.eta, t.rs, t.weight, radii.index(t.cutoff), out)
                for out, t in terms
                if isinstance(t, RadialTerm) and t.neighbor == neighbor
            ]
            first.append(len(rows))
    eta, rs, weight, cutoff, out = _columns(rows, 5)
    return RadialTables(
        np.array(first, dtype=np.int64), eta, rs, weight, _whole(cutoff), _whole(out)
    )


def _pairs(placed: list[list[Placed]], radii: list[float]) -> PairTables:
    groups: list[tuple[int, int, int, int, int]] = []
    exponentials: list[tuple[float, float, int, int]] = []
    rows: list[tuple[float, float, float, float, int]] = []
    group_first, exponential_first, term_first = [0], [0], [0]
    for terms in placed:
        by_group: defaultdict[tuple[int, int, int, int, int], list[tuple[int, AngularTerm]]]
        by_group = defaultdict(list)
        for out, t in terms:
            if isinstance(t, AngularTerm) and not _by_moments(t):
                shifted = int(t.rs != 0.0)
                key = (t.first, t.second, radii.index(t.cutoff), int(t.narrow), shifted)
                by_group[key].append((out, t))
        for key, members in sorted(by_group.items()):
            widths = sorted({(t.eta, t.rs) for _, t in members})
            powers = _powers([eta for eta, _ in widths])
            for width, power in zip(widths, powers, strict=True):
                # Both λ of one ζ stand next to each other.
                same = sorted(
                    (t.zeta, t.lam, t.weight, out) for out, t in members if (t.eta, t.rs) == width
                )
                rows += [
                    (lam, zeta, _whole_zeta(zeta), weight * 2.0 ** (1.0 - zeta), out)
                    for zeta, lam, weight, out in same
                ]
                largest = max(zeta for zeta, *_ in same)
                small = all(_whole_zeta(zeta) for zeta, *_ in same) and largest <= SERIES_UP_TO
                exponentials.append((*width, power, int(largest) if small else 0))
                term_first.append(len(rows))
            groups.append(key)
            exponential_first.append(len(exponentials))
        group_first.append(len(groups))
    firsts, seconds, cutoffs, narrow, shifts = (_whole(c) for c in _columns(groups, 5))
    eta, rs, power, degree = _columns(exponentials, 4)
    lam, zeta, whole, weight, out = _columns(rows, 5)
    return PairTables(
        np.array(group_first, dtype=np.int64),
        firsts,
        seconds,
        cutoffs,
        narrow,
        shifts,
        np.array(exponential_first, dtype=np.int64),
        eta,
        rs,
        np.array(term_first, dtype=np.int64),
        lam,
        zeta,
        _whole(whole),
        weight,
        _whole(out),
        _whole(power),
        _whole(degree),
        _series(lam, whole, weight),
    )


def _powers(etas: Sequence[float]) -> list[int]:
    """Return, for each η in rising order, (η − η before)/(first η), or 0 where not whole."""
    powers = [0]
    for before, eta in pairwise(etas):
        ratio = (eta - before) / etas[0] if etas[0] > 0.0 else 0.0
        whole = round(ratio) if 0.5 < ratio < LARGEST_POWER + 0.5 else 0
        # Off by less than rounding, whatever the distances are.
        powers.append(whole if abs(ratio - whole) < 1e-14 * ratio else 0)
    return powers


def _series(lam: FloatArray, whole: FloatArray, weight: FloatArray) -> FloatArray:
    """Return weight · (1 + λc)^ζ as powers of c, shape (terms, SERIES_UP_TO + 1)."""
    series = np.zeros((len(lam), SERIES_UP_TO + 1))
    for row, (l, z, w) in zip(series, zip(lam, whole, weight, strict=True), strict=True):  # noqa: E741
        if 1 <= z <= SERIES_UP_TO:
            row[: int(z) + 1] = [w * comb(int(z), n) * l**n for n in range(int(z) + 1)]
    return series


def _moments(placed: list[list[Placed]], radii: list[float]) -> MomentTables:
    blocks: list[tuple[int, int]] = []
    radials: list[tuple[float, float]] = []
    rows: list[tuple[int, int, int, int, int]] = []
    series: list[FloatArray] = []
    block_first, radial_first, term_first = [0], [0], [0]
    for terms in placed:
        by_cutoff: defaultdict[int, list[tuple[int, AngularTerm]]] = defaultdict(list)
        for out, t in terms:
            if isinstance(t, AngularTerm) and _by_moments(t):
                by_cutoff[radii.index(t.cutoff)].append((out, t))
        for cutoff, members in sorted(by_cutoff.items()):
            widths = sorted({(t.eta, t.rs) for _, t in members})
            radials += widths
            radial_first.append(len(radials))
            # Terms of the same elements and width share their moments' products.
            members.sort(key=lambda member: (member[1].first, member[1].second, member[1].eta))
            for out, t in members:
                width = widths.index((t.eta, t.rs))
                rows.append((t.first, t.second, width, int(t.zeta), out))
                series.append(t.weight * legendre_series(int(t.zeta), t.lam))
            term_first.append(len(rows))
            blocks.append((cutoff, max(int(t.zeta) for _, t in members)))
        block_first.append(len(blocks))
    legendre = np.zeros((len(series), MOMENTS_UP_TO + 1))
    for row, coefficients in zip(legendre, series, strict=True):
        row[: len(coefficients)] = coefficients
    cutoffs, degrees = (_whole(column) for column in _columns(blocks, 2))
    eta, rs = _columns(radials, 2)
    first, second, radial, zeta, outs = (_whole(column) for column in _columns(rows, 5))
    return MomentTables(
        np.array(block_first, dtype=np.int64),
        cutoffs,
        degrees,
        np.array(radial_first, dtype=np.int64),
        eta,
        rs,
        np.array(term_first, dtype=np.int64),
        first,
        second,
        radial,
        zeta,
        legendre,
        outs,
    )


def legendre_series(zeta: int, lam: float) -> FloatArray:
    """Return a_l, l = 0 … ζ, with 2^(1−ζ)(1 + λc)^ζ = Σ_l a_l P_l(c), exact for whole ζ."""
    nodes, weights = np.polynomial.legendre.leggauss(zeta + 2)
    values = weights * 2.0 ** (1 - zeta) * (1.0 + lam * nodes) ** zeta
    polynomials = np.polynomial.legendre.legvander(nodes, zeta)
    return np.asarray((2 * np.arange(zeta + 1) + 1) / 2 * (values @ polynomials))


def _whole_zeta(zeta: float) -> int:
    return int(zeta) if float(zeta).is_integer() and 1 <= zeta <= 256 else 0


def _columns(rows: Sequence[tuple[float, ...]], count: int) -> FloatArray:
    return np.array(rows, dtype=np.float64).reshape(len(rows), count).T.copy()


def _whole(column: FloatArray) -> IndexArray:
    return column.astype(np.int64)
