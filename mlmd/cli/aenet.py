"""``python -m mlmd aenet``: what aenet trained, compared with its data by our engine."""

from __future__ import annotations

import argparse
from pathlib import Path

from mlmd.aenet.results import collect, finish
from mlmd.cli.output import format_table, print_json


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``python -m mlmd``."""
    parser = subparsers.add_parser(
        "aenet",
        help="read what aenet's train.x left in a run directory",
        description="Compare the networks that aenet trained in a prepared run directory with its "
        "structures, by our own engine: writes parity.npz, prints the errors.",
    )
    parser.add_argument("--run-dir", type=Path, required=True, help="where train.x ran")
    parser.add_argument("--threads", type=int, help="at most so many; default: all cores")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run; return the exit code."""
    finish(arguments.run_dir, arguments.threads)
    result = collect(arguments.run_dir)
    if arguments.json:
        names = ("elements", "training", "validation", "epochs", "best_epoch", "potential")
        print_json({name: getattr(result, name) for name in names})
        return 0
    head = ("part", "frames", "energy RMSE, meV/atom", "force RMSE, meV/Å")
    rows = [
        (part.name, part.frames, _digits(part.energy_rmse), _digits(part.force_rmse))
        for part in (result.training, result.validation)
    ]
    print(format_table(head, rows))
    print(f"weights of epoch {result.best_epoch} of {result.epochs} in {result.potential}")
    return 0


def _digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
