"""What a step with aenet gave, as a document to keep."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlmd.aenet.data import AenetData
from mlmd.aenet.input_files import GENERATE, POTENTIAL_FOLDER, TRAIN, TRAIN_LOG
from mlmd.aenet.outputs import read_best_epoch, read_held_out, read_learning_curve
from mlmd.aenet.steps import StepName
from mlmd.external.storing import finished_document, sources_of

VERSION = 1


def step_document(
    name: StepName, data: AenetData, folder: Path, seconds: float, queue_id: str
) -> Mapping[str, Any]:
    """Return what a step did as one JSON object.

    Inputs and, after the training, networks of the best epoch (base64, since they are binary) and
    learning curve are in it, with settings and provenance.

    Args:
        name: of the step.
        data: what was trained on.
        folder: run directory.
        seconds: how long the step took.
        queue_id: number of the run in a batch system; may be empty.
    """
    inputs = (GENERATE, TRAIN, *(f"{element}.stp" for element in data.elements))
    content: dict[str, Any] = {
        "type": f"aenet-{name.value}",
        "version": VERSION,
        "elements": data.elements,
        "settings": data.settings,
        "data": {
            "sha256": data.sha256,
            "frames": len(data.frames),
            "excluded": data.excluded,
            "sources": sources_of(data.frames),
        },
        "notices": [notice.text for notice in data.notices],
        "files": {
            file: (folder / file).read_text(encoding="utf-8")
            for file in inputs
            if (folder / file).is_file()
        },
    }
    if name is StepName.TRAIN:
        content["data"]["held_out"] = len(read_held_out(folder))
        curve = read_learning_curve(folder / TRAIN_LOG)
        content["learning_curve"] = {key: values.tolist() for key, values in vars(curve).items()}
        content["best_epoch"] = read_best_epoch(folder)
        content["networks"] = {
            path.name: base64.b64encode(path.read_bytes()).decode("ascii")
            for path in sorted((folder / POTENTIAL_FOLDER).glob("*.nn"))
        }
    return finished_document(content, folder, seconds, queue_id, {})
