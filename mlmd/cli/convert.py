"""``python -m mlmd convert``: files of labelled frames into another format."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlmd.documents import compat_key, describe_mixture
from mlmd.errors import InvalidInput
from mlmd.formats import EnergyKind, FrameFormat, Issue, Severity, open_frames
from mlmd.formats.frames import Discarded, frame_sink
from mlmd.formats.registry import PATH_SINKS, WITHOUT_LABEL_SOURCE, WRITABLE
from mlmd.frame import Calculation, Frame
from mlmd.units import ENERGY, LENGTH

if TYPE_CHECKING:
    from mlmd.formats import FrameReader
    from mlmd.formats.sinks import FrameSink

_ALL, _AB_INITIO = "all", "ab-initio"
_EXIT_CODES = """exit codes: 0 every file gave frames; 1 a file gave none, or could not be read
(the others are converted all the same); 2 wrong usage."""


@dataclass
class FileReport:
    """What became of one input file."""

    file: str
    format: str = ""
    frames: int = 0
    issues: list[Issue] = field(default_factory=list)


@dataclass
class Report:
    """What became of all of them."""

    output: str
    format: str
    frames: int = 0
    files: list[FileReport] = field(default_factory=list)
    levels_of_theory: dict[str, int] = field(default_factory=dict)
    mixture: tuple[str, ...] = ()


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``python -m mlmd``."""
    parser = subparsers.add_parser(
        "convert",
        help="convert DFT outputs and data sets",
        description="Convert vasprun.xml, XML and text output of pw.x, extended XYZ, n2p2 "
        "input.data and JSON lines (also .gz, .xz, .bz2), deepmd/npy and aenet's XSF (a folder, .zip or "
        ".tar.gz) and ASE databases to extended XYZ, n2p2 input.data, JSON lines, deepmd/npy, aenet's "
        "XSF or an ASE database. Formats are recognised by content. Energies in eV, lengths in Å.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
    targets = [f.value for f in WRITABLE]
    parser.add_argument("--to", required=True, choices=targets, help="format to write")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="file to write; standard output if absent. deepmd and aenet make a folder, or an "
        "archive if the name ends in .zip",
    )
    parser.add_argument(
        "--from",
        dest="source_format",
        choices=[f.value for f in FrameFormat],
        help="format of the input, when it can't be recognised",
    )
    parser.add_argument(
        "--energy",
        choices=[k.value for k in EnergyKind],
        default=EnergyKind.FREE.value,
        help="which energy to write: free (the one that forces derive from; default) or sigma0 "
        "(extrapolated to zero smearing)",
    )
    parser.add_argument(
        "--labels",
        choices=(_ALL, _AB_INITIO),
        help="also write frames labelled by a machine-learned force field, or only those from "
        "first principles; default: all, but ab-initio for n2p2, deepmd and aenet, which can't tell "
        "them apart",
    )
    parser.add_argument(
        "--length-unit", choices=sorted(LENGTH), help="of n2p2 input; default angstrom"
    )
    parser.add_argument("--energy-unit", choices=sorted(ENERGY), help="of n2p2 input; default ev")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert; return the exit code."""
    if arguments.output is None and FrameFormat(arguments.to) in PATH_SINKS:
        raise InvalidInput("--output", "nothing", f"a name, which {arguments.to} needs")
    report = Report(str(arguments.output or "-"), arguments.to)
    calculations: list[Calculation] = []
    target = arguments.output or sys.stdout
    with frame_sink(target, arguments.to, energy=arguments.energy) as sink:
        for path in arguments.files:
            report.files.append(_convert_file(path, arguments, sink, report, calculations))
        if arguments.output is not None and not report.frames:
            raise Discarded
    sys.stdout.flush()
    report.mixture = describe_mixture(calculations)
    _print_report(report, arguments)
    return 0 if all(f.frames for f in report.files) else 1


def _convert_file(
    path: Path,
    arguments: argparse.Namespace,
    sink: FrameSink,
    report: Report,
    calculations: list[Calculation],
) -> FileReport:
    result = FileReport(str(path))
    try:
        reader = open_frames(
            path,
            arguments.source_format,
            length_unit=arguments.length_unit,
            energy_unit=arguments.energy_unit,
        )
        result.format = reader.format.value
        _write_all(reader, arguments, sink, result, report, calculations)
        result.issues[:0] = reader.issues
    except InvalidInput as error:
        result.issues.append(
            Issue(Severity.LOST, error.where, error.found, error.expected, error.action)
        )
    except OSError as error:
        reason = error.strerror or str(error)
        result.issues.append(Issue(Severity.LOST, str(path), reason, "a file that can be read"))
    return result


def _write_all(
    reader: FrameReader,
    arguments: argparse.Namespace,
    sink: FrameSink,
    result: FileReport,
    report: Report,
    calculations: list[Calculation],
) -> None:
    told_apart = FrameFormat(arguments.to) not in WITHOUT_LABEL_SOURCE
    labels = arguments.labels or (_ALL if told_apart else _AB_INITIO)
    progress = _Progress(result.file, reader, arguments.quiet)
    left_out = 0
    for frame in reader:
        if frame.label_source == "ml" and labels == _AB_INITIO:
            left_out += 1
            continue
        try:
            sink.write(frame)
        except InvalidInput as error:
            result.issues.append(
                Issue(Severity.REFUSED, error.where, error.found, error.expected, error.action)
            )
            continue
        _count(frame, result, report, calculations)
        progress.show(result.frames)
    progress.clear()
    if left_out:
        result.issues.append(
            Issue(
                Severity.NOTE,
                result.file,
                f"{left_out} frames from a machine-learned force field",
                action="They were left out; --labels all keeps them.",
            )
        )


def _count(
    frame: Frame, result: FileReport, report: Report, calculations: list[Calculation]
) -> None:
    result.frames += 1
    report.frames += 1
    if not calculations or calculations[-1] is not frame.calculation:
        calculations.append(frame.calculation)
    key = compat_key(frame.calculation)
    report.levels_of_theory[key] = report.levels_of_theory.get(key, 0) + 1


class _Progress:
    """A bar on the terminal; nothing where standard error is a file."""

    WIDTH = 24

    def __init__(self, name: str, reader: FrameReader, quiet: bool) -> None:
        self._on = sys.stderr.isatty() and not quiet
        self._name = Path(name).name
        self._reader = reader
        self._next = 0.0

    def show(self, frames: int) -> None:
        if not self._on or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 0.1
        share = self._reader.fraction
        bar = "█" * round(share * self.WIDTH)
        text = f"{self._name[:40]} {bar:·<{self.WIDTH}} {share:4.0%} {frames} frames"
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._on:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _print_report(report: Report, arguments: argparse.Namespace) -> None:
    # Standard output belongs to the frames when they go there.
    target = sys.stderr if arguments.output is None else sys.stdout
    if arguments.json:
        print(json.dumps(asdict(report), ensure_ascii=False, indent=1), file=target)
        return
    for result in report.files:
        for issue in result.issues:
            if issue.severity is not Severity.NOTE or not arguments.quiet:
                print(f"{issue.severity.value}: {issue}", file=sys.stderr)
        if not arguments.quiet:
            known = f" ({result.format})" if result.format else ""
            print(f"{result.file}{known}: {result.frames} frames", file=target)
    for line in report.mixture:
        print(f"warning: the frames mix {line}", file=sys.stderr)
    if report.frames and arguments.output is not None and not arguments.quiet:
        print(f"{report.frames} frames written to {report.output}", file=target)
