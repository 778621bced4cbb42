"""VASP's POSCAR and CONTCAR, versions 4 and 5."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.constraints import FixCartesian

from mlmd.elements import atomic_number
from mlmd.errors import FormatError
from mlmd.frame import FloatArray


def read_poscar(text: str) -> list[Atoms]:
    """Return the one structure of a POSCAR.

    Raises:
        FormatError: says which line is wrong.
    """
    lines = text.splitlines()
    if len(lines) < 7:
        raise FormatError("POSCAR", f"{len(lines)} lines", "at least 7")
    cell = _cell(lines)
    row = 5
    words = lines[row].split()
    if words and not words[0].isdigit():
        symbols = [w.split("_")[0].split("/")[0] for w in words]
        row += 1
    else:
        # Version 4 has no line of elements; by custom the first line names them.
        symbols = lines[0].split()
    counts = _counts(lines, row)
    row += 1
    numbers = _numbers(symbols, counts)
    selective = lines[row].strip()[:1].lower() == "s" if row < len(lines) else False
    row += selective
    if row >= len(lines):
        raise FormatError(f"line {row + 1}", "the end of the file", "Direct or Cartesian")
    cartesian = lines[row].strip()[:1].lower() in ("c", "k")
    rows = lines[row + 1 : row + 1 + len(numbers)]
    if len(rows) < len(numbers):
        raise FormatError("positions", f"{len(rows)} lines", f"{len(numbers)}, one per atom")
    positions = _positions(rows, row + 2)
    atoms = Atoms(numbers=numbers, cell=cell, pbc=True)
    if cartesian:
        atoms.positions = positions * _scale(lines)[1]
    else:
        atoms.positions = positions @ cell
    if selective:
        _constrain(atoms, rows)
    return [atoms]


def _scale(lines: list[str]) -> tuple[FloatArray, FloatArray]:
    """Return the unscaled lattice and the factors of x, y and z."""
    lattice = np.array([_floats(lines, i, 3) for i in (2, 3, 4)])
    count = 3 if len(lines[1].split()) >= 3 else 1
    factors = np.array(_floats(lines, 1, count))
    if count == 1 and factors[0] < 0:
        volume = abs(float(np.linalg.det(lattice)))
        if volume == 0:
            raise FormatError("lines 3 to 5", "a cell without volume", "three lattice vectors")
        factors = np.array([(-factors[0] / volume) ** (1 / 3)])
    if (factors <= 0).any():
        raise FormatError("line 2", f"“{lines[1].strip()[:40]}”", "a positive scaling factor")
    return lattice, np.broadcast_to(factors, (3,)).astype(np.float64)


def _cell(lines: list[str]) -> FloatArray:
    lattice, factors = _scale(lines)
    return lattice * factors


def _floats(lines: list[str], index: int, count: int) -> list[float]:
    words = lines[index].split()[:count]
    try:
        values = [float(w) for w in words]
    except ValueError:
        values = []
    if len(values) != count:
        raise FormatError(f"line {index + 1}", f"“{lines[index].strip()[:40]}”", f"{count} numbers")
    return values


def _counts(lines: list[str], row: int) -> list[int]:
    counts = []
    for word in lines[row].split() if row < len(lines) else []:
        if not word.isdigit():
            break
        counts.append(int(word))
    if not counts:
        raise FormatError(f"line {row + 1}", "no numbers of atoms", "one per element")
    if sum(counts) > len(lines):
        raise FormatError(
            f"line {row + 1}", f"{sum(counts)} atoms in {len(lines)} lines", "a line per atom"
        )
    return counts


def _numbers(symbols: list[str], counts: list[int]) -> list[int]:
    if len(symbols) < len(counts):
        raise FormatError(
            "elements",
            f"{len(symbols)} elements for {len(counts)} numbers of atoms",
            "one element each",
            "Add a line with the elements above the numbers of atoms.",
        )
    numbers: list[int] = []
    for symbol, count in zip(symbols, counts, strict=False):
        number = atomic_number(symbol)
        if number is None:
            raise FormatError("elements", f"“{symbol[:20]}”", "chemical symbols")
        numbers += [number] * count
    return numbers


def _positions(rows: list[str], first_line: int) -> FloatArray:
    try:
        return np.array([row.split()[:3] for row in rows], dtype=np.float64).reshape(-1, 3)
    except ValueError:
        for i, row in enumerate(rows):
            _floats(rows, i, 3) if len(row.split()) >= 3 else None
        raise FormatError(
            f"lines from {first_line}", "a row that is no position", "three numbers a line"
        ) from None


def _constrain(atoms: Atoms, rows: list[str]) -> None:
    constraints = []
    for i, row in enumerate(rows):
        flags = [w.strip(".").upper()[:1] for w in row.split()[3:6]]
        if len(flags) == 3 and "F" in flags:
            constraints.append(FixCartesian(i, [f == "F" for f in flags]))
    if constraints:
        atoms.set_constraint(constraints)
