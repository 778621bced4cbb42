"""Files of bare structures: POSCAR, CIF, XYZ, LAMMPS data, XSF, pw.x input, and back."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TextIO

import numpy as np
from ase import Atoms
from ase.io import ParseError
from ase.io.cif import read_cif
from ase.io.espresso import read_espresso_in
from ase.io.xsf import read_xsf

from mlmd.errors import FormatError, HostileInput
from mlmd.formats.atoms import frame_to_atoms
from mlmd.formats.checks import LARGEST_COORDINATE, MINIMUM_VOLUME
from mlmd.formats.frames import open_frames
from mlmd.formats.lammps_data import read_lammps_data
from mlmd.formats.poscar import read_poscar
from mlmd.formats.source import DEFAULT_LIMITS, Limits, Source
from mlmd.formats.structure_writers import WRITERS

LARGEST_FILE = 512 << 20
_ACCEPTED = (
    "POSCAR, CIF, extended XYZ, XYZ, LAMMPS data, XSF, pw.x input, vasprun.xml, pw.x XML, "
    "n2p2 input.data or JSON lines"
)


class StructureFormat(StrEnum):
    """Formats of bare structures."""

    POSCAR = "poscar"
    CIF = "cif"
    EXTXYZ = "extxyz"
    XYZ = "xyz"
    LAMMPS_DATA = "lammps-data"
    XSF = "xsf"
    ESPRESSO_IN = "espresso-in"


def _read_cif(text: str) -> list[Atoms]:
    return list(read_cif(io.StringIO(text), index=slice(None)))


def _read_xsf(text: str) -> list[Atoms]:
    found = read_xsf(io.StringIO(text), index=slice(None))
    return [found] if isinstance(found, Atoms) else list(found)


def _read_espresso_in(text: str) -> list[Atoms]:
    return [read_espresso_in(io.StringIO(text))]


_READERS: Mapping[StructureFormat, Callable[[str], list[Atoms]]] = {
    StructureFormat.POSCAR: read_poscar,
    StructureFormat.CIF: _read_cif,
    StructureFormat.LAMMPS_DATA: read_lammps_data,
    StructureFormat.XSF: _read_xsf,
    StructureFormat.ESPRESSO_IN: _read_espresso_in,
}

# What parsers written for well-behaved files raise on the others.
_PARSER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NameError,
    NotImplementedError,
    OSError,
    ParseError,
    RecursionError,
    RuntimeError,
    StopIteration,
    SyntaxError,
    TypeError,
    ValueError,
)


def read_structures(
    path: str | Path,
    format: StructureFormat | str | None = None,
    name: str | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Atoms]:
    """Read every structure of a file.

    Args:
        path: plain, .gz, .xz or .bz2.
        format: detected by content when None; files of labelled frames are read too.
        name: what the user calls the file.
        limits: when to refuse it.

    Raises:
        FormatError: unknown, damaged or empty; says where and what was expected.
        HostileInput: refused for safety.
    """
    with Source(path, name, limits) as source:
        head = source.head()
        chosen = StructureFormat(format) if format else detect_structure(head)
        reader = _READERS.get(chosen) if chosen else None
        if reader is None:
            return _from_frames(path, name, chosen, limits)
        text = _whole_text(source)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                structures = reader(text)
        except FormatError as error:
            raise FormatError(
                f"{source.name}: {error.where}", error.found, error.expected, error.action
            ) from error
        except _PARSER_ERRORS as error:
            reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
            raise FormatError(
                source.name, f"it can't be read as {chosen} ({reason})", f"a {chosen} file"
            ) from error
        return _checked(structures, source.name)


def write_structure(atoms: Atoms, stream: TextIO, format: StructureFormat | str) -> None:
    """Write one structure.

    Formats that need a cell get one with 10 Å of vacuum around a molecule.

    Raises:
        InvalidInput: the format can't hold it.
    """
    WRITERS[StructureFormat(format).value](atoms, stream)


def detect_structure(head: bytes) -> StructureFormat | None:
    """Return the structure format of a file from its first bytes; None where it is none."""
    text = head.decode("utf-8", "replace").lstrip("\ufeff")
    lines = [line.strip() for line in text.splitlines()]
    meaningful = [line for line in lines if line and not line.startswith(("#", "!"))]
    if not meaningful or "\0" in text or meaningful[0].startswith(("<", "{")):
        return None
    if re.search(r"(?mi)^[ \t]*(data_\S|_cell_length_a\b|_atom_site)", text):
        return StructureFormat.CIF
    if re.search(r"(?mi)^[ \t]*&(control|system)\b", text):
        return StructureFormat.ESPRESSO_IN
    if meaningful[0].split()[0].upper() in _XSF_WORDS:
        return StructureFormat.XSF
    if _is_poscar(lines):
        return StructureFormat.POSCAR
    if any(re.match(r"\d+\s+atoms\b", line) for line in lines[:60]):
        return StructureFormat.LAMMPS_DATA
    return None


_XSF_WORDS = frozenset(
    ("CRYSTAL", "SLAB", "POLYMER", "MOLECULE", "ATOMS", "ANIMSTEPS", "DIM-GROUP", "PRIMVEC")
)


def _is_poscar(lines: list[str]) -> bool:
    return (
        len(lines) > 6
        and all(_count_numbers(line) >= 3 for line in lines[2:5])
        and (_count_numbers(lines[1]) in (1, 3))
    )


def _count_numbers(line: str) -> int:
    count = 0
    for word in line.split():
        try:
            float(word)
        except ValueError:
            break
        count += 1
    return count


def _whole_text(source: Source) -> str:
    parts, total = [], 0
    for chunk in source.chunks():
        total += len(chunk)
        if total > LARGEST_FILE:
            raise HostileInput(
                source.name, f"more than {LARGEST_FILE >> 20} MiB", "a smaller structure file"
            )
        parts.append(chunk)
    if source.truncated:
        raise FormatError(source.name, source.truncated, "a whole file", "Copy it again.")
    return b"".join(parts).decode("utf-8", "replace").lstrip("\ufeff")


def _from_frames(
    path: str | Path, name: str | None, chosen: StructureFormat | None, limits: Limits
) -> list[Atoms]:
    frame_format = "extxyz" if chosen in (StructureFormat.EXTXYZ, StructureFormat.XYZ) else None
    try:
        reader = open_frames(path, frame_format, name, limits=limits)
    except HostileInput:
        raise
    except FormatError as error:
        raise FormatError(error.where, error.found, _ACCEPTED, error.action) from error
    structures = [frame_to_atoms(frame) for frame in reader]
    if not structures:
        issue = reader.issues[0]
        raise FormatError(issue.where, issue.found, issue.expected or "a structure", issue.action)
    return structures


def _checked(structures: list[Atoms], name: str) -> list[Atoms]:
    if not structures or not any(len(a) for a in structures):
        raise FormatError(name, "no atoms", "at least one")
    for atoms in structures:
        numbers = atoms.get_atomic_numbers()
        if (numbers < 1).any():
            atom = int(np.argmax(numbers < 1)) + 1
            raise FormatError(name, f"atom {atom} has no known element", "chemical symbols")
        finite = np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()
        if not finite:
            raise FormatError(name, "a coordinate is not a finite number", "numbers")
        if len(atoms) and np.abs(atoms.positions).max() > LARGEST_COORDINATE:
            raise FormatError(name, "a coordinate is larger than 10⁹ Å", "coordinates in Å")
        if atoms.pbc.all() and abs(float(np.linalg.det(atoms.cell.array))) < MINIMUM_VOLUME:
            raise FormatError(name, "the cell has no volume", "three independent lattice vectors")
    return structures
