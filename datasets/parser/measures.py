"""Numbers that searches ask for and that no file states. No Django here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlmd.frame import Calculation, FloatArray, Frame
from mlmd.structure.distance import closest_pair
from mlmd.units import EV_PER_A3_IN_GPA

_VASP_RUNS = {-1: "static", 0: "md", 1: "relaxation", 2: "relaxation", 3: "relaxation"}
_ESPRESSO_RUNS = {
    "scf": "static",
    "relax": "relaxation",
    "vc-relax": "relaxation",
    "md": "md",
    "vc-md": "md",
}


@dataclass(frozen=True)
class FrameMeasures:
    """What is worked out of a frame.

    Args:
        shortest_distance: between two atoms or an atom and its image, Å; None for one alone.
        pressure: minus a third of the stress's trace, GPa.
        k_spacing: longest distance of neighbouring k-points, with 2π, Å⁻¹.
    """

    shortest_distance: float | None
    pressure: float | None
    k_spacing: float | None


def frame_measures(frame: Frame) -> FrameMeasures:
    """Return the measures of a frame."""
    pair = closest_pair(frame.positions, frame.cell, frame.pbc)
    stress = frame.stress
    return FrameMeasures(
        shortest_distance=None if pair is None else pair.distance,
        pressure=None if stress is None else -float(np.trace(stress)) / 3 * EV_PER_A3_IN_GPA,
        k_spacing=k_spacing(frame.cell, frame.calculation.k_points),
    )


def k_spacing(cell: FloatArray, divisions: tuple[int, int, int] | None) -> float | None:
    """Return the longest distance of neighbouring k-points of a Monkhorst–Pack grid.

    Args:
        cell: rows are lattice vectors, shape (3, 3), Å.
        divisions: of the three reciprocal vectors.

    Returns:
        Å⁻¹, with 2π; None without a grid or a cell.
    """
    if divisions is None or abs(float(np.linalg.det(cell))) < 1e-9:
        return None
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(cell), axis=0)
    return float((lengths / np.maximum(divisions, 1)).max())


def run_type(calculation: Calculation) -> str:
    """Return ``static``, ``relaxation``, ``md`` or ``vibrations``; empty where it isn't known."""
    settings = calculation.settings
    if calculation.code == "vasp":
        mode, steps = _whole(settings.get("IBRION")), _whole(settings.get("NSW"))
        if steps == 0:
            return "static"
        if mode is not None and 5 <= mode <= 8:
            return "vibrations"
        return _VASP_RUNS.get(mode, "") if mode is not None else ""
    return _ESPRESSO_RUNS.get(str(settings.get("calculation", "")), "")


def hubbard_words(calculation: Calculation) -> str:
    """Return the Hubbard U as ``Fe 4 eV, Ni 6.2 eV``; empty for none."""
    values = sorted(calculation.hubbard_u.items())
    return ", ".join(f"{element} {u:g} eV" for element, u in values if u)


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
