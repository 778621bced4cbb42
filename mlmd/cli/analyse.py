"""``python -m mlmd analyse``: what a trajectory says about structure and motion."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from mlmd.analysis import CoordinationNumbers, RadialDistribution, StructureFactor
from mlmd.analysis.runs import (
    FrameRange,
    MotionAnalysis,
    trajectory_coordination,
    trajectory_motion,
    trajectory_radial,
    trajectory_structure_factor,
)
from mlmd.cli.output import format_table, print_json
from mlmd.trajectory import TrajectoryReader

Result = RadialDistribution | StructureFactor | MotionAnalysis | CoordinationNumbers


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``python -m mlmd``."""
    parser = subparsers.add_parser(
        "analyse",
        help="g(r), S(q), diffusion and coordination of a trajectory",
        description="Analyse a trajectory (.mtj, or a run directory): rdf gives partial radial "
        "distribution functions with first peaks, sq partial structure factors, msd mean squared displacements with diffusion "
        "coefficients and their errors, coordination the numbers of neighbours.",
        epilog="Without a range, the last stage of the run is taken, less its first fifth.",
    )
    parser.add_argument("trajectory", type=Path, metavar="TRAJ")
    parser.add_argument("analysis", choices=sorted(ANALYSES))
    parser.add_argument("--start", type=int, help="first frame")
    parser.add_argument("--stop", type=int, help="frame to stop before")
    parser.add_argument("--stride", type=int, default=1, help="every how many frames")
    parser.add_argument("--r-max", type=float, default=10.0, help="range of g(r), Å; default 10")
    parser.add_argument("--bins", type=int, default=400, help="bins of g(r); default 400")
    parser.add_argument("--q-max", type=float, default=12.0, help="range of S(q), 1/Å; default 12")
    parser.add_argument("-o", "--output", type=Path, metavar="CSV", help="write the curves")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Analyse; return the exit code."""
    with TrajectoryReader(trajectory_path(arguments.trajectory)) as reader:
        result = ANALYSES[arguments.analysis](reader, frame_range(arguments), arguments)
    if arguments.output is not None:
        with arguments.output.open("w", encoding="utf-8", newline="") as stream:
            _write_csv(result, stream)
    if arguments.json:
        print_json(result, indent=None)
    elif arguments.output is None:
        _write_csv(result, sys.stdout)
        print(_describe(result), file=sys.stderr)
    else:
        print(_describe(result))
    return 0


def trajectory_path(path: Path) -> Path:
    """Return the trajectory that a path means: itself, or the one in a run directory."""
    return path / "trajectory.mtj" if path.is_dir() else path


def frame_range(arguments: argparse.Namespace) -> FrameRange | None:
    """Return the frames that the options name, or None where they name none."""
    if arguments.start is None and arguments.stop is None and arguments.stride == 1:
        return None
    return FrameRange(arguments.start or 0, arguments.stop, max(arguments.stride, 1))


def _radial(
    reader: TrajectoryReader, frames: FrameRange | None, arguments: argparse.Namespace
) -> RadialDistribution:
    return trajectory_radial(reader, frames, arguments.r_max, arguments.bins)


def _scattering(
    reader: TrajectoryReader, frames: FrameRange | None, arguments: argparse.Namespace
) -> StructureFactor:
    return trajectory_structure_factor(reader, frames, arguments.q_max)


def _motion(
    reader: TrajectoryReader, frames: FrameRange | None, arguments: argparse.Namespace
) -> MotionAnalysis:
    return trajectory_motion(reader, frames)


def _coordination(
    reader: TrajectoryReader, frames: FrameRange | None, arguments: argparse.Namespace
) -> CoordinationNumbers:
    distribution = trajectory_radial(reader, frames, arguments.r_max, arguments.bins)
    return trajectory_coordination(reader, frames, distribution)


ANALYSES: dict[str, Callable[[TrajectoryReader, FrameRange | None, argparse.Namespace], Result]] = {
    "rdf": _radial,
    "sq": _scattering,
    "msd": _motion,
    "coordination": _coordination,
}


def _write_csv(result: Result, stream: TextIO) -> None:
    writer = csv.writer(stream)
    if isinstance(result, RadialDistribution):
        names = ["-".join(pair) for pair in result.pairs]
        writer.writerow(["r_a", "g_total", *(f"g_{n}" for n in names), *(f"n_{n}" for n in names)])
        columns = [result.distances, result.total, *result.g, *result.coordination]
        writer.writerows(zip(*[column.tolist() for column in columns], strict=True))
    elif isinstance(result, StructureFactor):
        names = ["-".join(pair) for pair in result.pairs]
        writer.writerow(["q_per_a", "s_total", *(f"s_{name}" for name in names), "vectors"])
        columns = [result.wave_numbers, result.total, *result.partial, result.vectors]
        writer.writerows(zip(*[column.tolist() for column in columns], strict=True))
    elif isinstance(result, MotionAnalysis):
        curves = result.displacement
        writer.writerow(["time_ps", "msd_total_a2", *(f"msd_{e}_a2" for e in curves.elements)])
        columns = [curves.times, curves.total, *curves.values]
        writer.writerows(zip(*[column.tolist() for column in columns], strict=True))
    else:
        writer.writerow(["center", "neighbor", "cutoff_a", "number", "fraction"])
        writer.writerows(
            [item.center, item.neighbor, item.cutoff, number, fraction]
            for item in result.distributions
            for number, fraction in enumerate(item.fractions)
        )


def _describe(result: Result) -> str:
    if isinstance(result, RadialDistribution):
        rows: list[tuple[object, ...]] = [
            ("–".join(pair), peak.position, peak.height, peak.minimum, peak.coordination)
            for pair, peak in zip(result.pairs, result.peaks, strict=True)
            if peak is not None
        ]
        head = ("pair", "first peak/Å", "height", "minimum/Å", "neighbours")
        return format_table(head, rows)
    if isinstance(result, StructureFactor):
        rows = [
            (name, result.wave_numbers[values.argmax()], values.max())
            for name, values in [
                ("all", result.total),
                *(
                    ("–".join(pair), values)
                    for pair, values in zip(result.pairs, result.partial, strict=True)
                ),
            ]
        ]
        return format_table(("pair", "highest at/Å⁻¹", "S"), rows)
    if isinstance(result, MotionAnalysis):
        if not result.diffusion:
            return "The run is too short for diffusion coefficients."
        rows = [
            (d.element, d.value, d.error, d.exponent, "yes" if d.is_diffusive else "no")
            for d in result.diffusion
        ]
        return format_table(("element", "D/cm²/s", "error", "exponent", "diffusive"), rows)
    rows = [(d.center, d.neighbor, d.cutoff, d.mean) for d in result.distributions]
    return format_table(("center", "neighbour", "cutoff/Å", "mean number"), rows)
