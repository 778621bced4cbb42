"""What a training with somebody else's program gave, in our engine's words."""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.pruning import Pruning
from mlmd.hdnnp.pruning_record import pruning_record
from mlmd.hdnnp.training import PARITY_FILE, Exclusion, GroupErrors, Notice, Parity
from mlmd.hdnnp.training.results import grouped_errors
from mlmd.hdnnp.training.screening import group_of
from mlmd.runs import write_bytes_atomic


class Curve(Protocol):
    """Errors after every epoch."""

    @property
    def epoch(self) -> FloatArray:
        """Shape (E,)."""

    def __len__(self) -> int: ...


class Data(Protocol):
    """Frames that a program was given, and what is known of them."""

    @property
    def settings(self) -> Any: ...
    @property
    def frames(self) -> tuple[Frame, ...]: ...
    @property
    def indices(self) -> tuple[int, ...]: ...
    @property
    def elements(self) -> tuple[str, ...]: ...
    @property
    def excluded(self) -> tuple[Exclusion, ...]: ...
    @property
    def notices(self) -> tuple[Notice, ...]: ...
    @property
    def sha256(self) -> str: ...
    @property
    def pruning(self) -> Pruning | None: ...


C = TypeVar("C", bound=Curve)


@dataclass(frozen=True)
class ExternalResult(Generic[C]):
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
        pruning: which automatic functions were kept and dropped, and why, as `read_pruning` of
            `mlmd.hdnnp.pruning_record` reads it; None where all that tell something were kept.
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
    curve: C
    settings: Mapping[str, Any]
    data_sha256: str
    versions: Mapping[str, str]
    potential: Path
    pruning: Mapping[str, Any] | None = None


def described(data: Data, name: str, checksum: str) -> dict[str, Any]:
    """Return what has to be known, later, beside the program's own files."""
    return {
        "name": name,
        "data_checksum": checksum,
        "data_sha256": data.sha256,
        "settings": data.settings,
        "elements": data.elements,
        "indices": data.indices,
        "kinds": [group_of(frame) for frame in data.frames],
        "excluded": data.excluded,
        "notices": [notice.text for notice in data.notices],
        "pruning": None if data.pruning is None else pruning_record(data.pruning),
    }


def result_fields(
    spec: Mapping[str, Any],
    parity: Parity,
    curve: C,
    best_epoch: int,
    versions: Mapping[str, str],
    potential: Path,
) -> dict[str, Any]:
    """Return the fields of a result.

    Args:
        spec: what `described` gave, as it was read.
        parity: of the potential with its frames.
        curve: errors after every epoch.
        best_epoch: the one whose weights were taken.
        versions: of the programs.
        potential: its folder.
    """
    elements = tuple(spec["elements"])
    training, validation, by_element, by_kind = grouped_errors(parity, elements)
    return {
        "elements": elements,
        "frames_training": training.frames,
        "frames_validation": validation.frames,
        "excluded": tuple(Exclusion(**item) for item in spec["excluded"]),
        "notices": tuple(spec["notices"]),
        "training": training,
        "validation": validation,
        "by_element": by_element,
        "by_kind": by_kind,
        "epochs": int(curve.epoch[-1]) if len(curve) else 0,
        "best_epoch": best_epoch,
        "curve": curve,
        "settings": spec["settings"],
        "data_sha256": spec["data_sha256"],
        "versions": versions,
        "potential": potential,
        "pruning": spec.get("pruning"),
    }


def parity_of(
    spec: Mapping[str, Any],
    frames: Sequence[Frame],
    held_out: Collection[int],
    energies: Sequence[float] | FloatArray,
    forces: Sequence[FloatArray] | None,
) -> Parity:
    """Return reference against potential.

    Args:
        spec: what `described` gave, as it was read.
        frames: as the program was given them, F of them.
        held_out: rows of the frames that were not learned from.
        energies: predicted, shape (F,), eV.
        forces: predicted, shape (N, 3) each, eV/Å; those of frames without a reference don't
            count. None where the program says nothing of forces.
    """
    sizes = np.array([len(frame) for frame in frames])
    known = [
        (row, frame.numbers, frame.forces, forces[row])
        for row, frame in enumerate(frames)
        if forces is not None and frame.forces is not None
    ]
    none = np.zeros(0)
    return Parity(
        frame=np.array(spec["indices"], np.int64),
        kind=np.array(spec["kinds"], np.str_),
        validation=np.array([row in held_out for row in range(len(frames))]),
        energy_reference=np.array([math.nan if f.energy is None else f.energy for f in frames])
        / sizes,
        energy_predicted=np.asarray(energies) / sizes,
        force_row=np.concatenate([none, *(np.full(f.size, row) for row, _, f, _ in known)]).astype(
            np.int32
        ),
        force_number=np.concatenate([none, *(np.repeat(n, 3) for _, n, _, _ in known)]).astype(
            np.uint8
        ),
        force_reference=np.concatenate([none, *(f.ravel() for _, _, f, _ in known)]).astype(
            np.float32
        ),
        force_predicted=np.concatenate([none, *(p.ravel() for _, _, _, p in known)]).astype(
            np.float32
        ),
    )


def write_parity(parity: Parity, folder: Path) -> None:
    """Write ``parity.npz``."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **vars(parity))
    write_bytes_atomic(folder / PARITY_FILE, buffer.getvalue())
