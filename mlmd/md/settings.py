"""Settings of a molecular dynamics run, and what a run directory must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mlmd.errors import InvalidInput
from mlmd.hdnnp.devices import Device
from mlmd.launch import Resources
from mlmd.md.holding import parse_bonds, parse_elements, parse_indices
from mlmd.md.integrators import BathSettings
from mlmd.md.stages import Stage, check_stage
from mlmd.settings import check, from_mapping
from mlmd.units import EV_PER_A3_IN_GPA

WHERE = "molecular dynamics settings"


class Velocities(StrEnum):
    """Where the first velocities come from."""

    DRAW = "draw"
    KEEP = "keep"


class OnExtrapolation(StrEnum):
    """What to do when the potential leaves the range it was trained in."""

    CONTINUE = "continue"
    STOP = "stop"


@dataclass(frozen=True)
class MDSettings:
    """Everything that defines a run besides structure and potential."""

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
    checkpoint_every: int = field(
        default=1000,
        metadata={
            "label": "Save state every",
            "help": "A restart goes on from the last saved state.",
            "unit": "steps",
            "minimum": 1,
            "maximum": 10_000_000,
            "expert": True,
        },
    )
    rdf_range: float = field(
        default=8.0,
        metadata={
            "label": "Range of g(r)",
            "help": "Largest distance; it may exceed half of the cell.",
            "unit": "Å",
            "minimum": 1.0,
            "maximum": 50.0,
            "expert": True,
        },
    )
    rdf_bins: int = field(
        default=320,
        metadata={
            "label": "Bins of g(r)",
            "help": "More bins resolve sharper peaks and need more frames.",
            "minimum": 10,
            "maximum": 5000,
            "expert": True,
        },
    )
    on_extrapolation: OnExtrapolation = field(
        default=OnExtrapolation.CONTINUE,
        metadata={
            "label": "On extrapolation",
            "help": "Go on and report, or stop once the limit below is passed.",
            "expert": True,
        },
    )
    extrapolation_limit: int = field(
        default=1000,
        metadata={
            "label": "Extrapolation limit",
            "help": "How many single warnings are tolerated before the run stops.",
            "minimum": 0,
            "maximum": 1_000_000_000,
            "expert": True,
        },
    )
    temperature_limit: float | None = field(
        default=None,
        metadata={
            "label": "Temperature limit",
            "help": "The run ends with an error above it; empty for 10 times the "
            "highest target plus 10 000 K.",
            "unit": "K",
            "minimum": 1.0,
            "maximum": 1e9,
            "expert": True,
        },
    )
    threads: int | None = field(
        default=None,
        metadata={
            "label": "Threads",
            "help": "Cores to use; empty for all that the run was given.",
            "minimum": 1,
            "maximum": 1024,
            "expert": True,
        },
    )
    device: Device = field(
        default=Device.AUTO,
        metadata={
            "label": "Device",
            "help": "cpu, gpu, or auto: a GPU where there is one and the structure is large. "
            "A GPU computes in single precision.",
            "expert": True,
        },
    )

    @property
    def total_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    @property
    def highest_allowed_temperature(self) -> float:
        """Temperature that counts as blown up, K."""
        if self.temperature_limit is not None:
            return self.temperature_limit
        top = max(max(stage.temperature_start, stage.last_temperature) for stage in self.stages)
        return 10 * top + 10_000

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


@dataclass(frozen=True)
class MDSpec:
    """A run to prepare.

    Args:
        settings: what to do.
        atoms: the structure, an ``ase.Atoms``.
        potential: directory of the potential.
        resources: what the run asks of the machine.
        committee: directory of a committee's training, ``potential-1``, ``potential-2``, …, whose
            disagreement is watched; None for none.
    """

    settings: MDSettings
    atoms: Any
    potential: str
    resources: Resources = field(default_factory=Resources)
    committee: str | None = None


def check_settings(settings: MDSettings) -> None:
    """Hold settings against their limits and against each other.

    Raises:
        InvalidInput: naming what is wrong and what would be right.
    """
    check(settings, WHERE)
    if not settings.stages:
        raise InvalidInput(WHERE, "no stages", "at least one")
    for index, stage in enumerate(settings.stages, 1):
        where = f"{WHERE}: stage {index}"
        check_stage(stage, where)
    parse_indices(settings.fixed_atoms, f"{WHERE}: fixed_atoms")
    parse_elements(settings.fixed_elements, f"{WHERE}: fixed_elements")
    parse_bonds(settings.rigid_bonds, f"{WHERE}: rigid_bonds")
    shortest = 5 * settings.time_step
    if settings.thermostat_time < shortest:
        raise InvalidInput(
            f"{WHERE}: thermostat_time",
            f"{settings.thermostat_time} fs",
            f"at least five time steps, {shortest} fs",
        )
    least = 10 * settings.barostat_interval * settings.time_step
    uses_npt = any(stage.ensemble.moves_cell for stage in settings.stages)
    if uses_npt and settings.barostat_time < least:
        raise InvalidInput(
            f"{WHERE}: barostat_time",
            f"{settings.barostat_time} fs",
            f"at least ten volume moves, {least} fs",
            "Move the volume more often or let it relax more slowly.",
        )


def settings_from_mapping(values: Mapping[str, Any], where: str = WHERE) -> MDSettings:
    """Make settings from a JSON object, as in ``spec.json``.

    Raises:
        InvalidInput: an unknown name or a value out of its limits.
    """
    entries = dict(values)
    if "stages" in entries:
        stages = entries["stages"]
        if not isinstance(stages, list | tuple):
            raise InvalidInput(f"{where}: stages", repr(stages), "a list of stages")
        for index, stage in enumerate(stages, 1):
            if not isinstance(stage, Mapping):
                raise InvalidInput(f"{where}: stage {index}", repr(stage), "an object")
        entries["stages"] = tuple(
            from_mapping(Stage, stage, f"{where}: stage {index}")
            for index, stage in enumerate(stages, 1)
        )
    settings = from_mapping(MDSettings, entries, where)
    check_settings(settings)
    return settings
