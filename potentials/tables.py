"""Reads the tables of a run while they are being written."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Below this size the whole file is read; above, rows are picked, so that a plot of a
# million rows costs as little as one of a thousand.
WHOLE_FILE_BYTES = 1_000_000


@dataclass(frozen=True)
class Table:
    """Columns of a CSV file with a header line.

    Args:
        columns: name → text of each row, all of the same length.
    """

    columns: dict[str, list[str]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers, NaN where a cell is empty or isn't one; shape (rows,)."""
        return np.array([_number(cell) for cell in self.columns.get(name, [])], dtype=float)


def read_table(path: Path, rows: int = 4000) -> Table:
    """Read a CSV file that somebody may be appending to.

    Args:
        path: the file; one that isn't there gives an empty table.
        rows: about how many rows to take from a large file, evenly spread over it; the
            newest is always among them.

    Returns:
        The table; a last line that isn't complete yet is left out.
    """
    if not path.is_file():
        return Table({})
    with path.open("rb") as stream:
        header = stream.readline()
        if not header.endswith(b"\n"):
            return Table({})
        start, end = stream.tell(), path.stat().st_size
        if end - start <= WHOLE_FILE_BYTES:
            lines = stream.read().splitlines(keepends=True)
        else:
            lines = []
            for offset in np.linspace(start, end, rows, endpoint=False).astype(int):
                stream.seek(int(offset))
                if offset > start:
                    stream.readline()  # the rest of a row that began before
                lines.append(stream.readline())
            stream.seek(max(start, end - 4096))
            lines.extend(stream.read().splitlines(keepends=True)[-2:])
            lines = list(dict.fromkeys(lines))
    names = next(csv.reader([header.decode("utf-8", "replace")]), [])
    whole = [line.decode("utf-8", "replace") for line in lines if line.endswith(b"\n")]
    parsed = [row for row in csv.reader(whole) if len(row) == len(names)]
    return Table({name: [row[k] for row in parsed] for k, name in enumerate(names)})


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
