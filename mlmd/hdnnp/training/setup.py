"""Everything that follows from frames and settings before the first update."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase.data import chemical_symbols

from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.automatic import (
    Functions,
    automatic_functions,
    informative,
    parse_function_lines,
)
from mlmd.hdnnp.derivatives import DescriptorSet
from mlmd.hdnnp.potential import (
    Activation,
    CutoffType,
    Normalisation,
    Potential,
    Scaling,
    ScalingMode,
)
from mlmd.hdnnp.training.baseline import atom_energies, network_energy_unit
from mlmd.hdnnp.training.first_look import FirstLook, IntArray
from mlmd.hdnnp.training.kind_weights import parse_kind_weights
from mlmd.hdnnp.training.model import Model
from mlmd.hdnnp.training.screening import (
    Notice,
    Survey,
    data_hash,
    require_usable,
    survey,
)
from mlmd.hdnnp.training.settings import OptimiserName, TrainingSettings
from mlmd.hdnnp.training.split import hold_out
from mlmd.hdnnp.training.store import Conversion, FrameStore
from mlmd.hdnnp.training.weighting import frame_weights, weight_notices
from mlmd.runs import to_jsonable

# Rows per element on which doubled functions are looked for; more would tell no more.
SAMPLE_ROWS = 4000
# First-order optimisers have learned little before.
MANY_EPOCHS = 300


@dataclass(frozen=True)
class Setup:
    """A training ready to start.

    Args:
        settings: as chosen.
        survey: which frames are used.
        frames: the used ones; all indices below point into them.
        training: indices of frames to learn from.
        validation: indices of frames held out.
        elements: symbols sorted by atomic number.
        functions: kept functions of each element.
        scaling: their range over the training frames.
        conversion: into network units.
        store: prepared frames.
        model: the networks.
        notices: warnings that came up on the way.
        data_sha256: of all frames given.
        fingerprint: of all that decides the result; a checkpoint must carry the same.
    """

    settings: TrainingSettings
    survey: Survey
    frames: tuple[Frame, ...]
    training: tuple[int, ...]
    validation: tuple[int, ...]
    elements: tuple[str, ...]
    functions: Functions
    scaling: dict[str, Scaling]
    conversion: Conversion
    store: FrameStore
    model: Model
    notices: tuple[Notice, ...]
    data_sha256: str
    fingerprint: str

    @cached_property
    def volumes(self) -> tuple[float, ...]:
        """Volume of every used frame's cell, Å³."""
        return tuple(abs(float(np.linalg.det(frame.cell))) for frame in self.frames)

    def potential(self, weights: FloatArray) -> Potential:
        """Return the potential that these weights make."""
        return Potential(
            elements=self.elements,
            functions=self.functions,
            scaling=self.scaling,
            networks={
                element: network.export(weights)
                for element, network in zip(self.elements, self.model.networks, strict=True)
            },
            cutoff_type=CutoffType.POLY2,
            scaling_mode=ScalingMode.SIGMA,
            scale_maximum=self.settings.input_spread,
            atom_energies=dict(
                zip(self.elements, map(float, self.conversion.atom_energies), strict=True)
            ),
            normalisation=Normalisation(0.0, self.conversion.conv_energy, 1.0),
        )


def set_up(
    settings: TrainingSettings,
    frames: Sequence[Frame],
    report: Callable[[float, str], object] = lambda fraction, message: None,
) -> Setup:
    """Choose frames, functions, scales and networks.

    Args:
        settings: as chosen.
        frames: all that were selected.
        report: takes the done fraction of this stage and a message.

    Raises:
        InvalidInput: no frame can be used, or the functions don't fit the elements.
    """
    report(0.0, "looking at the frames")
    found = survey(frames, settings)
    require_usable(found, len(frames))
    used = tuple(frames[index] for index in found.kept)
    training, validation = hold_out(
        used, settings.validation_fraction, settings.seed, settings.split
    )
    learned = [used[index] for index in training]
    report(0.1, "choosing symmetry functions")
    memory = settings.memory_limit_mb * 1_000_000
    look = FirstLook(used, training, memory, settings.cores)
    functions, scaling, notices = choose_functions(settings, found.elements, learned, look.values)
    descriptors = DescriptorSet(found.elements, functions)
    conversion = _conversion(found.elements, learned, scaling, settings.input_spread)
    by_kind = parse_kind_weights(settings.kind_weights)
    weights = frame_weights(
        used, _heights(used, found.elements, conversion.atom_energies), by_kind,
        settings.energy_window, settings.uncertain_weight,
    )  # fmt: skip
    notices += weight_notices(used, [weights[index] for index in training], by_kind)
    store = FrameStore(used, descriptors, conversion, memory, settings.cores, weights, look)
    store.fill(lambda done: report(0.4 + 0.6 * done / len(used), "working out descriptors"))
    if settings.optimiser is not OptimiserName.KALMAN and settings.epochs < MANY_EPOCHS:
        notices.append(
            Notice(
                "few-epochs",
                f"{settings.epochs} epochs are few for the optimiser {settings.optimiser.value}: it "
                "needs 1000 or more, with a patience to match.",
            )
        )
    counts = [len(functions[element]) for element in found.elements]
    model = Model(counts, settings.layers, Activation(settings.activation.value))
    sha = data_hash(frames)
    return Setup(
        settings, found, used, training, validation, found.elements, functions, scaling,
        conversion, store, model, (*found.notices, *notices), sha, _fingerprint(settings, sha),
    )  # fmt: skip


Values = Callable[[DescriptorSet], Iterable[tuple[tuple[IntArray, FloatArray], ...]]]


def choose_functions(
    settings: TrainingSettings,
    elements: tuple[str, ...],
    frames: Sequence[Frame],
    values_of: Values | None = None,
) -> tuple[Functions, dict[str, Scaling], list[Notice]]:
    """Return the functions that tell something on these frames, their range, and warnings.

    Args:
        settings: given functions, or how to make automatic ones.
        elements: symbols sorted by atomic number.
        frames: those to learn from.
        values_of: works out functions on these frames in another way.

    Raises:
        InvalidInput: given functions don't fit the elements.
    """
    if settings.symmetry_functions.strip():
        offered = parse_function_lines(settings.symmetry_functions, elements)
    else:
        offered = automatic_functions(
            elements,
            settings.cutoff_radius,
            settings.radial_functions,
            settings.widths,
            settings.zetas,
        )
    descriptors = DescriptorSet(elements, offered)
    if values_of is None:
        found = descriptors.values_of_many(frames, settings.cores)
    else:
        found = iter(values_of(descriptors))
    ranges = _ranges(descriptors, found)
    functions, scaling, notices = {}, {}, []
    for element, (values, whole) in zip(elements, ranges, strict=True):
        keep = informative(values)
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
    return functions, scaling, notices


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


def _conversion(
    elements: tuple[str, ...],
    frames: Sequence[Frame],
    scaling: dict[str, Scaling],
    spread: float,
) -> Conversion:
    baseline = atom_energies(frames, elements)
    index = {symbol: k for k, symbol in enumerate(elements)}
    sums = [_sum_of_atoms(frame, baseline, index) for frame in frames]
    factors = [scaling[element].factors(ScalingMode.SIGMA, 0.0, spread) for element in elements]
    return Conversion(
        tuple(factor for factor, _ in factors),
        tuple(shift for _, shift in factors),
        baseline,
        network_energy_unit(frames, sums),
    )


def _heights(
    frames: Sequence[Frame], elements: tuple[str, ...], baseline: FloatArray
) -> list[float | None]:
    index = {symbol: k for k, symbol in enumerate(elements)}
    return [
        None if f.energy is None else (f.energy - _sum_of_atoms(f, baseline, index)) / len(f)
        for f in frames
    ]


def _sum_of_atoms(frame: Frame, baseline: FloatArray, index: dict[str, int]) -> float:
    values, counts = np.unique(frame.numbers, return_counts=True)
    return float(
        sum(
            baseline[index[chemical_symbols[int(z)]]] * n
            for z, n in zip(values, counts, strict=True)
        )
    )


def _fingerprint(settings: TrainingSettings, sha: str) -> str:
    """Hash the data and every setting that changes numbers; how long to train does not."""
    free = {"epochs", "patience", "threads", "memory_limit_mb", "checkpoint_interval", "committee"}
    chosen = {k: v for k, v in to_jsonable(settings).items() if k not in free}
    return hashlib.sha256((sha + json.dumps(chosen, sort_keys=True)).encode()).hexdigest()
