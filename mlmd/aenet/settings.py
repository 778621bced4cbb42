"""What a person may choose about a training with aenet, each with its default and its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mlmd.errors import InvalidInput
from mlmd.external.settings import shared_field
from mlmd.hdnnp.pruning import Selection
from mlmd.hdnnp.training import Effort, SmoothActivation, Split, TrainingSettings
from mlmd.settings import about, check, from_mapping

_SHARED = (
    "seed", "validation_fraction", "cutoff_radius", "radial_functions", "angular_widths",
    "angular_zetas", "descriptor_selection", "descriptor_count", "correlation_limit",
    "symmetry_functions", "hidden_nodes", "activation", "split",
    "largest_force", "shortest_distance", "use_unconverged", "use_ml_labels",
)  # fmt: skip
# What aenet draws itself: our way to split means nothing to it.
_TAKEN = tuple(name for name in _SHARED if name != "split")


class FunctionKind(StrEnum):
    """Which functions describe the surroundings of an atom."""

    CHEBYSHEV = "chebyshev"
    SYMMETRY = "symmetry"


class Method(StrEnum):
    """How train.x improves the weights.

    Its third method, online_gd, gave NaN on the bundled silicon at every rate (aenet 2.0.4).
    """

    BFGS = "bfgs"
    LEVENBERG_MARQUARDT = "lm"


METHOD_OPTIONS = {
    Method.BFGS: "",
    Method.LEVENBERG_MARQUARDT: "batchsize=5000 learnrate=0.1d0 iter=3 conv=0.001 adjust=5.0",
}
"""What aenet's manual proposes for each."""

ACTIVATIONS = {SmoothActivation.TANH: "tanh", SmoothActivation.LOGISTIC: "sigmoid"}
"""aenet's words for those that it shares with us."""


@dataclass(frozen=True)
class AenetSettings:
    """Settings of a training with aenet; the field metadata describes each for forms and documents.

    Those that our own engine has, too, keep their names, limits and defaults.
    """

    epochs: int = field(
        default=300,
        metadata=about(
            "Epochs", "How often aenet goes over the training frames (ITERATIONS).",
            minimum=1, maximum=100000,
        ),
    )  # fmt: skip
    validation_fraction: float = shared_field("validation_fraction")
    seed: int = shared_field("seed")
    cutoff_radius: float = shared_field("cutoff_radius")
    functions: FunctionKind = field(
        default=FunctionKind.CHEBYSHEV,
        metadata=about(
            "Functions",
            "chebyshev: aenet's own, whose number doesn't grow with the elements; symmetry: "
            "Behler's, which n2p2 and LAMMPS' hdnnp can use, too.",
        ),
    )
    radial_order: int = field(
        default=16,
        metadata=about(
            "Radial order", "Largest order of the Chebyshev polynomials of distances.",
            expert=True, minimum=1, maximum=60,
        ),
    )  # fmt: skip
    angular_order: int = field(
        default=4,
        metadata=about(
            "Angular order", "Largest order of the Chebyshev polynomials of angles.",
            expert=True, minimum=0, maximum=20,
        ),
    )  # fmt: skip
    angular_cutoff: float = field(
        default=5.0,
        metadata=about(
            "Angular cutoff radius",
            "How far the Chebyshev functions of angles see; never beyond the cutoff radius.",
            unit="Å", expert=True, minimum=1.5, maximum=15.0,
        ),
    )  # fmt: skip
    method: Method = field(
        default=Method.BFGS,
        metadata=about(
            "Method",
            "bfgs: many frames, several processes; lm (Levenberg–Marquardt): small sets and "
            "networks, one process.",
            expert=True,
        ),
    )
    method_options: str = field(
        default="",
        metadata=about(
            "Options of the method", "As train.in takes them; empty for those of aenet's manual.",
            expert=True,
        ),
    )  # fmt: skip
    parallel: bool = field(
        default=False,
        metadata=about(
            "Several processes",
            "train.x was built with MPI: share its work among all cores (method bfgs). A train.x "
            "without MPI would only run several times.",
            expert=True,
        ),
    )
    radial_functions: int = shared_field("radial_functions")
    angular_widths: str = shared_field("angular_widths")
    angular_zetas: str = shared_field("angular_zetas")
    descriptor_selection: Selection = shared_field("descriptor_selection")  # noqa: RUF009 -- gives a field
    descriptor_count: int | None = shared_field("descriptor_count")
    correlation_limit: float = shared_field("correlation_limit")
    symmetry_functions: str = shared_field("symmetry_functions")
    hidden_nodes: str = shared_field("hidden_nodes")
    activation: SmoothActivation = shared_field("activation")  # noqa: RUF009 -- gives a field
    largest_force: float = shared_field("largest_force")
    shortest_distance: float = shared_field("shortest_distance")
    use_unconverged: bool = shared_field("use_unconverged")
    use_ml_labels: bool = shared_field("use_ml_labels")

    def __post_init__(self) -> None:
        check(self, "aenet settings")
        _ = self.as_ours  # the shared ones hold our engine's limits, too
        if self.activation not in ACTIVATIONS:
            raise InvalidInput(
                "aenet settings: activation", self.activation.value, "t (tanh) or s (logistic)"
            )
        if any(mark in self.method_options for mark in "\n\r/'\""):
            raise InvalidInput(
                "aenet settings: method_options", self.method_options, "name=value, name=value"
            )

    @property
    def as_ours(self) -> TrainingSettings:
        """What our own engine would be told: frames and symmetry functions are chosen alike."""
        return TrainingSettings(
            split=Split.RANDOM, **{name: getattr(self, name) for name in _TAKEN}
        )

    @property
    def options(self) -> str:
        """The options of the method."""
        return self.method_options.strip() or METHOD_OPTIONS[self.method]


EPOCHS = {Effort.QUICK: 100, Effort.NORMAL: 300, Effort.THOROUGH: 1000}
"""Epochs of each effort."""


def settings_from(values: Mapping[str, Any], where: str = "aenet settings") -> AenetSettings:
    """Make settings from a JSON object.

    Raises:
        InvalidInput: an unknown name or a wrong value.
    """
    return from_mapping(AenetSettings, dict(values), where)
