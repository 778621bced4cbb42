"""Reads what n2p2's programs write: learning curves, comparisons, and their complaints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlmd.errors import InvalidInput
from mlmd.external.steps import Suite, complaints
from mlmd.frame import FloatArray

_EXTRAPOLATION = re.compile(
    r"EXTRAPOLATION WARNING ### STRUCTURE:\s*(\d+)\s+ATOM:\s*(\d+)\s+ELEMENT:\s*(\w+)\s+"
    r"SYMFUNC:\s*(\d+).*?VALUE:\s*(\S+)\s+MIN:\s*(\S+)\s+MAX:\s*(\S+)"
)
_ROW = re.compile(r"\brow=(\d+)")


@dataclass(frozen=True)
class LearningCurve:
    """Errors after every epoch, epoch 0 being the first weights; NaN where there are none.

    Args:
        epoch: shape (E,).
        energy_train: RMSE per atom, eV, shape (E,).
        energy_test: the same of held-out frames.
        force_train: RMSE of the components, eV/Å.
        force_test: the same of held-out frames.
    """

    epoch: FloatArray
    energy_train: FloatArray
    energy_test: FloatArray
    force_train: FloatArray
    force_test: FloatArray

    def __len__(self) -> int:
        return len(self.epoch)


@dataclass(frozen=True)
class Extrapolation:
    """A symmetry function of an atom outside of the range that was learned.

    Args:
        structure: row of the structure in ``input.data``.
        atom: index in it, from 0.
        element: its symbol.
        function: number of the function in n2p2's order, from 1.
        value: that was met.
        low: smallest value in training.
        high: largest value in training.
    """

    structure: int
    atom: int
    element: str
    function: int
    value: float
    low: float
    high: float


def read_columns(path: Path) -> tuple[tuple[str, ...], FloatArray]:
    """Return names and rows of a table of n2p2's.

    Columns have a name each in the last comment line before the rows; how many there are depends
    on the input and on n2p2's version. A line that isn't finished yet is left out.

    Raises:
        InvalidInput: the file is missing, or has no such line.
    """
    names: tuple[str, ...] = ()
    rows: list[list[float]] = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise InvalidInput(path.name, f"no such file in {path.parent}", "it") from None
    for line in text.splitlines():
        words = line.split()
        if line.startswith("#"):
            # "# 1 epoch Current epoch." describes a column, "#    epoch  RMSEpa…" names them.
            if len(words) > 1 and not words[1][0].isdigit() and words[1] != "Col" and rows == []:
                names = tuple(words[1:])
        elif len(words) == len(names):
            try:
                rows.append([float(word) for word in words])
            except ValueError as error:
                raise InvalidInput(path.name, f"{error}", "numbers") from None
    if not names:
        raise InvalidInput(path.name, "no line that names the columns", "a table of n2p2's")
    return names, np.array(rows, np.float64).reshape(-1, len(names))


def read_learning_curve(path: Path) -> LearningCurve:
    """Read ``learning-curve.out``, also while nnp-train still writes it.

    Raises:
        InvalidInput: it is missing or no learning curve.
    """
    names, rows = read_columns(path)
    if "epoch" not in names or "RMSEpa_Etrain_pu" not in names:
        raise InvalidInput(
            path.name, f"columns {' '.join(names[:4])} …", "epoch and RMSEpa_Etrain_pu", ""
        )

    def column(name: str) -> FloatArray:
        if name not in names:
            return np.full(len(rows), np.nan)
        values: FloatArray = rows[:, names.index(name)]
        return values

    has_test = bool((column("RMSEpa_Etest_pu") > 0).any())
    none = np.full(len(rows), np.nan)
    return LearningCurve(
        column("epoch"),
        column("RMSEpa_Etrain_pu"),
        column("RMSEpa_Etest_pu") if has_test else none,
        column("RMSE_Ftrain_pu"),
        column("RMSE_Ftest_pu") if has_test else none,
    )


def read_comparison(path: Path, kind: str) -> tuple[FloatArray, FloatArray]:
    """Return (reference, predicted) of ``energy.comp`` or ``forces.comp``, in the data's units.

    Args:
        path: the file.
        kind: ``"E"`` or ``"F"``, as the columns are called.

    Raises:
        InvalidInput: it is missing or another table.
    """
    names, rows = read_columns(path)
    wanted = (f"{kind}ref_phys", f"{kind}nnp_phys")
    if not set(wanted) <= set(names):
        raise InvalidInput(path.name, f"columns {' '.join(names)}", " and ".join(wanted))
    return rows[:, names.index(wanted[0])], rows[:, names.index(wanted[1])]


def read_test_rows(path: Path) -> frozenset[int] | None:
    """Return which structures nnp-train held out, by the comments in ``test.data``; None: unknown."""
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", errors="replace") as stream:
        matches = (_ROW.search(line) for line in stream if line.startswith("comment"))
        return frozenset(int(match[1]) for match in matches if match)


def extrapolations(text: str) -> Iterator[Extrapolation]:
    """Yield the extrapolation warnings in a program's output."""
    for match in _EXTRAPOLATION.finditer(text):
        structure, atom, element, function, value, low, high = match.groups()
        yield Extrapolation(
            int(structure), int(atom), element, int(function), float(value), float(low), float(high)
        )


N2P2 = Suite(
    "n2p2",
    "mlmd.hdnnp.training needs no n2p2.",
    complaints(
        (r'Could not open file: "?([^"\n]+?)"?\.?\s*$', "{1} is missing",
         "Run the steps before it, in this folder."),
        (r'Element "([^"]+)" unknown', "{1} is no element of input.nn",
         "Write input.nn and input.data from the same frames."),
        (r"critical problem\(s\) were found in settings", "input.nn is wrong",
         "Look for “CRITICAL” in the log; further lines may repeat a keyword."),
        (r"Inconsistent number of elements", "input.nn lists a wrong number of elements", ""),
        (r"Normalization keywords found", "input.nn is normalised already",
         "Call write_nn(force=True) before normalising again."),
        (r"Incorrect usage of normalization", "mean_energy, conv_energy, conv_length incomplete",
         "Call write_nn(force=True) and normalise again."),
        (r"Inconsistent scaling statistics", "scaling.data belongs to another input.nn",
         "Run the scaling again."),
        (r"Unknown keyword in structure specification|unknown keyword \"|Unexpected file content",
         "input.data holds what this n2p2 can't read", "Call write_data(force=True)."),
        (r"no epoch of learning-curve.out has finite errors", "the errors became NaN",
         "Look for a constant symmetry function, wrong units, or atoms too close; a smaller "
         "spread of inputs or weight of forces helps."),
    ),
)  # fmt: skip
"""n2p2's programs and what they complain of."""
