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
from mlmd.md.motion_settings import MotionSettings
from mlmd.md.stages import Stage, check_stage
from mlmd.settings import check, from_mapping

WHERE = "molecular dynamics settings"
MOST_CANDIDATES = 1000


class OnExtrapolation(StrEnum):
    """What to do when the potential leaves the range it was trained in."""

    CONTINUE = "continue"
    STOP = "stop"


class OnDisagreement(StrEnum):
    """What to do when a committee disagrees by more than the limit."""

    CONTINUE = "continue"
    STOP = "stop"


@dataclass(frozen=True)
class MDSettings(MotionSettings):
    """Everything that defines a run besides structure and potential."""

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
    watch_committee: bool = field(
        default=True,
        metadata={
            "label": "Watch the committee's disagreement",
            "help": "Where several potentials were trained together: ask all of them about each "
            "stored frame. Four cost 8 % more with a frame every 50 steps.",
            "expert": True,
        },
    )
    on_disagreement: OnDisagreement = field(
        default=OnDisagreement.STOP,
        metadata={
            "label": "On disagreement",
            "help": "Stop once a stored frame passes the limit below, or go on and report.",
            "expert": True,
        },
    )
    disagreement_limit: float | None = field(
        default=None,
        metadata={
            "label": "Disagreement limit",
            "help": "Spread of the committee's forces on the atom that it disagrees most on.",
            "unit": "meV/Å",
            "minimum": 1e-3,
            "maximum": 1e9,
            "expert": True,
            "empty": "none",
        },
    )
    candidates: int = field(
        default=20,
        metadata={
            "label": "Candidates",
            "help": "At most so many frames are put aside to be computed and trained on.",
            "minimum": 0,
            "maximum": MOST_CANDIDATES,
            "expert": True,
        },
    )
    candidate_lower: float | None = field(
        default=None,
        metadata={
            "label": "Candidates from",
            "help": "Spread above which a frame is new to the committee; empty for twice the spread "
            "on held-out frames.",
            "unit": "meV/Å",
            "minimum": 0.0,
            "maximum": 1e9,
            "expert": True,
        },
    )
    candidate_upper: float | None = field(
        default=None,
        metadata={
            "label": "Candidates up to",
            "help": "Spread above which a frame makes no sense any more; empty for ten times the "
            "spread on held-out frames.",
            "unit": "meV/Å",
            "minimum": 1e-3,
            "maximum": 1e9,
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
    lower, upper = settings.candidate_lower, settings.candidate_upper
    if lower is not None and upper is not None and lower >= upper:
        raise InvalidInput(
            f"{WHERE}: candidate_lower", f"{lower:g} meV/Å", f"less than candidate_upper, {upper:g}"
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
