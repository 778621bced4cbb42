"""aenet's training structures: XSF files of one structure each, with its total energy in a comment.

Å, eV and eV/Å. Forces are the three columns after the positions. Several structures may follow
one another in a file, each beginning with its comment, and a folder or archive holds any number.

Formats: http://www.xcrysden.org/doc/XSF.html; aenet's manual, "Structural energy reference data".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from mlmd.elements import atomic_number
from mlmd.errors import HostileInput
from mlmd.formats.bundle import FolderSource, is_archive, members
from mlmd.formats.issues import IssueLog
from mlmd.formats.source import Source
from mlmd.frame import Calculation, FloatArray, Frame

SUFFIX = ".xsf"
WORDS = frozenset(
    (b"ATOMS", b"CRYSTAL", b"SLAB", b"POLYMER", b"MOLECULE", b"PRIMVEC", b"CONVVEC", b"PRIMCOORD")
)
"""What the first line that is no comment begins with."""
PERIODIC = {
    "ATOMS": (False, False, False),
    "MOLECULE": (False, False, False),
    "POLYMER": (True, False, False),
    "SLAB": (True, True, False),
    "CRYSTAL": (True, True, True),
}
_ENERGY = re.compile(r"total energy\s*=\s*(\S+)(?:\s+([A-Za-z]+))?", re.IGNORECASE)
_KIND = re.compile(r"#\s*kind\s*=\s*(.+)")
_LONGEST_FILE = 256 << 20  # bytes of one structure in an archive


@dataclass
class _Block:
    """The lines of one structure."""

    line: int
    energy: str = ""
    unit: str = ""
    kind: str = ""
    periodic: str = ""
    vectors: list[list[str]] = field(default_factory=list)
    count: str = ""
    atoms: list[list[str]] = field(default_factory=list)
    section: str = ""
    problem: str = ""


def read_aenet_xsf(source: Source, log: IssueLog) -> Iterator[tuple[str, Frame]]:
    """Yield (place, frame) of every structure; damaged ones go to ``log``.

    Args:
        source: one file, a folder, .zip or .tar.
        log: takes the issues.

    Raises:
        FormatError: a damaged archive.
        HostileInput: refused for safety.
    """
    calculation = Calculation(source_name=source.name, source_sha256=source.sha256)
    number = still = silent = 0
    for name, lines in _texts(source):
        for block in _blocks(lines, source):
            place = f"{name}line {block.line}"
            number += 1
            try:
                frame = _frame(block, number - 1, calculation)
            except ValueError as error:
                log.lose(place, str(error), "", "The structure was left out.")
                continue
            silent += not block.unit
            still += len(frame) > 1 and frame.forces is not None and not frame.forces.any()
            yield place, frame
    if silent:
        log.note("", f"{silent} energies without a unit", action="They were taken as eV.")
    if still:
        log.warn(
            "",
            f"{still} structures whose forces are all zero",
            "forces, or no columns for them",
            "If they only fill the columns, leave those structures out of a training with forces.",
        )


def _texts(source: Source) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield (place, lines) of every file."""
    if not isinstance(source, FolderSource) and not is_archive(source.head()):
        yield "", source.lines()
        return
    for member in members(source):
        if member.path.suffix.lower() != SUFFIX:
            continue
        if member.size > _LONGEST_FILE:
            raise HostileInput(
                f"{source.name}: {member.path}", f"{member.size} bytes", "one structure"
            )
        text = bytes(member.load()[:]).decode("utf-8", "replace")
        yield f"{member.path}, ", text.splitlines()


def _blocks(lines: Iterable[str], source: Source) -> Iterator[_Block]:
    block = _Block(1)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if match := _ENERGY.search(line):
            if block.atoms:  # the next structure of the same file
                yield block
                block = _Block(number)
            block.energy, block.unit = match[1], (match[2] or "")
        elif line.lstrip().startswith("#"):
            if match := _KIND.match(line.strip()):
                block.kind = match[1].strip()
        else:
            _take(block, line, number)
            if len(block.atoms) > source.limits.atoms:
                raise HostileInput(
                    source.name, "too many atoms in a structure", f"at most {source.limits.atoms}"
                )
    if block.atoms or block.energy or block.section:
        yield block


def _take(block: _Block, line: str, number: int) -> None:
    words = line.split()
    first = words[0].upper()
    if first in PERIODIC:
        block.periodic = block.section = first
    elif first in ("PRIMVEC", "CONVVEC", "PRIMCOORD"):
        block.section = first
    elif block.section == "PRIMVEC" and len(block.vectors) < 3:
        block.vectors.append(words)
    elif block.section == "CONVVEC":
        return  # the conventional cell, which says nothing that is needed
    elif block.section == "PRIMCOORD" and not block.count:
        block.count = words[0]
    elif block.section in ("PRIMCOORD", "ATOMS"):
        block.atoms.append(words)
    elif not block.problem:
        block.problem = f"line {number}: “{words[0][:20]}” where a keyword should be"


def _frame(block: _Block, index: int, calculation: Calculation) -> Frame:
    if block.problem:
        raise ValueError(block.problem)
    if not block.energy:
        raise ValueError("no comment “# total energy = … eV”")
    if block.unit and block.unit.lower() != "ev":
        raise ValueError(f"an energy in {block.unit}; expected eV, with Å and eV/Å")
    if not block.atoms:
        raise ValueError("no atoms")
    if block.count and block.count != str(len(block.atoms)):
        raise ValueError(f"{len(block.atoms)} atoms where PRIMCOORD says {block.count[:20]}")
    widths = {len(words) for words in block.atoms}
    if widths not in ({4}, {7}):
        raise ValueError(
            f"lines of {' and '.join(map(str, sorted(widths)))} values; expected an element, "
            "three coordinates and three forces, or none"
        )
    values = _numbers([words[1:] for words in block.atoms])
    energy = _numbers([[block.energy]])
    # aenet itself knows only PRIMVEC, the keyword before it is XCrySDen's.
    periodic = PERIODIC[block.periodic or ("CRYSTAL" if block.vectors else "ATOMS")]
    if any(periodic) and [len(vector) for vector in block.vectors] != [3, 3, 3]:
        raise ValueError(f"{len(block.vectors)} lattice vectors; expected 3 of 3 numbers")
    return Frame(
        numbers=np.array([_element(words[0]) for words in block.atoms], dtype=np.uint8),
        positions=values[:, :3].copy(),
        cell=_numbers(block.vectors) if any(periodic) else np.zeros((3, 3)),
        pbc=periodic,
        energy=float(energy[0, 0]),
        forces=values[:, 3:].copy() if widths == {7} else None,
        label_source="ab initio",
        kind=block.kind,
        ionic_step=index,
        calculation=calculation,
    )


def _numbers(rows: list[list[str]]) -> FloatArray:
    # Fortran writes a large exponent as 1.0D+00.
    return np.array(
        [[float(word.replace("D", "E").replace("d", "e")) for word in row] for row in rows]
    )


def _element(word: str) -> int:
    number = int(word) if word.isdigit() else atomic_number(word)
    if number is None or not 0 < number < 119:
        raise ValueError(f"unknown element “{word[:30]}”")
    return number
