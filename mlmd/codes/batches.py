"""What batches of all codes share: a folder a structure, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.frame import Frame
from mlmd.launch import PART_RECORD, Launch, Part, Resources

_LEAST_VOLUME = 1e-3  # Å³
AGAIN = "again"
"""Folder of the second, gentler try inside of a structure's folder."""


class Outcome(StrEnum):
    """What became of a structure."""

    CONVERGED = "converged"
    UNCONVERGED = "unconverged"
    FAILED = "failed"
    UNFINISHED = "unfinished"


@dataclass(frozen=True)
class NamedStructure:
    """A structure to compute; `name` is for people and needn't be unique."""

    name: str
    atoms: Atoms


@dataclass(frozen=True)
class StructureResult:
    """What became of one structure.

    Args:
        index: its place in the batch, from 0.
        name: as in the batch.
        outcome: converged, unconverged, failed, or unfinished: the run ended before it did.
        frames: every labelled configuration, in order; none after a failure.
        message: why it isn't converged; empty where it is.
    """

    index: int
    name: str
    outcome: Outcome
    frames: tuple[Frame, ...] = ()
    message: str = ""


def check_cell(atoms: Atoms) -> None:
    """Raise if a structure has no cell, which every plane-wave code needs.

    Raises:
        InvalidInput: says how to give a molecule one.
    """
    if abs(atoms.cell.volume) < _LEAST_VOLUME:
        raise InvalidInput(
            "structure",
            "no cell",
            "three lattice vectors",
            "Put a molecule into a box with some Å of vacuum around it.",
        )


@contextmanager
def naming(structure: NamedStructure) -> Iterator[None]:
    """Name the structure in what is wrong with it."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(
            f"{structure.name}: {error.where}", error.found, error.expected, error.action
        ) from error


def launch_of(
    parts: Sequence[Part], kept: Sequence[str], output: str, resources: Resources
) -> Launch:
    """Return what to run for a batch, and what to bring back.

    Args:
        parts: a structure each.
        kept: files of a structure's folder to bring back, from both tries.
        output: the file that grows while a structure is computed.
        resources: of the whole batch.
    """
    return Launch(
        commands=(),
        fetch=(
            f"*/{PART_RECORD}",
            *(f"*/{name}" for name in kept),
            *(f"*/{AGAIN}/{name}" for name in kept),
        ),
        live=(f"*/{output}",),
        resources=resources,
        parts=tuple(parts),
    )


def folder_name(index: int) -> str:
    """Return the folder of a structure in the run directory."""
    return f"{index + 1:04d}"


def unfinished_because(folder: Path) -> str:
    """Return why a part of a batch was not carried to its end; empty where it was.

    Args:
        folder: of the part; its record says how it ended, none that nothing noted an end.
    """
    path = folder / PART_RECORD
    try:
        cause = json.loads(path.read_text(encoding="utf-8"))["cause"]
    except FileNotFoundError:
        return (
            "It was not begun before the run ended, or was lost with the machine that worked on it."
        )
    except (ValueError, KeyError, TypeError):
        return "The record of its end is damaged."
    return {
        "time": "The time limit was reached while it was computed.",
        "stopped": "The run was stopped while it was computed.",
    }.get(cause, "")
