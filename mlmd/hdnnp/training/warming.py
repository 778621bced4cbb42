"""Compiling the kernels of training ahead of their first use."""

from __future__ import annotations

import numpy as np

from mlmd.frame import Frame
from mlmd.hdnnp.training.optimisers import make_optimiser
from mlmd.hdnnp.training.settings import OptimiserName, TrainingSettings
from mlmd.hdnnp.training.setup import set_up


def compile_training() -> None:
    """Compile every kernel of training and leave it in Numba's cache on disk.

    One step on two small cells with a filter, and one with a gradient, reaches all of them.
    """
    for optimiser in (OptimiserName.KALMAN, OptimiserName.ADAM):
        settings = TrainingSettings(
            epochs=1, threads=1, radial_functions=2, angular_widths="0.4", angular_zetas="1",
            hidden_nodes="2", validation_fraction=0.0, optimiser=optimiser,
        )  # fmt: skip
        setup = set_up(settings, [_cell(3.0), _cell(3.3)])
        generator = np.random.default_rng(0)
        weights = setup.model.initial(generator)
        steps = make_optimiser(settings, setup.model, 2, generator)
        steps.visit(weights, list(setup.store.visit(setup.training)))


def _cell(size: float) -> Frame:
    positions = np.array([[0.0, 0.0, 0.0], [0.4 * size, 0.5 * size, 0.6 * size]])
    forces = np.array([[0.1, 0.0, -0.2], [-0.1, 0.0, 0.2]])
    return Frame(
        np.array([14, 14], np.uint8), positions, size * np.eye(3), energy=-size, forces=forces,
        stress=0.01 * np.eye(3),
    )  # fmt: skip
