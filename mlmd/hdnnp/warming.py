"""Compiling the engine ahead of its first use."""

from __future__ import annotations

import numpy as np

from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.potential import (
    Activation,
    CutoffType,
    ElementNetwork,
    Potential,
    Scaling,
    SymmetryFunction,
)
from mlmd.hdnnp.training.warming import compile_training


def compile_all() -> None:
    """Compile every kernel of the engine and of training and leave it in Numba's cache on disk.

    One kernel does everything, so evaluating the smallest potential compiles all of it.
    """
    functions = (SymmetryFunction(2, "H", ("H",), 1.0, 0.0, 0.0, 0.0, 2.0),)
    network = ElementNetwork((np.ones((1, 1)),), (np.zeros(1),), (Activation.LINEAR,))
    scaling = Scaling(np.zeros(1), np.ones(1), np.zeros(1), np.ones(1))
    potential = Potential(
        ("H",), {"H": functions}, {"H": scaling}, {"H": network}, CutoffType.POLY2
    )
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    compile_training()
    Evaluator(potential, threads=1).compute([1, 1], positions, np.zeros((3, 3)), False)
