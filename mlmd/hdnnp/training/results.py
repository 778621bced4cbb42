"""What comes out of a training: the potential, its errors, and what was done to get there."""

from __future__ import annotations

import io
import math
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from ase.data import atomic_numbers
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from mlmd import __version__
from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.files import save_potential
from mlmd.hdnnp.pruning_record import pruning_record
from mlmd.hdnnp.training.screening import Exclusion, Notice, group_of
from mlmd.hdnnp.training.setup import Setup
from mlmd.hdnnp.training.short_range import ShortRange
from mlmd.hdnnp.training.state import TrainingState
from mlmd.runs import read_json, to_jsonable, write_bytes_atomic, write_json_atomic
from mlmd.units import EV_PER_A3_IN_GPA

RESULT_FILE = "result.json"
PARITY_FILE = "parity.npz"
POTENTIAL_FOLDER = "potential"
VERSION = 1


@dataclass(frozen=True)
class GroupErrors:
    """Errors of one part of the frames; None where it has nothing to compare.

    Args:
        name: ``"training"``, ``"validation"``, an element or a kind of configuration.
        part: ``"training"`` or ``"validation"``.
        frames: how many.
        energy_rmse: meV/atom.
        energy_mae: meV/atom.
        force_rmse: of the components, meV/Å.
        force_mae: meV/Å.
        stress_rmse: of the six components, GPa.
        stress_mae: GPa.
    """

    name: str
    part: str
    frames: int
    energy_rmse: float | None
    energy_mae: float | None
    force_rmse: float | None
    force_mae: float | None
    stress_rmse: float | None = None
    stress_mae: float | None = None


@dataclass(frozen=True)
class TrainingResult:
    """A finished training.

    Args:
        elements: of the potential.
        frames_given: how many were selected.
        frames_training: how many were learned from.
        frames_validation: how many were held out.
        excluded: the others, with reasons; indices into the selected frames.
        validation_indices: held-out ones among the selected frames.
        notices: warnings.
        training: errors over all training frames.
        validation: errors over the held-out frames; of zero frames where none were.
        by_element: force errors on each element's atoms, training and validation.
        by_kind: errors of each kind of configuration, training and validation.
        epochs: epochs done.
        best_epoch: the one whose weights the potential has.
        stopped_early: nothing improved for as long as the patience lasted.
        functions: number of symmetry functions of each element.
        weights: number of fitted weights.
        settings: all of them by name.
        seed: of all random choices.
        data_sha256: of the selected frames.
        seconds: time of the training.
        versions: of the programs that decide the numbers.
        potential: folder of the potential.
        pruning: which automatic functions were kept and dropped, and why, as `read_pruning` of
            `mlmd.hdnnp.pruning_record` reads it; None where all that tell something were kept.
    """

    elements: tuple[str, ...]
    frames_given: int
    frames_training: int
    frames_validation: int
    excluded: tuple[Exclusion, ...]
    validation_indices: tuple[int, ...]
    notices: tuple[Notice, ...]
    training: GroupErrors
    validation: GroupErrors
    by_element: tuple[GroupErrors, ...]
    by_kind: tuple[GroupErrors, ...]
    epochs: int
    best_epoch: int
    stopped_early: bool
    functions: Mapping[str, int]
    weights: int
    settings: Mapping[str, Any]
    seed: int
    data_sha256: str
    seconds: float
    versions: Mapping[str, str]
    potential: Path
    pruning: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Parity:
    """Reference against potential for every used frame.

    Args:
        frame: index among the selected frames, shape (F,).
        kind: kind of configuration, shape (F,).
        validation: whether it was held out, shape (F,).
        energy_reference: eV/atom, NaN where unknown, shape (F,).
        energy_predicted: eV/atom, shape (F,).
        force_row: row of the frame that each component belongs to, shape (C,).
        force_number: atomic number of its atom, shape (C,).
        force_reference: eV/Å, shape (C,).
        force_predicted: eV/Å, shape (C,).
        stress_row: row of the frame that each stress component belongs to, shape (T,).
        stress_reference: GPa, six components of a frame in Voigt's order, shape (T,).
        stress_predicted: GPa, shape (T,).
    """

    frame: NDArray[np.int64]
    kind: NDArray[np.str_]
    validation: NDArray[np.bool_]
    energy_reference: FloatArray
    energy_predicted: FloatArray
    force_row: NDArray[np.int32]
    force_number: NDArray[np.uint8]
    force_reference: NDArray[np.float32]
    force_predicted: NDArray[np.float32]
    stress_row: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    stress_reference: FloatArray = field(default_factory=lambda: np.zeros(0))
    stress_predicted: FloatArray = field(default_factory=lambda: np.zeros(0))


def write_results(setup: Setup, state: TrainingState, given: int, run_dir: Path) -> None:
    """Write the best epoch's potential, the parity data and, last, ``result.json``."""
    save_potential(setup.potential(state.best_weights), run_dir / POTENTIAL_FOLDER)
    parity = compare(setup, state.best_weights)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **vars(parity))
    write_bytes_atomic(run_dir / PARITY_FILE, buffer.getvalue())
    result = _summarise(setup, state, parity, given)
    write_json_atomic(run_dir / RESULT_FILE, {"version": VERSION, **to_jsonable(result)})


def compare(setup: Setup, weights: FloatArray) -> Parity:
    """Evaluate every used frame with these weights."""
    unit = setup.conversion.conv_energy
    held = set(setup.validation)
    references, predictions, rows, numbers, forces, modelled = [], [], [], [], [], []
    stress_rows, stresses, pulled = [], [], []
    for row, prepared in enumerate(setup.store.visit(range(len(setup.frames)))):
        frame = setup.frames[row]
        prediction = setup.model.predict(weights, [prepared])
        # On both sides, so that the errors are the networks' and the numbers the whole.
        short = setup.short_range[row] if setup.short_range else ShortRange.nothing(len(frame))
        base = sum(
            len(part.scaled) * energy
            for part, energy in zip(prepared.elements, setup.conversion.atom_energies, strict=True)
        )
        known = math.nan if frame.energy is None else frame.energy + short.energy
        references.append(known / len(frame))
        predictions.append((prediction.energies[0] / unit + base + short.energy) / len(frame))
        if frame.forces is not None:
            rows.append(np.full(frame.forces.size, row, np.int32))
            numbers.append(np.repeat(frame.numbers, 3))
            push = short.forces.ravel()
            forces.append((frame.forces.ravel() + push).astype(np.float32))
            modelled.append((prediction.forces[0] / unit + push).astype(np.float32))
        if prepared.virial is not None:
            scale = EV_PER_A3_IN_GPA / (unit * setup.volumes[row])
            stress_rows.append(np.full(6, row, np.int32))
            pressed = EV_PER_A3_IN_GPA * full_3x3_to_voigt_6_stress(short.stress)
            stresses.append(prepared.virial * scale + pressed)
            pulled.append(prediction.virials[0] * scale + pressed)
    return Parity(
        np.array(setup.survey.kept, np.int64),
        np.array([group_of(frame) for frame in setup.frames], np.str_),
        np.array([row in held for row in range(len(setup.frames))]),
        np.array(references),
        np.array(predictions),
        np.concatenate(rows) if rows else np.zeros(0, np.int32),
        np.concatenate(numbers) if numbers else np.zeros(0, np.uint8),
        np.concatenate(forces) if forces else np.zeros(0, np.float32),
        np.concatenate(modelled) if modelled else np.zeros(0, np.float32),
        np.concatenate(stress_rows) if stress_rows else np.zeros(0, np.int32),
        np.concatenate(stresses) if stresses else np.zeros(0),
        np.concatenate(pulled) if pulled else np.zeros(0),
    )


def load_parity(path: Path) -> Parity:
    """Read ``parity.npz``.

    Raises:
        InvalidInput: it is missing or damaged.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            return Parity(**{name: data[name] for name in data.files})
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput(str(path), f"not readable ({error})", "parity data") from error


def collect(run_dir: Path | str) -> TrainingResult:
    """Read what a training left in its run directory.

    Raises:
        InvalidInput: the training didn't finish, or its files are damaged.
    """
    folder = Path(run_dir)
    content = read_json(folder / RESULT_FILE)
    if content.pop("version", None) != VERSION:
        raise InvalidInput(str(folder / RESULT_FILE), "another version", f"version {VERSION}")
    if not (folder / POTENTIAL_FOLDER / "input.nn").is_file():
        raise InvalidInput(str(folder), "no potential", f"the folder {POTENTIAL_FOLDER}")
    try:
        content["potential"] = folder / POTENTIAL_FOLDER
        for name in ("training", "validation"):
            content[name] = GroupErrors(**content[name])
        for name in ("by_element", "by_kind"):
            content[name] = tuple(GroupErrors(**item) for item in content[name])
        content["excluded"] = tuple(Exclusion(**item) for item in content["excluded"])
        content["notices"] = tuple(Notice(**item) for item in content["notices"])
        content["elements"] = tuple(content["elements"])
        content["validation_indices"] = tuple(content["validation_indices"])
        return TrainingResult(**content)
    except (KeyError, TypeError) as error:
        raise InvalidInput(
            str(folder / RESULT_FILE), f"entries that don't fit ({error})", "a training's result"
        ) from error


def _summarise(setup: Setup, state: TrainingState, parity: Parity, given: int) -> TrainingResult:
    training, validation, by_element, by_kind = grouped_errors(parity, setup.elements)
    return TrainingResult(
        elements=setup.elements,
        frames_given=given,
        frames_training=len(setup.training),
        frames_validation=len(setup.validation),
        excluded=setup.survey.exclusions,
        validation_indices=tuple(parity.frame[parity.validation].tolist()),
        notices=setup.notices,
        training=training,
        validation=validation,
        by_element=by_element,
        by_kind=by_kind,
        epochs=state.epoch,
        best_epoch=state.best_epoch,
        stopped_early=state.epoch < setup.settings.epochs,
        functions={element: len(setup.functions[element]) for element in setup.elements},
        weights=setup.model.weight_count,
        settings=to_jsonable(setup.settings),
        seed=setup.settings.seed,
        data_sha256=setup.data_sha256,
        seconds=round(state.seconds, 3),
        versions={
            "mlmd": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        potential=Path(POTENTIAL_FOLDER),
        pruning=None if setup.pruning is None else pruning_record(setup.pruning),
    )


def grouped_errors(
    parity: Parity, elements: tuple[str, ...]
) -> tuple[GroupErrors, GroupErrors, tuple[GroupErrors, ...], tuple[GroupErrors, ...]]:
    """Return errors over the training frames, the held-out ones, by element and by kind."""
    parts = {"training": ~parity.validation, "validation": parity.validation}
    by_element: list[GroupErrors] = []
    by_kind: list[GroupErrors] = []
    for part, chosen in parts.items():
        kinds = sorted(set(parity.kind[chosen].tolist()))
        by_element += [_errors_of_element(e, part, chosen, parity) for e in elements]
        by_kind += [_errors(k, part, chosen & (parity.kind == k), parity) for k in kinds]
    training, validation = (_errors(part, part, chosen, parity) for part, chosen in parts.items())
    return training, validation, tuple(by_element), tuple(by_kind)


def _errors(name: str, part: str, chosen: NDArray[np.bool_], parity: Parity) -> GroupErrors:
    energy = (parity.energy_predicted - parity.energy_reference)[chosen]
    force = _force_errors(parity)[chosen[parity.force_row]]
    stress = (parity.stress_predicted - parity.stress_reference)[chosen[parity.stress_row]]
    return _group(name, part, int(chosen.sum()), energy, force, stress)


def _errors_of_element(
    element: str, part: str, chosen: NDArray[np.bool_], parity: Parity
) -> GroupErrors:
    here = chosen[parity.force_row] & (parity.force_number == atomic_numbers[element])
    frames = len(np.unique(parity.force_row[here]))
    return _group(element, part, frames, np.zeros(0), _force_errors(parity)[here], np.zeros(0))


def _force_errors(parity: Parity) -> FloatArray:
    return parity.force_predicted.astype(np.float64) - parity.force_reference


def _group(
    name: str,
    part: str,
    frames: int,
    energy: FloatArray,
    force: FloatArray,
    stress: FloatArray,
) -> GroupErrors:
    energy = 1000.0 * energy[np.isfinite(energy)]
    force = 1000.0 * force
    return GroupErrors(
        name, part, frames, _rms(energy), _mean(energy), _rms(force), _mean(force),
        _rms(stress), _mean(stress),
    )  # fmt: skip


def _rms(errors: FloatArray) -> float | None:
    return float(np.sqrt(np.mean(errors * errors))) if len(errors) else None


def _mean(errors: FloatArray) -> float | None:
    return float(np.mean(np.abs(errors))) if len(errors) else None
