"""Tables of numbers that grow while a run goes on, a row for a moment."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlmd.errors import FormatError
from mlmd.runs import write_bytes_atomic


class RowLog(AbstractContextManager["RowLog"]):
    """Appends rows to a CSV file whose first column is the step.

    Args:
        path: of the file.
        columns: their names, ``step`` first.
        last_step: go on after this step, dropping rows that a restart will write again;
            None starts a new file.
    """

    def __init__(self, path: Path, columns: Sequence[str], last_step: int | None = None) -> None:
        kept = [] if last_step is None else _rows_until(path, last_step)
        # In one step: a kill at this moment must not cost the rows before the restart.
        write_bytes_atomic(path, (",".join(columns) + "\n" + "".join(kept)).encode())
        # Line-buffered: a reader sees whole rows.
        self._stream = path.open("a", encoding="utf-8", newline="\n", buffering=1)

    def write(self, values: Sequence[float]) -> None:
        """Append a row."""
        self._stream.write(",".join(f"{value:.10g}" for value in values) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()


def read_rows(path: Path, columns: Sequence[str], what: str) -> dict[str, NDArray[np.float64]]:
    """Return the columns, shape (rows,) each, without a half-written row.

    Args:
        path: of the file.
        columns: that it must have.
        what: it is, for messages.

    Raises:
        FormatError: there is no such file, or it is another one.
    """
    if not path.is_file():
        raise FormatError(str(path), "the file doesn't exist", what)
    lines = _whole_lines(path)
    if not lines or lines[0].strip().split(",") != list(columns):
        raise FormatError(path.name, "another header", ",".join(columns))
    rows = [[float(cell) for cell in row] for row in csv.reader(lines[1:])]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(columns))
    return {name: table[:, index] for index, name in enumerate(columns)}


def _rows_until(path: Path, last_step: int) -> list[str]:
    if not path.is_file():
        return []
    return [line for line in _whole_lines(path)[1:] if int(line.split(",", 1)[0]) <= last_step]


def _whole_lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [line for line in stream if line.endswith("\n")]
