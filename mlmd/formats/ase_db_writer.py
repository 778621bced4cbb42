"""Frames to an ASE database file (SQLite), readable by `ase.db.connect`."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.calculator import all_properties
from ase.constraints import FixAtoms, FixCartesian
from ase.db.core import now
from ase.db.row import AtomsRow
from ase.db.sqlite import SQLite3Database
from numpy.typing import NDArray

from mlmd.documents import calculation_to_document, compat_key
from mlmd.formats.atoms import frame_to_atoms
from mlmd.formats.labels import EnergyKind, chosen_energy
from mlmd.formats.sinks import PathSink
from mlmd.frame import Calculation, Frame


class AseDbSink(PathSink):
    """Writes one row per frame.

    ``free_energy`` is the energy that the forces derive from. ASE's ``energy`` is the
    one asked for; the calculation is in the row's data.
    """

    def __init__(self, path: Path, energy: EnergyKind) -> None:
        super().__init__(path, energy)
        self._database = SQLite3Database(str(path), use_lock_file=False)
        self._database.__enter__()
        self._latest: tuple[Calculation | None, dict[str, Any]] = (None, {})

    def write(self, frame: Frame) -> None:
        """Take one frame.

        Raises:
            InvalidInput: the energy asked for is not known.
        """
        row = _row(frame, chosen_energy(frame, self.energy))
        data: dict[str, Any] = {}
        if frame.calculation != Calculation():
            data["calculation"] = self._document(frame.calculation)
        if frame.kind:
            data["kind"] = frame.kind  # a pair can't be any text
        self._database.write(row, _pairs(frame), data)

    def _document(self, calculation: Calculation) -> dict[str, Any]:
        known, document = self._latest
        if known is not calculation:  # many frames in a row share one
            document = calculation_to_document(calculation)
            self._latest = calculation, document
        return document

    def close(self) -> None:
        """Commit the last rows."""
        self._database.__exit__(None, None, None)


def _row(frame: Frame, energy: float | None) -> AtomsRow:
    """Return what ASE makes of atoms, without asking a calculator for each property it knows."""
    atoms = frame_to_atoms(frame)
    values: dict[str, Any] = {
        "numbers": atoms.numbers,
        "positions": atoms.positions,
        "cell": atoms.cell,
        "pbc": atoms.pbc,
        "unique_id": uuid.uuid4().hex,
        "ctime": now(),
        "user": "",
    }
    if frame.fixed is not None:
        values["constraints"] = [found.todict() for found in _constraints(frame.fixed)]
    if atoms.calc is not None:
        results = {k: v for k, v in atoms.calc.results.items() if k in all_properties}
        values |= {"calculator": "unknown", "calculator_parameters": {}} | results
        if energy is not None:
            values["energy"] = energy
    return AtomsRow(values)


def _constraints(fixed: NDArray[np.bool_]) -> list[Any]:
    whole = fixed.all(axis=1)
    found: list[Any] = [FixAtoms(mask=whole)] if whole.any() else []
    partly = np.flatnonzero(fixed.any(axis=1) & ~whole).tolist()
    return found + [FixCartesian(index, fixed[index]) for index in partly]


def _pairs(frame: Frame) -> dict[str, Any]:
    """What people search by; ASE refuses text that looks like a number."""
    pairs: dict[str, Any] = {"label_source": frame.label_source, "ionic_step": frame.ionic_step}
    if frame.energy_sigma0 is not None:
        pairs["energy_sigma0"] = frame.energy_sigma0
    if frame.scf_converged is not None:
        pairs["scf_converged"] = frame.scf_converged
    if frame.flags:
        pairs["flags"] = " ".join(frame.flags)
    texts = {"kind": frame.kind, "functional": frame.calculation.functional}
    if frame.calculation != Calculation():
        texts["compat_key"] = compat_key(frame.calculation)
    return pairs | {key: text for key, text in texts.items() if text and _is_word(text)}


def _is_word(text: str) -> bool:
    if text.lower() in ("true", "false"):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False
