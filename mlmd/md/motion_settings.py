"""What moves the atoms of a run, and what holds them; the first part of `mlmd.md.MDSettings`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mlmd.md.integrators import BathSettings
from mlmd.md.stages import Stage
from mlmd.units import EV_PER_A3_IN_GPA


class Velocities(StrEnum):
    """Where the first velocities come from."""

    DRAW = "draw"
    KEEP = "keep"


@dataclass(frozen=True)
class MotionSettings:
    """Stages, what holds atoms and bonds, and the baths."""

    stages: tuple[Stage, ...] = (Stage(),)
    time_step: float = field(
        default=1.0,
        metadata={
            "label": "Time step",
            "help": "1 fs suits most solids; take 0.5 fs or less with hydrogen.",
            "unit": "fs",
            "minimum": 1e-4,
            "maximum": 20.0,
        },
    )
    sample_every: int = field(
        default=10,
        metadata={
            "label": "Log every",
            "help": "Steps between rows of temperature, energy and pressure.",
            "unit": "steps",
            "minimum": 1,
            "maximum": 10_000_000,
        },
    )
    trajectory_every: int = field(
        default=50,
        metadata={
            "label": "Store positions every",
            "help": "Steps between frames of the trajectory.",
            "unit": "steps",
            "minimum": 1,
            "maximum": 10_000_000,
        },
    )
    seed: int = field(
        default=1,
        metadata={
            "label": "Random seed",
            "help": "Same seed, same run.",
            "minimum": 0,
            "maximum": 2**63 - 1,
        },
    )
    velocities: Velocities = field(
        default=Velocities.DRAW,
        metadata={
            "label": "First velocities",
            "help": "Draw them for the first temperature, or keep those of the structure.",
            "expert": True,
        },
    )
    store_velocities: bool = field(
        default=False,
        metadata={
            "label": "Store velocities",
            "help": "Doubles the size of the trajectory; needed for vibrational spectra.",
            "expert": True,
        },
    )
    fixed_atoms: str = field(
        default="",
        metadata={
            "label": "Fixed atoms",
            "help": "Numbers from 0 in the repeated cell, such as 0-15 20.",
            "expert": True,
            "empty": "none",
        },
    )
    fixed_elements: str = field(
        default="",
        metadata={
            "label": "Fixed elements",
            "help": "Atoms of these elements don't move, such as Pt.",
            "expert": True,
            "empty": "none",
        },
    )
    fixed_below: float | None = field(
        default=None,
        metadata={
            "label": "Fixed below",
            "help": "Atoms with a smaller z don't move, such as the bottom of a slab.",
            "unit": "Å",
            "minimum": -1e6,
            "maximum": 1e6,
            "expert": True,
            "empty": "none",
        },
    )
    rigid_bonds: str = field(
        default="",
        metadata={
            "label": "Rigid bonds",
            "help": "Pairs and lengths in Å, such as O-H 0.9572, H-H 1.5139; without a length "
            "each bond keeps its first one.",
            "expert": True,
            "empty": "none",
        },
    )
    thermostat_time: float = field(
        default=100.0,
        metadata={
            "label": "Thermostat time",
            "help": "Relaxation time; shorter couples harder and disturbs the motion more.",
            "unit": "fs",
            "minimum": 1.0,
            "maximum": 1e6,
            "expert": True,
        },
    )
    chain_length: int = field(
        default=3,
        metadata={
            "label": "Chain length",
            "help": "Thermostats in the Nosé–Hoover chain.",
            "minimum": 1,
            "maximum": 20,
            "expert": True,
        },
    )
    barostat_time: float = field(
        default=1000.0,
        metadata={
            "label": "Barostat time",
            "help": "Relaxation time of the volume.",
            "unit": "fs",
            "minimum": 10.0,
            "maximum": 1e7,
            "expert": True,
        },
    )
    compressibility: float = field(
        default=0.01,
        metadata={
            "label": "Compressibility",
            "help": "Rough estimate, 1/bulk modulus; only sets how fast the volume relaxes.",
            "unit": "1/GPa",
            "minimum": 1e-6,
            "maximum": 1e6,
            "expert": True,
        },
    )
    barostat_interval: int = field(
        default=10,
        metadata={
            "label": "Volume move every",
            "help": "Each move costs one more evaluation of the potential.",
            "unit": "steps",
            "minimum": 1,
            "maximum": 1000,
            "expert": True,
        },
    )

    @property
    def bath(self) -> BathSettings:
        """The constants that integrators take, in their units."""
        return BathSettings(
            time_step=self.time_step,
            thermostat_time=self.thermostat_time,
            barostat_time=self.barostat_time,
            compressibility=self.compressibility * EV_PER_A3_IN_GPA,
            barostat_interval=self.barostat_interval,
            chain_length=self.chain_length,
        )
