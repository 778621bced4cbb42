"""Predicts structures with predict.x, and reads what it says of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mlmd.aenet.files import is_network, load_aenet, read_network
from mlmd.aenet.input_files import STRUCTURES, predict_text, structure_name
from mlmd.aenet.outputs import AENET, read_predictions
from mlmd.aenet.steps import PREDICT_PROGRAM
from mlmd.aenet.writing import save_aenet
from mlmd.errors import InvalidInput
from mlmd.external.programs import Programs, run_step
from mlmd.external.steps import Step
from mlmd.formats import write_frames
from mlmd.frame import FloatArray, Frame
from mlmd.launch import Command

INPUT, OUTPUT = "predict.in", "predict.out"


@dataclass(frozen=True)
class Predictions:
    """What aenet says of structures, with the digits that it prints.

    Args:
        energies: eV, shape (F,).
        forces: of each structure, shape (N, 3), eV/Å.
    """

    energies: FloatArray
    forces: tuple[FloatArray, ...]


def predict_frames(
    frames: Sequence[Frame], potential: Path, programs: Programs | None = None
) -> Predictions:
    """Run predict.x on structures.

    Args:
        frames: labels aren't needed.
        potential: folder of the network files.
        programs: where predict.x is.

    Raises:
        InvalidInput: no frame, no potential, or no such program.
        ProgramFailed: it failed; says why.
    """
    if not frames:
        raise InvalidInput("prediction", "no frame", "at least one")
    elements = load_aenet(potential).elements
    with TemporaryDirectory(prefix="predict-", dir=potential.parent) as name:
        place = Path(name)
        networks = _networks(potential, elements, place)
        write_frames((_labelled(frame) for frame in frames), place / STRUCTURES, "aenet")
        files = [structure_name(row) for row in range(len(frames))]
        (place / INPUT).write_text(predict_text(networks, files), encoding="utf-8")
        command = Command((PREDICT_PROGRAM, INPUT), stdout=OUTPUT)
        run_step(AENET, Step("predict", (command,), (INPUT,), ()), place, programs or Programs())
        found = list(read_predictions((place / OUTPUT).read_text(encoding="utf-8")))
        sizes = [len(frame) for frame in frames]
        if [len(forces) for _, forces in found] != sizes:
            raise AENET.failure(PREDICT_PROGRAM, [place / OUTPUT], 0)
    return Predictions(
        np.array([energy for energy, _ in found]), tuple(forces for _, forces in found)
    )


def _networks(potential: Path, elements: Sequence[str], place: Path) -> dict[str, str]:
    """Put the binary network files beside the input; return their names by element."""
    sources = sorted(path for path in potential.iterdir() if is_network(path))
    if any(path.suffix == ".ascii" for path in sources):  # predict.x reads binary files only
        sources = list(save_aenet(load_aenet(potential), place))
    names = {}
    for path in sources:
        if path.parent != place:
            shutil.copyfile(path, place / path.name)
        names[read_network(path).element] = path.name
    return {element: names[element] for element in elements}


def _labelled(frame: Frame) -> Frame:
    return frame if frame.energy is not None else replace(frame, energy=0.0)
