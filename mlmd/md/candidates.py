"""Frames of a run that are worth computing and training on.

A frame on which a committee disagrees little is known; one on which it disagrees beyond all measure
is likely to be no sound configuration at all. Candidates lie between two levels, as in the concurrent
learning of Zhang et al., Phys. Rev. Materials 3, 023804 (2019), doi:10.1103/PhysRevMaterials.3.023804.
Without a committee, frames with atoms outside of the training range take their place.

All is worked out from the run's own tables and trajectory, so it is the same however often the run
was interrupted.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mlmd.errors import FormatError
from mlmd.hdnnp.training import COMMITTEE_FILE, load_committee
from mlmd.md.committee import DISAGREEMENT_FILE, read_disagreement
from mlmd.md.rows import read_rows
from mlmd.md.settings import MDSettings
from mlmd.runs import read_json, to_jsonable, write_bytes_atomic, write_json_atomic
from mlmd.trajectory import TrajectoryReader

CANDIDATES_FILE = "candidates.extxyz"
SUMMARY_FILE = "candidates.json"
OUTSIDE_FILE = "outside.csv"
TRAJECTORY_FILE = "trajectory.mtj"
VERSION = 1
LOWER, UPPER = 2.0, 10.0  # times the committee's own spread on held-out frames
MOST_ATOMS = 200_000  # of all candidates together: 16 MB


class Measure(StrEnum):
    """What candidates are told by: forces that differ, or atoms outside of the training range."""

    FORCE_SPREAD = "force_spread"
    OUTSIDE = "outside"


@dataclass(frozen=True)
class Levels:
    """Between which spreads of the forces a frame is a candidate, meV/Å.

    Args:
        lower: from here on a frame is new.
        upper: from here on it makes no sense.
    """

    lower: float
    upper: float


@dataclass(frozen=True)
class OutsideRow:
    """Atoms of a stored frame that have left the training range.

    Args:
        step: of the run.
        time_ps: simulated time.
        atoms: how many.
        excess: how far the farthest descriptor lies outside, in units of its range.
    """

    step: int
    time_ps: float
    atoms: int
    excess: float


OUTSIDE_COLUMNS = tuple(column.name for column in fields(OutsideRow))


@dataclass(frozen=True)
class Candidate:
    """One frame.

    Args:
        frame: its index in the trajectory.
        step: of the run.
        time_ps: simulated time.
        value: largest spread of the force on an atom, meV/Å; or how many atoms are outside.
    """

    frame: int
    step: int
    time_ps: float
    value: float


@dataclass(frozen=True)
class Candidates:
    """What a run puts aside.

    Args:
        measure: what ``value`` of each is.
        levels: between which they lie; None without a committee, or where none are known.
        frames: stored so far.
        known: of them, below the lower level, or with all atoms inside.
        between: from the lower level on and below the upper; or with atoms outside.
        beyond: at the upper level or above.
        chosen: those that are kept, by time.
    """

    measure: Measure
    levels: Levels | None
    frames: int
    known: int
    between: int
    beyond: int
    chosen: tuple[Candidate, ...]


def levels_of(settings: MDSettings, committee_dir: Path | None) -> Levels | None:
    """Return the levels that the settings give, or that a committee's training suggests.

    Args:
        settings: of the run.
        committee_dir: the committee's training, or what a run keeps of it; None for none.

    Returns:
        None where the settings leave one open and there is no ``committee.json``.

    Raises:
        InvalidInput: a damaged ``committee.json``.
    """
    lower, upper = settings.candidate_lower, settings.candidate_upper
    path = None if committee_dir is None else committee_dir / COMMITTEE_FILE
    if path is not None and path.is_file():
        spread = load_committee(path).force_spread
        lower = LOWER * spread if lower is None else lower
        upper = max(UPPER * spread, lower) if upper is None else upper
    return None if lower is None or upper is None else Levels(lower, upper)


def outside_row(step: int, time_ps: float, warnings: NDArray[Any]) -> OutsideRow:
    """Return the row of a frame from its warnings: fields atom, function, value, low, high."""
    if not len(warnings):
        return OutsideRow(step, time_ps, 0, 0.0)
    width = warnings["high"] - warnings["low"]
    beyond = np.maximum(warnings["low"] - warnings["value"], warnings["value"] - warnings["high"])
    excess = float((beyond / np.where(width > 0, width, 1.0)).max())
    return OutsideRow(step, time_ps, len(np.unique(warnings["atom"])), excess)


def read_outside(run_dir: Path) -> dict[str, NDArray[np.float64]]:
    """Return the columns of `OutsideRow`, shape (rows,) each.

    Raises:
        FormatError: there is no such file, or it is another one.
    """
    return read_rows(run_dir / OUTSIDE_FILE, OUTSIDE_COLUMNS, "the frames outside of the range")


def write_candidates(run_dir: Path, settings: MDSettings, levels: Levels | None) -> Candidates:
    """Rewrite ``candidates.json`` and ``candidates.extxyz`` from what a run has stored so far.

    Positions are those of the trajectory. Energies and forces aren't written: they are
    the potential's own, and nothing to train on.
    """
    with TrajectoryReader(run_dir / TRAJECTORY_FILE) as reader:
        found = _select(run_dir, settings, levels, reader)
        if _is_written(run_dir, found):
            return found
        content = [_atoms(reader, candidate, found.measure) for candidate in found.chosen]
    # First out, last in: where it is there, the structures are those that it names.
    (run_dir / SUMMARY_FILE).unlink(missing_ok=True)
    path = run_dir / CANDIDATES_FILE
    if content:
        write_bytes_atomic(path, _as_text(content))
    else:
        path.unlink(missing_ok=True)
    write_json_atomic(run_dir / SUMMARY_FILE, {"version": VERSION, **to_jsonable(found)})
    return found


def read_candidates(run_dir: Path) -> Candidates | None:
    """Return what ``candidates.json`` says; None while there is none.

    Raises:
        InvalidInput: it is damaged.
        FormatError: it is of another version.
    """
    path = run_dir / SUMMARY_FILE
    if not path.is_file():
        return None
    content = read_json(path)
    try:
        if content.pop("version") != VERSION:
            raise ValueError("another version")
        content["measure"] = Measure(content["measure"])
        content["levels"] = content["levels"] and Levels(**content["levels"])
        content["chosen"] = tuple(Candidate(**entry) for entry in content["chosen"])
        return Candidates(**content)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(str(path), f"unknown or missing entry ({error})", "candidates") from error


def spread_out(values: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Return which of some values to take: the largest of each of ``most`` equal spans.

    Args:
        values: in the order of time.
        most: how many at most.

    Returns:
        Ascending indices; all where there are no more than ``most``.
    """
    indices = np.arange(len(values))
    if most <= 0:
        return indices[:0]
    if len(values) <= most:
        return indices
    spans = np.array_split(indices, most)
    return np.array([span[values[span].argmax()] for span in spans])


def _select(
    run_dir: Path, settings: MDSettings, levels: Levels | None, reader: TrajectoryReader
) -> Candidates:
    if (run_dir / DISAGREEMENT_FILE).is_file():
        measure, table = Measure.FORCE_SPREAD, read_disagreement(run_dir)
        values = table["largest_force_spread_mev_per_a"]
        low, high = (np.inf, np.inf) if levels is None else astuple(levels)
    else:
        measure, table = Measure.OUTSIDE, read_outside(run_dir)
        values, levels = table["atoms"], None
        low, high = 1.0, np.inf
    stored, index, row = np.intersect1d(reader.steps, table["step"], return_indices=True)
    values, times = values[row], table["time_ps"][row]
    between = np.flatnonzero((values >= low) & (values < high))
    most = min(settings.candidates, MOST_ATOMS // max(len(reader.numbers), 1))
    chosen = between[spread_out(values[between], most)]
    return Candidates(
        measure,
        levels,
        frames=len(stored),
        known=int(np.count_nonzero(values < low)),
        between=len(between),
        beyond=int(np.count_nonzero(values >= high)),
        chosen=tuple(
            Candidate(int(index[k]), int(stored[k]), float(times[k]), float(values[k]))
            for k in chosen
        ),
    )


def _is_written(run_dir: Path, found: Candidates) -> bool:
    with suppress(FormatError):
        return read_candidates(run_dir) == found
    return False


def _atoms(reader: TrajectoryReader, candidate: Candidate, measure: Measure) -> Atoms:
    moment = reader[candidate.frame]
    unit = "_mev_per_a" if measure is Measure.FORCE_SPREAD else "_atoms"
    atoms = Atoms(
        numbers=np.asarray(reader.numbers, dtype=int),
        positions=moment.positions,
        cell=moment.cell,
        pbc=reader.pbc,
        info={
            "step": candidate.step,
            "time_ps": candidate.time_ps,
            f"{measure.value}{unit}": candidate.value,
        },
    )
    atoms.wrap(eps=1e-9)
    return atoms


def _as_text(structures: Sequence[Atoms]) -> bytes:
    stream = io.StringIO()
    ase.io.write(stream, list(structures), format="extxyz")
    return stream.getvalue().encode()
