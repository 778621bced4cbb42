"""What a training with n2p2 gave: the potential, its errors, parity, in our engine's words."""

from __future__ import annotations

import io
import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlmd import __version__
from mlmd.errors import InvalidInput
from mlmd.formats import read_frames
from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.files import INPUT, SCALING, UNITS, load_potential, weights_name
from mlmd.hdnnp.potential import Potential
from mlmd.hdnnp.training import PARITY_FILE, POTENTIAL_FOLDER, GroupErrors, Parity
from mlmd.hdnnp.training.results import grouped_errors
from mlmd.hdnnp.training.screening import Exclusion, group_of
from mlmd.n2p2.data import TrainingData
from mlmd.n2p2.input_files import BEST, CURVE, DATA
from mlmd.n2p2.outputs import LearningCurve, read_comparison, read_learning_curve, read_test_rows
from mlmd.n2p2.steps import ENERGIES, FORCES
from mlmd.runs import read_json, to_jsonable, write_bytes_atomic, write_json_atomic

SPEC_FILE = "n2p2.json"
TEST_DATA = "test.data"
_HEAD = 100_000  # characters of a log in which a program says its version
_VERSION = re.compile(r"\(from git\):\s*(\S+)")


@dataclass(frozen=True)
class N2p2Result:
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


def write_spec(data: TrainingData, folder: Path, name: str = "", checksum: str = "") -> None:
    """Write what `collect` needs to know beside the programs' own files."""
    content = {
        "name": name,
        "data_checksum": checksum,
        "data_sha256": data.sha256,
        "settings": data.settings,
        "elements": data.elements,
        "indices": data.indices,
        "kinds": [group_of(frame) for frame in data.frames],
        "held_out": sorted(data.held_out),
        "has_forces": data.has_forces,
        "excluded": data.excluded,
        "notices": [notice.text for notice in data.notices],
    }
    write_json_atomic(folder / SPEC_FILE, content)


def collect(run_dir: Path | str) -> N2p2Result:
    """Read what a training left, and write ``potential/`` and ``parity.npz`` from it.

    Raises:
        InvalidInput: a file is missing or damaged, or errors aren't numbers.
    """
    folder = Path(run_dir)
    spec = read_json(folder / SPEC_FILE)
    elements = tuple(spec["elements"])
    potential = copy_potential(folder, elements)
    load_potential(potential)
    curve = read_learning_curve(folder / CURVE)
    held = read_test_rows(folder / TEST_DATA)
    held_out = frozenset(spec["held_out"]) if held is None else held
    parity = _parity(folder, spec, held_out)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **vars(parity))
    write_bytes_atomic(folder / PARITY_FILE, buffer.getvalue())
    training, validation, by_element, by_kind = grouped_errors(parity, elements)
    return N2p2Result(
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
        versions={"mlmd": __version__, "n2p2": n2p2_version(folder)},
        potential=potential,
    )


def copy_potential(folder: Path, elements: Sequence[str]) -> Path:
    """Copy the files of the potential into a folder of their own; return it.

    Raises:
        InvalidInput: one is missing.
    """
    target = folder / POTENTIAL_FOLDER
    target.mkdir(exist_ok=True)
    for name in (INPUT, SCALING, UNITS, *map(weights_name, elements)):
        if not (folder / name).is_file():
            raise InvalidInput(name, f"no such file in {folder}", "it", "Run the training first.")
        shutil.copyfile(folder / name, target / name)
    return target


def read_best_epoch(folder: Path) -> int:
    """Return the epoch whose weights were taken."""
    try:
        return int((folder / BEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(BEST, str(error), "the number of an epoch") from error


def n2p2_version(folder: Path) -> str:
    """Return the version that nnp-train printed; empty where it didn't."""
    for name in ("nnp-train.out", "job.log"):
        if (folder / name).is_file():
            with (folder / name).open(encoding="utf-8", errors="replace") as stream:
                match = _VERSION.search(stream.read(_HEAD))
            if match:
                return match[1]
    return ""


def _parity(folder: Path, spec: Mapping[str, Any], held_out: frozenset[int]) -> Parity:
    frames = list(read_frames(folder / DATA, format="n2p2"))
    sizes = np.array([len(frame) for frame in frames])
    _reference, energies = read_comparison(folder / ENERGIES, "E")
    if len(energies) != len(frames) or len(frames) != len(spec["kinds"]):
        raise InvalidInput(
            ENERGIES, f"{len(energies)} structures", f"{len(frames)}, as {DATA} has them"
        )
    forces, predicted, numbers, rows = _forces(folder, frames) if spec["has_forces"] else _NONE
    return Parity(
        frame=np.array(spec["indices"], np.int64),
        kind=np.array(spec["kinds"], np.str_),
        validation=np.array([row in held_out for row in range(len(frames))]),
        energy_reference=np.array([math.nan if f.energy is None else f.energy for f in frames])
        / sizes,
        energy_predicted=energies / sizes,
        force_row=rows,
        force_number=numbers,
        force_reference=forces.astype(np.float32),
        force_predicted=predicted.astype(np.float32),
    )


_NONE = (np.zeros(0), np.zeros(0), np.zeros(0, np.uint8), np.zeros(0, np.int32))


def _forces(folder: Path, frames: Sequence[Frame]) -> tuple[Any, Any, Any, Any]:
    reference: FloatArray = np.concatenate(
        [frame.forces.ravel() for frame in frames if frame.forces is not None]
    )
    _printed, predicted = read_comparison(folder / FORCES, "F")
    if len(predicted) != len(reference):
        raise InvalidInput(FORCES, f"{len(predicted)} components", f"{len(reference)}")
    if not np.isfinite(predicted).all():
        raise InvalidInput(FORCES, "forces that aren't numbers", "finite forces")
    numbers = np.concatenate([np.repeat(frame.numbers, 3) for frame in frames])
    rows = np.repeat(np.arange(len(frames), dtype=np.int32), [3 * len(f) for f in frames])
    return reference, predicted, numbers, rows


def result_json(result: N2p2Result) -> dict[str, Any]:
    """Return a result in JSON's own types, without the place of its files."""
    content: dict[str, Any] = to_jsonable(result)
    content.pop("potential")
    return content


def best_potential(folder: Path, elements: Sequence[str]) -> Potential:
    """Return the potential of a folder that n2p2 worked in."""
    return load_potential(copy_potential(folder, elements))
