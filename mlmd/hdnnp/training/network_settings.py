"""The networks of a potential."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mlmd.errors import InvalidInput
from mlmd.hdnnp.potential import Activation
from mlmd.settings import about, numbers_in


class SmoothActivation(StrEnum):
    """Activation functions with continuous curvature, by n2p2's letters."""

    TANH = Activation.TANH.value
    SOFTPLUS = Activation.SOFTPLUS.value
    LOGISTIC = Activation.LOGISTIC.value
    GAUSSIAN = Activation.GAUSSIAN.value


@dataclass(frozen=True)
class NetworkSettings:
    """The networks, and how many potentials."""

    hidden_nodes: str = field(
        default="20 20",
        metadata=about("Hidden layers", "Nodes of each hidden layer.", expert=True),
    )
    activation: SmoothActivation = field(
        default=SmoothActivation.TANH,
        metadata=about(
            "Activation function",
            "Of the hidden layers: t tanh, p softplus, s logistic, g Gaussian.",
            expert=True,
        ),
    )
    input_spread: float = field(
        default=0.3,
        metadata=about(
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
        metadata=about(
            "Committee",
            "Number of potentials trained together on the same data; where they "
            "disagree, none is to be trusted. The first one is the result.",
            expert=True, minimum=1, maximum=32,
        ),
    )  # fmt: skip

    @property
    def layers(self) -> tuple[int, ...]:
        """Nodes of the hidden layers."""
        numbers = numbers_in(self.hidden_nodes, "training settings: hidden_nodes")
        if any(not n.is_integer() or not 1 <= n <= 500 for n in numbers) or len(numbers) > 6:
            raise InvalidInput(
                "training settings: hidden_nodes",
                repr(self.hidden_nodes),
                "up to 6 whole numbers from 1 to 500, for example 20 20",
            )
        return tuple(int(n) for n in numbers)
