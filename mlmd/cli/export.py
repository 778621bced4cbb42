"""``python -m mlmd export``: trajectories for other programs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mlmd.cli.analyse import trajectory_path
from mlmd.cli.output import Bar, print_json
from mlmd.trajectory import TrajectoryReader
from mlmd.trajectory_export import TrajectoryFormat, export_lines


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``python -m mlmd``."""
    parser = subparsers.add_parser(
        "export",
        help="write a trajectory as extended XYZ or LAMMPS dump",
        description="Write a trajectory (.mtj, or a run directory) as text, frame by frame. "
        "Positions stay unwrapped; in a LAMMPS dump the cell is turned as LAMMPS wants it.",
    )
    parser.add_argument("trajectory", type=Path, metavar="TRAJ")
    formats = [format.value for format in TrajectoryFormat]
    parser.add_argument("--to", choices=formats, default=TrajectoryFormat.EXTXYZ.value)
    parser.add_argument("--start", type=int, default=0, help="first frame")
    parser.add_argument("--stop", type=int, help="frame to stop before")
    parser.add_argument("--stride", type=int, default=1, help="every how many frames")
    parser.add_argument("-o", "--output", type=Path, help="file; standard output if absent")
    parser.add_argument("--json", action="store_true", help="print a report (needs -o)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export; return the exit code."""
    with TrajectoryReader(trajectory_path(arguments.trajectory)) as reader:
        stride = max(arguments.stride, 1)
        total = len(range(*slice(arguments.start, arguments.stop, stride).indices(len(reader))))
        lines = export_lines(
            reader, TrajectoryFormat(arguments.to), arguments.start, arguments.stop, stride
        )
        if arguments.output is None:
            for text in lines:
                sys.stdout.write(text)
            return 0
        bar = Bar(arguments.output.name, total)
        with arguments.output.open("w", encoding="utf-8") as stream:
            for count, text in enumerate(lines, 1):
                stream.write(text)
                bar.show(count)
        bar.clear()
    if arguments.json:
        report = {"file": arguments.output, "format": arguments.to, "frames": total}
        print_json(report, indent=None)
    else:
        print(f"{total} frames written to {arguments.output}")
    return 0
