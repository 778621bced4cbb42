"""The fixed texts of reports, in one place for those who translate them."""

from __future__ import annotations

from collections.abc import Mapping

from mlmd.validation.report import CheckName

TITLES: Mapping[CheckName, str] = {
    CheckName.PARITY: "Against the teacher data",
    CheckName.EXTRAPOLATION: "Extrapolation map",
    CheckName.CONSISTENCY: "Consistency",
    CheckName.DIMERS: "Dimers",
    CheckName.LATTICE: "Lattice constants",
    CheckName.VOLUME: "Energy and volume",
    CheckName.ELASTIC: "Elastic constants",
    CheckName.PHONONS: "Phonons",
    CheckName.VACANCY: "Vacancies",
    CheckName.SURFACES: "Surfaces",
    CheckName.STABILITY: "Stable dynamics",
    CheckName.SPEED: "Speed",
}

LABELS: tuple[str, ...] = ()
"""Labels of values and series."""

AXES: tuple[str, ...] = ()
"""Titles of axes."""

HEADINGS: tuple[str, ...] = ()
"""Titles of plots and tables."""

COLUMNS: tuple[str, ...] = ()
"""Heads of columns."""

SOURCES: tuple[str, ...] = ()
"""Where crystals and references come from."""


def fixed_texts() -> frozenset[str]:
    """Return every text of a report that doesn't depend on the potential."""
    return frozenset((*TITLES.values(), *LABELS, *AXES, *HEADINGS, *COLUMNS, *SOURCES))
