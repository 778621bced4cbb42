"""Symmetry functions of one element's atoms with all their derivatives: the loops.

Symbols: a = exp[−η(r − r_s)²] f_c(r) of one neighbour, p = 2^(1−ζ)(1 + λc)^ζ with
c = cos θ_jik, b = a(r_jk) in narrow terms and 1 in wide ones; G = Σ p a_j a_k b. With u the vectors
from i, ∂G/∂r_j = α_j u_j + β u_k, ∂G/∂r_k = α_k u_k + β u_j and ∂G/∂r_i minus their sum.

The terms of two neighbours stand in a row, eight are worked on at once; what terms share, powers
of (1 + λc) and third sides, is found once for all of them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import kernel, subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.compact_derivatives import VOIGT
from mlmd.hdnnp.cutoffs import cutoff_and_slope
from mlmd.vectors import LANES, lanes8, load8, only8, same8, store8

IntArray = NDArray[np.int64]
# Columns of tables of terms.
ETA, SHIFT, LAMBDA, ZETA, RADIUS, NARROW, WEIGHT, COLUMN = range(8)


class _Work(NamedTuple):
    """What is known of one atom's surroundings; rows of terms follow each other in flat arrays."""

    r: FloatArray  # (most,), Å
    u: FloatArray  # (most, 3), Å
    kind: IntArray  # (most,), element of each neighbour
    slot: IntArray  # (most,), row of each neighbour's atom among the pairs of the central one
    a: FloatArray  # (most · T + 7,)
    slope: FloatArray  # (most · T + 7,), a'/r
    power: FloatArray  # (T + 7,), p
    power_slope: FloatArray  # (T + 7,), dp/dc
    side: FloatArray  # (T + 7,), b
    side_slope: FloatArray  # (T + 7,), b'/r_jk
    sums: FloatArray  # (T + 7,), G
    gradient: FloatArray  # (most · 3 · T + 7,), ∂G/∂u


@kernel
def count_moved(atoms: IntArray, first: IntArray, neighbors: IntArray, count: int) -> IntArray:
    """Return how many different atoms move the functions of ``atoms``, as running sums."""
    seen = np.full(count, -1, np.int64)
    sums = np.zeros(len(atoms) + 1, np.int64)
    for k in range(len(atoms)):
        i = atoms[k]
        seen[i] = i
        found = 1
        for p in range(first[i], first[i + 1]):
            if seen[neighbors[p]] != i:
                seen[neighbors[p]] = i
                found += 1
        sums[k + 1] = sums[k] + found
    return sums


@subkernel
def _look_around(
    i: int,
    start: int,
    stop: int,
    neighbors: IntArray,
    vectors: FloatArray,
    species: IntArray,
    stamp: IntArray,
    slot_of: IntArray,
    moved: IntArray,
    wanted: bool,
    work: _Work,
) -> int:
    """Fill distances, kinds and slots of atom i; return the number of slots."""
    slots = 1
    if wanted:
        moved[0] = i
    stamp[i], slot_of[i] = i, 0
    for k in range(stop - start):
        j = neighbors[start + k]
        if stamp[j] != i:
            stamp[j], slot_of[j] = i, slots
            if wanted:
                moved[slots] = j
            slots += 1
        work.slot[k], work.kind[k] = slot_of[j], species[j]
        square = 0.0
        for d in range(3):
            work.u[k, d] = vectors[start + k, d]
            square += work.u[k, d] ** 2
        work.r[k] = math.sqrt(square)
    return slots


@kernel
def _bell(
    cutoff_type: int, alpha: float, eta: float, shift: float, r_c: float, r: float
) -> tuple[float, float]:
    """Return a(r) and its derivative."""
    if r >= r_c:
        return 0.0, 0.0
    f, df = cutoff_and_slope(cutoff_type, alpha, r, r_c)
    x = r - shift
    e = math.exp(-eta * x * x)
    return e * f, e * (df - 2.0 * eta * x * f)


@subkernel
def _add_radial(
    n: int,
    radial: FloatArray,
    radial_range: IntArray,
    cutoff_type: int,
    alpha: float,
    wanted: bool,
    work: _Work,
    values: FloatArray,
    g: FloatArray,
) -> None:
    for k in range(n):
        for t in range(radial_range[work.kind[k], 0], radial_range[work.kind[k], 1]):
            a, slope = _bell(
                cutoff_type, alpha, radial[t, 0], radial[t, 1], radial[t, 2], work.r[k]
            )
            s = int(radial[t, 4])
            values[s] += radial[t, 3] * a
            if wanted:
                for d in range(3):
                    g[k, d, s] += radial[t, 3] * slope / work.r[k] * work.u[k, d]


@subkernel
def _fill_neighbors(
    n: int, angular: FloatArray, cutoff_type: int, alpha: float, work: _Work
) -> None:
    """Fill a and a'/r of every neighbour and term."""
    count = len(angular)
    for k in range(n):
        for t in range(count):
            at = k * count + t
            if t > 0 and _same_bell(angular, t, t - 1):
                work.a[at], work.slope[at] = work.a[at - 1], work.slope[at - 1]
                continue
            a, slope = _bell(
                cutoff_type, alpha, angular[t, ETA], angular[t, SHIFT], angular[t, RADIUS],
                work.r[k],
            )  # fmt: skip
            work.a[at], work.slope[at] = a, slope / work.r[k]


@subkernel
def _same_bell(angular: FloatArray, t: int, other: int) -> bool:
    return bool(
        angular[t, ETA] == angular[other, ETA]
        and angular[t, SHIFT] == angular[other, SHIFT]
        and angular[t, RADIUS] == angular[other, RADIUS]
    )


@subkernel
def _fill_powers(
    start: int, end: int, angular: FloatArray, alike: IntArray, c: float, work: _Work
) -> None:
    """Fill p and dp/dc of the terms from start to end."""
    for t in range(start, end):
        if start <= alike[t] < t:
            work.power[t] = work.power[alike[t]]
            work.power_slope[t] = work.power_slope[alike[t]]
            continue
        lam, zeta = angular[t, LAMBDA], angular[t, ZETA]
        y = 1.0 + lam * c
        steps = int(zeta)
        slope = 0.0
        if steps == zeta and 0 < steps <= 16:
            # Powers by multiplication: pow() would cost more than all the rest.
            slope = angular[t, WEIGHT]
            for _ in range(steps - 1):
                slope *= 0.5 * y
        elif y > 0.0:
            slope = angular[t, WEIGHT] * 2.0 ** (1.0 - zeta) * y ** (zeta - 1.0)
        work.power[t] = slope * y
        work.power_slope[t] = slope * zeta * lam


@subkernel
def _fill_sides(
    start: int,
    end: int,
    angular: FloatArray,
    cutoff_type: int,
    alpha: float,
    r_jk: float,
    work: _Work,
) -> bool:
    """Fill b and b'/r_jk of the terms from start to end; return whether any b isn't zero."""
    found = False
    for t in range(start, end):
        if angular[t, NARROW] <= 0.0:
            work.side[t], work.side_slope[t] = 1.0, 0.0
        elif t > start and angular[t - 1, NARROW] > 0.0 and _same_bell(angular, t, t - 1):
            # Terms that differ in λ and ζ alone share the third side.
            work.side[t], work.side_slope[t] = work.side[t - 1], work.side_slope[t - 1]
        else:
            b, slope = _bell(
                cutoff_type, alpha, angular[t, ETA], angular[t, SHIFT], angular[t, RADIUS], r_jk
            )
            work.side[t], work.side_slope[t] = b, slope / r_jk if slope != 0.0 else 0.0
        found = found or work.side[t] != 0.0
    return found


@subkernel
def _add_values(start: int, end: int, j: int, k: int, work: _Work) -> None:
    for t in range(start, end, LANES):
        both = load8(work.a, j + t) * load8(work.a, k + t) * load8(work.side, t)
        p = only8(lanes8(end - t), load8(work.power, t))
        store8(work.sums, t, load8(work.sums, t) + p * both)


@subkernel
def _add_terms(
    start: int, end: int, j: int, k: int, count: int, c: float, inverse: float, work: _Work
) -> None:
    """Add what neighbours j and k give to the gradients by their vectors.

    Args:
        start: first term, and ``end`` behind the last one.
        end: see there.
        j: where the rows of the first neighbour are, ``k`` of the second.
        k: see there.
        count: length of a row.
        c: cosine of the angle.
        inverse: 1/(r_j r_k).
        work: of the central atom.
    """
    m, n = j // count, k // count
    over_j, over_k = c / (work.r[m] * work.r[m]), c / (work.r[n] * work.r[n])
    for t in range(start, end, LANES):
        live = lanes8(end - t)
        p = only8(live, load8(work.power, t))
        dp = only8(live, load8(work.power_slope, t))
        b = load8(work.side, t)
        a_j, a_k = load8(work.a, j + t), load8(work.a, k + t)
        a = a_j * a_k
        turn = dp * a * b
        side = p * a * load8(work.side_slope, t)
        beta = turn * same8(inverse) - side
        pb = p * b
        along_j = pb * load8(work.slope, j + t) * a_k + side - turn * same8(over_j)
        along_k = pb * load8(work.slope, k + t) * a_j + side - turn * same8(over_k)
        for d in range(3):
            u_j, u_k = same8(work.u[m, d]), same8(work.u[n, d])
            at = (3 * m + d) * count + t
            store8(work.gradient, at, load8(work.gradient, at) + along_j * u_j + beta * u_k)
            at = (3 * n + d) * count + t
            store8(work.gradient, at, load8(work.gradient, at) + along_k * u_k + beta * u_j)


@subkernel
def _add_angular(
    n: int,
    angular: FloatArray,
    angular_range: IntArray,
    alike: IntArray,
    any_narrow: bool,
    reach: float,
    cutoff_type: int,
    alpha: float,
    wanted: bool,
    work: _Work,
) -> None:
    count = len(angular)
    r, u = work.r, work.u
    for j in range(n):
        for k in range(j + 1, n):
            start = angular_range[work.kind[j], work.kind[k], 0]
            end = angular_range[work.kind[j], work.kind[k], 1]
            if start == end:
                continue
            if any_narrow:
                r_jk = math.sqrt(
                    (u[k, 0] - u[j, 0]) ** 2 + (u[k, 1] - u[j, 1]) ** 2 + (u[k, 2] - u[j, 2]) ** 2
                )
                if r_jk >= reach or not _fill_sides(
                    start, end, angular, cutoff_type, alpha, r_jk, work
                ):
                    continue
            inverse = 1.0 / (r[j] * r[k])
            c = (u[j, 0] * u[k, 0] + u[j, 1] * u[k, 1] + u[j, 2] * u[k, 2]) * inverse
            c = min(1.0, max(-1.0, c))
            _fill_powers(start, end, angular, alike, c, work)
            # Sums apart from gradients: to the last bit the same with and without these.
            _add_values(start, end, j * count, k * count, work)
            if wanted:
                _add_terms(start, end, j * count, k * count, count, c, inverse, work)


@subkernel
def _collect(
    n: int,
    slots: int,
    angular: FloatArray,
    work: _Work,
    g: FloatArray,
    total: FloatArray,
    gradients: NDArray[np.float32],
    strains: NDArray[np.float32],
) -> None:
    """Sum over the images of each atom, and over all for the strain."""
    count, columns = len(angular), g.shape[2]
    total[:slots] = 0.0
    for k in range(n):
        for d in range(3):
            for t in range(count):
                g[k, d, int(angular[t, COLUMN])] += work.gradient[(3 * k + d) * count + t]
            for s in range(columns):
                total[work.slot[k], d, s] += g[k, d, s]
                total[0, d, s] -= g[k, d, s]
    for c in range(6):
        for s in range(columns):
            sum_ = 0.0
            for k in range(n):
                sum_ += work.u[k, VOIGT[c, 1]] * g[k, VOIGT[c, 0], s]
            strains[c, s] = np.float32(sum_)
    for q in range(slots):
        for d in range(3):
            for s in range(columns):
                gradients[q, d, s] = np.float32(total[q, d, s])


@kernel
def differentiate(
    atoms: IntArray,
    species: IntArray,
    first: IntArray,
    neighbors: IntArray,
    vectors: FloatArray,
    radial: FloatArray,
    radial_range: IntArray,
    angular: FloatArray,
    angular_range: IntArray,
    alike: IntArray,
    cutoff_type: int,
    alpha: float,
    wanted: bool,
    values: FloatArray,
    pairs: IntArray,
    moved: IntArray,
    gradients: NDArray[np.float32],
    strains: NDArray[np.float32],
) -> None:
    """Fill values, moved, gradients and strains of one element's atoms.

    Args:
        atoms: indices in the frame, shape (A,).
        species: element of every atom, shape (N,).
        first: atom i owns the neighbours ``first[i]`` to ``first[i + 1]``.
        neighbors: their indices.
        vectors: from the atom to them, shape (P, 3), Å.
        radial: terms: η, r_s, r_c, weight, column, shape (R, 5).
        radial_range: those of each neighbour element, shape (E, 2).
        angular: terms in the order of this module's columns, shape (T, 8).
        angular_range: those of each pair of neighbour elements, shape (E, E, 2).
        alike: an earlier term with the same λ, ζ and weight, or the term itself, shape (T,).
        cutoff_type: of all functions.
        alpha: inner cutoff as a fraction of the cutoff radius.
        wanted: are derivatives?
        values: shape (A, S).
        pairs: rows of ``gradients`` of each atom, itself first, shape (A + 1,).
        moved: the atom of each row.
        gradients: shape (rows, 3, S), 1/Å.
        strains: shape (A, 6, S), in Voigt's order.
    """
    count, columns = len(angular), values.shape[1]
    slot_of = np.full(len(species), -1, np.int64)
    stamp = np.full(len(species), -1, np.int64)
    most, spare = 0, LANES - 1
    for k in range(len(atoms)):
        most = max(most, first[atoms[k] + 1] - first[atoms[k]])
    work = _Work(
        np.zeros(most), np.zeros((most, 3)), np.zeros(most, np.int64), np.zeros(most, np.int64),
        np.zeros(most * count + spare), np.zeros(most * count + spare),
        np.zeros(count + spare), np.zeros(count + spare),
        np.ones(count + spare), np.zeros(count + spare), np.zeros(count + spare),
        np.zeros(most * 3 * count + spare if wanted else 0),
    )  # fmt: skip
    # By each neighbour vector, images apart: strain moves an image, too.
    g = np.zeros((most if wanted else 0, 3, columns))
    total = np.zeros((most + 1 if wanted else 0, 3, columns))
    any_narrow = bool((angular[:, NARROW] > 0.0).any())
    # Where all terms are narrow, no third side is longer.
    reach = angular[:, RADIUS].max() if count and (angular[:, NARROW] > 0.0).all() else np.inf
    for row in range(len(atoms)):
        i = atoms[row]
        start, stop = first[i], first[i + 1]
        n = stop - start
        slots = _look_around(
            i, start, stop, neighbors, vectors, species, stamp, slot_of,
            moved[pairs[row] :], wanted, work,
        )  # fmt: skip
        if wanted:
            g[:n] = 0.0
            work.gradient[: n * 3 * count] = 0.0
        _add_radial(
            n, radial, radial_range, cutoff_type, alpha, wanted, work, values[row], g
        )  # fmt: skip
        if count:
            work.sums[:] = 0.0
            _fill_neighbors(n, angular, cutoff_type, alpha, work)
            _add_angular(
                n,
                angular,
                angular_range,
                alike,
                any_narrow,
                reach,
                cutoff_type,
                alpha,
                wanted,
                work,
            )
            for t in range(count):
                values[row, int(angular[t, COLUMN])] += work.sums[t]
        if wanted:
            _collect(n, slots, angular, work, g, total, gradients[pairs[row] :], strains[row])
