"""A small potential of the other family."""

import numpy as np
import pytest

from mlmd.hdnnp.potential import (
    Activation,
    ElementNetwork,
    Potential,
    Scaling,
    SymmetryFunction,
)


@pytest.fixture
def small_hdnnp() -> Potential:
    functions = (SymmetryFunction(2, "H", ("H",), 1.0, 0.0, 0.0, 0.0, 2.0),)
    network = ElementNetwork((np.ones((1, 1)),), (np.zeros(1),), (Activation.LINEAR,))
    scaling = Scaling(np.zeros(1), np.ones(1), np.zeros(1), np.ones(1))
    return Potential(("H",), {"H": functions}, {"H": scaling}, {"H": network})
