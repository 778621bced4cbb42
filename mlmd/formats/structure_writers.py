"""Bare structures out of the door, in the formats other programs read."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TextIO

import numpy as np
from ase import Atoms
from ase.data import atomic_masses
from ase.io.cif import write_cif
from ase.io.espresso import write_espresso_in
from ase.io.vasp import write_vasp
from ase.io.xsf import write_xsf

from mlmd.elements import SYMBOLS
from mlmd.formats.atoms import atoms_to_frame
from mlmd.formats.extxyz import write_extxyz
from mlmd.formats.labels import EnergyKind
from mlmd.frame import FloatArray

VACUUM = 10.0  # Å on each side of a molecule that needs a cell


def _bare(atoms: Atoms) -> Atoms:
    return Atoms(
        numbers=atoms.get_atomic_numbers(),
        positions=atoms.positions,
        cell=atoms.cell.array,
        pbc=atoms.pbc,
    )


def _with_cell(atoms: Atoms) -> Atoms:
    boxed = _bare(atoms)
    if abs(float(np.linalg.det(boxed.cell.array))) < 1e-6:
        missing = [i for i in range(3) if not boxed.cell.array[i].any()]
        boxed.center(vacuum=VACUUM, axis=tuple(missing) if missing else (0, 1, 2))
    return boxed


def _poscar(atoms: Atoms, stream: TextIO) -> None:
    write_vasp(stream, _with_cell(atoms), direct=True, vasp5=True, sort=True)


def _cif(atoms: Atoms, stream: TextIO) -> None:
    raw = io.BytesIO()
    write_cif(raw, _with_cell(atoms))
    stream.write(raw.getvalue().decode("utf-8", "replace"))


def _extxyz(atoms: Atoms, stream: TextIO) -> None:
    write_extxyz(atoms_to_frame(atoms), stream, EnergyKind.FREE)


def _xyz(atoms: Atoms, stream: TextIO) -> None:
    frame = atoms_to_frame(_bare(atoms))
    stream.write(f"{len(frame)}\n{atoms.get_chemical_formula()}\n")
    for number, row in zip(frame.numbers.tolist(), frame.positions.tolist(), strict=True):
        stream.write(f"{SYMBOLS[number]:2s} {row[0]:16.8f} {row[1]:16.8f} {row[2]:16.8f}\n")


def _xsf(atoms: Atoms, stream: TextIO) -> None:
    write_xsf(stream, [_bare(atoms)])


def _espresso_in(atoms: Atoms, stream: TextIO) -> None:
    boxed = _with_cell(atoms)
    symbols = sorted(set(boxed.get_chemical_symbols()))
    write_espresso_in(
        stream,
        boxed,
        input_data={"control": {"calculation": "scf", "prefix": "pwscf"}},
        pseudopotentials={s: f"{s}.UPF" for s in symbols},
        kspacing=0.04,
    )


def _lammps_data(atoms: Atoms, stream: TextIO) -> None:
    """Atom style atomic, types in the order of atomic numbers, as our potentials expect."""
    boxed = _with_cell(atoms)
    frame = atoms_to_frame(boxed)
    cell, positions = lower_triangular(frame.cell, frame.positions)
    frame = replace(frame, cell=cell, positions=positions)
    kinds = sorted(set(frame.numbers.tolist()))
    xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
    lines = [
        "LAMMPS data: " + " ".join(SYMBOLS[z] for z in kinds),
        "",
        f"{len(frame)} atoms",
        f"{len(kinds)} atom types",
        "",
    ]
    for i, axis in enumerate("xyz"):
        lines.append(f"0.0 {cell[i, i]:.12g} {axis}lo {axis}hi")
    if max(abs(xy), abs(xz), abs(yz)) > 1e-10:
        lines.append(f"{xy:.12g} {xz:.12g} {yz:.12g} xy xz yz")
    lines += ["", "Masses", ""]
    for i, z in enumerate(kinds):
        lines.append(f"{i + 1} {float(atomic_masses[z]):.6g} # {SYMBOLS[z]}")
    lines += ["", "Atoms # atomic", ""]
    types = {z: i + 1 for i, z in enumerate(kinds)}
    stream.write("\n".join(lines) + "\n")
    for i, (z, r) in enumerate(
        zip(frame.numbers.tolist(), frame.positions.tolist(), strict=True), start=1
    ):
        stream.write(f"{i} {types[z]} {r[0]:.10g} {r[1]:.10g} {r[2]:.10g}\n")


def lower_triangular(cell: FloatArray, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rotate cell and positions so that a lies along x and b in the xy plane.

    A left-handed cell is turned by an improper rotation, which changes no distance.

    Args:
        cell: rows are lattice vectors, full rank.
        positions: shape (N, 3).
    """
    # cell.T = Q·R: the columns of R are the lattice vectors in the rotated frame.
    q, r = np.linalg.qr(cell.T)
    signs = np.sign(np.diag(r))
    return (r.T * signs), positions @ (q * signs)


WRITERS: Mapping[str, Callable[[Atoms, TextIO], None]] = {
    "poscar": _poscar,
    "cif": _cif,
    "extxyz": _extxyz,
    "xyz": _xyz,
    "lammps-data": _lammps_data,
    "xsf": _xsf,
    "espresso-in": _espresso_in,
}
