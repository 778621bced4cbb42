"""Mean squared displacement by FFT, and diffusion coefficients with their uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from mlmd.errors import InvalidInput

FloatArray = NDArray[np.float64]
ReadAtoms = Callable[[slice], FloatArray]

A2_PER_PS_IN_CM2_S = 1e-4
_BLOCK_VALUES = 2_000_000  # coordinates in memory at a time: 16 MB, and five times that for the FFT


@dataclass(frozen=True)
class MeanSquaredDisplacement:
    """⟨|r(t₀+t) − r(t₀)|²⟩ over atoms and all time origins.

    Args:
        times: time differences, shape (F,), ps.
        elements: symbols, E of them.
        values: per element, shape (E, F), Å².
        total: over all atoms, shape (F,), Å².
        atoms: atoms per element, shape (E,).
    """

    times: FloatArray
    elements: tuple[str, ...]
    values: FloatArray
    total: FloatArray
    atoms: tuple[int, ...]


@dataclass(frozen=True)
class DiffusionCoefficient:
    """D = lim ⟨|Δr|²⟩ / 6t of one element.

    Args:
        element: symbol, or ``"*"`` for all atoms.
        value: cm²/s, mean over segments of the run.
        error: standard error of that mean, cm²/s; None with fewer than two segments.
        exponent: α in ⟨|Δr|²⟩ ∝ t^α over the later half of the fitted times: 1 for diffusion,
            near 0 in a solid, 2 for free flight.
        fit_from: shortest fitted time, ps.
        fit_to: longest fitted time, ps.
        segments: independent parts of the run.
        is_diffusive: whether D can be believed: α within 0.7 to 1.3 and ⟨|Δr|²⟩ at the end of
            the fit above 1 Å².
    """

    element: str
    value: float
    error: float | None
    exponent: float
    fit_from: float
    fit_to: float
    segments: int
    is_diffusive: bool


def squared_displacements(positions: FloatArray) -> FloatArray:
    """Return the mean squared displacement of each atom over all time origins.

    |r(t₀+t) − r(t₀)|² = r²(t₀+t) + r²(t₀) − 2 r(t₀+t)·r(t₀): sums of squares by recursion and
    the correlation by FFT, so the cost is F log F and not F².

    Args:
        positions: unwrapped, shape (F, N, 3), Å.

    Returns:
        Shape (F, N), Å².

    Source: Kneller et al., Comput. Phys. Commun. 91, 191 (1995),
    doi:10.1016/0010-4655(95)00048-K.
    """
    frames = len(positions)
    # Distances from the start keep the sums of squares small and the differences exact.
    r = positions - positions[:1]
    # The sum over origins of r²(t₀+t) + r²(t₀) loses one term at each end per step of t.
    squares = np.einsum("fnd,fnd->fn", r, r)
    from_start = np.cumsum(squares, axis=0)
    sums = from_start[::-1] + (from_start[-1] - np.vstack([0 * squares[:1], from_start[:-1]]))
    length = fft.next_fast_len(2 * frames, real=True)
    spectrum = fft.rfft(r, length, axis=0)
    correlation = fft.irfft((spectrum * spectrum.conj()).real, length, axis=0)[:frames].sum(axis=2)
    origins = np.arange(frames, 0, -1)[:, None]
    # Rounding of the transform can leave −1e-16 where nothing moves.
    return np.asarray(np.maximum((sums - 2 * correlation) / origins, 0.0))


def mean_squared_displacement(
    positions: FloatArray | ReadAtoms,
    numbers: ArrayLike,
    time_step: float,
    masses: ArrayLike | None = None,
    drift: FloatArray | None = None,
) -> MeanSquaredDisplacement:
    """Return the mean squared displacement per element.

    Args:
        positions: unwrapped, shape (F, N, 3), Å; or a function from a slice of atoms to
            theirs, so that a long trajectory is read in blocks of bounded size.
        numbers: atomic numbers, shape (N,).
        time_step: between frames, ps.
        masses: with these, the motion of the centre of mass is taken out, shape (N,).
        drift: motion of the centre of mass, if it is known, shape (F, 3), Å; used
            in place of ``masses``.

    Raises:
        InvalidInput: fewer than two frames, or a time step that isn't positive.
    """
    numbers = np.asarray(numbers, dtype=np.int64)
    read: ReadAtoms = positions if callable(positions) else lambda atoms: positions[:, atoms]
    first = read(slice(0, 1))
    frames = len(first)
    if frames < 2 or not time_step > 0:
        raise InvalidInput(
            "mean squared displacement",
            f"{frames} frames, {time_step} ps apart",
            "at least two frames and a positive time between them",
        )
    block = max(_BLOCK_VALUES // (3 * frames), 1)
    blocks = [slice(start, start + block) for start in range(0, len(numbers), block)]
    if drift is None:
        drift = np.zeros((frames, 3))
        if masses is not None:
            weights = np.asarray(masses, dtype=np.float64)
            for atoms in blocks:
                drift += np.einsum("n,fnd->fd", weights[atoms], read(atoms)) / weights.sum()
    elements, kinds = np.unique(numbers, return_inverse=True)
    sums = np.zeros((len(elements), frames))
    for atoms in blocks:
        values = squared_displacements(read(atoms) - drift[:, None])
        for kind in range(len(elements)):
            sums[kind] += values[:, kinds[atoms] == kind].sum(axis=1)
    population = np.bincount(kinds)
    return MeanSquaredDisplacement(
        times=np.arange(frames, dtype=np.float64) * time_step,
        elements=tuple(chemical_symbols[number] for number in elements),
        values=sums / population[:, None],
        total=sums.sum(axis=0) / len(numbers),
        atoms=tuple(population.tolist()),
    )


def diffusion_coefficient(
    segments: list[MeanSquaredDisplacement], fit_from: float = 0.1, fit_to: float = 0.5
) -> tuple[DiffusionCoefficient, ...]:
    """Return D per element and, last, of all atoms.

    A line is fitted to each segment's mean squared displacement; D is the mean of
    slope/6 and its error comes from the scatter between segments, which no error of a single
    fit can give, since the points of one curve depend on each other.

    Args:
        segments: curves of separate, equally long parts of a run (`split_segments`).
        fit_from: start of the fit, as a share of the segment's length: skips free flight and
            rattling.
        fit_to: end of the fit, as a share: later points have few time origins.

    Raises:
        InvalidInput: no segment, or fewer than three points to fit.
    """
    if not segments:
        raise InvalidInput("diffusion coefficient", "no segments", "at least one")
    times = segments[0].times
    chosen = slice(
        max(int(np.ceil(fit_from * (len(times) - 1))), 1), int(fit_to * (len(times) - 1)) + 1
    )
    if len(times[chosen]) < 3:
        raise InvalidInput(
            "diffusion coefficient",
            f"{len(times)} frames in a segment",
            "enough for three points of the fit",
            "Store frames more often or run longer.",
        )
    labels = (*segments[0].elements, "*")
    curves = np.array([[*item.values, item.total] for item in segments])[:, :, chosen]
    return tuple(_fit(label, times[chosen], curves[:, index]) for index, label in enumerate(labels))


def split_segments(frames: int, count: int = 5, least: int = 10) -> list[slice]:
    """Cut a run into equal parts, fewer of them where they would fall under ``least`` frames."""
    count = max(min(count, frames // least), 1)
    length = frames // count
    return [slice(index * length, (index + 1) * length) for index in range(count)]


def _fit(label: str, times: FloatArray, curves: FloatArray) -> DiffusionCoefficient:
    slopes = np.array([np.polyfit(times, curve, 1)[0] for curve in curves])
    diffusion = slopes / 6 * A2_PER_PS_IN_CM2_S
    mean_curve = curves.mean(axis=0)
    # The early part still remembers free flight, which the slope forgets and a power doesn't.
    late = slice(min(len(times) // 2, len(times) - 2), None)
    exponent = 0.0
    if np.all(mean_curve[late] > 0):
        exponent = float(np.polyfit(np.log(times[late]), np.log(mean_curve[late]), 1)[0])
    error = None
    if len(diffusion) > 1:
        error = float(diffusion.std(ddof=1) / np.sqrt(len(diffusion)))
    return DiffusionCoefficient(
        element=label,
        value=float(diffusion.mean()),
        error=error,
        exponent=exponent,
        fit_from=float(times[0]),
        fit_to=float(times[-1]),
        segments=len(curves),
        is_diffusive=bool(0.7 <= exponent <= 1.3 and mean_curve[-1] > 1.0),
    )
