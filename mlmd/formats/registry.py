"""The frame formats, and which function reads and writes each.

A new format is one module with a reader or a writer, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from mlmd.formats.aenet_xsf import read_aenet_xsf
from mlmd.formats.aenet_xsf_writer import AenetXsfSink
from mlmd.formats.ase_db import read_ase_db
from mlmd.formats.ase_db_writer import AseDbSink
from mlmd.formats.deepmd import read_deepmd
from mlmd.formats.deepmd_writer import DeepmdSink
from mlmd.formats.espresso_out import read_espresso_out
from mlmd.formats.espresso_xml import read_espresso_xml
from mlmd.formats.extxyz import read_extxyz, write_extxyz
from mlmd.formats.issues import IssueLog
from mlmd.formats.jsonl import read_jsonl, write_jsonl
from mlmd.formats.labels import EnergyKind
from mlmd.formats.n2p2 import read_n2p2, write_n2p2
from mlmd.formats.sinks import PathSink
from mlmd.formats.source import Source
from mlmd.formats.vasprun import read_vasprun
from mlmd.frame import Frame

Reader = Callable[[Source, IssueLog], Iterator[tuple[str, Frame]]]
Writer = Callable[[Frame, TextIO, EnergyKind], None]
SinkFactory = Callable[[Path, EnergyKind], PathSink]


class FrameFormat(StrEnum):
    """Formats of labelled frames."""

    VASPRUN = "vasprun"
    ESPRESSO_XML = "espresso-xml"
    ESPRESSO_OUT = "espresso-out"
    EXTXYZ = "extxyz"
    N2P2 = "n2p2"
    JSONL = "jsonl"
    DEEPMD = "deepmd"
    ASE_DB = "asedb"
    AENET = "aenet"


READERS: Mapping[FrameFormat, Reader] = {
    FrameFormat.VASPRUN: read_vasprun,
    FrameFormat.ESPRESSO_XML: read_espresso_xml,
    FrameFormat.ESPRESSO_OUT: read_espresso_out,
    FrameFormat.EXTXYZ: read_extxyz,
    FrameFormat.N2P2: read_n2p2,
    FrameFormat.JSONL: read_jsonl,
    FrameFormat.DEEPMD: read_deepmd,
    FrameFormat.ASE_DB: read_ase_db,
    FrameFormat.AENET: read_aenet_xsf,
}

WRITERS: Mapping[FrameFormat, Writer] = {
    FrameFormat.EXTXYZ: write_extxyz,
    FrameFormat.N2P2: write_n2p2,
    FrameFormat.JSONL: write_jsonl,
}

# Formats that need a path of their own rather than a stream of text.
PATH_SINKS: Mapping[FrameFormat, SinkFactory] = {
    FrameFormat.DEEPMD: DeepmdSink,
    FrameFormat.ASE_DB: AseDbSink,
    FrameFormat.AENET: AenetXsfSink,
}
WRITABLE: tuple[FrameFormat, ...] = (*WRITERS, *PATH_SINKS)
# Formats that can't say which frames come from a machine-learned force field.
WITHOUT_LABEL_SOURCE = frozenset((FrameFormat.N2P2, FrameFormat.DEEPMD, FrameFormat.AENET))
