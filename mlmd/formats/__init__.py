"""Files in, frames out, and back.

`open_frames` reads labelled frames (teacher data), `read_structures` bare
structures; both stream, detect the format by content and survive bad files.
"""

from mlmd.formats.frames import (
    FrameReader,
    frame_sink,
    open_frames,
    read_frames,
    write_frames,
)
from mlmd.formats.issues import Issue, Severity
from mlmd.formats.labels import EnergyKind
from mlmd.formats.registry import FrameFormat
from mlmd.formats.source import Limits
from mlmd.formats.structures import StructureFormat, read_structures, write_structure

__all__ = [
    "EnergyKind",
    "FrameFormat",
    "FrameReader",
    "Issue",
    "Limits",
    "Severity",
    "StructureFormat",
    "frame_sink",
    "open_frames",
    "read_frames",
    "read_structures",
    "write_frames",
    "write_structure",
]
