"""The parts of a run: how long, which ensemble, which temperature and pressure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mlmd.errors import InvalidInput
from mlmd.md.ensembles import Ensemble
from mlmd.settings import check
from mlmd.units import EV_PER_A3_IN_GPA


class StageKind(StrEnum):
    """What a stage does to the temperature."""

    HEAT = "heat"
    HOLD = "hold"
    QUENCH = "quench"


@dataclass(frozen=True)
class Stage:
    """A part of the run with one ensemble and a straight temperature ramp."""

    steps: int = field(
        default=10_000,
        metadata={
            "label": "Steps",
            "help": "How many time steps the stage takes.",
            "minimum": 1,
            "maximum": 1_000_000_000,
        },
    )
    kind: StageKind = field(
        default=StageKind.HOLD,
        metadata={
            "label": "Kind",
            "help": "Heat up, hold or quench; heating and quenching need two temperatures.",
        },
    )
    ensemble: Ensemble = field(
        default=Ensemble.NVT_BUSSI,
        metadata={
            "label": "Ensemble",
            "help": "What is held constant, and by which thermostat or barostat.",
        },
    )
    temperature_start: float = field(
        default=300.0,
        metadata={
            "label": "Temperature at the start",
            "help": "In NVE it only sets the first velocities.",
            "unit": "K",
            "minimum": 0.1,
            "maximum": 1e6,
        },
    )
    temperature_end: float | None = field(
        default=None,
        metadata={
            "label": "Temperature at the end",
            "help": "Reached in a straight line; empty for the same as at the start.",
            "unit": "K",
            "minimum": 0.1,
            "maximum": 1e6,
        },
    )
    pressure: float = field(
        default=0.0,
        metadata={
            "label": "Pressure",
            "help": "Target of the NPT ensembles.",
            "unit": "GPa",
            "minimum": -1000.0,
            "maximum": 10_000.0,
        },
    )
    stress: str = field(
        default="",
        metadata={
            "label": "Stress beside the pressure",
            "help": "Of npt-axes (xx yy zz) and npt-full (xx yy zz yz xz xy); positive pulls.",
            "unit": "GPa",
        },
    )

    @property
    def last_temperature(self) -> float:
        """Temperature at the end, K."""
        return self.temperature_start if self.temperature_end is None else self.temperature_end

    @property
    def stress_components(self) -> tuple[float, ...]:
        """Target beside the pressure: xx, yy, zz, yz, xz, xy, GPa; empty for none.

        Raises:
            InvalidInput: neither three nor six numbers.
        """
        words = self.stress.replace(",", " ").split()
        if not words:
            return ()
        try:
            values = tuple(float(word) for word in words)
        except ValueError:
            values = ()
        if len(values) not in (3, 6) or not all(abs(value) <= 1000 for value in values):
            raise InvalidInput(
                "stage: stress",
                repr(self.stress),
                "three or six numbers in GPa: xx yy zz, or xx yy zz yz xz xy",
            )
        return (*values, 0.0, 0.0, 0.0)[:6]

    def temperature_at(self, done: float) -> float:
        """Return the target after a share of the stage, K."""
        return self.temperature_start + (self.last_temperature - self.temperature_start) * done


def stress_tensor(stage: Stage) -> NDArray[np.float64] | None:
    """Return the target stress beside the pressure, shape (3, 3), eV/Å³; None for none."""
    values = stage.stress_components
    if not any(values):
        return None
    xx, yy, zz, yz, xz, xy = values
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) / EV_PER_A3_IN_GPA


def check_stage(stage: Stage, where: str) -> None:
    """Hold a stage against its limits and its parts against each other.

    Args:
        stage: to be checked.
        where: how errors name it.

    Raises:
        InvalidInput: naming what is wrong and what would be right.
    """
    check(stage, where)
    _check_ramp(stage, where)
    _check_stress(stage, where)


def _check_stress(stage: Stage, where: str) -> None:
    stress = stage.stress_components
    if not stress:
        return
    if not stage.ensemble.changes_shape:
        raise InvalidInput(
            f"{where}: stress",
            f"a stress in {stage.ensemble.value}",
            "no stress, or a cell that changes its shape",
            "Choose npt-axes or npt-full.",
        )
    if stage.ensemble == Ensemble.NPT_AXES and any(stress[3:]):
        raise InvalidInput(
            f"{where}: stress",
            "a shear stress in npt-axes",
            "xx, yy and zz only",
            "Choose npt-full for shear.",
        )


def _check_ramp(stage: Stage, where: str) -> None:
    change = stage.last_temperature - stage.temperature_start
    sign = 0 if math.isclose(change, 0.0) else int(math.copysign(1, change))
    expected = {StageKind.HEAT: 1, StageKind.HOLD: 0, StageKind.QUENCH: -1}[stage.kind]
    if sign != expected:
        found = (
            f"{stage.kind.value} from {stage.temperature_start:g} to {stage.last_temperature:g} K"
        )
        ends = {1: "a higher", 0: "the same", -1: "a lower"}[expected]
        raise InvalidInput(where, found, f"{ends} temperature at the end")
    if stage.ensemble == Ensemble.NVE and sign:
        raise InvalidInput(
            where,
            "a temperature ramp without a thermostat (nve)",
            "a constant temperature",
            "Choose an NVT or NPT ensemble to heat or quench.",
        )
