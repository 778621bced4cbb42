"""What finished trainings say, in the words that every family and trainer share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from mlmd.hdnnp.automatic import automatic_functions, function_lines
from mlmd.hdnnp.pruning import Reason
from mlmd.hdnnp.pruning_record import read_pruning
from mlmd.hdnnp.training import GroupErrors, TrainingSettings
from mlmd.hdnnp.training.screening import Exclusion


class Trained(Protocol):
    """The part that the results of all trainers have in common."""

    @property
    def frames_training(self) -> int:
        """How many frames were learned from."""

    @property
    def frames_validation(self) -> int:
        """How many were held out."""

    @property
    def excluded(self) -> Sequence[Exclusion]:
        """Frames left out, with reasons."""

    @property
    def training(self) -> GroupErrors:
        """Errors over the frames that were learned from."""

    @property
    def validation(self) -> GroupErrors:
        """Errors over those held out."""

    @property
    def by_element(self) -> Iterable[GroupErrors]:
        """Force errors of each element, training and validation."""

    @property
    def by_kind(self) -> Iterable[GroupErrors]:
        """Errors of each kind of configuration, training and validation."""

    @property
    def epochs(self) -> int:
        """Epochs done."""

    @property
    def best_epoch(self) -> int:
        """The one whose weights were taken."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All of them by name, the seed among them."""

    @property
    def data_sha256(self) -> str:
        """Of all frames given."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Of the programs."""

    @property
    def pruning(self) -> Mapping[str, Any] | None:
        """Which automatic functions were kept and dropped; None where all were kept."""


def validation_of(result: Trained) -> dict[str, Any]:
    """Return what the card shows (`potentials.cards`); JSON."""
    return {
        "training_frames": result.frames_training,
        "validation_frames": result.frames_validation,
        "excluded": [f"{frame.index + 1}: {frame.reason}" for frame in result.excluded],
        "training": entry([result.training]),
        "validation": entry([result.validation]),
        "by_element": grouped(result.by_element),
        "by_kind": grouped(result.by_kind),
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "seed": result.settings["seed"],
        "versions": dict(result.versions),
        "frames_checksum": result.data_sha256,
        "descriptors": descriptors_of(result.pruning),
    }


def descriptors_of(record: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return for each element how many automatic functions were made, kept and dropped; JSON."""
    if record is None:
        return []
    return [
        {
            "element": part.element,
            "offered": part.offered,
            "kept": len(part.kept),
            **{reason.value: part.count(reason) for reason in Reason},
        }
        for part in read_pruning(record, "result").elements
    ]


def grouped(errors: Iterable[GroupErrors]) -> list[dict[str, Any]]:
    """Return one entry for each element or kind, with both parts side by side, for the card."""
    groups: dict[str, list[GroupErrors]] = {}
    for error in errors:
        groups.setdefault(error.name, []).append(error)
    return [entry(parts) for parts in groups.values()]


def entry(parts: list[GroupErrors]) -> dict[str, Any]:
    """Return the errors of one group, training and validation, for the card."""
    values: dict[str, Any] = {"label": parts[0].name}
    for error in parts:
        part = "train" if error.part == "training" else "validation"
        values[f"{part}_count"] = error.frames
        values[f"{part}_energy"] = error.energy_rmse
        values[f"{part}_force"] = error.force_rmse
        if error.stress_rmse is not None:
            values[f"{part}_stress"] = error.stress_rmse  # GPa
    return values


def automatic_lines(settings: TrainingSettings, elements: tuple[str, ...]) -> str:
    """Return the lines of ``input.nn`` with the descriptors that settings choose for elements."""
    functions = automatic_functions(
        elements,
        settings.cutoff_radius,
        settings.radial_functions,
        settings.widths,
        settings.zetas,
    )
    return function_lines(functions)
