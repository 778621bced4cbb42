"""The fixed texts of reports, in one place for those who translate them."""

from __future__ import annotations

from collections.abc import Mapping

from mlmd.validation import (
    consistency,
    crystals,
    defects,
    dimers,
    dynamics,
    elasticity,
    extrapolation,
    lattice,
    parity,
    phases,
    phonons,
    surfaces,
    teacher_cells,
)
from mlmd.validation.report import CheckName

TITLES: Mapping[CheckName, str] = {
    CheckName.PARITY: "Against the teacher data",
    CheckName.EXTRAPOLATION: "Extrapolation map",
    CheckName.CONSISTENCY: "Consistency",
    CheckName.DIMERS: "Dimers",
    CheckName.LATTICE: "Lattice constants",
    CheckName.VOLUME: "Energy and volume",
    CheckName.PHASES: "Other crystals",
    CheckName.ELASTIC: "Elastic constants",
    CheckName.PHONONS: "Phonons",
    CheckName.VACANCY: "Vacancies",
    CheckName.SURFACES: "Surfaces",
    CheckName.STABILITY: "Stable dynamics",
    CheckName.SPEED: "Speed",
}

LABELS: tuple[str, ...] = (
    *(parity.ENERGY, parity.ALIGNED, parity.FORCE, parity.STRESS, parity.LARGEST),
    *(parity.ENERGY_INSIDE, parity.FORCE_INSIDE),
    *(parity.FRAMES, parity.EQUAL, lattice.POTENTIAL, lattice.TEACHER),
    *(extrapolation.ATOMS_OUTSIDE, extrapolation.FRAMES_OUTSIDE),
    *(consistency.GRADIENT, consistency.VIRIAL, consistency.BALANCE, consistency.EXCHANGE),
    *(consistency.TURN, consistency.MIRROR, consistency.SHIFT, consistency.REPEAT),
    *(dimers.BOND, dimers.DEPTH, dimers.REPULSIVE),
    *lattice.LATTICE_LABELS.values(),
    *(lattice.VOLUME, lattice.CRYSTAL_ENERGY),
    *(lattice.MINIMUM, lattice.BULK, lattice.DERIVATIVE, phases.ABOVE),
    *(f"C{pair}" for pair in elasticity.ALL),
    *(elasticity.BULK, elasticity.SHEAR, elasticity.YOUNG, elasticity.POISSON),
    elasticity.STABILITY,
    *(phonons.HIGHEST, phonons.LOWEST, phonons.HEAT, phonons.ENTROPY, phonons.ZERO_POINT),
    *(defects.FORMATION, defects.UNRELAXED, defects.SCHOTTKY),
    *(teacher_cells.VACANCY, teacher_cells.SLAB),
    *surfaces.LABELS.values(),
    *(dynamics.SIMULATED, dynamics.DRIFT, dynamics.NOISE, dynamics.MEAN_TEMPERATURE),
    *(dynamics.MOVED, dynamics.COST, dynamics.TIMED_ATOMS, dynamics.CORES, dynamics.PACE),
)
"""Labels of values and series."""

AXES: tuple[str, ...] = (
    *(f"{whose} ({unit})" for whose in ("teacher", "potential") for unit in parity.UNITS),
    *("distance (Å)", "energy (eV)", "volume (Å³/atom)", "energy (eV/atom)"),
    *("wave vector", "frequency (THz)", "states per THz and cell"),
    *("time (ps)", "change of energy (meV/atom)", "temperature (K)"),
)
"""Titles of axes."""

HEADINGS: tuple[str, ...] = (
    *(parity.ENERGIES, parity.FORCES, parity.STRESSES, parity.BY_KIND, parity.BY_ELEMENT),
    *(extrapolation.FUNCTIONS, extrapolation.KINDS, dimers.CURVE, lattice.ENERGY_VOLUME),
    *(elasticity.TENSOR, phonons.BANDS, phonons.DENSITY, defects.SITES, surfaces.SLABS),
    *(dynamics.CONSERVED, dynamics.TEMPERATURE),
)
"""Titles of plots and tables."""

COLUMNS: tuple[str, ...] = (
    *parity.KIND_COLUMNS,
    *parity.ELEMENT_COLUMNS,
    *extrapolation.COLUMNS,
    *extrapolation.KIND_COLUMNS,
    *elasticity.COLUMNS,
    *defects.COLUMNS,
    *surfaces.COLUMNS,
)
"""Heads of columns."""

SOURCES: tuple[str, ...] = (
    *(crystals.TEACHER, crystals.ELEMENT, lattice.FRAME, lattice.FIT, dimers.DATA),
    dynamics.PLANNED,
)
"""Where crystals and references come from."""


def fixed_texts() -> frozenset[str]:
    """Return every text of a report that doesn't depend on the potential."""
    return frozenset((*TITLES.values(), *LABELS, *AXES, *HEADINGS, *COLUMNS, *SOURCES))
