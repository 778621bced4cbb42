"""Predicts structures with nnp-predict, and reads what it says of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mlmd.errors import InvalidInput
from mlmd.external.programs import Programs, run_step
from mlmd.external.steps import Step
from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.training import POTENTIAL_FOLDER
from mlmd.launch import Command
from mlmd.n2p2.input_files import DATA, structure_text
from mlmd.n2p2.outputs import N2P2, Extrapolation, extrapolations, read_columns
from mlmd.n2p2.steps import StepName


@dataclass(frozen=True)
class Predictions:
    """What n2p2 says of structures.

    Args:
        energies: eV, shape (F,).
        forces: of each structure, shape (N, 3), eV/Å.
        extrapolations: atoms outside of the range that was learned, over all structures.
    """

    energies: FloatArray
    forces: tuple[FloatArray, ...]
    extrapolations: tuple[Extrapolation, ...]


def predict_frames(frames: Sequence[Frame], folder: Path, programs: Programs) -> Predictions:
    """Run nnp-predict on structures, one after another.

    Args:
        frames: labels aren't needed.
        folder: that holds ``potential/``.
        programs: where nnp-predict is.

    Raises:
        InvalidInput: no frame, or no such program.
        ProgramFailed: it failed; says why.
    """
    if not frames:
        raise InvalidInput("prediction", "no frame", "at least one")
    energies, forces, warnings = [], [], []
    step = Step(
        StepName.PREDICT, (Command(("nnp-predict", "0"), stdout="nnp-predict.out"),), (), ()
    )
    with TemporaryDirectory(prefix="predict-", dir=folder) as name:
        place = Path(name)
        shutil.copytree(folder / POTENTIAL_FOLDER, place, dirs_exist_ok=True)
        for row, frame in enumerate(frames):
            (place / DATA).write_text(structure_text(_labelled(frame), row), encoding="utf-8")
            run_step(N2P2, step, place, programs)
            energies.append(_column(place / "energy.out", ("Ennp",))[0, 0])
            forces.append(_column(place / "nnforces.out", ("fx", "fy", "fz")))
            text = (place / "nnp-predict.out").read_text(encoding="utf-8", errors="replace")
            warnings += [
                Extrapolation(row, w.atom, w.element, w.function, w.value, w.low, w.high)
                for w in extrapolations(text)
            ]
    return Predictions(np.array(energies), tuple(forces), tuple(warnings))


def _labelled(frame: Frame) -> Frame:
    return frame if frame.energy is not None else replace(frame, energy=0.0)


def _column(path: Path, wanted: tuple[str, ...]) -> FloatArray:
    names, rows = read_columns(path)
    # nnp-predict of some versions leaves the first name out of the header's order.
    if not set(wanted) <= set(names):
        raise InvalidInput(path.name, f"columns {' '.join(names)}", " ".join(wanted))
    values: FloatArray = rows[:, [names.index(name) for name in wanted]]
    return values
