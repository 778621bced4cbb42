"""What batches of all codes share: a folder a structure, and what became of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ase import Atoms

from mlmd.frame import Frame
from mlmd.launch import PART_RECORD

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
