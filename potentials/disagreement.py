"""How far a committee disagrees along an MD run, and which frames are put aside for it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from django.utils.translation import gettext as _

from labs import plots
from labs.templatetags.mlmd_tags import digits
from mlmd.errors import FormatError, InvalidInput
from mlmd.md.candidates import CANDIDATES_FILE, Candidates, Measure, read_candidates
from mlmd.md.committee import DISAGREEMENT_FILE, read_disagreement

log = logging.getLogger(__name__)


def is_watched(folder: Path) -> bool:
    """Whether a run has written how far a committee disagrees."""
    return (folder / DISAGREEMENT_FILE).is_file()


def candidates_of(folder: Path) -> Candidates | None:
    """Return what a run has put aside, or None while there is nothing that can be read."""
    try:
        return read_candidates(folder)
    except InvalidInput as error:  # replaced in one step, so this is damage
        log.warning("%s", error)
        return None


def candidate_atoms(path: Path, number: int) -> Atoms:
    """Return one of the structures of ``candidates.extxyz``, counted from 0."""
    found = ase.io.read(path, index=number, format="extxyz")
    if not isinstance(found, Atoms):
        raise FormatError(path.name, "several structures", "one")
    return found


def disagreement_figure(
    folder: Path, csv_url: str | None, limit: float | None = None
) -> dict[str, Any]:
    """Return the spread of the forces against time, with the levels of candidates.

    Args:
        folder: of the run.
        csv_url: address of the whole table.
        limit: where the run stops or complains, meV/Å; None for none.
    """
    titles = (_("time / ps"), _("spread of the forces / meV Å⁻¹"))
    if not is_watched(folder):
        return plots.figure([], *titles, _("Nothing to show yet."))
    table = read_disagreement(folder)
    times, largest = table["time_ps"], table["largest_force_spread_mev_per_a"]
    if not len(times):
        return plots.figure([], *titles, _("Nothing to show yet."))
    traces = [
        plots.line(times, largest, _("atom of the largest")),
        plots.line(times, table["mean_force_spread_mev_per_a"], _("mean over atoms")),
    ]
    found = candidates_of(folder)
    marks = [] if found is None or found.levels is None else _level_lines(found, largest)
    if limit is not None:
        marks.append((_("limit"), limit))
    ends = np.array([times[0], times[-1]])
    traces += [plots.line(ends, np.array([y, y]), name) for name, y in marks]
    worst = int(largest.argmax())
    alt = _(
        "At most %(most)s meV/Å, on atom %(atom)s after %(time)s ps; median over stored frames "
        "%(median)s meV/Å."
    ) % {
        "most": digits(largest[worst], 3),
        "atom": int(table["atom"][worst]) + 1,
        "time": digits(times[worst], 4),
        "median": digits(float(np.median(largest)), 3),
    }
    return plots.figure(traces, *titles, alt, csv=csv_url)


def _level_lines(found: Candidates, largest: Any) -> list[tuple[str, float]]:
    """Return the levels; the upper one only where it would not squeeze the curves flat."""
    if found.levels is None:
        return []
    lines = [(_("level: candidates from"), found.levels.lower)]
    if largest.max() > found.levels.upper / 3:
        lines.append((_("level: candidates up to"), found.levels.upper))
    return lines


def candidate_words(found: Candidates) -> str:
    """Say how many frames are worth computing, and why."""
    numbers = {
        "frames": found.frames,
        "between": found.between,
        "chosen": len(found.chosen),
        "beyond": found.beyond,
    }
    if found.measure is Measure.OUTSIDE:
        return (
            _(
                "%(between)s of %(frames)s stored frames have atoms outside of the range that the "
                "potential was trained in; %(chosen)s of them are put aside."
            )
            % numbers
        )
    if found.levels is None:
        return _(
            "Nothing says from which disagreement on a frame is new: set “Candidates from” and "
            "“Candidates up to”."
        )
    if found.known == found.frames:
        return _(
            "The committee agrees on all %(frames)s stored frames to within %(lower)s meV/Å: there "
            "is nothing new in them."
        ) % {**numbers, "lower": digits(found.levels.lower, 3)}
    words = _(
        "In %(between)s of %(frames)s stored frames the committee disagrees by %(lower)s to "
        "%(upper)s meV/Å on some atom: new to it, and still sound. %(chosen)s of them are put aside."
    ) % {
        **numbers,
        "lower": digits(found.levels.lower, 3),
        "upper": digits(found.levels.upper, 3),
    }
    if found.beyond:
        words += (
            " " + _("%(beyond)s lie beyond: they are likely no sound configurations.") % numbers
        )
    return words


def candidate_rows(found: Candidates) -> list[dict[str, Any]]:
    """Return the frames that are put aside, for a table: number, step, time, value."""
    return [
        {
            "number": number,
            "step": candidate.step,
            "time": digits(candidate.time_ps, 4),
            "value": digits(candidate.value, 3),
        }
        for number, candidate in enumerate(found.chosen, start=1)
    ]


def may_compute(folder: Path) -> bool:
    """Whether the structures of the candidates are here."""
    found = candidates_of(folder)
    return bool(found and found.chosen and (folder / CANDIDATES_FILE).is_file())
