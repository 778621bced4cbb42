"""Trains potentials with n2p2's own programs, from frames to a potential.

`N2p2` is for scripts and notebooks; `prepare` and `collect` are the same for a job machine.
n2p2: Singraber et al., doi:10.1021/acs.jctc.8b00770 and doi:10.1021/acs.jctc.8b01092.
"""

from mlmd.batch import Batch, BatchSystem, BatchTrouble
from mlmd.external.pipeline import StepReport
from mlmd.external.programs import Programs
from mlmd.external.steps import ProgramFailed
from mlmd.n2p2.launching import PROGRAMS, N2p2Spec, estimate_seconds, launch_of, prepare
from mlmd.n2p2.outputs import LearningCurve, read_learning_curve
from mlmd.n2p2.pipeline import N2p2
from mlmd.n2p2.prediction import Predictions
from mlmd.n2p2.results import N2p2Result, collect
from mlmd.n2p2.settings import EPOCHS, N2p2Settings, settings_from

__all__ = [
    "EPOCHS",
    "PROGRAMS",
    "Batch",
    "BatchSystem",
    "BatchTrouble",
    "LearningCurve",
    "N2p2",
    "N2p2Result",
    "N2p2Settings",
    "N2p2Spec",
    "Predictions",
    "ProgramFailed",
    "Programs",
    "StepReport",
    "collect",
    "estimate_seconds",
    "launch_of",
    "prepare",
    "read_learning_curve",
    "settings_from",
]
