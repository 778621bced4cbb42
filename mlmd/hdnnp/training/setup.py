"""Everything that follows from frames and settings before the first update."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase.data import chemical_symbols

from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.automatic import Functions
from mlmd.hdnnp.derivatives import DescriptorSet
from mlmd.hdnnp.potential import (
    Activation,
    CutoffType,
    Normalisation,
    Potential,
    Scaling,
    ScalingMode,
)
from mlmd.hdnnp.pruning import Pruning, Selection
from mlmd.hdnnp.training.baseline import atom_energies, network_energy_unit
from mlmd.hdnnp.training.choice import KeptChoice, choose_functions
from mlmd.hdnnp.training.first_look import FirstLook
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
from mlmd.hdnnp.training.short_range import ShortRange
from mlmd.hdnnp.training.split import hold_out
from mlmd.hdnnp.training.store import Conversion, FrameStore
from mlmd.hdnnp.training.weighting import frame_weights, weight_notices
from mlmd.runs import to_jsonable

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
        pruning: what became of the automatic functions; None where they weren't thinned out.
        short_range: the repulsion of nuclei in every used frame, whose labels are without it; empty
            where there is none.
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
    pruning: Pruning | None
    short_range: tuple[ShortRange, ...] = ()

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
            repulsion=self.settings.repulsion_between(self.elements),
        )


def set_up(
    settings: TrainingSettings,
    frames: Sequence[Frame],
    report: Callable[[float, str], object] = lambda fraction, message: None,
    earlier: KeptChoice | None = None,
) -> Setup:
    """Choose frames, functions, scales and networks.

    Args:
        settings: as chosen.
        frames: all that were selected.
        report: takes the done fraction of this stage and a message.
        earlier: what the run chose before it was stopped.

    Raises:
        InvalidInput: no frame can be used, or the functions don't fit the elements.
    """
    report(0.0, "looking at the frames")
    found = survey(frames, settings)
    require_usable(found, len(frames))
    used, short_range = _without_repulsion(
        settings, found.elements, [frames[index] for index in found.kept]
    )
    training, validation = hold_out(
        used, settings.validation_fraction, settings.seed, settings.split
    )
    learned = [used[index] for index in training]
    report(0.1, "choosing symmetry functions")
    memory = settings.memory_limit_mb * 1_000_000
    look = FirstLook(used, training, memory, settings.cores)
    sha = data_hash(frames)
    fingerprint = _fingerprint(settings, sha)
    before = earlier.pruning if earlier and earlier.fingerprint == fingerprint else None
    choice = choose_functions(settings, found.elements, learned, look.values, before)
    functions, notices = choice.functions, [*choice.notices]
    descriptors = DescriptorSet(found.elements, functions)
    conversion = _conversion(found.elements, learned, choice.scaling, settings.input_spread)
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
    return Setup(
        settings, found, used, training, validation, found.elements, functions, choice.scaling,
        conversion, store, model, (*found.notices, *notices), sha, fingerprint, choice.pruning,
        short_range,
    )  # fmt: skip


def _without_repulsion(
    settings: TrainingSettings, elements: tuple[str, ...], frames: Sequence[Frame]
) -> tuple[tuple[Frame, ...], tuple[ShortRange, ...]]:
    """Return the frames as the networks learn them, and what they don't learn of each."""
    repulsion = settings.repulsion_between(elements)
    if repulsion is None:
        return tuple(frames), ()
    short_range = tuple(ShortRange.of(frame, repulsion) for frame in frames)
    pairs = zip(short_range, frames, strict=True)
    return tuple(part.left_out(frame) for part, frame in pairs), short_range


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
    """Hash the data and every setting that changes numbers; how long to train does not.

    Settings that say "as ever" stay out, so that checkpoints from before they came still fit.
    """
    free = {"epochs", "patience", "threads", "memory_limit_mb", "checkpoint_interval", "committee"}
    if not settings.repulsion:
        free |= {"repulsion", "repulsion_inner", "repulsion_outer"}
    if settings.descriptor_selection is Selection.NONE:
        free |= {"descriptor_selection", "descriptor_count", "correlation_limit"}
    chosen = {k: v for k, v in to_jsonable(settings).items() if k not in free}
    return hashlib.sha256((sha + json.dumps(chosen, sort_keys=True)).encode()).hexdigest()
