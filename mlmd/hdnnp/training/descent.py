"""First-order ways to the lowest loss: Adam on batches, L-BFGS on the whole set.

The loss of a frame with weight w is w/2 times the mean squared force error plus, per force
component that the filter would draw of it, the squared energy and virial errors per atom times
their weights squared: the same balance that the filter strikes.

Sources: Kingma, Ba, arXiv:1412.6980; Liu, Nocedal, Math. Program. 45, 503 (1989),
doi:10.1007/BF01589116.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mlmd.frame import FloatArray
from mlmd.hdnnp.training.model import Model
from mlmd.hdnnp.training.settings import TrainingSettings
from mlmd.hdnnp.training.store import PreparedFrame
from mlmd.hdnnp.training.weighting import energy_scale

Objective = Callable[[FloatArray, Sequence[PreparedFrame]], tuple[float, FloatArray]]

# The rate of Adam falls as 1/√(1 + updates/1000): fast at first, fine in the end.
RATE_HALF_LIFE = 1000.0
FIRST_DECAY, SECOND_DECAY, TINY = 0.9, 0.999, 1e-8
# Pairs of steps that L-BFGS remembers.
MEMORY = 30
SUFFICIENT_DECREASE = 1e-4
# So short a step finds nothing any more: forget the curvature and go straight downhill.
SHORTEST_STEP = 1e-6


def objective(model: Model, settings: TrainingSettings) -> Objective:
    """Return the function (weights, frames) → (sum of the frames' losses, its gradient)."""
    share = max(1.0, settings.forces_per_update / settings.frames_per_update)
    virial_factor = settings.stress_weight**2 / share

    def evaluate(weights: FloatArray, frames: Sequence[PreparedFrame]) -> tuple[float, FloatArray]:
        prediction = model.predict(weights, frames)
        energies, forces, virials, loss = np.zeros(len(frames)), [], [], 0.0
        for k, frame in enumerate(frames):
            pushed, pulled = np.zeros(3 * frame.count), np.zeros(6)
            if frame.energy is not None:
                error = prediction.energies[k] - frame.energy
                scale = energy_scale(settings.energy_weight, frame.count)
                energies[k] = frame.weight * scale**2 / share * error
                loss += 0.5 * energies[k] * error
            if frame.forces is not None:
                errors = prediction.forces[k] - frame.forces
                pushed = frame.weight / len(errors) * errors
                loss += 0.5 * float(pushed @ errors)
            if frame.virial is not None:
                errors = prediction.virials[k] - frame.virial
                pulled = frame.weight * virial_factor / frame.count**2 * errors
                loss += 0.5 * float(pulled @ errors)
            forces.append(pushed)
            virials.append(pulled)
        gradient = model.gradient(weights, prediction, frames, energies, forces, virials)
        return loss, gradient

    return evaluate


class Adam:
    """A step for every batch, scaled by the gradients' running moments.

    Args:
        evaluate: the loss.
        size: number of weights.
        rate: length of the first steps.
    """

    def __init__(self, evaluate: Objective, size: int, rate: float) -> None:
        self.evaluate, self.rate = evaluate, rate
        self.first, self.second, self.steps = np.zeros(size), np.zeros(size), 0

    def visit(
        self,
        weights: FloatArray,
        frames: Sequence[PreparedFrame],
        recent: Sequence[PreparedFrame] = (),
    ) -> None:
        """Take one step.

        Raises:
            FloatingPointError: the gradient isn't finite.
        """
        _, gradient = self.evaluate(weights, frames)
        gradient /= len(frames)
        if not np.isfinite(gradient).all():
            raise FloatingPointError("the gradient of the loss is not finite")
        self.steps += 1
        self.first += (1.0 - FIRST_DECAY) * (gradient - self.first)
        self.second += (1.0 - SECOND_DECAY) * (gradient**2 - self.second)
        first = self.first / (1.0 - FIRST_DECAY**self.steps)
        second = self.second / (1.0 - SECOND_DECAY**self.steps)
        rate = self.rate / np.sqrt(1.0 + self.steps / RATE_HALF_LIFE)
        weights -= rate * first / (np.sqrt(second) + TINY)

    def end_epoch(self, weights: FloatArray) -> None:
        """Do nothing: every batch has had its step."""

    def state(self) -> dict[str, FloatArray]:
        """Return moments and number of steps."""
        return {"first": self.first, "second": self.second, "steps": np.array(float(self.steps))}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Take up moments and number of steps."""
        self.first, self.second = state["first"].copy(), state["second"].copy()
        self.steps = int(state["steps"])


class LimitedMemoryBfgs:
    """A step for every pass over the whole set.

    Each pass adds up loss and gradient at one point. Where the loss has fallen enough, the point
    is taken and the next one tried is a full quasi-Newton step away; else the step is shortened.

    Args:
        evaluate: the loss.
        size: number of weights.
    """

    def __init__(self, evaluate: Objective, size: int) -> None:
        self.evaluate = evaluate
        self.loss, self.gradient = 0.0, np.zeros(size)
        self.base_loss, self.base, self.slope = np.inf, np.zeros(size), np.zeros(size)
        self.direction, self.step = np.zeros(size), 1.0
        self.moves, self.changes = np.zeros((0, size)), np.zeros((0, size))

    def visit(
        self,
        weights: FloatArray,
        frames: Sequence[PreparedFrame],
        recent: Sequence[PreparedFrame] = (),
    ) -> None:
        """Add a batch to loss and gradient."""
        loss, gradient = self.evaluate(weights, frames)
        self.loss += loss
        self.gradient += gradient

    def end_epoch(self, weights: FloatArray) -> None:
        """Judge the point and go to the next.

        Raises:
            FloatingPointError: the very first point isn't finite.
        """
        loss, gradient = self.loss, self.gradient
        self.loss, self.gradient = 0.0, np.zeros_like(gradient)
        finite = bool(np.isfinite(loss) and np.isfinite(gradient).all())
        if not finite and not np.isfinite(self.base_loss):
            raise FloatingPointError("the loss is not finite")
        downhill = float(self.slope @ self.direction)
        enough = self.base_loss + SUFFICIENT_DECREASE * self.step * downhill
        if finite and loss <= enough:
            self._accept(weights, loss, gradient)
        else:
            self._shorten(loss if finite else np.inf, downhill)
        weights[:] = self.base + self.step * self.direction

    def _accept(self, weights: FloatArray, loss: float, gradient: FloatArray) -> None:
        if np.isfinite(self.base_loss):
            move, change = weights - self.base, gradient - self.slope
            # Curvature must be positive, or the next direction could lead uphill.
            if move @ change > 1e-10 * (change @ change):
                self.moves = np.vstack([self.moves, move])[-MEMORY:]
                self.changes = np.vstack([self.changes, change])[-MEMORY:]
        self.base_loss, self.base, self.slope = loss, weights.copy(), gradient
        self.direction, self.step = self._quasi_newton(), 1.0
        if not len(self.moves) or self.direction @ gradient >= 0.0:
            self._go_downhill()

    def _shorten(self, loss: float, downhill: float) -> None:
        # Lowest point of the parabola through both losses and the slope, within limits.
        curved = 2.0 * (loss - self.base_loss - self.step * downhill)
        best = -downhill * self.step**2 / curved if np.isfinite(curved) and curved > 0 else 0.0
        self.step = min(max(best, 0.1 * self.step), 0.5 * self.step)
        if self.step < SHORTEST_STEP:
            self._go_downhill()

    def _go_downhill(self) -> None:
        self.moves, self.changes = self.moves[:0], self.changes[:0]
        length = float(np.linalg.norm(self.slope))
        self.direction, self.step = -self.slope, min(1.0, 0.1 / length) if length else 1.0

    def _quasi_newton(self) -> FloatArray:
        """Return −H·slope by the two-loop recursion."""
        q = self.slope.copy()
        factors = []
        for move, change in zip(self.moves[::-1], self.changes[::-1], strict=True):
            factor = (move @ q) / (move @ change)
            factors.append(factor)
            q -= factor * change
        if len(self.moves):
            q *= (self.moves[-1] @ self.changes[-1]) / (self.changes[-1] @ self.changes[-1])
        for move, change, factor in zip(self.moves, self.changes, factors[::-1], strict=True):
            q += (factor - (change @ q) / (move @ change)) * move
        return -q

    def state(self) -> dict[str, FloatArray]:
        """Return everything: the point, the direction, the memory and the sums of this pass."""
        return {
            "numbers": np.array([self.loss, self.base_loss, self.step]),
            "vectors": np.array([self.gradient, self.base, self.slope, self.direction]),
            "moves": self.moves,
            "changes": self.changes,
        }

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Take up everything."""
        self.loss, self.base_loss, self.step = map(float, state["numbers"])
        self.gradient, self.base, self.slope, self.direction = state["vectors"].copy()
        self.moves, self.changes = state["moves"], state["changes"]
