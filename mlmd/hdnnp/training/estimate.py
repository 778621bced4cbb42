"""How long a training takes and what memory it needs, from its size alone.

The rate of the matrix products that the filter lives on is measured on this machine, once per
process, in some 20 ms; the other rates are those of one core of a current x86 server
(``benchmarks/training.py``). They are for a sentence on a form and for a scheduler's limit.
"""

from __future__ import annotations

import math
import time
from functools import cache
from itertools import pairwise

import numpy as np
from scipy.linalg import blas
from threadpoolctl import threadpool_limits

from mlmd.hdnnp.pruning import Selection
from mlmd.hdnnp.training.settings import OptimiserName, TrainingSettings

SECONDS_PER_TERM = 5e-9
TYPICAL_NEIGHBORS = 45
START_SECONDS = 4.0
# Python's share of an update, s.
UPDATE_SECONDS = 1.2e-3
# Of the force components that may be drawn, so many have an error above their frame's mean.
DRAWN = 0.65
# Of the automatic functions, so many are kept on silicon, water and Cu2S.
KEPT = 0.8
# Derivatives of a frame are worked out again so often in an epoch, errors of the learning curve
# included.
AGAIN = 1.25


def estimate_seconds(
    settings: TrainingSettings,
    frames_count: int,
    atoms_total: int,
    elements: int,
    cores: int,
) -> float:
    """Return the likely duration, s.

    Args:
        settings: of the training.
        frames_count: frames to train on, held-out ones included.
        atoms_total: atoms in all of them together.
        elements: number of elements.
        cores: cores that may be used.
    """
    functions = kept_count(settings, function_count(settings, elements))
    weights = _weights(settings, functions, elements)
    block = min(weights, settings.largest_block)
    rows = DRAWN * settings.forces_per_update + settings.frames_per_update
    if settings.stress_weight > 0.0:
        rows += 6 * settings.frames_per_update
    learned = frames_count * (1.0 - settings.validation_fraction)
    updates = math.ceil(learned / settings.frames_per_update)
    if settings.optimiser is OptimiserName.KALMAN:
        updates *= settings.visits
    # Symmetric product, factor solve and rank-k update of every block, and the Jacobian.
    filter_work = (weights / block) * rows * (3.0 * block**2)
    if settings.optimiser is not OptimiserName.KALMAN:
        filter_work = 0.0
    pairs = min(atoms_total / max(frames_count, 1), TYPICAL_NEIGHBORS)
    jacobian_work = rows * pairs * weights / max(elements, 1) * 8.0
    alone = settings.committee == 1
    shared = cores if block >= 1500 and alone else 1
    per_epoch = updates * (filter_work / shared + jacobian_work) / flop_rate()
    per_epoch += updates * UPDATE_SECONDS
    pairs_total = atoms_total * pairs * 3 * functions
    per_epoch += pairs_total * 4e-10 + frames_count * 3e-4
    triplets = atoms_total * TYPICAL_NEIGHBORS**2 / 2 * functions / max(elements, 1) ** 2
    looking = triplets * SECONDS_PER_TERM
    kept = settings.memory_limit_mb * 1e6 / max(pairs_total * 4.0, 1.0)
    again = max(0.0, 1.0 - kept) * AGAIN * looking
    # Members learn side by side, each in a thread, from frames that others prepare meanwhile; the
    # interpreter serves one at a time.
    together = max(
        (settings.committee * per_epoch + again) / (1 if alone and not again else cores),
        per_epoch,
        settings.committee * updates * UPDATE_SECONDS,
    )
    # Early stopping ends most trainings before their last epoch.
    epochs = min(settings.epochs, max(1.5 * settings.patience, 0.6 * settings.epochs))
    return START_SECONDS + 2.0 * looking / cores + epochs * together


@cache
def flop_rate() -> float:
    """Return the floating-point operations per second of one thread in a symmetric product."""
    size, rows, best = 700, 100, math.inf
    matrix = np.asfortranarray(np.eye(size))
    other = np.ones((rows, size)).T
    with threadpool_limits(1, user_api="blas"):
        for _ in range(5):
            start = time.perf_counter()
            blas.dsymm(1.0, matrix, other, lower=1)
            best = min(best, time.perf_counter() - start)
    return 2.0 * rows * size**2 / best


def estimate_memory_mb(
    settings: TrainingSettings, frames_count: int, atoms_total: int, elements: int
) -> int:
    """Return the memory to ask a scheduler for, MB."""
    pairs = min(atoms_total / max(frames_count, 1), TYPICAL_NEIGHBORS)
    functions = function_count(settings, elements)
    gradients = atoms_total * pairs * 3 * functions * 4.0 / 1e6
    weights = _weights(settings, functions, elements)
    covariance = 8.0 * weights * min(weights, settings.largest_block) / 1e6
    # A member keeps its own; writing a checkpoint takes two copies of one.
    members = (settings.committee + 2) * covariance
    return int(1000 + 1.3 * min(gradients, settings.memory_limit_mb) + members)


def function_count(settings: TrainingSettings, elements: int) -> int:
    """Return how many automatic symmetry functions an element has before any is dropped."""
    if settings.symmetry_functions.strip():
        lines = settings.symmetry_functions.strip().splitlines()
        return max(1, math.ceil(len(lines) / max(elements, 1)))
    pairs = elements * (elements + 1) // 2
    angular = 2 * len(settings.widths) * len(settings.zetas)
    return settings.radial_functions * elements + pairs * angular


def kept_count(settings: TrainingSettings, offered: int) -> int:
    """Return about how many of an element's automatic functions will be kept."""
    if settings.symmetry_functions.strip() or settings.descriptor_selection is Selection.NONE:
        return offered
    most = offered
    if settings.descriptor_selection is not Selection.CORRELATION:
        most = min(offered, settings.descriptor_count or offered)
    return max(1, min(most, round(KEPT * offered)))


def _weights(settings: TrainingSettings, functions: int, elements: int) -> int:
    nodes = (functions, *settings.layers, 1)
    network = sum((a + 1) * b for a, b in pairwise(nodes))
    return network * max(elements, 1)
