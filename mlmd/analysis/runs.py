"""Analyses of a trajectory on disk, at a cost that doesn't grow with its length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import atomic_masses
from numpy.typing import NDArray

from mlmd.analysis.coordination import (
    CoordinationNumbers,
    bond_cutoffs,
    coordination_numbers,
)
from mlmd.analysis.diffusion import (
    DiffusionCoefficient,
    MeanSquaredDisplacement,
    diffusion_coefficient,
    mean_squared_displacement,
    split_segments,
)
from mlmd.analysis.radial import RadialAccumulator, RadialDistribution
from mlmd.analysis.scattering import StructureFactor, StructureFactorAccumulator
from mlmd.errors import InvalidInput
from mlmd.trajectory import TrajectoryReader

# Seconds, not minutes: about as many atoms times frames as one core does in five seconds.
WORK_LIMIT = 2_000_000
MOTION_WORK_LIMIT = 20_000_000
SCATTERING_WORK_LIMIT = 60_000  # thousands of wave vectors for each atom
LEAST_FRAMES_MSD, MOST_FRAMES_MSD = 200, 4000


@dataclass(frozen=True)
class FrameRange:
    """Frames to analyse.

    Args:
        start: first frame.
        stop: frame to stop before; None for the end.
        stride: every how many.
    """

    start: int = 0
    stop: int | None = None
    stride: int = 1

    def indices(self, count: int) -> NDArray[np.int64]:
        """Return the frames' indices in a trajectory of ``count`` frames."""
        chosen = range(*slice(self.start, self.stop, self.stride).indices(count))
        return np.array(chosen, dtype=np.int64)


@dataclass(frozen=True)
class MotionAnalysis:
    """Mean squared displacement and what follows from it.

    Args:
        displacement: over all time origins.
        diffusion: per element and for all atoms; empty where the run is too short.
    """

    displacement: MeanSquaredDisplacement
    diffusion: tuple[DiffusionCoefficient, ...]


def last_stage(reader: TrajectoryReader, skip: float = 0.2) -> FrameRange:
    """Return the frames of the last stage, without its first part, which still settles.

    Args:
        reader: the trajectory.
        skip: share of the stage to leave out.
    """
    stages = reader.stages
    if not len(stages):
        return FrameRange()
    here = np.flatnonzero(stages == stages[-1])
    return FrameRange(int(here[0] + skip * len(here)))


def thinned(indices: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most so many of the indices, evenly spread and with the last one among them."""
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(np.int64)]


def trajectory_radial(
    reader: TrajectoryReader,
    frames: FrameRange | None = None,
    r_max: float = 10.0,
    bins: int = 400,
    work_limit: int | None = None,
) -> RadialDistribution:
    """Return partial g(r) averaged over frames.

    Args:
        reader: the trajectory.
        frames: which ones; None for the last stage.
        r_max: largest distance, Å.
        bins: equal bins up to it.
        work_limit: at most about so many atoms times frames; None for all frames.

    Raises:
        InvalidInput: no frames.
    """
    chosen = _choose(reader, frames, work_limit)
    accumulator = RadialAccumulator(reader.numbers, r_max, bins)
    for index in chosen:
        frame = reader[int(index)]
        accumulator.add(frame.positions, frame.cell, reader.pbc)
    return accumulator.result()


def trajectory_structure_factor(
    reader: TrajectoryReader,
    frames: FrameRange | None = None,
    q_max: float = 12.0,
    width: float = 0.1,
    work_limit: int | None = None,
) -> StructureFactor:
    """Return partial structure factors averaged over frames.

    Args:
        reader: the trajectory, periodic throughout.
        frames: which ones; None for the last stage.
        q_max: largest wave number, 1/Å.
        width: of a shell, 1/Å.
        work_limit: at most about so many atoms times frames; None for all frames.

    Raises:
        InvalidInput: no frames, or a direction that isn't periodic.
    """
    if not all(reader.pbc):
        raise InvalidInput(
            f"{reader.path.name}: structure factor",
            "a cell that isn't periodic throughout",
            "three periodic directions",
        )
    accumulator = StructureFactorAccumulator(reader.numbers, q_max, width)
    for index in _choose(reader, frames, work_limit, least=1):
        frame = reader[int(index)]
        accumulator.add(frame.positions, frame.cell)
    return accumulator.result()


def trajectory_motion(
    reader: TrajectoryReader,
    frames: FrameRange | None = None,
    segments: int = 5,
    work_limit: int | None = None,
) -> MotionAnalysis:
    """Return the mean squared displacement and diffusion coefficients.

    The motion of the centre of mass is taken out. Very long runs are thinned to
    4000 frames at most, which changes the resolution in time and nothing else.

    Args:
        reader: the trajectory.
        frames: which ones; None for the last stage.
        segments: parts that the error of D is taken from.
        work_limit: at most about so many atoms times frames; None for 4000 frames.

    Raises:
        InvalidInput: fewer than two frames, or frames at uneven times.
    """
    chosen = _choose(reader, frames, None)
    most = MOST_FRAMES_MSD
    if work_limit is not None:
        most = min(most, max(work_limit // len(reader.numbers), LEAST_FRAMES_MSD))
    chosen = chosen[:: -(-len(chosen) // most)]
    times = reader.times[chosen] / 1000
    gaps = np.diff(times)
    if len(gaps) and np.ptp(gaps) > 1e-6 * gaps.max():
        # The last frame of a stage may come early; anything else is no regular series.
        regular = np.flatnonzero(np.abs(gaps - gaps[0]) > 1e-6 * gaps[0])
        chosen, times = chosen[: regular[0] + 1], times[: regular[0] + 1]
    if len(chosen) < 2:
        raise InvalidInput(
            f"{reader.path.name}: mean squared displacement",
            f"{len(chosen)} frames",
            "at least two frames at even distances in time",
            "Store positions more often or run longer.",
        )
    time_step = float(times[1] - times[0])
    masses = atomic_masses[reader.numbers]
    whole = _displacement(reader, chosen, time_step, masses)
    parts = [
        _displacement(reader, chosen[part], time_step, masses)
        for part in split_segments(len(chosen), segments)
    ]
    enough = len(parts[0].times) >= 10
    return MotionAnalysis(whole, diffusion_coefficient(parts) if enough else ())


def trajectory_coordination(
    reader: TrajectoryReader,
    frames: FrameRange | None = None,
    distribution: RadialDistribution | None = None,
    work_limit: int | None = None,
) -> CoordinationNumbers:
    """Return coordination numbers within the first minimum of g(r).

    Args:
        reader: the trajectory.
        frames: which ones; None for the last stage.
        distribution: g(r) to take the cutoffs from; None for covalent radii.
        work_limit: at most about so many atoms times frames; None for all frames.

    Raises:
        InvalidInput: no frames.
    """
    chosen = _choose(reader, frames, work_limit)
    cutoffs = bond_cutoffs(reader.numbers, distribution)
    cells = reader.cells[chosen]
    return coordination_numbers(
        (reader[int(index)].positions for index in chosen),
        cells,
        reader.numbers,
        cutoffs,
        reader.pbc,
    )


def _choose(
    reader: TrajectoryReader, frames: FrameRange | None, work_limit: int | None, least: int = 5
) -> NDArray[np.int64]:
    chosen = (frames or last_stage(reader)).indices(len(reader))
    if not len(chosen):
        raise InvalidInput(
            reader.path.name,
            f"no frames in the range, {len(reader)} in the trajectory",
            "at least one frame",
        )
    if work_limit is not None:
        chosen = thinned(chosen, max(work_limit // max(len(reader.numbers), 1), least))
    return chosen


def _displacement(
    reader: TrajectoryReader,
    frames: NDArray[np.int64],
    time_step: float,
    masses: NDArray[np.float64],
) -> MeanSquaredDisplacement:
    return mean_squared_displacement(
        lambda atoms: reader.positions(frames, atoms),
        reader.numbers,
        time_step,
        masses if all(reader.pbc) and len(masses) > 1 else None,
    )
