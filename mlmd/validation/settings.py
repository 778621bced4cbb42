"""Settings of a validation: which checks, on how much, how finely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlmd.errors import InvalidInput
from mlmd.settings import check, from_mapping
from mlmd.validation.report import CheckName

WHERE = "validation settings"


@dataclass(frozen=True)
class ValidationSettings:
    """Everything that defines a validation besides potential and data."""

    checks: tuple[CheckName, ...] = tuple(CheckName)
    materials: int = field(
        default=3,
        metadata={
            "label": "Crystals",
            "help": "At most so many, those with the smallest cells first.",
            "minimum": 1,
            "maximum": 20,
        },
    )
    temperature: float = field(
        default=300.0,
        metadata={
            "label": "Temperature of the dynamics",
            "help": "Of the run at constant energy that tests stability.",
            "unit": "K",
            "minimum": 1.0,
            "maximum": 20_000.0,
        },
    )
    time_step: float | None = field(
        default=None,
        metadata={
            "label": "Time step",
            "help": "Empty for 1 fs, and 0.5 fs with hydrogen.",
            "unit": "fs",
            "minimum": 0.01,
            "maximum": 10.0,
            "expert": True,
        },
    )
    steps: int = field(
        default=2000,
        metadata={
            "label": "Steps of the dynamics",
            "help": "More steps find slower troubles.",
            "minimum": 100,
            "maximum": 10_000_000,
        },
    )
    dynamics_atoms: int = field(
        default=64,
        metadata={
            "label": "Atoms of the dynamics",
            "help": "The crystal is repeated to at least so many.",
            "minimum": 1,
            "maximum": 100_000,
            "expert": True,
        },
    )
    speed_atoms: int = field(
        default=1000,
        metadata={
            "label": "Atoms of the timing",
            "help": "The crystal is repeated to at least so many.",
            "minimum": 1,
            "maximum": 1_000_000,
            "expert": True,
        },
    )
    volume_range: float = field(
        default=0.15,
        metadata={
            "label": "Range of volumes",
            "help": "How far E(V) goes to either side of its minimum, as a share of the volume.",
            "minimum": 0.02,
            "maximum": 0.6,
            "expert": True,
        },
    )
    volume_points: int = field(
        default=21,
        metadata={
            "label": "Volumes",
            "help": "Points of E(V).",
            "minimum": 7,
            "maximum": 201,
            "expert": True,
        },
    )
    strain: float = field(
        default=0.002,
        metadata={
            "label": "Strain",
            "help": "For elastic constants; too small drowns in rounding, too large isn't linear.",
            "minimum": 1e-5,
            "maximum": 0.05,
            "expert": True,
        },
    )
    displacement: float = field(
        default=0.02,
        metadata={
            "label": "Displacement",
            "help": "Of an atom, for phonons.",
            "unit": "Å",
            "minimum": 1e-4,
            "maximum": 0.2,
            "expert": True,
        },
    )
    supercell: float = field(
        default=10.0,
        metadata={
            "label": "Supercell",
            "help": "Least width of the cells for phonons and vacancies.",
            "unit": "Å",
            "minimum": 3.0,
            "maximum": 60.0,
            "expert": True,
        },
    )
    supercell_atoms: int = field(
        default=300,
        metadata={
            "label": "Atoms of a supercell",
            "help": "Wider cells are made narrower until they hold no more.",
            "minimum": 1,
            "maximum": 20_000,
            "expert": True,
        },
    )
    slab: float = field(
        default=12.0,
        metadata={
            "label": "Slab",
            "help": "Least thickness of the slabs for surface energies.",
            "unit": "Å",
            "minimum": 3.0,
            "maximum": 100.0,
            "expert": True,
        },
    )
    largest_cell: int = field(
        default=48,
        metadata={
            "label": "Largest crystal cell",
            "help": "Primitive cells with more atoms are left out.",
            "minimum": 1,
            "maximum": 2000,
            "expert": True,
        },
    )
    dimer_points: int = field(
        default=80,
        metadata={
            "label": "Distances of a dimer",
            "help": "Points of each curve.",
            "minimum": 10,
            "maximum": 1000,
            "expert": True,
        },
    )
    seed: int = field(
        default=1,
        metadata={
            "label": "Random seed",
            "help": "Of velocities and displacements: same seed, same numbers.",
            "minimum": 0,
            "maximum": 2**63 - 1,
            "expert": True,
        },
    )


def settings_from_mapping(values: Mapping[str, Any], where: str = WHERE) -> ValidationSettings:
    """Make settings from a JSON object.

    Raises:
        InvalidInput: an unknown name or check, or a value out of its limits.
    """
    entries = dict(values)
    if "checks" in entries:
        entries["checks"] = _checks(entries["checks"], f"{where}: checks")
    settings = from_mapping(ValidationSettings, entries, where)
    check_settings(settings)
    return settings


def check_settings(settings: ValidationSettings) -> None:
    """Hold settings against their limits.

    Raises:
        InvalidInput: naming what is wrong and what would be right.
    """
    check(settings, WHERE)
    if not settings.checks:
        raise InvalidInput(f"{WHERE}: checks", "none", f"some of {', '.join(CheckName)}")


def _checks(names: object, where: str) -> tuple[CheckName, ...]:
    if not isinstance(names, list | tuple):
        raise InvalidInput(where, repr(names), f"a list of {', '.join(CheckName)}")
    for name in names:
        if name not in list(CheckName):
            raise InvalidInput(where, repr(name), f"one of {', '.join(CheckName)}")
    return tuple(name for name in CheckName if name in names)
