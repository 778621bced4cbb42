"""Compiling the engine ahead of its first use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlmd.hdnnp.evaluator import AtomwiseEvaluator, EngineTables, Evaluator
from mlmd.hdnnp.kernel_chebyshev import ChebyshevTables
from mlmd.hdnnp.kernel_network import network_tables
from mlmd.hdnnp.potential import (
    Activation,
    CutoffType,
    ElementNetwork,
    Potential,
    Scaling,
    SymmetryFunction,
)
from mlmd.hdnnp.repulsion import automatic_repulsion
from mlmd.hdnnp.tables import function_tables
from mlmd.hdnnp.training.warming import compile_training

_CUTOFF = 2.0  # Å


def compile_all() -> None:
    """Compile every kernel of the engine and of training and leave it in Numba's cache on disk.

    One kernel does everything, so evaluating the smallest potential compiles all of it; it
    exists without and with compact functions, and with Chebyshev functions.
    """
    compile_training()
    exponential = _smallest(SymmetryFunction(2, "H", ("H",), 1.0, 0.0, 0.0, 0.0, _CUTOFF))
    _evaluate(Evaluator(replace(exponential, repulsion=automatic_repulsion(["H"])), threads=1))
    compact = SymmetryFunction(20, "H", ("H",), 0.0, 0.0, 0.0, 0.0, _CUTOFF, shape="p2")
    _evaluate(Evaluator(_smallest(compact), threads=1))
    _evaluate(_chebyshev(exponential))


def _smallest(function: SymmetryFunction) -> Potential:
    network = ElementNetwork((np.ones((1, 1)),), (np.zeros(1),), (Activation.LINEAR,))
    scaling = Scaling(np.zeros(1), np.ones(1), np.zeros(1), np.ones(1))
    return Potential(("H",), {"H": (function,)}, {"H": scaling}, {"H": network}, CutoffType.POLY2)


def _chebyshev(potential: Potential) -> AtomwiseEvaluator:
    functions, compact = function_tables(potential)
    nothing = np.zeros(1, dtype=np.int64)
    chebyshev = ChebyshevTables(
        order=nothing,
        cutoff=nothing,
        inverse_radius=np.array([1.0 / _CUTOFF]),
        out=np.array([[0, -1]]),
        weight=np.ones((1, 1)),
    )
    tables = EngineTables(functions, compact, chebyshev, network_tables(potential))
    return AtomwiseEvaluator(tables, ("H",), _CUTOFF, 1.0, np.zeros(1), threads=1)


def _evaluate(evaluator: AtomwiseEvaluator) -> None:
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    evaluator.compute([1, 1], positions, np.zeros((3, 3)), False)
