"""LAMMPS data files: box, masses and atoms of the common atom styles."""

from __future__ import annotations

import re

import numpy as np
from ase import Atoms
from ase.data import atomic_masses

from mlmd.elements import MAXIMUM_NUMBER, atomic_number
from mlmd.errors import FormatError
from mlmd.frame import FloatArray

# Columns before x y z, after the id: where the type stands.
_TYPE_COLUMN = {
    "atomic": 1,
    "charge": 1,
    "molecular": 2,
    "bond": 2,
    "angle": 2,
    "full": 2,
    "sphere": 1,
    "dipole": 1,
}
_X_COLUMN = {
    "atomic": 2,
    "charge": 3,
    "molecular": 3,
    "bond": 3,
    "angle": 3,
    "full": 4,
    "sphere": 4,
    "dipole": 3,
}
_SECTIONS = re.compile(r"[A-Z][A-Za-z]*( [A-Z][A-Za-z]*)*")
_MASS_TOLERANCE = 0.6  # amu


def read_lammps_data(text: str) -> list[Atoms]:
    """Return the one structure of a data file; elements come from comments or masses.

    Raises:
        FormatError: no box, no atoms, or types whose element can't be told.
    """
    header, sections = _split(text)
    cell, origin = _box(header)
    rows = [words for words, _ in sections.get("Atoms", [])]
    if not rows:
        raise FormatError("Atoms", "no such section", "the atoms")
    style = _style(sections, rows)
    x, kind = _X_COLUMN[style], _TYPE_COLUMN[style]
    try:
        order = np.argsort([int(row[0]) for row in rows])
        positions = np.array([row[x : x + 3] for row in rows], dtype=np.float64)
        types = [row[kind] for row in rows]
    except (ValueError, IndexError):
        raise FormatError(
            "Atoms", "rows that don't fit the atom style", f"columns of style {style}"
        ) from None
    elements = _elements(sections, set(types))
    numbers = np.array([elements[t] for t in types])
    atoms = Atoms(numbers=numbers[order], positions=positions[order] - origin, cell=cell, pbc=True)
    return [atoms]


_Rows = list[tuple[list[str], str]]


def _split(text: str) -> tuple[list[str], dict[str, _Rows]]:
    header: list[str] = []
    sections: dict[str, _Rows] = {}
    current: _Rows | None = None
    for line in text.splitlines()[1:]:
        body, _, comment = line.partition("#")
        words = body.split()
        if not words:
            continue
        if _SECTIONS.fullmatch(body.strip()):
            current = sections.setdefault(body.strip(), [])
            if comment.strip():
                sections[f"{body.strip()} #"] = [(comment.split(), "")]
        elif current is None:
            header.append(body)
        else:
            current.append((words, comment.strip()))
    return header, sections


def _box(header: list[str]) -> tuple[FloatArray, FloatArray]:
    bounds: dict[str, tuple[float, float]] = {}
    tilt = (0.0, 0.0, 0.0)
    for line in header:
        words = line.split()
        try:
            if words[-2:] in (["xlo", "xhi"], ["ylo", "yhi"], ["zlo", "zhi"]):
                bounds[words[-1][0]] = (float(words[0]), float(words[1]))
            elif words[-3:] == ["xy", "xz", "yz"]:
                tilt = (float(words[0]), float(words[1]), float(words[2]))
        except (ValueError, IndexError):
            raise FormatError("box", f"“{line.strip()[:40]}”", "numbers") from None
    if set(bounds) != {"x", "y", "z"}:
        raise FormatError("box", "no xlo xhi, ylo yhi and zlo zhi", "the box in the header")
    lengths = [bounds[axis][1] - bounds[axis][0] for axis in "xyz"]
    xy, xz, yz = tilt
    cell = np.array([[lengths[0], 0, 0], [xy, lengths[1], 0], [xz, yz, lengths[2]]])
    return cell, np.array([bounds[axis][0] for axis in "xyz"])


def _style(sections: dict[str, _Rows], rows: list[list[str]]) -> str:
    hint = sections.get("Atoms #")
    if hint and hint[0][0] and hint[0][0][0] in _X_COLUMN:
        return hint[0][0][0]
    # Image flags add three whole numbers.
    width = len(rows[0])
    images = width >= 8 and all(_is_whole(w) for w in rows[0][-3:])
    base = width - 3 if images else width
    if base == 6:
        return "molecular" if all(_is_whole(row[2]) for row in rows[:100]) else "charge"
    style = {5: "atomic", 7: "full"}.get(base)
    if style is None:
        raise FormatError(
            "Atoms",
            f"{width} columns",
            "an atom style that is known",
            "Write the style behind the word: Atoms # atomic.",
        )
    return style


def _is_whole(word: str) -> bool:
    return word.lstrip("+-").isdigit()


def _elements(sections: dict[str, _Rows], types: set[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    for words, comment in sections.get("Masses", []):
        if len(words) < 2:
            continue
        label = comment.split()[0].split("_")[0] if comment else ""
        number = atomic_number(label) or _by_mass(words[1])
        if number is not None:
            known[words[0]] = number
    for kind in types:
        number = known.get(kind) or atomic_number(kind)
        if number is None:
            raise FormatError(
                f"atom type {kind[:20]}",
                "no element",
                "a Masses section",
                "Add the masses, or the element as a comment behind each.",
            )
        known[kind] = number
    return known


def _by_mass(word: str) -> int | None:
    try:
        mass = float(word)
    except ValueError:
        return None
    number = int(np.argmin(np.abs(atomic_masses[1 : MAXIMUM_NUMBER + 1] - mass))) + 1
    return number if abs(float(atomic_masses[number]) - mass) < _MASS_TOLERANCE else None
