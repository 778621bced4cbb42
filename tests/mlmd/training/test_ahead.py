"""Frames that are prepared while others are learned from."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from mlmd.hdnnp.training.store import Ahead


@dataclass(frozen=True)
class Numbered:
    index: int


class Store:
    """Frames without content; some are kept, and every preparation is noted."""

    threads = 2

    def __init__(self, kept=(), fails=None):
        self.kept = {index: Numbered(index) for index in kept}
        self.fails, self.prepared, self.threads_used = fails, [], set()

    def prepare(self, index):
        if index == self.fails:
            raise ValueError(f"frame {index}")
        self.prepared.append(index)
        self.threads_used.add(threading.current_thread())
        return Numbered(index)

    def keep(self, frame):
        """Keep nothing more."""


BATCHES = [list(range(start, start + 3)) for start in range(0, 60, 3)]


@pytest.mark.parametrize("threads", [0, 3])
def test_every_frame_comes_once_and_in_order(threads):
    store = Store(kept=range(0, 60, 7))
    with ThreadPoolExecutor(threads or 1) as pool:
        ahead = Ahead(store, BATCHES, pool if threads else None)
        found = []
        for frames in ahead:
            ahead.fill()
            found.append([frame.index for frame in frames])
    assert found == BATCHES
    assert sorted(store.prepared) == [index for index in range(60) if index % 7]
    assert (threading.current_thread() in store.threads_used) == (threads == 0)


def test_few_frames_wait_and_what_is_kept_takes_no_place():
    store = Store(kept=range(30))
    with ThreadPoolExecutor(2) as pool:
        ahead = Ahead(store, BATCHES, pool)
        batches = iter(ahead)
        for _ in range(8):
            next(batches)
            ahead.fill()
        pool.submit(int).result()
    assert store.prepared
    assert set(store.prepared) <= set(range(30, 24 + 3 * 4 * store.threads))
    assert len(store.prepared) < 4 * store.threads + len(BATCHES[0])


def test_what_goes_wrong_ahead_is_said_when_its_frame_is_due():
    store = Store(fails=4)
    with ThreadPoolExecutor(2) as pool:
        ahead = Ahead(store, BATCHES, pool)
        ahead.fill()
        batches = iter(ahead)
        assert [frame.index for frame in next(batches)] == [0, 1, 2]
        with pytest.raises(ValueError, match="frame 4"):
            next(batches)
