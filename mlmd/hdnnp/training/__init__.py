"""Training of high-dimensional neural-network potentials on energies, forces and stresses.

`survey` says what would be used of the data and what to know before, `estimate_seconds` how
long it takes, `train` does it; `prepare` and `collect` are the same for a run directory.
"""

from mlmd.hdnnp.training.advice import automatic_settings
from mlmd.hdnnp.training.committee import (
    COMMITTEE_FILE,
    Committee,
    FrameDisagreement,
    load_committee,
)
from mlmd.hdnnp.training.estimate import estimate_memory_mb, estimate_seconds
from mlmd.hdnnp.training.member import TrainingFailed
from mlmd.hdnnp.training.results import (
    PARITY_FILE,
    POTENTIAL_FOLDER,
    RESULT_FILE,
    GroupErrors,
    Parity,
    TrainingResult,
    collect,
    load_parity,
)
from mlmd.hdnnp.training.run import (
    FRAMES_FILE,
    SPEC_FILE,
    TrainingSpec,
    launch_of,
    prepare,
    run_directory,
    settings_from,
    train,
)
from mlmd.hdnnp.training.screening import Exclusion, Notice, Survey, survey
from mlmd.hdnnp.training.settings import (
    Effort,
    OptimiserName,
    SmoothActivation,
    Split,
    TrainingSettings,
    preset,
)
from mlmd.hdnnp.training.state import CHECKPOINT_FILE, CURVE_COLUMNS, CURVE_FILE

__all__ = [
    "CHECKPOINT_FILE",
    "COMMITTEE_FILE",
    "CURVE_COLUMNS",
    "CURVE_FILE",
    "FRAMES_FILE",
    "PARITY_FILE",
    "POTENTIAL_FOLDER",
    "RESULT_FILE",
    "SPEC_FILE",
    "Committee",
    "Effort",
    "Exclusion",
    "FrameDisagreement",
    "GroupErrors",
    "Notice",
    "OptimiserName",
    "Parity",
    "SmoothActivation",
    "Split",
    "Survey",
    "TrainingFailed",
    "TrainingResult",
    "TrainingSettings",
    "TrainingSpec",
    "automatic_settings",
    "collect",
    "estimate_memory_mb",
    "estimate_seconds",
    "launch_of",
    "load_committee",
    "load_parity",
    "prepare",
    "preset",
    "run_directory",
    "settings_from",
    "survey",
    "train",
]
