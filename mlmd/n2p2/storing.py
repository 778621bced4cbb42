"""What a step with n2p2 gave, as a document to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlmd.external.storing import finished_document, sources_of
from mlmd.hdnnp.files import INPUT, SCALING, UNITS, weights_name
from mlmd.n2p2.data import TrainingData
from mlmd.n2p2.input_files import CURVE
from mlmd.n2p2.outputs import read_columns
from mlmd.n2p2.results import n2p2_version, read_best_epoch
from mlmd.n2p2.steps import ENERGIES, StepName

VERSION = 1


def step_document(
    name: StepName, data: TrainingData, folder: Path, seconds: float, queue_id: str
) -> dict[str, Any]:
    """Return what a step did as one JSON object.

    Input and, as far as they are there, scaling, weights of the best epoch, learning curve and
    comparison with the data are in it, with settings and provenance.

    Args:
        name: of the step.
        data: what was trained on.
        folder: run directory.
        seconds: how long the step took.
        queue_id: number of the run in a batch system; may be empty.
    """
    names = [INPUT, SCALING, UNITS]
    content: dict[str, Any] = {
        "type": f"n2p2-{name.value}",
        "version": VERSION,
        "elements": data.elements,
        "settings": data.settings,
        "data": {
            "sha256": data.sha256,
            "frames": len(data.frames),
            "held_out": len(data.held_out),
            "excluded": data.excluded,
            "sources": sources_of(data.frames),
        },
        "notices": [notice.text for notice in data.notices],
    }
    if name in (StepName.TRAIN, StepName.PREDICT):
        names += [weights_name(element) for element in data.elements]
        content["learning_curve"] = _table(folder / CURVE)
        content["best_epoch"] = read_best_epoch(folder)
    if name is StepName.PREDICT:
        content["energies"] = _table(folder / ENERGIES)
    content["files"] = {
        file: (folder / file).read_text(encoding="utf-8")
        for file in names
        if (folder / file).is_file()
    }
    return finished_document(content, folder, seconds, queue_id, {"n2p2": n2p2_version(folder)})


def _table(path: Path) -> dict[str, Any]:
    names, rows = read_columns(path)
    return {name: rows[:, column].tolist() for column, name in enumerate(names)}
