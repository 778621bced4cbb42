"""Epochs: updates on shuffled batches, errors, the best epoch, checkpoints, an orderly stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from mlmd.errors import MlmdError
from mlmd.frame import FloatArray
from mlmd.hdnnp.training.observations import residuals_of
from mlmd.hdnnp.training.optimisers import Optimiser, make_optimiser
from mlmd.hdnnp.training.settings import OptimiserName
from mlmd.hdnnp.training.setup import Setup
from mlmd.hdnnp.training.state import (
    CHECKPOINT_FILE,
    TrainingState,
    append_curve,
    load_checkpoint,
    save_checkpoint,
    write_curve,
)
from mlmd.hdnnp.training.store import PreparedFrame
from mlmd.runs import Progress, StopRequest
from mlmd.units import EV_PER_A3_IN_GPA

CURVE_FILE = "learning-curve.csv"
# Training frames whose errors the learning curve shows; all of them would only cost time.
CURVE_FRAMES = 400
# Below this many weights in a block, BLAS threads cost more than they bring.
THREADED_BLOCK = 1500
MOST_RESTARTS = 3
# Frames of earlier batches whose energies are looked at again in an update.
RECENT_FRAMES = 12
SETUP_SHARE = 0.05


class TrainingFailed(MlmdError):
    """The updates stopped being finite again and again."""


@dataclass(frozen=True)
class Errors:
    """Root mean square errors; NaN where there is nothing to compare.

    Args:
        energy: meV/atom.
        force: of the components, meV/Å.
        stress: of the six components, GPa.
    """

    energy: float
    force: float
    stress: float = math.nan

    def combined(self, emphasis: float) -> float:
        """Return force + emphasis·energy, leaving out what isn't there; infinite without both."""
        parts = [self.force, emphasis * self.energy]
        known = [part for part in parts if not math.isnan(part)]
        return sum(known) if known else math.inf


def begin(setup: Setup, member: int = 0) -> TrainingState:
    """Return the state of a member of the committee before the first update."""
    # The first member is what a training without a committee gives.
    seeds = [setup.settings.seed, 1, member] if member else [setup.settings.seed, 1]
    generator = np.random.default_rng(seeds)
    weights = setup.model.initial(generator)
    return TrainingState(weights, weights.copy(), _optimiser(setup, generator), generator)


def _optimiser(setup: Setup, generator: np.random.Generator) -> Optimiser:
    return make_optimiser(setup.settings, setup.model, len(setup.training), generator)


class TrainingLoop:
    """Carries a training from where it stands to its end.

    Args:
        setup: what is trained.
        run_dir: where the learning curve, the checkpoint and the progress go.
        progress: takes reports.
        stop: looked at between updates.
        member: of the committee, from 0.
    """

    def __init__(
        self,
        setup: Setup,
        run_dir: Path,
        progress: Progress,
        stop: StopRequest,
        member: int = 0,
    ) -> None:
        self.setup, self.run_dir, self.member = setup, run_dir, member
        self.progress, self.stop = progress, stop
        self.state = begin(setup, member)
        self.fingerprint = f"{setup.fingerprint}-{member}" if member else setup.fingerprint
        if (run_dir / CHECKPOINT_FILE).exists():
            load_checkpoint(self.state, self.fingerprint, run_dir / CHECKPOINT_FILE)
        write_curve(self.state, run_dir / CURVE_FILE)
        self._seen: dict[int, PreparedFrame] = {}
        self._shown = _spread_over(setup.training, CURVE_FRAMES)
        self._clock = time.monotonic() - self.state.seconds
        self._saved = time.monotonic()
        self._save_cost = 0.0

    def run(self) -> TrainingState:
        """Train until the last epoch, or until nothing improves any more.

        Raises:
            Stopped: it was asked to stop; the checkpoint is written.
            TrainingFailed: no finite update could be made.
        """
        settings = self.setup.settings
        size = min(self.setup.model.weight_count, settings.largest_block)
        threaded = settings.optimiser is OptimiserName.KALMAN and size >= THREADED_BLOCK
        threads = settings.cores if threaded else 1
        with threadpool_limits(threads, user_api="blas"):
            while not self._finished():
                self._epoch()
        self._save()
        return self.state

    def _finished(self) -> bool:
        s, settings = self.state, self.setup.settings
        idle = s.epoch - s.best_epoch
        return s.epoch >= settings.epochs or (s.epoch > 0 and idle >= settings.patience)

    def _epoch(self) -> None:
        state, settings = self.state, self.setup.settings
        if not len(state.order):
            state.order = state.generator.permutation(np.array(self.setup.training, np.int64))
            state.cursor = 0
        while state.cursor < len(state.order):
            if self.stop.requested:
                self._save()
                raise self.stop.stop(
                    f"Epoch {state.epoch + 1} of {settings.epochs}; a new start goes on from here."
                )
            chosen = state.order[state.cursor : state.cursor + settings.frames_per_update]
            frames = list(self.setup.store.visit(chosen.tolist()))
            recent = self._again(set(chosen.tolist()))
            self._try(partial(state.optimiser.visit, state.weights, frames, recent))
            self._remember(frames, recent)
            state.cursor += len(chosen)
            self._report(state.cursor / len(state.order))
        self._try(partial(state.optimiser.end_epoch, state.weights))
        state.order, state.cursor = np.zeros(0, np.int64), 0
        state.epoch += 1
        self._judge()

    def _again(self, chosen: set[int]) -> list[PreparedFrame]:
        """Return the frames of the batches before, without those of this one."""
        wanted = [index for index in self.state.recent.tolist() if index not in chosen]
        missing = [index for index in wanted if index not in self._seen]
        self._seen.update(zip(missing, self.setup.store.visit(missing), strict=True))
        return [self._seen[index] for index in wanted]

    def _remember(self, frames: list[PreparedFrame], recent: list[PreparedFrame]) -> None:
        kept = [*recent, *frames][-RECENT_FRAMES:]
        self._seen = {frame.index: frame for frame in kept}
        self.state.recent = np.array([frame.index for frame in kept], np.int64)

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

    def _judge(self) -> None:
        state, settings = self.state, self.setup.settings
        train = self._errors(self._shown)
        held = self._errors(self.setup.validation)
        error = (held if self.setup.validation else train).combined(settings.energy_emphasis)
        if error < state.best_error:
            state.best_error, state.best_epoch = error, state.epoch
            state.best_weights = state.weights.copy()
        state.seconds = time.monotonic() - self._clock
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
        due = max(settings.checkpoint_interval, 20.0 * self._save_cost)
        if settings.checkpoint_interval == 0.0 or time.monotonic() - self._saved >= due:
            self._save()
        self._report(0.0)

    def _errors(self, indices: Sequence[int]) -> Errors:
        energy, force, stress = residuals_of(
            self.setup.model,
            self.state.weights,
            self.setup.store.visit(indices),
            self.setup.volumes,
        )
        unit = 1.0 / self.setup.conversion.conv_energy
        return Errors(
            _rms(energy) * unit * 1000.0,
            _rms(force) * unit * 1000.0,
            _rms(stress) * unit * EV_PER_A3_IN_GPA,
        )

    def _save(self) -> None:
        start = time.monotonic()
        self.state.seconds = start - self._clock
        save_checkpoint(self.state, self.fingerprint, self.run_dir / CHECKPOINT_FILE)
        self._saved = time.monotonic()
        self._save_cost = self._saved - start

    def _report(self, within: float) -> None:
        state, epochs = self.state, self.setup.settings.epochs
        done = min((state.epoch + within) / epochs, 1.0)
        members = self.setup.settings.committee
        message = f"epoch {min(state.epoch + 1, epochs)} of {epochs}"
        if members > 1:
            message = f"potential {self.member + 1} of {members}, {message}"
        done = (self.member + done) / members
        if state.curve:
            e_train, e_held, f_train, f_held = state.curve[-1][1:5]
            held = bool(self.setup.validation)
            energy, force = (e_held, f_held) if held else (e_train, f_train)
            named = "validation" if held else "training"
            message += f"; {named} RMSE {energy:.1f} meV/atom, {force:.0f} meV/Å"
        self.progress.report(
            SETUP_SHARE + (0.98 - SETUP_SHARE) * done, message, stage="training",
            epoch=state.epoch, epochs=epochs, best_epoch=state.best_epoch,
        )  # fmt: skip


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values * values))) if len(values) else math.nan


def _spread_over(indices: Sequence[int], most: int) -> tuple[int, ...]:
    if len(indices) <= most:
        return tuple(indices)
    picked = np.linspace(0, len(indices) - 1, most).astype(int)
    return tuple(indices[k] for k in picked)
