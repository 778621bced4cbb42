"""What the child process says, one record at a time, over a pipe.

A record is a JSON object and a block of bytes, each with its length in front. No Django here.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO

import numpy as np

from datasets.packing import calculation_digest, frame_digest, pack_frame
from datasets.parser.measures import frame_measures
from mlmd.documents import compat_key, label_identity, structure_hash
from mlmd.documents.formula import element_counts, formula_hill
from mlmd.elements import SYMBOLS
from mlmd.frame import Calculation, Frame

_LENGTHS = struct.Struct("<II")
LARGEST_HEADER = 64 << 20
LARGEST_CONTENT = 512 << 20
LONGEST_FORMULA = 200
_latest: tuple[Calculation | None, tuple[str, str]] = (None, ("", ""))


class RecordKind(StrEnum):
    """What a record is about."""

    CALCULATION = "calculation"
    FRAME = "frame"
    STRUCTURE = "structure"
    REPORT = "report"  # the last one of a file that could be read
    REFUSED = "refused"  # the last one of a file that could not
    EXHAUSTED = "exhausted"  # a limit of the child was reached


@dataclass(frozen=True)
class Record:
    """One message of the child.

    Args:
        kind: what it is about.
        values: its fields.
        content: packed atoms, or nothing.
    """

    kind: RecordKind
    values: dict[str, Any]
    content: bytes = b""


@dataclass(frozen=True)
class FrameColumns:
    """The searchable columns of a frame; names are those of `datasets.models.Frame`."""

    formula: str
    elements_key: str
    n_elements: int
    n_atoms: int
    n_periodic: int
    volume_per_atom: float | None
    energy: float | None
    energy_per_atom: float | None
    max_force: float | None
    has_stress: bool
    shortest_distance: float | None
    pressure: float | None
    k_spacing: float | None
    code: str
    functional: str
    compat_key: str
    kind: str
    label_source: str
    scf_converged: bool | None
    ionic_step: int
    structure_hash: str
    label_identity: str
    document_hash: str


@dataclass(frozen=True)
class PackedFrame:
    """A frame ready to be stored.

    Args:
        columns: what a search needs.
        calculation: digest of its calculation.
        content: the frame itself, packed.
    """

    columns: FrameColumns
    calculation: str
    content: bytes


def packed_frame(frame: Frame) -> PackedFrame:
    """Return what is stored of a frame."""
    calculation, level = _names(frame.calculation)
    content = pack_frame(frame)
    n = len(frame)
    forces = frame.forces
    structure = structure_hash(frame)
    volume = abs(float(np.linalg.det(frame.cell))) if all(frame.pbc) else None
    columns = FrameColumns(
        formula=short_formula(frame.numbers),
        elements_key=elements_key(frame.numbers),
        n_elements=len(set(frame.numbers.tolist())),
        n_atoms=n,
        n_periodic=sum(map(int, frame.pbc)),
        volume_per_atom=volume / n if volume else None,
        energy=frame.energy,
        energy_per_atom=None if frame.energy is None else frame.energy / n,
        max_force=None if forces is None else float(np.sqrt((forces**2).sum(axis=1).max())),
        has_stress=frame.stress is not None,
        **vars(frame_measures(frame)),
        code=frame.calculation.code[:40],
        functional=frame.calculation.functional[:80],
        compat_key=level[:255],
        kind=frame.kind[:120],
        label_source=frame.label_source[:16],
        scf_converged=frame.scf_converged,
        ionic_step=frame.ionic_step,
        structure_hash=structure,
        label_identity=label_identity(frame, structure),
        document_hash=frame_digest(content, calculation),
    )
    return PackedFrame(columns, calculation, content)


def _names(calculation: Calculation) -> tuple[str, str]:
    """Return digest and level of theory; the frames of a file mostly share one calculation."""
    global _latest
    known, names = _latest
    if known != calculation:
        names = calculation_digest(calculation), compat_key(calculation)
        _latest = calculation, names
    return names


def elements_key(numbers: Any) -> str:
    """Return ``"|Li|O|"``: symbols by atomic number."""
    return "|" + "|".join(SYMBOLS[z] for z in sorted(set(numbers.tolist()))) + "|"


def short_formula(numbers: Any) -> str:
    """Return the Hill formula, cut where a mixture of very many elements makes it too long."""
    formula = formula_hill(element_counts(numbers))
    return formula if len(formula) <= LONGEST_FORMULA else formula[: LONGEST_FORMULA - 1] + "…"


def frame_record(frame: PackedFrame) -> Record:
    return Record(
        RecordKind.FRAME,
        {"columns": vars(frame.columns), "calculation": frame.calculation},
        frame.content,
    )


def frame_of_record(record: Record) -> PackedFrame:
    return PackedFrame(
        FrameColumns(**record.values["columns"]), record.values["calculation"], record.content
    )


def write_record(stream: BinaryIO, record: Record) -> None:
    header = json.dumps([record.kind, record.values], separators=(",", ":")).encode()
    stream.write(_LENGTHS.pack(len(header), len(record.content)))
    stream.write(header)
    stream.write(record.content)


def read_record(read_exactly: Callable[[int], bytes]) -> Record | None:
    """Read the next record; None at the end.

    Args:
        read_exactly: returns that many bytes, fewer only at the end of the pipe.

    Raises:
        EOFError: the pipe ends inside a record.
        ValueError: lengths that no record has.
    """
    lengths = read_exactly(_LENGTHS.size)
    if not lengths:
        return None
    header_size, content_size = _whole(lengths, _LENGTHS.size, _LENGTHS.unpack)
    if header_size > LARGEST_HEADER or content_size > LARGEST_CONTENT:
        raise ValueError(f"a record of {header_size} + {content_size} bytes")
    header = _whole(read_exactly(header_size), header_size, json.loads)
    content = _whole(read_exactly(content_size), content_size, bytes) if content_size else b""
    kind, values = header
    return Record(RecordKind(kind), values, content)


def _whole(data: bytes, size: int, decode: Callable[[bytes], Any]) -> Any:
    if len(data) < size:
        raise EOFError(f"{len(data)} of {size} bytes")
    return decode(data)
