"""What a person may choose about a training with n2p2, each with its default and its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    "largest_force", "shortest_distance", "use_unconverged", "use_ml_labels", "energy_emphasis",
)  # fmt: skip


@dataclass(frozen=True)
class N2p2Settings:
    """Settings of a training with n2p2; the field metadata describes each for forms and documents.

    Those that our own engine has, too, keep their names, limits and defaults.
    """

    epochs: int = field(
        default=30,
        metadata=about(
            "Epochs", "How often n2p2 goes over the training frames.", minimum=1, maximum=100000
        ),
    )
    validation_fraction: float = shared_field("validation_fraction")
    seed: int = shared_field("seed")
    cutoff_radius: float = shared_field("cutoff_radius")
    normalise: bool = field(
        default=True,
        metadata=about(
            "Normalise",
            "nnp-norm brings energies and forces to a mean of 0 and a standard deviation of 1.",
            expert=True,
        ),
    )
    repeat_small_cells: bool = field(
        default=False,
        metadata=about(
            "Repeat small cells",
            "Repeat cells until no atom sees its own image within the cutoff: n2p2's forces are "
            "wrong there. Costs time, up to eight times.",
            expert=True,
        ),
    )
    force_updates: float = field(
        default=2.0,
        metadata=about(
            "Force updates per energy update",
            "How many force components are learned from for each energy.",
            expert=True, minimum=0.0, maximum=1000.0,
        ),
    )  # fmt: skip
    force_weight: float = field(
        default=10.0,
        metadata=about(
            "Weight of forces", "Of a force update against an energy update.",
            expert=True, minimum=0.0, maximum=1e6,
        ),
    )  # fmt: skip
    input_range: float = field(
        default=1.0,
        metadata=about(
            "Spread of n2p2's inputs",
            "Standard deviation of the scaled symmetry functions (scale_max_short).",
            expert=True, minimum=0.001, maximum=100.0,
        ),
    )  # fmt: skip
    radial_functions: int = shared_field("radial_functions")
    angular_widths: str = shared_field("angular_widths")
    angular_zetas: str = shared_field("angular_zetas")
    descriptor_selection: Selection = shared_field("descriptor_selection")  # noqa: RUF009 -- gives a field
    descriptor_count: int | None = shared_field("descriptor_count")
    correlation_limit: float = shared_field("correlation_limit")
    symmetry_functions: str = shared_field("symmetry_functions")
    hidden_nodes: str = shared_field("hidden_nodes")
    activation: SmoothActivation = shared_field("activation")  # noqa: RUF009 -- gives a field
    extra_lines: str = field(
        default="",
        metadata=about(
            "Further lines of input.nn",
            "Keywords of n2p2, one to a line; they replace ours of the same name.",
            expert=True,
        ),
    )
    split: Split = shared_field("split")  # noqa: RUF009 -- gives a field
    largest_force: float = shared_field("largest_force")
    shortest_distance: float = shared_field("shortest_distance")
    use_unconverged: bool = shared_field("use_unconverged")
    use_ml_labels: bool = shared_field("use_ml_labels")
    energy_emphasis: float = shared_field("energy_emphasis")

    def __post_init__(self) -> None:
        check(self, "n2p2 settings")
        _ = self.as_ours  # the shared ones hold our engine's limits, too
        for number, line in enumerate(self.extra_lines.splitlines(), 1):
            keyword = line.split("#", 1)[0].split()[:1]
            if keyword and keyword[0] in OURS_ALONE:
                raise InvalidInput(
                    f"n2p2 settings: extra_lines, line {number}",
                    keyword[0],
                    "a keyword that isn't set elsewhere",
                    "Use the setting of its own.",
                )

    @property
    def as_ours(self) -> TrainingSettings:
        """What our own engine would be told: frames and descriptors are chosen the same way."""
        return TrainingSettings(**{name: getattr(self, name) for name in _SHARED})


OURS_ALONE = frozenset(
    {
        "number_of_elements", "elements", "symfunction_short", "symfunction", "atom_energy",
        "cutoff_type", "epochs", "global_hidden_layers_short", "global_nodes_short",
        "global_activation_short", "random_seed", "mean_energy", "conv_energy", "conv_length",
        "write_weights_epoch",
    }
)  # fmt: skip
"""Keywords that follow from settings or data; ``extra_lines`` can't replace them."""

EPOCHS = {Effort.QUICK: 10, Effort.NORMAL: 30, Effort.THOROUGH: 100}
"""Epochs of each effort."""


def settings_from(values: Mapping[str, Any], where: str = "n2p2 settings") -> N2p2Settings:
    """Make settings from a JSON object.

    Raises:
        InvalidInput: an unknown name or a wrong value.
    """
    return from_mapping(N2p2Settings, dict(values), where)
