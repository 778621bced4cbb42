"""Molecular dynamics: stages of NVE, NVT and NPT, restartable, with analyses that refresh."""

from mlmd.md.ensembles import Ensemble
from mlmd.md.forces import CalculatorForces, ForceProvider
from mlmd.md.guard import BlowUp, DisagreementStop, ExtrapolationStop
from mlmd.md.launching import prepare, run_directory
from mlmd.md.motion_settings import Velocities
from mlmd.md.results import MDResult, RunStatus, StageSummary, collect
from mlmd.md.settings import (
    MDSettings,
    MDSpec,
    OnDisagreement,
    OnExtrapolation,
    check_settings,
    settings_from_mapping,
)
from mlmd.md.simulation import run
from mlmd.md.stages import Stage, StageKind

__all__ = [
    "BlowUp",
    "CalculatorForces",
    "DisagreementStop",
    "Ensemble",
    "ExtrapolationStop",
    "ForceProvider",
    "MDResult",
    "MDSettings",
    "MDSpec",
    "OnDisagreement",
    "OnExtrapolation",
    "RunStatus",
    "Stage",
    "StageKind",
    "StageSummary",
    "Velocities",
    "check_settings",
    "collect",
    "prepare",
    "run",
    "run_directory",
    "settings_from_mapping",
]
