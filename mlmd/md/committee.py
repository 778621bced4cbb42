"""How far the members of a committee disagree along a run.

One potential moves the atoms; the others only look on. The mean of all would need every member at
every step, and would be a potential that no card describes.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlmd.hdnnp.committee import CommitteeEvaluator
from mlmd.hdnnp.potential import Potential
from mlmd.md.rows import RowLog, read_rows
from mlmd.md.system import System

DISAGREEMENT_FILE = "disagreement.csv"


@dataclass(frozen=True)
class DisagreementRow:
    """What the members say of one moment.

    Args:
        step: of the run.
        time_ps: simulated time.
        energy_spread_mev_per_atom: standard deviation of the members' energies.
        largest_force_spread_mev_per_a: of the atom that they disagree most on: root mean square
            distance of the members' force vectors from their mean.
        mean_force_spread_mev_per_a: the same, averaged over all atoms.
        atom: index of the atom that they disagree most on, from 0.
    """

    step: int
    time_ps: float
    energy_spread_mev_per_atom: float
    largest_force_spread_mev_per_a: float
    mean_force_spread_mev_per_a: float
    atom: int


COLUMNS = tuple(column.name for column in fields(DisagreementRow))


class CommitteeLog(AbstractContextManager["CommitteeLog"]):
    """Asks all members about a moment, and appends the answer to ``disagreement.csv``.

    Args:
        run_dir: the run's directory.
        members: potentials of the same elements and cutoff.
        threads: as for `mlmd.hdnnp.evaluator.Evaluator`.
        last_step: go on after this step, dropping rows that a restart will write again;
            None starts a new file.

    Raises:
        InvalidInput: members don't fit together.
    """

    def __init__(
        self,
        run_dir: Path,
        members: Sequence[Potential],
        threads: int | None = None,
        last_step: int | None = None,
    ) -> None:
        self._members, self._threads = tuple(members), threads
        self._evaluator = CommitteeEvaluator(self._members, threads)
        self._rows = RowLog(run_dir / DISAGREEMENT_FILE, COLUMNS, last_step)

    def write(self, system: System, time_ps: float) -> DisagreementRow:
        """Append and return the row of the atoms' present positions."""
        answer = self._evaluator.compute(system.numbers, system.positions, system.cell, system.pbc)
        spread = 1000 * answer.force_spread
        row = DisagreementRow(
            step=system.step,
            time_ps=time_ps,
            energy_spread_mev_per_atom=1000 * answer.energy_spread / len(spread),
            largest_force_spread_mev_per_a=float(spread.max()),
            mean_force_spread_mev_per_a=float(spread.mean()),
            atom=int(spread.argmax()),
        )
        self._rows.write(astuple(row))
        return row

    def renew(self) -> None:
        """Forget the neighbour list, as a run does that goes on from a saved state."""
        self._evaluator.close()
        self._evaluator = CommitteeEvaluator(self._members, self._threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._rows.__exit__(kind, error, trace)
        self._evaluator.close()


def read_disagreement(run_dir: str | Path) -> dict[str, NDArray[np.float64]]:
    """Return the columns of `DisagreementRow`, shape (rows,) each, without a half-written row.

    Raises:
        FormatError: there is no such file, or it is another one.
    """
    return read_rows(
        Path(run_dir) / DISAGREEMENT_FILE, COLUMNS, "the log of a run with a committee"
    )
