"""What a person may choose about a training, each with its default and its reason.

Fields stand in themed classes; forms show them in the order of these, first the course.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from mlmd.errors import InvalidInput
from mlmd.hdnnp.training.course_settings import CourseSettings
from mlmd.hdnnp.training.course_settings import Effort as Effort
from mlmd.hdnnp.training.data_settings import DataSettings
from mlmd.hdnnp.training.data_settings import Split as Split
from mlmd.hdnnp.training.descriptor_settings import DescriptorSettings
from mlmd.hdnnp.training.kind_weights import parse_kind_weights
from mlmd.hdnnp.training.learning_settings import LearningSettings
from mlmd.hdnnp.training.learning_settings import OptimiserName as OptimiserName
from mlmd.hdnnp.training.network_settings import NetworkSettings
from mlmd.hdnnp.training.network_settings import SmoothActivation as SmoothActivation
from mlmd.settings import about, check


# Fields of the last base come first.
@dataclass(frozen=True)
class TrainingSettings(
    LearningSettings, DataSettings, NetworkSettings, DescriptorSettings, CourseSettings
):
    """Settings of a training; the field metadata describes each for forms and documents."""

    memory_limit_mb: int = field(
        default=2000,
        metadata=about(
            "Memory for descriptors",
            "Frames beyond it are worked out again at every visit.",
            unit="MB", expert=True, minimum=1, maximum=1000000,
        ),
    )  # fmt: skip
    checkpoint_interval: float = field(
        default=5.0,
        metadata=about(
            "Time between checkpoints", "What a crash may cost; 0 writes one after every epoch.",
            unit="s", expert=True, minimum=0.0, maximum=86400.0,
        ),
    )  # fmt: skip
    threads: int | None = field(
        default=None,
        metadata=about(
            "Threads", "Empty: all cores that the run may use.", expert=True, minimum=1, maximum=256
        ),
    )

    def __post_init__(self) -> None:
        check(self, "training settings")
        for name, values in (("angular_widths", self.widths), ("angular_zetas", self.zetas)):
            if any(value <= 0 for value in values):
                raise InvalidInput(f"training settings: {name}", getattr(self, name), "above 0")
        parse_kind_weights(self.kind_weights)
        if self.repulsion_inner >= self.repulsion_outer:
            raise InvalidInput(
                "training settings: repulsion_inner",
                f"{self.repulsion_inner:g}",
                f"less than repulsion_outer, {self.repulsion_outer:g}",
            )
        if not self.layers:
            raise InvalidInput("training settings: hidden_nodes", "none", "one number per layer")

    @property
    def cores(self) -> int:
        """Threads to use on this machine."""
        return self.threads or available_cores()


_EPOCHS = {Effort.QUICK: (25, 10), Effort.NORMAL: (60, 20), Effort.THOROUGH: (250, 60)}


def preset(effort: Effort, settings: TrainingSettings | None = None) -> TrainingSettings:
    """Return the settings with the epochs and patience of an effort."""
    epochs, patience = _EPOCHS[Effort(effort)]
    return replace(settings or TrainingSettings(), epochs=epochs, patience=patience)


def available_cores() -> int:
    """Return how many threads this process should use.

    ``NUMBA_NUM_THREADS`` or ``OMP_NUM_THREADS`` where a scheduler set them, else the cores
    that the process may run on.
    """
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        said = os.environ.get(name, "")
        if said.isdigit() and int(said) > 0:
            return int(said)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
