"""JSON lines: one teacher-data document per frame and line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TextIO

from mlmd.documents import document_to_frame, frame_to_json
from mlmd.errors import InvalidInput
from mlmd.formats.issues import IssueLog
from mlmd.formats.labels import EnergyKind, chosen_energy
from mlmd.formats.source import Source
from mlmd.frame import Frame


def read_jsonl(source: Source, log: IssueLog) -> Iterator[tuple[str, Frame]]:
    """Yield (place, frame) of every document; damaged lines go to ``log``."""
    for number, line in enumerate(source.lines(), 1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            log.lose(place, f"not JSON ({error})", "one document per line", "It was left out.")
            continue
        try:
            yield place, document_to_frame(document)
        except InvalidInput as error:
            log.lose(f"{place}, {error.where}", error.found, error.expected, "It was left out.")


def write_jsonl(frame: Frame, stream: TextIO, energy: EnergyKind) -> None:
    """Write one frame as its document; the document always holds every energy.

    Raises:
        InvalidInput: the energy asked for is not known.
    """
    chosen_energy(frame, energy)
    stream.write(f"{frame_to_json(frame)}\n")
