"""What a training with n2p2 gave: the potential, its errors, parity, in our engine's words."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlmd import __version__
from mlmd.errors import InvalidInput
from mlmd.external.results import (
    ExternalResult,
    described,
    parity_of,
    result_fields,
    write_parity,
)
from mlmd.formats import read_frames
from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.files import INPUT, SCALING, UNITS, load_potential, weights_name
from mlmd.hdnnp.potential import Potential
from mlmd.hdnnp.training import POTENTIAL_FOLDER, Parity
from mlmd.n2p2.data import TrainingData
from mlmd.n2p2.input_files import BEST, CURVE, DATA
from mlmd.n2p2.outputs import LearningCurve, read_comparison, read_learning_curve, read_test_rows
from mlmd.n2p2.steps import ENERGIES, FORCES
from mlmd.runs import read_json, to_jsonable, write_json_atomic

SPEC_FILE = "n2p2.json"
TEST_DATA = "test.data"
_HEAD = 100_000  # characters of a log in which a program says its version
_VERSION = re.compile(r"\(from git\):\s*(\S+)")


@dataclass(frozen=True)
class N2p2Result(ExternalResult[LearningCurve]):
    """A finished training with n2p2."""


def write_spec(data: TrainingData, folder: Path, name: str = "", checksum: str = "") -> None:
    """Write what `collect` needs to know beside the programs' own files."""
    content = described(data, name, checksum) | {
        "held_out": sorted(data.held_out),
        "has_forces": data.has_forces,
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
    write_parity(parity, folder)
    versions = {"mlmd": __version__, "n2p2": n2p2_version(folder)}
    return N2p2Result(
        **result_fields(spec, parity, curve, read_best_epoch(folder), versions, potential)
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
    _reference, energies = read_comparison(folder / ENERGIES, "E")
    if len(energies) != len(frames) or len(frames) != len(spec["kinds"]):
        raise InvalidInput(
            ENERGIES, f"{len(energies)} structures", f"{len(frames)}, as {DATA} has them"
        )
    forces = _forces(folder, frames) if spec["has_forces"] else None
    return parity_of(spec, frames, held_out, energies, forces)


def _forces(folder: Path, frames: Sequence[Frame]) -> list[FloatArray]:
    _printed, predicted = read_comparison(folder / FORCES, "F")
    counts = [3 * len(frame) for frame in frames]
    if len(predicted) != sum(counts):
        raise InvalidInput(FORCES, f"{len(predicted)} components", f"{sum(counts)}")
    if not np.isfinite(predicted).all():
        raise InvalidInput(FORCES, "forces that aren't numbers", "finite forces")
    return np.split(predicted, np.cumsum(counts)[:-1])


def result_json(result: N2p2Result) -> dict[str, Any]:
    """Return a result in JSON's own types, without the place of its files."""
    content: dict[str, Any] = to_jsonable(result)
    content.pop("potential")
    return content


def best_potential(folder: Path, elements: Sequence[str]) -> Potential:
    """Return the potential of a folder that n2p2 worked in."""
    return load_potential(copy_potential(folder, elements))
