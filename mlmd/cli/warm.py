"""``python -m mlmd warm``: compile everything now."""

from __future__ import annotations

import argparse
import time

import numpy as np

from mlmd.analysis.pairs import count_distances, count_neighbors
from mlmd.cli.output import print_json
from mlmd.hdnnp.warming import compile_all


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``python -m mlmd``."""
    parser = subparsers.add_parser(
        "warm",
        help="compile everything now, so that the first run starts at once",
        description="Compile all kernels for this processor and keep them in the cache beside the "
        "package (or where NUMBA_CACHE_DIR points). Needed once after each installation.",
    )
    parser.add_argument("--json", action="store_true", help="print the times as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compile; return the exit code."""
    seconds = {}
    for name, compile_part in (("engine", compile_all), ("analysis", _compile_analysis)):
        start = time.perf_counter()
        compile_part()
        seconds[name] = round(time.perf_counter() - start, 3)
        if not arguments.json:
            print(f"{name}: {seconds[name]:.1f} s")
    if arguments.json:
        print_json({"seconds": seconds}, indent=None)
    return 0


def _compile_analysis() -> None:
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    kinds = np.zeros(2, dtype=np.int64)
    periodic = (True, True, True)
    count_distances(positions, np.eye(3) * 4, periodic, kinds, 1, 2.0, 10)
    count_neighbors(positions, np.eye(3) * 4, periodic, kinds, np.full((1, 1), 2.0))
