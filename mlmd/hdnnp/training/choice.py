"""Which symmetry functions a training uses: chosen on its frames once, and kept with the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.automatic import (
    Functions,
    automatic_functions,
    informative,
    parse_function_lines,
)
from mlmd.hdnnp.derivatives import DescriptorSet
from mlmd.hdnnp.potential import Scaling
from mlmd.hdnnp.pruning import Pruning, Selection, prune
from mlmd.hdnnp.pruning_record import pruning_record, read_pruning
from mlmd.hdnnp.training.first_look import IntArray
from mlmd.hdnnp.training.screening import Notice
from mlmd.hdnnp.training.settings import TrainingSettings
from mlmd.runs import read_json, write_json_atomic

FUNCTIONS_FILE = "functions.json"
# Rows per element on which doubled functions are looked for; more would tell no more.
SAMPLE_ROWS = 4000


@dataclass(frozen=True)
class Choice:
    """The symmetry functions of a training.

    Args:
        functions: of each element.
        scaling: their range over the training frames.
        notices: warnings that came up on the way.
        pruning: what became of the automatic ones; None where they weren't thinned out.
    """

    functions: Functions
    scaling: dict[str, Scaling]
    notices: tuple[Notice, ...]
    pruning: Pruning | None


@dataclass(frozen=True)
class KeptChoice:
    """What a run that is gone on with chose in its beginning.

    Args:
        fingerprint: of the data and settings that it was chosen for.
        pruning: what was chosen.
    """

    fingerprint: str
    pruning: Pruning


Values = Callable[[DescriptorSet], Iterable[tuple[tuple[IntArray, FloatArray], ...]]]


def choose_functions(
    settings: TrainingSettings,
    elements: tuple[str, ...],
    frames: Sequence[Frame],
    values_of: Values | None = None,
    pruning: Pruning | None = None,
) -> Choice:
    """Return the functions that tell something on these frames, their range, and warnings.

    Args:
        settings: given functions, or how to make and thin out automatic ones.
        elements: symbols sorted by atomic number.
        frames: those to learn from.
        values_of: works out functions on these frames in another way.
        pruning: of an earlier part of the run, which isn't done anew.

    Raises:
        InvalidInput: given functions don't fit the elements.
    """
    if settings.symmetry_functions.strip():
        offered = parse_function_lines(settings.symmetry_functions, elements)
        pruning = None
    elif pruning is not None:
        offered = pruning.functions
    else:
        offered = automatic_functions(
            elements,
            settings.cutoff_radius,
            settings.radial_functions,
            settings.widths,
            settings.zetas,
        )
        if settings.descriptor_selection is not Selection.NONE:
            pruning = prune(
                offered,
                frames,
                settings.descriptor_selection,
                settings.descriptor_count,
                settings.correlation_limit,
                settings.cores,
            )
            offered = pruning.functions
    functions, scaling, notices = {}, {}, []
    for element, (values, whole) in _ranges_of(settings, elements, offered, frames, values_of):
        keep = informative(values) if pruning is None else np.arange(values.shape[1])
        functions[element] = tuple(offered[element][column] for column in keep)
        low, high, mean, sigma = (part[keep] for part in whole)
        if len(keep) == 1 and high[0] - low[0] == 0.0:
            # n2p2 divides by σ: a constant function needs a spread that isn't zero.
            high, sigma = high + 1.0, np.ones(1)
            notices.append(
                Notice(
                    "no-environments",
                    f"All {element} atoms have the same surroundings: the potential learns "
                    f"one energy for {element} and no forces on it.",
                )
            )
        scaling[element] = Scaling(low, high, mean, sigma)
    return Choice(functions, scaling, tuple(notices), pruning)


def keep_choice(pruning: Pruning | None, fingerprint: str, folder: Path) -> None:
    """Write what was chosen into a run directory, before anything is learned with it.

    Without a pruning the file says only that there was none.
    """
    record = None if pruning is None else pruning_record(pruning)
    write_json_atomic(folder / FUNCTIONS_FILE, {"fingerprint": fingerprint, "pruning": record})


def kept_choice(folder: Path) -> KeptChoice | None:
    """Return what a run directory says was chosen; None where nothing was.

    Raises:
        InvalidInput: the file is damaged.
    """
    path = folder / FUNCTIONS_FILE
    if not path.is_file():
        return None
    content = read_json(path)
    record = content.get("pruning")
    if record is None:
        return None
    return KeptChoice(str(content.get("fingerprint")), read_pruning(record, str(path)))


def _ranges_of(
    settings: TrainingSettings,
    elements: tuple[str, ...],
    offered: Functions,
    frames: Sequence[Frame],
    values_of: Values | None,
) -> Iterable[tuple[str, tuple[FloatArray, Range]]]:
    descriptors = DescriptorSet(elements, offered)
    if values_of is None:
        found = descriptors.values_of_many(frames, settings.cores)
    else:
        found = iter(values_of(descriptors))
    return zip(elements, _ranges(descriptors, found), strict=True)


Range = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


def _ranges(
    descriptors: DescriptorSet, parts_of: Iterable[tuple[tuple[IntArray, FloatArray], ...]]
) -> list[tuple[FloatArray, Range]]:
    """Return per element (rows to compare functions on, (min, max, mean, σ) over all atoms)."""
    widths = [len(descriptors.functions[element]) for element in descriptors.elements]
    rows: list[list[FloatArray]] = [[] for _ in widths]
    held = [0] * len(widths)
    low = [np.full(w, np.inf) for w in widths]
    high = [np.full(w, -np.inf) for w in widths]
    sums = [np.zeros(w) for w in widths]
    squares = [np.zeros(w) for w in widths]
    counts = [0] * len(widths)
    origin: list[FloatArray | None] = [None] * len(widths)
    for parts in parts_of:
        for e, (_, values) in enumerate(parts):
            if not len(values):
                continue
            first = origin[e]
            if first is None:
                # Sums around a value of the data lose no digits.
                first = origin[e] = values[0].copy()
            if held[e] < SAMPLE_ROWS:
                rows[e].append(values[: SAMPLE_ROWS - held[e]])
                held[e] += len(rows[e][-1])
            low[e] = np.minimum(low[e], values.min(axis=0))
            high[e] = np.maximum(high[e], values.max(axis=0))
            sums[e] += (values - first).sum(axis=0)
            squares[e] += ((values - first) ** 2).sum(axis=0)
            counts[e] += len(values)
    result = []
    for e in range(len(widths)):
        first = origin[e]
        shift = sums[e] / counts[e]
        mean = shift if first is None else first + shift
        sigma = np.sqrt(np.maximum(squares[e] / counts[e] - shift**2, 0.0))
        result.append((np.concatenate(rows[e]), (low[e], high[e], mean, sigma)))
    return result
