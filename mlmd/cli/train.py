"""``python -m mlmd train``: a potential from energies and forces."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlmd.cli.output import Bar, format_table, print_json
from mlmd.cli.structures import open_input, print_issues
from mlmd.errors import InvalidInput
from mlmd.frame import Frame
from mlmd.hdnnp.training import (
    Effort,
    GroupErrors,
    TrainingResult,
    TrainingSettings,
    TrainingSpec,
    automatic_settings,
    prepare,
    run_directory,
    settings_from,
)
from mlmd.runs import read_json
from mlmd.settings import describe
from mlmd.units import ENERGY, LENGTH


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``python -m mlmd``."""
    parser = subparsers.add_parser(
        "train",
        help="train a neural-network potential",
        description="Train a high-dimensional neural-network potential: either what a prepared "
        "directory says (--run-dir), or on files of energies and forces. Settings that aren't given "
        "are chosen from the data. A directory with a checkpoint goes on from there; SIGTERM, "
        "SIGXCPU and Ctrl-C save one and end the training in order.",
        epilog="The potential is written to DIR/potential, readable by n2p2 and LAMMPS; "
        "DIR/result.json holds all errors, settings and excluded frames.",
    )
    parser.add_argument("data", nargs="*", type=Path, metavar="DATA")
    parser.add_argument("--run-dir", type=Path, help="directory with spec.json; goes on if begun")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="new run directory")
    parser.add_argument(
        "--effort",
        choices=[effort.value for effort in Effort],
        default=Effort.NORMAL.value,
        help="how long to train; default normal",
    )
    parser.add_argument(
        "--settings", type=Path, metavar="JSON", help="settings file; options go before it"
    )
    _add_settings(parser)
    parser.add_argument("--length-unit", choices=sorted(LENGTH), help="of n2p2 data")
    parser.add_argument("--energy-unit", choices=sorted(ENERGY), help="of n2p2 data")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train; return the exit code."""
    # With --json, standard output belongs to the result.
    with contextlib.redirect_stdout(sys.stderr) if arguments.json else contextlib.nullcontext():
        result = run_directory(arguments.run_dir or _prepare(arguments))
    if arguments.json:
        print_json(result)
    else:
        print(_describe(result))
    return 0


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting that isn't for experts, and for the threads."""
    for item in describe(TrainingSettings):
        if item.expert and item.name != "threads":
            continue
        unit = f" ({item.unit})" if item.unit else ""
        parser.add_argument(
            f"--{item.name.replace('_', '-')}",
            type=item.type,
            default=None,
            help=f"{item.label}{unit}. {item.help}".replace("%", "%%"),
        )


def _prepare(arguments: argparse.Namespace) -> Path:
    if not arguments.data or arguments.output is None:
        raise InvalidInput("command line", "no data or no -o", "DATA… -o DIR, or --run-dir DIR")
    output: Path = arguments.output
    if (output / "spec.json").exists():
        raise InvalidInput(
            str(output), "a training", "an empty directory", f"To go on with it: --run-dir {output}"
        )
    frames = list(_frames(arguments))
    settings = _settings(arguments, frames)
    prepare(TrainingSpec(settings, frames, threads=settings.cores), output)
    return output


def _frames(arguments: argparse.Namespace) -> Iterator[Frame]:
    for path in arguments.data:
        source = open_input(path, arguments.length_unit, arguments.energy_unit)
        bar = Bar(path.name, None)
        for count, frame in enumerate(source.frames, 1):
            bar.show(count)
            yield frame
        bar.clear()
        print_issues(source.issues)


def _settings(arguments: argparse.Namespace, frames: list[Frame]) -> TrainingSettings:
    if arguments.settings is not None:
        settings = settings_from(read_json(arguments.settings), str(arguments.settings))
    else:
        settings = automatic_settings(frames, Effort(arguments.effort))
    chosen: dict[str, Any] = {
        item.name: getattr(arguments, item.name)
        for item in describe(TrainingSettings)
        if getattr(arguments, item.name, None) is not None
    }
    return replace(settings, **chosen)


def _describe(result: TrainingResult) -> str:
    groups = (result.training, result.validation, *result.by_kind)
    head = ("frames of", "part", "number", "energy/meV/atom", "forces/meV/Å", "stress/GPa")
    return "\n".join(
        [
            format_table(head, [_row(group) for group in groups if group.frames]),
            f"best epoch {result.best_epoch} of {result.epochs}; "
            f"{len(result.excluded)} of {result.frames_given} frames left out; "
            f"{result.seconds:.0f} s",
            f"potential: {result.potential}",
        ]
    )


def _row(group: GroupErrors) -> tuple[object, ...]:
    return (
        group.name, group.part, group.frames,
        group.energy_rmse, group.force_rmse, group.stress_rmse,
    )  # fmt: skip
