"""Where a training stands, and how it is kept on disk so that it can go on as if never stopped."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.training.optimisers import Optimiser
from mlmd.runs import write_bytes_atomic

CHECKPOINT_FILE = "checkpoint.npz"
CURVE_FILE = "learning-curve.csv"
VERSION = 3
OPTIMISER = "optimiser_"
CURVE_COLUMNS = (
    "epoch",
    "train_energy_rmse_mev_per_atom",
    "validation_energy_rmse_mev_per_atom",
    "train_force_rmse_mev_per_a",
    "validation_force_rmse_mev_per_a",
    "train_stress_rmse_gpa",
    "validation_stress_rmse_gpa",
    "seconds",
)


@dataclass
class TrainingState:
    """Everything that changes while training.

    Args:
        weights: current ones, shape (W,).
        best_weights: those of the best epoch.
        optimiser: what changes the weights.
        generator: source of every random choice.
        order: training frames in this epoch's order; empty between epochs.
        cursor: how many of them were visited.
        epoch: finished epochs.
        best_epoch: the best one.
        best_error: its combined error.
        curve: one row per finished epoch, as `CURVE_COLUMNS`.
        seconds: spent so far, earlier parts of the run included.
        restarts: how often the filter broke down and began anew from the best weights.
        recent: frames of the batches before, the last ones last.
    """

    weights: FloatArray
    best_weights: FloatArray
    optimiser: Optimiser
    generator: np.random.Generator
    order: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    cursor: int = 0
    epoch: int = 0
    best_epoch: int = 0
    best_error: float = np.inf
    curve: list[tuple[float, ...]] = field(default_factory=list)
    seconds: float = 0.0
    restarts: int = 0
    recent: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def save_checkpoint(state: TrainingState, fingerprint: str, path: Path) -> None:
    """Replace the checkpoint in one step."""
    small = {
        "version": VERSION,
        "fingerprint": fingerprint,
        "generator": state.generator.bit_generator.state,
        "cursor": state.cursor,
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "seconds": state.seconds,
        "restarts": state.restarts,
    }
    arrays: dict[str, Any] = {
        f"{OPTIMISER}{name}": array for name, array in state.optimiser.state().items()
    }
    buffer = io.BytesIO()
    np.savez(
        buffer,
        small=np.array(json.dumps(small)),
        weights=state.weights,
        best_weights=state.best_weights,
        best_error=np.array(state.best_error),
        order=state.order,
        recent=state.recent,
        curve=np.array(state.curve).reshape(-1, len(CURVE_COLUMNS)),
        **arrays,
    )
    write_bytes_atomic(path, buffer.getvalue())


def load_checkpoint(state: TrainingState, fingerprint: str, path: Path) -> None:
    """Bring a fresh state to where the checkpoint was written.

    Args:
        state: of the same networks; changed in place.
        fingerprint: of the data and settings of this run.
        path: the checkpoint.

    Raises:
        InvalidInput: it is damaged, or belongs to other data or settings.
    """
    where, action = str(path), "Remove it to start from the beginning."
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            content = {name: data[name] for name in data.files}
        small = json.loads(str(content["small"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput(where, f"not readable ({error})", "a checkpoint", action) from error
    if small["version"] != VERSION or small["fingerprint"] != fingerprint:
        raise InvalidInput(
            where, "a checkpoint of other data or settings", "one of this training", action
        )
    state.weights = content["weights"]
    state.best_weights = content["best_weights"]
    state.best_error = float(content["best_error"])
    state.optimiser.restore(
        {
            name.removeprefix(OPTIMISER): array
            for name, array in content.items()
            if name.startswith(OPTIMISER)
        }
    )
    state.order = content["order"]
    state.recent = content.get("recent", state.recent)
    state.curve = [tuple(row) for row in content["curve"].tolist()]
    state.generator.bit_generator.state = small["generator"]
    state.cursor, state.epoch = small["cursor"], small["epoch"]
    state.best_epoch, state.seconds = small["best_epoch"], small["seconds"]
    state.restarts = small["restarts"]


def write_curve(state: TrainingState, path: Path) -> None:
    """Write the whole learning curve; `append_curve` goes on from there."""
    lines = [",".join(CURVE_COLUMNS), *(_row(row) for row in state.curve)]
    write_bytes_atomic(path, ("\n".join(lines) + "\n").encode())


def append_curve(state: TrainingState, path: Path) -> None:
    """Add the newest epoch and hand it to readers at once."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(_row(state.curve[-1]) + "\n")


def _row(row: tuple[float, ...]) -> str:
    # Nothing to say (no validation frames, no forces) is an empty field, not a word.
    numbers = ["" if np.isnan(value) else f"{value:.4f}" for value in row[1:]]
    return ",".join([f"{int(row[0])}", *numbers])
