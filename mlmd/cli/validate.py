"""``python -m mlmd validate``: the numbers of a potential's card."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mlmd.cli.output import format_table, print_json
from mlmd.cli.structures import open_input, print_issues
from mlmd.errors import InvalidInput
from mlmd.frame import Frame
from mlmd.launch import Resources
from mlmd.runs import read_json
from mlmd.settings import describe
from mlmd.units import ENERGY, LENGTH
from mlmd.validation import (
    CheckName,
    ValidationReport,
    ValidationSettings,
    ValidationSpec,
    prepare,
    report_to_json,
    run_directory,
    settings_from_mapping,
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``python -m mlmd``."""
    parser = subparsers.add_parser(
        "validate",
        help="check a potential: curves, crystals, phonons, stability, speed",
        description="Validate a potential: either what a prepared directory says (--run-dir), or "
        "a potential's folder with some of the data it was made from. Crystals and references are "
        "taken from the data. A directory with finished checks goes on from there; SIGTERM, "
        "SIGXCPU and Ctrl-C end the run in order.",
        epilog="DIR/report.json holds all values, curves and tables.",
    )
    parser.add_argument("potential", nargs="?", type=Path, metavar="POTENTIAL")
    parser.add_argument("data", nargs="*", type=Path, metavar="DATA")
    parser.add_argument("--run-dir", type=Path, help="directory with spec.json; goes on if begun")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="new run directory")
    parser.add_argument(
        "--checks",
        nargs="+",
        choices=[name.value for name in CheckName],
        metavar="CHECK",
        help=f"only these: {', '.join(CheckName)}",
    )
    parser.add_argument("--settings", type=Path, metavar="JSON", help="settings file")
    for item in describe(ValidationSettings):
        if not item.expert:
            unit = f" ({item.unit})" if item.unit else ""
            parser.add_argument(
                f"--{item.name.replace('_', '-')}",
                type=item.type,
                help=f"{item.label}{unit}. {item.help} Default {item.default:g}.",
            )
    parser.add_argument("--threads", type=int, default=1, help="cores to use; default 1")
    parser.add_argument("--length-unit", choices=sorted(LENGTH), help="of n2p2 data")
    parser.add_argument("--energy-unit", choices=sorted(ENERGY), help="of n2p2 data")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Validate; return the exit code."""
    folder = arguments.run_dir or _prepare(arguments)
    # With --json, standard output belongs to the report.
    report = run_directory(folder, stream=sys.stderr if arguments.json else None)
    if arguments.json:
        print_json(report_to_json(report))
    else:
        print(describe_report(report))
    return 0


def describe_report(report: ValidationReport) -> str:
    """Return a report as tables and sentences."""
    lines = []
    for check in report.checks:
        lines.append(f"\n{check.title}: {check.status.value} ({check.seconds:.1f} s)")
        if check.reason:
            lines.append(check.reason)
        rows = [
            (value.subject, value.label, value.value, value.unit, value.reference)
            for value in check.values
        ]
        if rows:
            lines.append(format_table(("of", "what", "potential", "unit", "teacher"), rows))
        for table in check.tables:
            lines.append(f"{table.title} {table.subject}".rstrip())
            lines.append(format_table(table.columns, table.rows))
        lines += [f"note: {note}" for note in check.notes]
    return "\n".join(lines).lstrip()


def _prepare(arguments: argparse.Namespace) -> Path:
    if arguments.potential is None or arguments.output is None:
        raise InvalidInput(
            "command line", "no potential or no -o", "POTENTIAL [DATA…] -o DIR, or --run-dir DIR"
        )
    output: Path = arguments.output
    if (output / "spec.json").exists():
        raise InvalidInput(
            str(output), "a run", "an empty directory", f"To go on with it: --run-dir {output}"
        )
    if arguments.threads < 1:
        raise InvalidInput("--threads", str(arguments.threads), "at least 1")
    spec = ValidationSpec(
        arguments.potential,
        _frames(arguments),
        _settings(arguments),
        Resources(threads=arguments.threads),
    )
    prepare(spec, output)
    return output


def _frames(arguments: argparse.Namespace) -> Iterator[Frame]:
    for path in arguments.data:
        source = open_input(path, arguments.length_unit, arguments.energy_unit)
        yield from source.frames
        print_issues(source.issues)


def _settings(arguments: argparse.Namespace) -> ValidationSettings:
    settings = ValidationSettings()
    if arguments.settings is not None:
        settings = settings_from_mapping(read_json(arguments.settings), str(arguments.settings))
    chosen = {
        item.name: getattr(arguments, item.name)
        for item in describe(ValidationSettings)
        if getattr(arguments, item.name, None) is not None and not item.expert
    }
    if arguments.checks:
        chosen["checks"] = tuple(name for name in CheckName if name.value in arguments.checks)
    return replace(settings, **chosen)
