"""Ways to improve the weights, behind one small protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np

from mlmd.frame import FloatArray
from mlmd.hdnnp.training.descent import Adam, LimitedMemoryBfgs, objective
from mlmd.hdnnp.training.kalman import Block, KalmanFilter, KalmanSettings
from mlmd.hdnnp.training.model import Model
from mlmd.hdnnp.training.observations import observe, observe_energies
from mlmd.hdnnp.training.settings import OptimiserName, TrainingSettings
from mlmd.hdnnp.training.store import PreparedFrame


class Optimiser(Protocol):
    """Improves weights from batches of frames; all it remembers can be written and read back."""

    def visit(
        self,
        weights: FloatArray,
        frames: Sequence[PreparedFrame],
        recent: Sequence[PreparedFrame] = (),
    ) -> None:
        """Learn from a batch; the weights may be changed in place.

        Args:
            weights: shape (W,).
            frames: the batch.
            recent: frames of the batches before.

        Raises:
            FloatingPointError: the result isn't finite.
        """

    def end_epoch(self, weights: FloatArray) -> None:
        """Every training frame was visited once; the weights may be changed in place."""

    def state(self) -> dict[str, FloatArray]:
        """Return all that must be kept for an exact restart."""

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Take up what `state` returned."""


class FilterSteps:
    """The block extended Kalman filter: a few updates for each batch.

    Args:
        model: the networks.
        settings: of the training.
        kalman: the filter.
        generator: draws force components.
    """

    def __init__(
        self,
        model: Model,
        settings: TrainingSettings,
        kalman: KalmanFilter,
        generator: np.random.Generator,
    ) -> None:
        self.model, self.settings, self.kalman = model, settings, kalman
        self.generator = generator

    def visit(
        self,
        weights: FloatArray,
        frames: Sequence[PreparedFrame],
        recent: Sequence[PreparedFrame] = (),
    ) -> None:
        """Update `settings.visits` times, with newly drawn components each time."""
        s = self.settings
        for _ in range(s.visits):
            jacobian, residuals = observe(
                self.model, weights, frames, s.forces_per_update,
                s.energy_weight, s.stress_weight, self.generator,
            )  # fmt: skip
            if len(residuals):
                self.kalman.update(weights, jacobian, residuals)
            jacobian, residuals = observe_energies(
                self.model, weights, [*frames, *recent], s.energy_weight
            )
            if len(residuals):
                self.kalman.update(weights, jacobian, residuals)
            self.kalman.advance()

    def end_epoch(self, weights: FloatArray) -> None:
        """Do nothing: the filter learns from batches alone."""

    def state(self) -> dict[str, FloatArray]:
        """Return covariance and rates."""
        blocks = {
            f"{name}_{k}": values
            for k, block in enumerate(self.kalman.covariance)
            for name, values in block.state().items()
        }
        return {"rates": np.array([self.kalman.rate, self.kalman.noise]), **blocks}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Take up covariance and rates."""
        self.kalman.rate, self.kalman.noise = map(float, state["rates"])
        for k, block in enumerate(self.kalman.covariance):
            names = ("covariance", "factors", "variance")
            block.restore({n: state[f"{n}_{k}"] for n in names if f"{n}_{k}" in state})


def make_optimiser(
    settings: TrainingSettings, model: Model, frames: int, generator: np.random.Generator
) -> Optimiser:
    """Return the chosen optimiser before its first step.

    Args:
        settings: of the training.
        model: the networks.
        frames: number of training frames.
        generator: source of random choices.
    """
    return _MAKERS[settings.optimiser](settings, model, frames, generator)


def covariance_blocks(model: Model, largest: int) -> tuple[Block, ...]:
    """Return which weights are taken as correlated: all; else an element's; else parts of it."""
    if model.weight_count <= largest:
        return ((0, model.weight_count),)
    blocks: list[Block] = []
    for network in model.networks:
        size = network.end - network.start
        parts = math.ceil(size / largest)
        borders = np.linspace(network.start, network.end, parts + 1).astype(int).tolist()
        blocks += pairwise(borders)
    return tuple(blocks)


def _make_filter(
    s: TrainingSettings, model: Model, frames: int, generator: np.random.Generator
) -> Optimiser:
    updates = s.visits * math.ceil(frames / s.frames_per_update)
    # η reaches its limit after two epochs, but a large set needn't wait for so long.
    growth = math.log(100.0) / min(max(2 * updates, 50), 1000)
    kalman = KalmanFilter(
        covariance_blocks(model, s.largest_block),
        KalmanSettings(growth=growth, initial_variance=s.initial_variance, noise=1e-4),
        # Members of a committee have a thread each.
        threads=s.cores if s.committee == 1 else 1,
    )
    return FilterSteps(model, s, kalman, generator)


def _make_adam(
    s: TrainingSettings, model: Model, frames: int, generator: np.random.Generator
) -> Optimiser:
    return Adam(objective(model, s), model.weight_count, s.learning_rate)


def _make_bfgs(
    s: TrainingSettings, model: Model, frames: int, generator: np.random.Generator
) -> Optimiser:
    return LimitedMemoryBfgs(objective(model, s), model.weight_count)


Maker = Callable[[TrainingSettings, Model, int, np.random.Generator], Optimiser]
_MAKERS: dict[OptimiserName, Maker] = {
    OptimiserName.KALMAN: _make_filter,
    OptimiserName.ADAM: _make_adam,
    OptimiserName.LBFGS: _make_bfgs,
}
