"""``python -m mlmd lammps``: molecular dynamics by LAMMPS, with decks and results of our own kind."""

from __future__ import annotations

import argparse
from pathlib import Path

from mlmd.cli.md import describe_result
from mlmd.cli.output import print_json
from mlmd.lammps.finishing import finish
from mlmd.lammps.words import explain
from mlmd.md.guard import BlowUp
from mlmd.md.results import RunStatus
from mlmd.runs import EXIT_TIME_LIMIT, Stopped


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``python -m mlmd``."""
    parser = subparsers.add_parser(
        "lammps",
        help="read what LAMMPS left in a run directory",
        description="Turn LAMMPS' log and dump in a prepared run directory into the files that "
        "every run of ours leaves: thermo.csv, trajectory.mtj, rdf.json, msd.json, result.json.",
    )
    parser.add_argument("--run-dir", type=Path, required=True, help="where LAMMPS ran")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run; return the exit code.

    Raises:
        BlowUp: LAMMPS gave up.
        Stopped: LAMMPS ended in order before the last step.
    """
    result = finish(arguments.run_dir)
    if result.status is RunStatus.FAILED:
        found, advice = explain(result.error)
        raise BlowUp(f"step {result.steps}", found, f"{result.total_steps} steps", advice)
    if result.status is RunStatus.STOPPED:
        raise Stopped(
            EXIT_TIME_LIMIT,
            f"LAMMPS stopped after {result.steps} of {result.total_steps} steps and saved its "
            "state: started again, it goes on.",
        )
    if arguments.json:
        print_json(result)
    else:
        print(describe_result(result))
    return 0
