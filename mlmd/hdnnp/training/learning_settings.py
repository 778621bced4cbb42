"""What counts how much, and what improves the weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mlmd.settings import about


class OptimiserName(StrEnum):
    """What improves the weights."""

    KALMAN = "kalman"
    LBFGS = "lbfgs"
    ADAM = "adam"


@dataclass(frozen=True)
class LearningSettings:
    """Weights of errors, and the optimiser."""

    energy_weight: float = field(
        default=20.0,
        metadata=about(
            "Weight of energies",
            "Of an energy per atom against a force component, both in units of the mean force; in "
            "cells of more than 16 atoms the energy of the cell counts with an eighth of it.",
            expert=True, unit="Å⁻¹", minimum=0.0, maximum=1e4,
        ),
    )  # fmt: skip
    stress_weight: float = field(
        default=0.1,
        metadata=about(
            "Weight of stresses",
            "Of a virial per atom (stress times volume) against a force component; counts where "
            "frames have a stress, 0 leaves it out.",
            expert=True, unit="Å⁻¹", minimum=0.0, maximum=1e4,
        ),
    )  # fmt: skip
    kind_weights: str = field(
        default="",
        metadata=about(
            "Weights of kinds",
            "How much the errors of a kind of frames count, one kind = weight to a line; "
            "others count 1.",
            expert=True,
        ),
    )
    energy_window: float = field(
        default=0.0,
        metadata=about(
            "Energy window",
            "A frame so far above the lowest energy counts half, higher ones less; 0: all "
            "count the same.",
            unit="eV/atom", expert=True, minimum=0.0, maximum=1000.0,
        ),
    )  # fmt: skip
    uncertain_weight: float = field(
        default=0.3,
        metadata=about(
            "Weight of uncertain frames",
            "Of unconverged frames and machine-learned labels, where they are used at all.",
            expert=True, minimum=0.0, maximum=1.0,
        ),
    )  # fmt: skip
    energy_emphasis: float = field(
        default=10.0,
        metadata=about(
            "Energy in the choice of the best epoch",
            "The best epoch has the lowest force RMSE (meV/Å) plus this times energy RMSE "
            "(meV/atom).",
            expert=True, unit="Å⁻¹", minimum=0.0, maximum=1e4,
        ),
    )  # fmt: skip
    optimiser: OptimiserName = field(
        default=OptimiserName.KALMAN,
        metadata=about(
            "Optimiser",
            "Kalman: extended Kalman filter, needs fewest epochs; lbfgs: whole set at a time; "
            "adam: small steps. The last two need some 1000 epochs.",
            expert=True,
        ),
    )
    learning_rate: float = field(
        default=0.01,
        metadata=about(
            "Learning rate of Adam", "Length of its first steps; falls with their number.",
            expert=True, minimum=1e-8, maximum=1.0,
        ),
    )  # fmt: skip
    frames_per_update: int = field(
        default=4,
        metadata=about(
            "Frames per update", "Whose energies and forces go into one step.",
            expert=True, minimum=1, maximum=64,
        ),
    )  # fmt: skip
    forces_per_update: int = field(
        default=128,
        metadata=about(
            "Force components per update",
            "Drawn from those with errors above the frame's mean.",
            expert=True, minimum=1, maximum=2048,
        ),
    )  # fmt: skip
    visits: int = field(
        default=2,
        metadata=about(
            "Updates per visit", "Steps on the same frames, with newly drawn components.",
            expert=True, minimum=1, maximum=20,
        ),
    )  # fmt: skip
    initial_variance: float = field(
        default=10.0,
        metadata=about(
            "First variance of weights", "Larger learns faster and less smoothly.",
            expert=True, minimum=1e-6, maximum=1e6,
        ),
    )  # fmt: skip
    largest_block: int = field(
        default=4000,
        metadata=about(
            "Largest covariance block",
            "More weights than this are taken as uncorrelated between elements; memory grows "
            "with the square.",
            expert=True, minimum=50, maximum=20000,
        ),
    )  # fmt: skip
