"""One potential in training: where it stands, what it learns from a batch, what it writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mlmd.errors import MlmdError
from mlmd.hdnnp.training.optimisers import Optimiser, make_optimiser
from mlmd.hdnnp.training.setup import Setup
from mlmd.hdnnp.training.state import (
    CHECKPOINT_FILE,
    CURVE_FILE,
    TrainingState,
    append_curve,
    load_checkpoint,
    save_checkpoint,
    write_curve,
)
from mlmd.hdnnp.training.store import IntArray, PreparedFrame
from mlmd.hdnnp.training.tally import Errors, Tally

MOST_RESTARTS = 3


class TrainingFailed(MlmdError):
    """The updates stopped being finite again and again."""


def begin(setup: Setup, member: int = 0) -> TrainingState:
    """Return the state of a member of the committee before the first update."""
    # The first member is what a training without a committee gives.
    seeds = [setup.settings.seed, 1, member] if member else [setup.settings.seed, 1]
    generator = np.random.default_rng(seeds)
    weights = setup.model.initial(generator)
    return TrainingState(weights, weights.copy(), _optimiser(setup, generator), generator)


def _optimiser(setup: Setup, generator: np.random.Generator) -> Optimiser:
    return make_optimiser(setup.settings, setup.model, len(setup.training), generator)


class Member:
    """A member of a committee, or the only potential of a training.

    Members share nothing that changes, so that several may learn at the same time.

    Args:
        setup: what is trained.
        run_dir: where its learning curve and its checkpoint are; it goes on from there.
        number: from 0.
    """

    def __init__(self, setup: Setup, run_dir: Path, number: int = 0) -> None:
        self.setup, self.run_dir = setup, run_dir
        self.state = begin(setup, number)
        self.fingerprint = f"{setup.fingerprint}-{number}" if number else setup.fingerprint
        if (run_dir / CHECKPOINT_FILE).exists():
            load_checkpoint(self.state, self.fingerprint, run_dir / CHECKPOINT_FILE)
        write_curve(self.state, run_dir / CURVE_FILE)

    @property
    def finished(self) -> bool:
        """Whether it had its epochs, or nothing improves any more."""
        s, settings = self.state, self.setup.settings
        idle = s.epoch - s.best_epoch
        return s.epoch >= settings.epochs or (s.epoch > 0 and idle >= settings.patience)

    def start_epoch(self, order: IntArray) -> None:
        """Take this order of the training frames; in the middle of an epoch, keep the old one."""
        if not len(self.state.order):
            self.state.order, self.state.cursor = order, 0

    def goes_with(self, other: Member) -> bool:
        """Return whether the next frames of both are the same, and those just seen too."""
        a, b = self.state, other.state
        return (
            (a.epoch, a.cursor) == (b.epoch, b.cursor)
            and np.array_equal(a.order, b.order)
            and np.array_equal(a.recent, b.recent)
        )

    def learn(self, frames: Sequence[PreparedFrame], recent: Sequence[PreparedFrame]) -> None:
        """Learn from a batch.

        Args:
            frames: the batch.
            recent: frames of the batches before.

        Raises:
            TrainingFailed: no finite update could be made.
        """
        self._try(partial(self.state.optimiser.visit, self.state.weights, frames, recent))

    def end_epoch(self) -> None:
        """Close an epoch; its errors are still to be told to `judge`."""
        state = self.state
        self._try(partial(state.optimiser.end_epoch, state.weights))
        state.order, state.cursor = np.zeros(0, np.int64), 0
        state.epoch += 1

    def tally(self) -> Tally:
        """Return a sum of errors of the present weights."""
        return Tally(self.setup.model, self.state.weights, self.setup.volumes)

    def judge(self, train: Errors, held: Errors) -> None:
        """Note the errors of an epoch, and keep its weights if they are the best so far.

        Args:
            train: on training frames.
            held: on frames held out; these decide where there are any.
        """
        state = self.state
        deciding = held if self.setup.validation else train
        error = deciding.combined(self.setup.settings.energy_emphasis)
        if error < state.best_error:
            state.best_error, state.best_epoch = error, state.epoch
            state.best_weights = state.weights.copy()
        state.curve.append(
            (
                state.epoch,
                train.energy,
                held.energy,
                train.force,
                held.force,
                train.stress,
                held.stress,
                state.seconds,
            )
        )
        append_curve(state, self.run_dir / CURVE_FILE)

    def save(self) -> None:
        """Write the checkpoint."""
        save_checkpoint(self.state, self.fingerprint, self.run_dir / CHECKPOINT_FILE)

    def _try(self, change: Callable[[], None]) -> None:
        try:
            change()
        except FloatingPointError as error:
            self._begin_anew(error)

    def _begin_anew(self, error: FloatingPointError) -> None:
        state = self.state
        state.restarts += 1
        if state.restarts > MOST_RESTARTS:
            raise TrainingFailed(
                f"training: {error}, {state.restarts} times; expected finite updates. Look for "
                "frames with wrong energies or forces, or lower the first variance of weights."
            ) from error
        state.weights = state.best_weights.copy()
        state.optimiser = _optimiser(self.setup, state.generator)
