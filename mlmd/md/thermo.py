"""The thermodynamic log: a table that can be read while it grows."""

from __future__ import annotations

import csv
import math
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlmd.errors import FormatError
from mlmd.runs import write_bytes_atomic

THERMO_FILE = "thermo.csv"


@dataclass(frozen=True)
class ThermoRow:
    """One line of the log; quantities that don't exist (pressure of a molecule) are NaN."""

    step: int
    time_ps: float
    temperature_k: float
    potential_energy_ev: float
    kinetic_energy_ev: float
    total_energy_ev: float
    conserved_ev: float
    pressure_gpa: float
    density_g_cm3: float
    volume_a3: float
    stage: int


COLUMNS = tuple(column.name for column in fields(ThermoRow))


class ThermoLog(AbstractContextManager["ThermoLog"]):
    """Appends rows to ``thermo.csv``.

    Args:
        run_dir: the run's directory.
        last_step: go on after this step, dropping rows that a restart will write again;
            None starts a new file.
    """

    def __init__(self, run_dir: Path, last_step: int | None = None) -> None:
        self.path = run_dir / THERMO_FILE
        kept = [] if last_step is None else _rows_until(self.path, last_step)
        # In one step: a kill at this moment must not cost the rows before the restart.
        write_bytes_atomic(self.path, (",".join(COLUMNS) + "\n" + "".join(kept)).encode())
        # Line-buffered: a reader sees whole rows.
        self._stream = self.path.open("a", encoding="utf-8", newline="\n", buffering=1)

    def write(self, row: ThermoRow) -> None:
        """Append a row."""
        self._stream.write(",".join(_text(value) for value in astuple(row)) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_thermo(run_dir: str | Path) -> dict[str, NDArray[np.float64]]:
    """Return the log's columns, shape (rows,) each; a row that is half-written is left out.

    Raises:
        FormatError: there is no log, or it isn't one.
    """
    path = Path(run_dir) / THERMO_FILE
    if not path.is_file():
        raise FormatError(str(path), "the file doesn't exist", "the log of a run")
    with path.open(encoding="utf-8", newline="") as stream:
        lines = [line for line in stream if line.endswith("\n")]
    if not lines or tuple(lines[0].strip().split(",")) != COLUMNS:
        raise FormatError(path.name, "another header", ",".join(COLUMNS))
    rows = [row for row in csv.reader(lines[1:]) if len(row) == len(COLUMNS)]
    table = np.array([[float(cell or "nan") for cell in row] for row in rows], dtype=np.float64)
    table = table.reshape(len(rows), len(COLUMNS))
    return {name: table[:, index] for index, name in enumerate(COLUMNS)}


def _rows_until(path: Path, last_step: int) -> list[str]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as stream:
        lines = stream.readlines()[1:]
    whole = [line for line in lines if line.endswith("\n") and line.count(",") == len(COLUMNS) - 1]
    return [line for line in whole if int(line.split(",", 1)[0]) <= last_step]


def _text(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.10g}" if math.isfinite(value) else ""
