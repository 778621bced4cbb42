"""Reads what commands take: labelled frames or bare structures, told apart by content."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms

from mlmd.errors import FormatError, InvalidInput
from mlmd.formats import FrameFormat, Issue, open_frames, read_structures
from mlmd.formats.atoms import atoms_to_frame
from mlmd.frame import Frame


@dataclass
class Input:
    """A file of structures.

    Args:
        path: the file.
        format: what it turned out to be.
        issues: complete once all frames are read.
    """

    path: Path
    format: str
    issues: list[Issue]
    frames: Iterator[Frame]


def open_input(path: Path, length_unit: str | None = None, energy_unit: str | None = None) -> Input:
    """Open a file of frames, or of bare structures.

    Args:
        path: the file.
        length_unit: of n2p2 data, which don't say theirs.
        energy_unit: likewise.

    Raises:
        FormatError: neither; says what was expected.
    """
    try:
        reader = open_frames(path, length_unit=length_unit, energy_unit=energy_unit)
    except FormatError as no_frames:
        try:
            structures = read_structures(path)
        except FormatError:
            raise no_frames from None
        return Input(path, "structures", [], (atoms_to_frame(atoms) for atoms in structures))
    issues: list[Issue] = []

    def frames() -> Iterator[Frame]:
        yield from reader
        known_units = reader.format == FrameFormat.N2P2 and length_unit and energy_unit
        issues.extend(issue for issue in reader.issues if not known_units or not _is_unit(issue))

    return Input(path, reader.format.value, issues, frames())


def read_one_structure(path: Path, index: int = -1) -> Atoms:
    """Return one structure of a file, the last by default.

    Raises:
        FormatError: the file can't be read.
        InvalidInput: it holds fewer structures.
    """
    found = read_structures(path)
    if not -len(found) <= index < len(found):
        raise InvalidInput(str(path), f"{len(found)} structures", f"one with index {index}")
    return found[index]


def print_issues(issues: list[Issue]) -> None:
    """Print what there is to say about a file on standard error."""
    for issue in issues:
        print(f"{issue.severity.value}: {issue}", file=sys.stderr)


def _is_unit(issue: Issue) -> bool:
    return "units" in issue.found
