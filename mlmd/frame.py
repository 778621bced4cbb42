"""A frame: one configuration of atoms with what a calculation said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Calculation:
    """How labels were computed; one per run, shared by its frames.

    Args:
        code: ``"vasp"``, ``"espresso"``, ``"unknown"``, …
        version: the code's version as it prints it.
        functional: ``"PBE"``, ``"LDA"``, ``"SCAN"``, ``"HSE06"``, … ; empty when unknown.
        dispersion: ``"D3(BJ)"``, … ; empty for none.
        hubbard_u: element → U in eV.
        cutoff_energy: plane-wave cutoff, eV.
        k_points: Monkhorst–Pack divisions, or None.
        smearing: kind and width, for example ``"marzari-vanderbilt 0.272 eV"``.
        spin: ``"none"``, ``"collinear"``, ``"non-collinear"``, ``"spin-orbit"``.
        charge: total charge of the cell, e.
        pseudopotentials: element → title of its pseudopotential.
        source_name: name of the file that was read.
        source_sha256: its hash.
        settings: further inputs, as the code names them.
    """

    code: str = "unknown"
    version: str = ""
    functional: str = ""
    dispersion: str = ""
    hubbard_u: dict[str, float] = field(default_factory=dict)
    cutoff_energy: float | None = None
    k_points: tuple[int, int, int] | None = None
    smearing: str = ""
    spin: str = "none"
    charge: float = 0.0
    pseudopotentials: dict[str, str] = field(default_factory=dict)
    source_name: str = ""
    source_sha256: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Frame:
    """Atoms in a cell, and their labels.

    Args:
        numbers: atomic numbers, shape (N,), uint8.
        positions: Cartesian, shape (N, 3), Å, as the source gives them (not wrapped).
        cell: rows are lattice vectors, shape (3, 3), Å; zeros where not periodic.
        pbc: periodic along each lattice vector.
        energy: the energy that the forces derive from (free energy F for DFT), eV per cell.
        energy_sigma0: extrapolated to zero smearing, eV per cell.
        forces: shape (N, 3), eV/Å, constraints not applied.
        stress: Cauchy, tension positive, shape (3, 3), eV/Å³.
        magnetic_moments: shape (N,), μB.
        fixed: atoms (or single components) held in the run, shape (N, 3), bool.
        ionic_step: index in the run, from 0.
        label_source: ``"ab initio"``, ``"ml"`` or ``"none"``.
        scf_converged: None where the source doesn't say.
        kind: kind of configuration, free text (``"liquid"``, ``"vacancy"``), used for grouped errors.
        flags: short machine words for what a user should know (``"new-basis"``, …).
        calculation: how it was computed.
    """

    numbers: NDArray[np.uint8]
    positions: FloatArray
    cell: FloatArray
    pbc: tuple[bool, bool, bool] = (True, True, True)
    energy: float | None = None
    energy_sigma0: float | None = None
    forces: FloatArray | None = None
    stress: FloatArray | None = None
    magnetic_moments: FloatArray | None = None
    fixed: NDArray[np.bool_] | None = None
    ionic_step: int = 0
    label_source: str = "none"
    scf_converged: bool | None = None
    kind: str = ""
    flags: tuple[str, ...] = ()
    calculation: Calculation = Calculation()

    def __len__(self) -> int:
        return len(self.numbers)
