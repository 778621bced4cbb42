"""How long a training goes on, and from which seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mlmd.settings import about


class Effort(StrEnum):
    """How long to train: presets for those who don't want to think of epochs."""

    QUICK = "quick"
    NORMAL = "normal"
    THOROUGH = "thorough"


@dataclass(frozen=True)
class CourseSettings:
    """What decides the course of a training."""

    epochs: int = field(
        default=60,
        metadata=about(
            "Epochs",
            "How often every training frame is visited at most.",
            minimum=1,
            maximum=100000,
        ),
    )
    patience: int = field(
        default=20,
        metadata=about(
            "Patience",
            "Training ends when the validation error hasn't improved for so many epochs.",
            unit="epochs", minimum=1, maximum=100000,
        ),
    )  # fmt: skip
    validation_fraction: float = field(
        default=1 / 6,
        metadata=about(
            "Held-out part",
            "Share of the frames that is never trained on and tells how good the potential is.",
            minimum=0.0, maximum=0.5,
        ),
    )  # fmt: skip
    seed: int = field(
        default=1,
        metadata=about(
            "Seed",
            "Decides the first weights, the held-out frames and their order.",
            minimum=0, maximum=2**31 - 1,
        ),
    )  # fmt: skip
