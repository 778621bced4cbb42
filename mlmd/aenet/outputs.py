"""Reads what aenet's programs print: learning curves, held-out structures, predictions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlmd.aenet.input_files import BEST, STRUCTURES
from mlmd.errors import InvalidInput
from mlmd.external.steps import Suite, complaints
from mlmd.frame import FloatArray

_NUMBER = r"([-+.\dEeNaInfity*]+)"
_EPOCH = re.compile(rf"^\s+(\d+)\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s+<\s*$")
_ROW = re.compile(rf"{STRUCTURES}/structure-(\d+)\.xsf\s*$")
_ENERGY = re.compile(r"^ Total energy\s*:\s*(\S+) eV", re.MULTILINE)
_ATOM = re.compile(r"^ ([A-Z][a-z]?) ((?:\s*[-+.\dEe]+){6})\s*$", re.MULTILINE)

AENET = Suite(
    "aenet",
    "mlmd.hdnnp.training needs no aenet.",
    complaints(
        (r"Error: File not found:?\s*(\S+)", "{1} is missing",
         "Run the steps before it, in this folder."),
        (r"Error: file already exists: (\S+)", "{1} is there already", "Remove it."),
        (r"Error: could not load ANN potentials", "the networks can't be read",
         "Train again: one of the files is missing or cut off."),
        (r"Unknown basis function type|Unknown basis type|Unknown keyword",
         "a set-up that this aenet doesn't know", "aenet 2.0.3 or later has Chebyshev functions."),
        (r"Error: Memory exceeded|Insufficient memory|Allocation would exceed",
         "not enough memory", "Take fewer frames, or a larger shortest distance."),
        (r"no epoch of train.out has finite errors", "the errors became NaN",
         "Look for wrong units or atoms too close; another method may help."),
        (r"train.x ran several times", "it was built without MPI", "Ask for one process."),
    ),
)  # fmt: skip
"""aenet's programs and what they complain of."""


@dataclass(frozen=True)
class LearningCurve:
    """Errors after every epoch, epoch 0 being the first weights; NaN where there are none.

    Args:
        epoch: shape (E,).
        energy_train: RMSE per atom, eV, shape (E,).
        energy_test: the same of held-out structures.
    """

    epoch: FloatArray
    energy_train: FloatArray
    energy_test: FloatArray

    def __len__(self) -> int:
        return len(self.epoch)


def read_learning_curve(path: Path) -> LearningCurve:
    """Read the table of ``train.out``, also while train.x still writes it.

    Raises:
        InvalidInput: it is missing.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise InvalidInput(path.name, f"no such file in {path.parent}", "it") from None
    matches = (_EPOCH.match(line) for line in text.splitlines())
    rows = [[_value(word) for word in match.groups()] for match in matches if match]
    table = np.array(rows, np.float64).reshape(-1, 5)
    # Errors of no structure at all are printed as NaN, or as a sum of nothing.
    test = np.where(table[:, 4] > 0.0, table[:, 4], np.nan)
    return LearningCurve(table[:, 0], table[:, 2], test)


def _value(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")  # stars, where a number doesn't fit


def read_held_out(folder: Path) -> frozenset[int]:
    """Return the rows of the structures that train.x held out; one file for each process."""
    rows = set()
    for path in sorted(folder.glob("energies.test.*")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if match := _ROW.search(line):
                rows.add(int(match[1]) - 1)
    return frozenset(rows)


def read_best_epoch(folder: Path) -> int:
    """Return the epoch whose weights were taken."""
    try:
        return int((folder / BEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(BEST, str(error), "the number of an epoch") from error


def read_predictions(text: str) -> Iterator[tuple[float, FloatArray]]:
    """Yield energy, eV, and forces, shape (N, 3), eV/Å, of each structure in predict.x's output."""
    start = 0
    for match in _ENERGY.finditer(text):
        atoms = [row[2].split() for row in _ATOM.finditer(text, start, match.start())]
        forces = np.array(atoms, np.float64).reshape(-1, 6)[:, 3:]
        start = match.end()
        yield float(match[1]), forces
