"""The frame formats, and which function reads and writes each.

A new format is one module with a reader or a writer, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import TextIO

from mlmd.formats.espresso_out import read_espresso_out
from mlmd.formats.espresso_xml import read_espresso_xml
from mlmd.formats.extxyz import read_extxyz, write_extxyz
from mlmd.formats.issues import IssueLog
from mlmd.formats.jsonl import read_jsonl, write_jsonl
from mlmd.formats.labels import EnergyKind
from mlmd.formats.n2p2 import read_n2p2, write_n2p2
from mlmd.formats.source import Source
from mlmd.formats.vasprun import read_vasprun
from mlmd.frame import Frame

Reader = Callable[[Source, IssueLog], Iterator[tuple[str, Frame]]]
Writer = Callable[[Frame, TextIO, EnergyKind], None]


class FrameFormat(StrEnum):
    """Formats of labelled frames."""

    VASPRUN = "vasprun"
    ESPRESSO_XML = "espresso-xml"
    ESPRESSO_OUT = "espresso-out"
    EXTXYZ = "extxyz"
    N2P2 = "n2p2"
    JSONL = "jsonl"


READERS: Mapping[FrameFormat, Reader] = {
    FrameFormat.VASPRUN: read_vasprun,
    FrameFormat.ESPRESSO_XML: read_espresso_xml,
    FrameFormat.ESPRESSO_OUT: read_espresso_out,
    FrameFormat.EXTXYZ: read_extxyz,
    FrameFormat.N2P2: read_n2p2,
    FrameFormat.JSONL: read_jsonl,
}

WRITERS: Mapping[FrameFormat, Writer] = {
    FrameFormat.EXTXYZ: write_extxyz,
    FrameFormat.N2P2: write_n2p2,
    FrameFormat.JSONL: write_jsonl,
}
