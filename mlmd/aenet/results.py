"""What a training with aenet gave: the potential, its errors, parity, in our engine's words."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlmd import __version__
from mlmd.aenet.data import AenetData
from mlmd.aenet.evaluator import AenetEvaluator
from mlmd.aenet.files import load_aenet
from mlmd.aenet.input_files import POTENTIAL_FOLDER, STRUCTURES, TRAIN_LOG
from mlmd.aenet.outputs import (
    LearningCurve,
    read_best_epoch,
    read_held_out,
    read_learning_curve,
)
from mlmd.errors import InvalidInput
from mlmd.formats import open_frames
from mlmd.frame import Frame
from mlmd.hdnnp.training import PARITY_FILE, Exclusion, GroupErrors, Parity
from mlmd.hdnnp.training.results import grouped_errors, load_parity
from mlmd.hdnnp.training.screening import group_of
from mlmd.runs import read_json, write_bytes_atomic, write_json_atomic

SPEC_FILE = "aenet.json"


@dataclass(frozen=True)
class AenetResult:
    """A finished training.

    Args:
        elements: of the potential, sorted by atomic number.
        frames_training: how many were learned from.
        frames_validation: how many were held out.
        excluded: frames left out, with reasons.
        notices: warnings, one sentence each.
        training: errors over the frames that were learned from.
        validation: errors over those held out.
        by_element: force errors of each element, training and validation.
        by_kind: errors of each kind of configuration, training and validation.
        epochs: epochs done.
        best_epoch: the one whose weights were taken.
        curve: errors after every epoch.
        settings: all of them by name.
        data_sha256: of all frames given.
        versions: of the programs.
        potential: folder of the potential.
    """

    elements: tuple[str, ...]
    frames_training: int
    frames_validation: int
    excluded: tuple[Exclusion, ...]
    notices: tuple[str, ...]
    training: GroupErrors
    validation: GroupErrors
    by_element: tuple[GroupErrors, ...]
    by_kind: tuple[GroupErrors, ...]
    epochs: int
    best_epoch: int
    curve: LearningCurve
    settings: Mapping[str, Any]
    data_sha256: str
    versions: Mapping[str, str]
    potential: Path


def write_spec(data: AenetData, folder: Path, name: str = "", checksum: str = "") -> None:
    """Write what `finish` and `collect` need to know beside the programs' own files."""
    content = {
        "name": name,
        "data_checksum": checksum,
        "data_sha256": data.sha256,
        "settings": data.settings,
        "elements": data.elements,
        "indices": data.indices,
        "kinds": [group_of(frame) for frame in data.frames],
        "excluded": data.excluded,
        "notices": [notice.text for notice in data.notices],
    }
    write_json_atomic(folder / SPEC_FILE, content)


def finish(run_dir: Path | str, threads: int | None = None) -> None:
    """Compare the potential with its structures by our own engine; writes ``parity.npz``.

    Raises:
        InvalidInput: a file is missing or damaged.
    """
    folder = Path(run_dir)
    spec = read_json(folder / SPEC_FILE)
    frames = list(open_frames(folder / STRUCTURES, "aenet"))
    if len(frames) != len(spec["kinds"]):
        raise InvalidInput(STRUCTURES, f"{len(frames)} structures", f"{len(spec['kinds'])}")
    parity = _parity(spec, frames, folder, threads)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **vars(parity))
    write_bytes_atomic(folder / PARITY_FILE, buffer.getvalue())


def collect(run_dir: Path | str) -> AenetResult:
    """Read what a training left, after `finish`.

    Raises:
        InvalidInput: a file is missing or damaged, or errors aren't numbers.
    """
    folder = Path(run_dir)
    spec = read_json(folder / SPEC_FILE)
    elements = tuple(spec["elements"])
    potential = load_aenet(folder / POTENTIAL_FOLDER)
    if potential.elements != elements:
        raise InvalidInput(POTENTIAL_FOLDER, " ".join(potential.elements), " ".join(elements))
    curve = read_learning_curve(folder / TRAIN_LOG)
    parity = load_parity(folder / PARITY_FILE)
    training, validation, by_element, by_kind = grouped_errors(parity, elements)
    return AenetResult(
        elements=elements,
        frames_training=training.frames,
        frames_validation=validation.frames,
        excluded=tuple(Exclusion(**item) for item in spec["excluded"]),
        notices=tuple(spec["notices"]),
        training=training,
        validation=validation,
        by_element=by_element,
        by_kind=by_kind,
        epochs=int(curve.epoch[-1]) if len(curve) else 0,
        best_epoch=read_best_epoch(folder),
        curve=curve,
        settings=spec["settings"],
        data_sha256=spec["data_sha256"],
        versions={"mlmd": __version__},
        potential=folder / POTENTIAL_FOLDER,
    )


def _parity(
    spec: Mapping[str, Any], frames: Sequence[Frame], folder: Path, threads: int | None
) -> Parity:
    evaluator = AenetEvaluator(load_aenet(folder / POTENTIAL_FOLDER), threads)
    held_out = read_held_out(folder)
    found = [evaluator.compute(f.numbers, f.positions, f.cell, f.pbc) for f in frames]
    evaluator.close()
    sizes = np.array([len(frame) for frame in frames])
    if not all(math.isfinite(evaluation.energy) for evaluation in found):
        raise InvalidInput(POTENTIAL_FOLDER, "energies that aren't numbers", "finite energies")
    parity = Parity(
        frame=np.array(spec["indices"], np.int64),
        kind=np.array(spec["kinds"], np.str_),
        validation=np.array([row in held_out for row in range(len(frames))]),
        energy_reference=np.array([math.nan if f.energy is None else f.energy for f in frames])
        / sizes,
        energy_predicted=np.array([evaluation.energy for evaluation in found]) / sizes,
        force_row=np.zeros(0, np.int32),
        force_number=np.zeros(0, np.uint8),
        force_reference=np.zeros(0, np.float32),
        force_predicted=np.zeros(0, np.float32),
    )
    known = [
        (row, frame.numbers, frame.forces, found[row].forces)
        for row, frame in enumerate(frames)
        if frame.forces is not None
    ]
    if not known:
        return parity
    return replace(
        parity,
        force_row=np.concatenate([np.full(f.size, row, np.int32) for row, _, f, _ in known]),
        force_number=np.concatenate([np.repeat(numbers, 3) for _, numbers, _, _ in known]),
        force_reference=np.concatenate([f.ravel() for _, _, f, _ in known]).astype(np.float32),
        force_predicted=np.concatenate([p.ravel() for _, _, _, p in known]).astype(np.float32),
    )
