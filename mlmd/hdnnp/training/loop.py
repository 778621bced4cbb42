"""Epochs: batches that all members of a committee learn from together, errors, an orderly stop.

Members see the same frames in the same order, so that a frame is fetched, and worked out where it
is not kept, once for all of them. They differ in their first weights and in the force components
that are drawn; each learns in a thread of its own. One that is finished costs nothing any more;
those that lag behind catch up first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from mlmd.hdnnp.training.committee import member_folder
from mlmd.hdnnp.training.member import Member
from mlmd.hdnnp.training.setup import Setup
from mlmd.hdnnp.training.state import TrainingState
from mlmd.hdnnp.training.store import Ahead, IntArray, PreparedFrame
from mlmd.hdnnp.training.tally import Errors
from mlmd.runs import Progress, StopRequest

# Training frames whose errors the learning curve shows; all of them would only cost time.
CURVE_FRAMES = 400
# Frames whose errors are worked out at the same time.
JUDGED_TOGETHER = 8
# Frames of earlier batches whose energies are looked at again in an update.
RECENT_FRAMES = 12
SETUP_SHARE = 0.05


class TrainingLoop:
    """Carries a training from where it stands to its end.

    Args:
        setup: what is trained.
        run_dir: where the learning curves, the checkpoints and the progress go.
        progress: takes reports.
        stop: looked at between updates.
    """

    def __init__(self, setup: Setup, run_dir: Path, progress: Progress, stop: StopRequest) -> None:
        self.setup, self.progress, self.stop = setup, progress, stop
        folders = [member_folder(run_dir, k) for k in range(setup.settings.committee)]
        for folder in folders:
            folder.mkdir(exist_ok=True)
        self.members = [Member(setup, folder, k) for k, folder in enumerate(folders)]
        self._seen: dict[int, PreparedFrame] = {}
        self._shown = _spread_over(setup.training, CURVE_FRAMES)
        self._pool: ThreadPoolExecutor | None = None
        self._clock = self._saved = time.monotonic()
        self._save_cost = 0.0

    def run(self) -> list[TrainingState]:
        """Train every member until its last epoch, or until nothing improves any more.

        Returns:
            Where the members stand, in their order.

        Raises:
            Stopped: it was asked to stop; the checkpoints are written.
            TrainingFailed: no finite update could be made.
        """
        # Threads are those of members, frames and parts of large products.
        with self._workers(), threadpool_limits(1, user_api="blas"):
            while group := self._next_group():
                self._epoch(group)
        return [member.state for member in self.members]

    def _next_group(self) -> list[Member]:
        """Return those who are least far and go on with the same frames."""
        waiting = [member for member in self.members if not member.finished]
        for member in waiting:
            member.start_epoch(self._order(member.state.epoch))
        first = min(waiting, key=lambda m: (m.state.epoch, m.state.cursor), default=None)
        return [] if first is None else [each for each in waiting if each.goes_with(first)]

    def _order(self, epoch: int) -> IntArray:
        """Return the order of the training frames in an epoch, for all members."""
        generator = np.random.default_rng([self.setup.settings.seed, 2, epoch])
        return generator.permutation(np.array(self.setup.training, np.int64))

    @contextmanager
    def _workers(self) -> Iterator[None]:
        """Have threads for members and frames; with one core, all is done where it is asked for."""
        cores = self.setup.settings.cores
        if cores == 1:
            yield
            return
        with ThreadPoolExecutor(cores) as self._pool:
            try:
                yield
            finally:
                self._pool.shutdown(cancel_futures=True)

    def _epoch(self, group: list[Member]) -> None:
        self._clock = time.monotonic()
        state, size = group[0].state, self.setup.settings.frames_per_update
        batches = [state.order[k : k + size] for k in range(state.cursor, len(state.order), size)]
        ahead = Ahead(self.setup.store, [batch.tolist() for batch in batches], self._pool)
        for chosen, frames in zip(batches, ahead, strict=True):
            self._stop_if_asked(group)
            recent = self._again(state.recent, set(chosen.tolist()))
            tasks = [partial(member.learn, frames, recent) for member in group]
            self._all(tasks, meanwhile=ahead.fill)
            self._remember(group, [*recent, *frames])
            for member in group:
                member.state.cursor += len(chosen)
            self._report(group)
        for member in group:
            member.end_epoch()
        self._judge(group)

    def _stop_if_asked(self, group: Sequence[Member]) -> None:
        if self.stop.requested:
            self._save(group)
            epoch, epochs = group[0].state.epoch + 1, self.setup.settings.epochs
            raise self.stop.stop(f"Epoch {epoch} of {epochs}; a new start goes on from here.")

    def _all(self, tasks: Sequence[Callable[[], None]], meanwhile: Callable[[], None]) -> None:
        """Do these things at the same time."""
        if self._pool is None:
            for task in tasks:
                task()
            return
        # First in the queue, before more frames are prepared.
        futures = [self._pool.submit(task) for task in tasks]
        meanwhile()
        for future in futures:
            future.result()

    def _again(self, recent: IntArray, chosen: set[int]) -> list[PreparedFrame]:
        """Return the frames of the batches before, without those of this one."""
        wanted = [index for index in recent.tolist() if index not in chosen]
        missing = [index for index in wanted if index not in self._seen]
        if missing:
            self._seen.update(zip(missing, self.setup.store.visit(missing), strict=True))
        return [self._seen[index] for index in wanted]

    def _remember(self, group: Sequence[Member], frames: Sequence[PreparedFrame]) -> None:
        kept = frames[-RECENT_FRAMES:]
        self._seen = {frame.index: frame for frame in kept}
        for member in group:
            member.state.recent = np.array([frame.index for frame in kept], np.int64)

    def _judge(self, group: Sequence[Member]) -> None:
        train = self._errors(group, self._shown)
        held = self._errors(group, self.setup.validation)
        self._count_time(group)
        for member, of_train, of_held in zip(group, train, held, strict=True):
            member.judge(of_train, of_held)
        interval = self.setup.settings.checkpoint_interval
        due = max(interval, 20.0 * self._save_cost)
        if interval == 0.0 or time.monotonic() - self._saved >= due:
            self._save(group)
        else:
            self._save([member for member in group if member.finished])
        self._report(group)

    def _errors(self, group: Sequence[Member], indices: Sequence[int]) -> list[Errors]:
        tallies = [member.tally() for member in group]
        step = JUDGED_TOGETHER
        batches = [list(indices[k : k + step]) for k in range(0, len(indices), step)]
        ahead = Ahead(self.setup.store, batches, self._pool)
        for frames in ahead:
            self._all([partial(tally.add, frames) for tally in tallies], meanwhile=ahead.fill)
        return [tally.errors(self.setup.conversion.conv_energy) for tally in tallies]

    def _count_time(self, group: Sequence[Member]) -> None:
        now = time.monotonic()
        for member in group:
            member.state.seconds += now - self._clock
        self._clock = now

    def _save(self, members: Sequence[Member]) -> None:
        if not members:
            return
        start = time.monotonic()
        self._count_time(members)
        for member in members:
            member.save()
        self._saved = time.monotonic()
        self._save_cost = self._saved - start

    def _report(self, group: Sequence[Member]) -> None:
        settings, first = self.setup.settings, self.members[0].state
        epochs, state = settings.epochs, group[0].state
        done = sum(_part_done(member, epochs) for member in self.members) / len(self.members)
        message = f"epoch {min(state.epoch + 1, epochs)} of {epochs}"
        if settings.committee > 1:
            open_ones = sum(not member.finished for member in self.members)
            message = f"{open_ones} of {settings.committee} potentials in training, {message}"
        if state.curve:
            e_train, e_held, f_train, f_held = state.curve[-1][1:5]
            held = bool(self.setup.validation)
            energy, force = (e_held, f_held) if held else (e_train, f_train)
            named = "validation" if held else "training"
            message += f"; {named} RMSE {energy:.1f} meV/atom, {force:.0f} meV/Å"
        self.progress.report(
            SETUP_SHARE + (0.98 - SETUP_SHARE) * done, message, stage="training",
            epoch=state.epoch, epochs=epochs, best_epoch=first.best_epoch,
        )  # fmt: skip


def _part_done(member: Member, epochs: int) -> float:
    state = member.state
    within = state.cursor / len(state.order) if len(state.order) else 0.0
    return 1.0 if member.finished else min((state.epoch + within) / epochs, 1.0)


def _spread_over(indices: Sequence[int], most: int) -> tuple[int, ...]:
    if len(indices) <= most:
        return tuple(indices)
    picked = np.linspace(0, len(indices) - 1, most).astype(int)
    return tuple(indices[k] for k in picked)
