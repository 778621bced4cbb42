"""A potential with random weights for the functions of a training's data."""

import numpy as np

from mlmd.hdnnp.potential import Activation, CutoffType, ElementNetwork, Potential, Scaling
from mlmd.n2p2.data import TrainingData


def potential_for(data: TrainingData) -> Potential:
    """Return a potential with the functions of the data, without scaling."""
    generator = np.random.default_rng(1)
    scaling, networks = {}, {}
    for element in data.elements:
        count = len(data.functions[element])
        scaling[element] = Scaling(*(np.zeros(count) for _ in range(4)))
        networks[element] = ElementNetwork(
            (generator.normal(size=(count, 4)), generator.normal(size=(4, 1))),
            (generator.normal(size=4), np.zeros(1)),
            (Activation.TANH, Activation.LINEAR),
        )
    return Potential(data.elements, data.functions, scaling, networks, CutoffType.POLY2)
