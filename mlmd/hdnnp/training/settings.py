"""What a person may choose about a training, each with its default and its reason."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from mlmd.errors import InvalidInput
from mlmd.hdnnp.potential import Activation
from mlmd.hdnnp.pruning import Selection
from mlmd.hdnnp.repulsion import (
    INNER_FRACTION,
    OUTER_FRACTION,
    Repulsion,
    automatic_repulsion,
)
from mlmd.hdnnp.training.kind_weights import parse_kind_weights
from mlmd.settings import check


class Effort(StrEnum):
    """How long to train: presets for those who don't want to think of epochs."""

    QUICK = "quick"
    NORMAL = "normal"
    THOROUGH = "thorough"


class Split(StrEnum):
    """How frames are held out.

    ``stratified`` takes the same share of every kind of configuration, spread over its range
    of energy, and keeps the frames at the ends of that range for training, so that validation
    measures interpolation. ``random`` takes any.
    """

    STRATIFIED = "stratified"
    RANDOM = "random"


class SmoothActivation(StrEnum):
    """Activation functions with continuous curvature, by n2p2's letters."""

    TANH = Activation.TANH.value
    SOFTPLUS = Activation.SOFTPLUS.value
    LOGISTIC = Activation.LOGISTIC.value
    GAUSSIAN = Activation.GAUSSIAN.value


class OptimiserName(StrEnum):
    """What improves the weights."""

    KALMAN = "kalman"
    LBFGS = "lbfgs"
    ADAM = "adam"


def _about(label: str, help: str, **more: Any) -> dict[str, Any]:
    return {"label": label, "help": help, **more}


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training; the field metadata describes each for forms and documents."""

    epochs: int = field(
        default=60,
        metadata=_about(
            "Epochs",
            "How often every training frame is visited at most.",
            minimum=1,
            maximum=100000,
        ),
    )
    patience: int = field(
        default=20,
        metadata=_about(
            "Patience",
            "Training ends when the validation error hasn't improved for so many epochs.",
            unit="epochs", minimum=1, maximum=100000,
        ),
    )  # fmt: skip
    validation_fraction: float = field(
        default=1 / 6,
        metadata=_about(
            "Held-out part",
            "Share of the frames that is never trained on and tells how good the potential is.",
            minimum=0.0, maximum=0.5,
        ),
    )  # fmt: skip
    seed: int = field(
        default=1,
        metadata=_about(
            "Seed",
            "Decides the first weights, the held-out frames and their order.",
            minimum=0, maximum=2**31 - 1,
        ),
    )  # fmt: skip
    cutoff_radius: float = field(
        default=6.0,
        metadata=_about(
            "Cutoff radius", "How far an atom sees its neighbours.",
            unit="Å", minimum=2.0, maximum=15.0,
        ),
    )  # fmt: skip
    radial_functions: int = field(
        default=8,
        metadata=_about(
            "Radial functions", "Number of widths of the radial functions per neighbour element.",
            expert=True, minimum=2, maximum=32,
        ),
    )  # fmt: skip
    angular_widths: str = field(
        default="0.25 0.45 0.80",
        metadata=_about(
            "Angular widths",
            "Reaches of the angular functions as fractions of the cutoff radius; empty for none.",
            expert=True,
        ),
    )
    angular_zetas: str = field(
        default="1 2 4",
        metadata=_about(
            "Angular sharpness ζ", "Exponents of the angular functions, each with λ = +1 and −1.",
            expert=True,
        ),
    )  # fmt: skip
    descriptor_selection: Selection = field(
        default=Selection.CUR,
        metadata=_about(
            "Choice of symmetry functions",
            "Which of the automatic ones are kept: none drops only constant and doubled ones; "
            "correlation keeps the cheaper of two that go together; farthest-point those that "
            "differ most; cur those that together tell the others.",
            expert=True,
        ),
    )
    descriptor_count: int | None = field(
        default=None,
        metadata=_about(
            "Number of symmetry functions",
            "For each element at most, of farthest-point and cur.",
            expert=True, minimum=1, maximum=1000, empty="as many as the limit leaves",
        ),
    )  # fmt: skip
    correlation_limit: float = field(
        default=0.999,
        metadata=_about(
            "Limit of correlation",
            "Two functions that correlate more say the same; of cur: the part of every "
            "function's spread that the kept ones have to tell.",
            expert=True, minimum=0.5, maximum=1.0,
        ),
    )  # fmt: skip
    symmetry_functions: str = field(
        default="",
        metadata=_about(
            "Symmetry functions",
            "Lines symfunction_short … as in n2p2's input.nn, in Å, instead of the automatic ones; "
            "all that tell something are kept.",
            expert=True,
        ),
    )
    repulsion: bool = field(
        default=False,
        metadata=_about(
            "Short-range repulsion (ZBL)",
            "Nuclei repel each other as Ziegler, Biersack and Littmark found, below the length of "
            "any bond; the networks learn the rest. Keeps hot and dense runs from falling together.",
        ),
    )
    repulsion_inner: float = field(
        default=INNER_FRACTION,
        metadata=_about(
            "Inner radius of the repulsion",
            "Below it the repulsion is whole; as a part of the sum of the covalent radii.",
            expert=True, minimum=0.05, maximum=1.0,
        ),
    )  # fmt: skip
    repulsion_outer: float = field(
        default=OUTER_FRACTION,
        metadata=_about(
            "Outer radius of the repulsion",
            "Where it ends; as a part of the sum of the covalent radii.",
            expert=True, minimum=0.1, maximum=1.2,
        ),
    )  # fmt: skip
    hidden_nodes: str = field(
        default="20 20",
        metadata=_about("Hidden layers", "Nodes of each hidden layer.", expert=True),
    )
    activation: SmoothActivation = field(
        default=SmoothActivation.TANH,
        metadata=_about(
            "Activation function",
            "Of the hidden layers: t tanh, p softplus, s logistic, g Gaussian.",
            expert=True,
        ),
    )
    input_spread: float = field(
        default=0.3,
        metadata=_about(
            "Spread of inputs",
            "Standard deviation of the scaled symmetry functions; smaller makes smoother "
            "potentials that are surer between the data.",
            expert=True,
            minimum=0.001,
            maximum=10.0,
        ),
    )
    committee: int = field(
        default=1,
        metadata=_about(
            "Committee",
            "Number of potentials trained together on the same data; where they "
            "disagree, none is to be trusted. The first one is the result.",
            expert=True, minimum=1, maximum=32,
        ),
    )  # fmt: skip
    split: Split = field(
        default=Split.STRATIFIED,
        metadata=_about(
            "Way of holding out",
            "Stratified: a share of every kind, its extremes trained on; random: any frames.",
            expert=True,
        ),
    )
    largest_force: float = field(
        default=15.0,
        metadata=_about(
            "Largest force", "Frames with a larger force on an atom are left out.",
            unit="eV/Å", expert=True, minimum=0.1, maximum=1e6,
        ),
    )  # fmt: skip
    shortest_distance: float = field(
        default=0.6,
        metadata=_about(
            "Shortest distance",
            "Frames with atoms closer than this part of the sum of their covalent radii "
            "are left out.",
            expert=True, minimum=0.0, maximum=1.0,
        ),
    )  # fmt: skip
    use_unconverged: bool = field(
        default=False,
        metadata=_about(
            "Use unconverged frames",
            "Also train on frames whose electronic cycle didn't converge.",
            expert=True,
        ),
    )
    use_ml_labels: bool = field(
        default=False,
        metadata=_about(
            "Use machine-learned labels",
            "Also train on frames whose forces come from another potential.",
            expert=True,
        ),
    )
    energy_weight: float = field(
        default=20.0,
        metadata=_about(
            "Weight of energies",
            "Of an energy per atom against a force component, both in units of the mean force; in "
            "cells of more than 16 atoms the energy of the cell counts with an eighth of it.",
            expert=True, unit="Å⁻¹", minimum=0.0, maximum=1e4,
        ),
    )  # fmt: skip
    stress_weight: float = field(
        default=0.1,
        metadata=_about(
            "Weight of stresses",
            "Of a virial per atom (stress times volume) against a force component; counts where "
            "frames have a stress, 0 leaves it out.",
            expert=True, unit="Å⁻¹", minimum=0.0, maximum=1e4,
        ),
    )  # fmt: skip
    kind_weights: str = field(
        default="",
        metadata=_about(
            "Weights of kinds",
            "How much the errors of a kind of frames count, one kind = weight to a line; "
            "others count 1.",
            expert=True,
        ),
    )
    energy_window: float = field(
        default=0.0,
        metadata=_about(
            "Energy window",
            "A frame so far above the lowest energy counts half, higher ones less; 0: all "
            "count the same.",
            unit="eV/atom", expert=True, minimum=0.0, maximum=1000.0,
        ),
    )  # fmt: skip
    uncertain_weight: float = field(
        default=0.3,
        metadata=_about(
            "Weight of uncertain frames",
            "Of unconverged frames and machine-learned labels, where they are used at all.",
            expert=True, minimum=0.0, maximum=1.0,
        ),
    )  # fmt: skip
    energy_emphasis: float = field(
        default=10.0,
        metadata=_about(
            "Energy in the choice of the best epoch",
            "The best epoch has the lowest force RMSE (meV/Å) plus this times energy RMSE "
            "(meV/atom).",
            expert=True, unit="Å⁻¹", minimum=0.0, maximum=1e4,
        ),
    )  # fmt: skip
    optimiser: OptimiserName = field(
        default=OptimiserName.KALMAN,
        metadata=_about(
            "Optimiser",
            "Kalman: extended Kalman filter, needs fewest epochs; lbfgs: whole set at a time; "
            "adam: small steps. The last two need some 1000 epochs.",
            expert=True,
        ),
    )
    learning_rate: float = field(
        default=0.01,
        metadata=_about(
            "Learning rate of Adam", "Length of its first steps; falls with their number.",
            expert=True, minimum=1e-8, maximum=1.0,
        ),
    )  # fmt: skip
    frames_per_update: int = field(
        default=4,
        metadata=_about(
            "Frames per update", "Whose energies and forces go into one step.",
            expert=True, minimum=1, maximum=64,
        ),
    )  # fmt: skip
    forces_per_update: int = field(
        default=128,
        metadata=_about(
            "Force components per update",
            "Drawn from those with errors above the frame's mean.",
            expert=True, minimum=1, maximum=2048,
        ),
    )  # fmt: skip
    visits: int = field(
        default=2,
        metadata=_about(
            "Updates per visit", "Steps on the same frames, with newly drawn components.",
            expert=True, minimum=1, maximum=20,
        ),
    )  # fmt: skip
    initial_variance: float = field(
        default=10.0,
        metadata=_about(
            "First variance of weights", "Larger learns faster and less smoothly.",
            expert=True, minimum=1e-6, maximum=1e6,
        ),
    )  # fmt: skip
    largest_block: int = field(
        default=4000,
        metadata=_about(
            "Largest covariance block",
            "More weights than this are taken as uncorrelated between elements; memory grows "
            "with the square.",
            expert=True, minimum=50, maximum=20000,
        ),
    )  # fmt: skip
    memory_limit_mb: int = field(
        default=2000,
        metadata=_about(
            "Memory for descriptors",
            "Frames beyond it are worked out again at every visit.",
            unit="MB", expert=True, minimum=1, maximum=1000000,
        ),
    )  # fmt: skip
    checkpoint_interval: float = field(
        default=5.0,
        metadata=_about(
            "Time between checkpoints", "What a crash may cost; 0 writes one after every epoch.",
            unit="s", expert=True, minimum=0.0, maximum=86400.0,
        ),
    )  # fmt: skip
    threads: int | None = field(
        default=None,
        metadata=_about(
            "Threads", "Empty: all cores that the run may use.", expert=True, minimum=1, maximum=256
        ),
    )

    def __post_init__(self) -> None:
        check(self, "training settings")
        for name in ("angular_widths", "angular_zetas"):
            if any(value <= 0 for value in self._numbers(name)):
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
    def widths(self) -> tuple[float, ...]:
        """Angular reaches as fractions of the cutoff radius."""
        return self._numbers("angular_widths")

    @property
    def zetas(self) -> tuple[float, ...]:
        """Exponents ζ of the angular functions."""
        return self._numbers("angular_zetas")

    @property
    def layers(self) -> tuple[int, ...]:
        """Nodes of the hidden layers."""
        numbers = self._numbers("hidden_nodes")
        if any(not n.is_integer() or not 1 <= n <= 500 for n in numbers) or len(numbers) > 6:
            raise InvalidInput(
                "training settings: hidden_nodes",
                repr(self.hidden_nodes),
                "up to 6 whole numbers from 1 to 500, for example 20 20",
            )
        return tuple(int(n) for n in numbers)

    def repulsion_between(self, elements: Sequence[str]) -> Repulsion | None:
        """Return the repulsion between these elements; None where none was asked for."""
        if not self.repulsion:
            return None
        return automatic_repulsion(elements, self.repulsion_inner, self.repulsion_outer)

    @property
    def cores(self) -> int:
        """Threads to use on this machine."""
        return self.threads or available_cores()

    def _numbers(self, name: str) -> tuple[float, ...]:
        text = getattr(self, name)
        try:
            return tuple(float(word) for word in text.replace(",", " ").split())
        except ValueError:
            raise InvalidInput(
                f"training settings: {name}", repr(text), "numbers with spaces between"
            ) from None


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
