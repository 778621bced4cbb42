"""What a training with aenet gave: the potential, its errors, parity, in our engine's words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

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
from mlmd.external.results import (
    ExternalResult,
    described,
    parity_of,
    result_fields,
    write_parity,
)
from mlmd.formats import open_frames
from mlmd.hdnnp.training import PARITY_FILE
from mlmd.hdnnp.training.results import load_parity
from mlmd.runs import read_json, write_json_atomic

SPEC_FILE = "aenet.json"


@dataclass(frozen=True)
class AenetResult(ExternalResult[LearningCurve]):
    """A finished training with aenet."""


def write_spec(data: AenetData, folder: Path, name: str = "", checksum: str = "") -> None:
    """Write what `finish` and `collect` need to know beside the programs' own files."""
    write_json_atomic(folder / SPEC_FILE, described(data, name, checksum))


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
    evaluator = AenetEvaluator(load_aenet(folder / POTENTIAL_FOLDER), threads)
    found = [evaluator.compute(f.numbers, f.positions, f.cell, f.pbc) for f in frames]
    evaluator.close()
    energies = [evaluation.energy for evaluation in found]
    if not all(map(math.isfinite, energies)):
        raise InvalidInput(POTENTIAL_FOLDER, "energies that aren't numbers", "finite energies")
    forces = [evaluation.forces for evaluation in found]
    write_parity(parity_of(spec, frames, read_held_out(folder), energies, forces), folder)


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
    return AenetResult(
        **result_fields(
            spec,
            parity,
            curve,
            read_best_epoch(folder),
            {"mlmd": __version__},
            folder / POTENTIAL_FOLDER,
        )
    )
