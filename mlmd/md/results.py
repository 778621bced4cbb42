"""What a run found, from its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from mlmd.errors import FormatError
from mlmd.md.candidates import TRAJECTORY_FILE as TRAJECTORY_FILE
from mlmd.md.settings import MDSettings, settings_from_mapping
from mlmd.runs import read_json

RESULT_FILE = "result.json"
SPEC_FILE = "spec.json"
RADIAL_FILE = "rdf.json"
MOTION_FILE = "msd.json"
SCATTERING_FILE = "sq.json"
COORDINATION_FILE = "coordination.json"
EXTRAPOLATION_FILE = "extrapolation.json"


class RunStatus(StrEnum):
    """How far a run came."""

    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class StageSummary:
    """Averages over one stage; of quantities that don't exist, None.

    Args:
        index: from 0.
        kind: heat, hold or quench.
        ensemble: as in the settings.
        steps: done so far.
        temperature: mean, K.
        temperature_spread: standard deviation, K.
        pressure: mean, GPa.
        density: mean, g/cm³.
        volume: mean, Å³.
        energy_drift: slope of the conserved energy, meV per atom and ps; small beside k_B T
            (26 meV at 300 K) in a sound run.
    """

    index: int
    kind: str
    ensemble: str
    steps: int
    temperature: float
    temperature_spread: float
    pressure: float | None
    density: float | None
    volume: float | None
    energy_drift: float | None


@dataclass(frozen=True)
class FirstPeak:
    """First peak of one partial g(r): element pair, position in Å, height, neighbours."""

    pair: tuple[str, str]
    position: float
    height: float
    coordination: float | None


@dataclass(frozen=True)
class Diffusion:
    """Diffusion of one element (``"*"`` for all), cm²/s; see `mlmd.analysis`."""

    element: str
    value: float
    error: float | None
    exponent: float
    is_diffusive: bool


@dataclass(frozen=True)
class MDResult:
    """Summary of a run.

    Args:
        status: finished, stopped (it can go on) or failed.
        steps: done.
        total_steps: asked for.
        atoms: how many.
        formula: of the structure.
        time_ps: simulated time.
        frames: in the trajectory.
        seconds: computing time, without analyses.
        seconds_per_atom_step: measured speed.
        stages: averages.
        first_peaks: of the last stage's g(r).
        diffusion: of the last stage; empty where it is too short.
        extrapolations: warnings in all.
        extrapolating_atoms: atoms that were concerned.
        first_extrapolation: step of the first, or None.
        warnings: what the user should know, in words.
        error: why it failed; empty otherwise.
        version: of mlmd.
        seed: of the random numbers.
        largest_force_spread: most that a committee disagreed on the force on an atom at a stored
            frame, meV/Å; None without a committee.
        largest_force_spread_step: when that was.
        candidates: frames that were put aside to be computed.
        rigid_bonds: how many bonds kept their length.
    """

    status: RunStatus
    steps: int
    total_steps: int
    atoms: int
    formula: str
    time_ps: float
    frames: int
    seconds: float
    seconds_per_atom_step: float | None
    stages: tuple[StageSummary, ...] = ()
    first_peaks: tuple[FirstPeak, ...] = ()
    diffusion: tuple[Diffusion, ...] = ()
    extrapolations: int = 0
    extrapolating_atoms: int = 0
    first_extrapolation: int | None = None
    warnings: tuple[str, ...] = ()
    error: str = ""
    version: str = ""
    seed: int = 0
    largest_force_spread: float | None = None
    largest_force_spread_step: int | None = None
    candidates: int = 0
    rigid_bonds: int = 0
    settings: MDSettings = field(default_factory=MDSettings)


def collect(run_dir: str | Path) -> MDResult:
    """Return what a run directory holds.

    Raises:
        InvalidInput: there is no result yet, or it is damaged.
        FormatError: the result says something unknown.
    """
    path = Path(run_dir) / RESULT_FILE
    content: dict[str, Any] = read_json(path)
    try:
        content["status"] = RunStatus(content["status"])
        content["settings"] = settings_from_mapping(content["settings"], f"{path}: settings")
        content["stages"] = tuple(StageSummary(**entry) for entry in content["stages"])
        content["first_peaks"] = tuple(
            FirstPeak(**(entry | {"pair": tuple(entry["pair"])}))
            for entry in content["first_peaks"]
        )
        content["diffusion"] = tuple(Diffusion(**entry) for entry in content["diffusion"])
        content["warnings"] = tuple(content["warnings"])
        return MDResult(**content)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(str(path), f"unknown or missing entry ({error})", "a result") from error
