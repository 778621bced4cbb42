"""Which frames are held out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mlmd.frame import Frame
from mlmd.hdnnp.training.screening import group_of
from mlmd.hdnnp.training.settings import Split


def hold_out(
    frames: Sequence[Frame], fraction: float, seed: int, split: Split
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return (training, validation), ascending indices.

    Args:
        frames: usable ones.
        fraction: share to hold out.
        seed: same seed, same frames: same answer.
        split: see `Split`.

    Every element of the set is in the training part; with fewer than three frames nothing is
    held out.
    """
    count = len(frames)
    wanted = round(fraction * count)
    if count < 3 or fraction <= 0.0:
        return tuple(range(count)), ()
    wanted = max(wanted, 1)
    generator = np.random.default_rng([seed, 0])
    if split is Split.RANDOM:
        chosen = set(generator.permutation(count)[:wanted].tolist())
    else:
        chosen = _spread(frames, wanted, generator)
    _return_lone_elements(frames, chosen)
    training = tuple(index for index in range(count) if index not in chosen)
    return training, tuple(sorted(chosen))


def _spread(frames: Sequence[Frame], wanted: int, generator: np.random.Generator) -> set[int]:
    """Take one frame at random of every stretch of the candidates, sorted by kind and energy."""

    def height(index: int) -> float:
        return (frames[index].energy or 0.0) / len(frames[index])

    groups: dict[str, list[int]] = {}
    for index, frame in enumerate(frames):
        groups.setdefault(group_of(frame), []).append(index)
    ordered = [sorted(groups[name], key=height) for name in sorted(groups)]
    inner = [index for members in ordered for index in members[1:-1]]
    everything = [index for members in ordered for index in members]
    candidates = inner if len(inner) >= 2 * wanted else everything
    borders = np.linspace(0, len(candidates), min(wanted, len(candidates)) + 1).astype(int)
    return {candidates[int(generator.integers(start, end))] for start, end in pairwise(borders)}


def _return_lone_elements(frames: Sequence[Frame], chosen: set[int]) -> None:
    trained = {
        int(z) for i, f in enumerate(frames) if i not in chosen for z in np.unique(f.numbers)
    }
    for index in sorted(chosen):
        here = {int(z) for z in np.unique(frames[index].numbers)}
        if not here <= trained:
            chosen.discard(index)
            trained |= here
