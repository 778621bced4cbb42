"""Which frames are learned from, and which are held out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mlmd.settings import about


class Split(StrEnum):
    """How frames are held out.

    ``stratified`` takes the same share of every kind of configuration, spread over its range
    of energy, and keeps the frames at the ends of that range for training, so that validation
    measures interpolation. ``random`` takes any.
    """

    STRATIFIED = "stratified"
    RANDOM = "random"


@dataclass(frozen=True)
class DataSettings:
    """Which frames are used, and how."""

    split: Split = field(
        default=Split.STRATIFIED,
        metadata=about(
            "Way of holding out",
            "Stratified: a share of every kind, its extremes trained on; random: any frames.",
            expert=True,
        ),
    )
    largest_force: float = field(
        default=15.0,
        metadata=about(
            "Largest force", "Frames with a larger force on an atom are left out.",
            unit="eV/Å", expert=True, minimum=0.1, maximum=1e6,
        ),
    )  # fmt: skip
    shortest_distance: float = field(
        default=0.6,
        metadata=about(
            "Shortest distance",
            "Frames with atoms closer than this part of the sum of their covalent radii "
            "are left out.",
            expert=True, minimum=0.0, maximum=1.0,
        ),
    )  # fmt: skip
    use_unconverged: bool = field(
        default=False,
        metadata=about(
            "Use unconverged frames",
            "Also train on frames whose electronic cycle didn't converge.",
            expert=True,
        ),
    )
    use_ml_labels: bool = field(
        default=False,
        metadata=about(
            "Use machine-learned labels",
            "Also train on frames whose forces come from another potential.",
            expert=True,
        ),
    )
