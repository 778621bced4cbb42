"""The door: a file to frames, frames to a file, one at a time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

from mlmd.errors import FormatError, InvalidInput
from mlmd.formats.bundle import FolderSource, is_archive
from mlmd.formats.checks import checked_frame
from mlmd.formats.detect import detect_bundle, detect_format
from mlmd.formats.issues import Issue, IssueLog
from mlmd.formats.labels import EnergyKind
from mlmd.formats.n2p2 import read_n2p2
from mlmd.formats.registry import (
    PATH_SINKS,
    READERS,
    WRITABLE,
    WRITERS,
    FrameFormat,
    Reader,
    Writer,
)
from mlmd.formats.sinks import FrameSink
from mlmd.formats.source import DEFAULT_LIMITS, Limits, Source, report_truncation
from mlmd.frame import Frame


class FrameReader:
    """Iterates over the frames of one file, once; `issues` is complete afterwards.

    A damaged file gives every complete frame and issues that say what was lost; a
    file without usable labels gives no frame and issues that say why.

    Raises:
        HostileInput: while iterating, when the file is refused for safety.
    """

    def __init__(self, source: Source, frame_format: FrameFormat, read: Reader) -> None:
        self.format = frame_format
        self.name = source.name
        self._source = source
        self._read = read
        self._log = IssueLog(source.name)
        self.count = 0

    @property
    def issues(self) -> list[Issue]:
        """What there is to say about the file so far."""
        return list(self._log.issues)

    def close(self) -> None:
        """Close the file; iterating to the end does so too."""
        self._source.close()

    @property
    def fraction(self) -> float:
        """Share of the file that has been read, 0 to 1."""
        return self._source.fraction

    def __iter__(self) -> Iterator[Frame]:
        with self._source:
            for place, frame in self._read(self._source, self._log):
                checked = checked_frame(frame, place, self._log)
                if checked is not None:
                    self.count += 1
                    yield checked
            report_truncation(self._source, self._log)
            if self.count == 0 and not self._log.issues:
                self._log.lose("", "no frame", "at least one", "")


def open_frames(
    path: str | Path,
    format: FrameFormat | str | None = None,
    name: str | None = None,
    *,
    length_unit: str | None = None,
    energy_unit: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> FrameReader:
    """Open a file of labelled frames.

    Args:
        path: plain, .gz, .xz or .bz2, told apart by content; a folder for deepmd/npy
            and aenet's XSF files.
        format: detected by content when None.
        name: what the user calls the file, for messages and provenance.
        length_unit: of formats that don't say theirs (n2p2), a key of `mlmd.units.LENGTH`.
        energy_unit: likewise, a key of `mlmd.units.ENERGY`.
        limits: when to refuse a file.

    Raises:
        FormatError: empty, binary or of no known format.
        HostileInput: refused for safety.
    """
    if Path(path).is_dir():
        folder = FolderSource(path, name, limits)
        chosen = FrameFormat(format) if format else detect_bundle(folder)
        return FrameReader(folder, chosen, READERS[chosen])
    source = Source(path, name, limits)
    try:
        head = source.head()
        if not head.strip() and source.truncated:
            raise FormatError(source.name, source.truncated, "a whole file", "Copy it again.")
        chosen = FrameFormat(format) if format else detect_format(head, source.name)
        if not format and is_archive(head):
            chosen = detect_bundle(source)
        if not head.strip():
            raise FormatError(source.name, "the file is empty", f"a file of format {chosen}")
    except (FormatError, ValueError):
        source.close()
        raise
    read = READERS[chosen]
    if chosen is FrameFormat.N2P2:
        read = partial(read_n2p2, length_unit=length_unit, energy_unit=energy_unit)
    return FrameReader(source, chosen, read)


def read_frames(
    path: str | Path, format: FrameFormat | str | None = None, name: str | None = None
) -> Iterator[Frame]:
    """Yield the frames of a file; the short form of `open_frames`.

    Raises:
        FormatError: the file can't be read, or holds no usable frame; says why.
    """
    reader = open_frames(path, format, name)
    yield from reader
    if reader.count == 0:
        issue = reader.issues[0]
        raise FormatError(issue.where, issue.found, issue.expected or "frames", issue.action)


def write_frames(
    frames: Iterable[Frame],
    target: TextIO | str | Path,
    format: FrameFormat | str,
    *,
    energy: EnergyKind | str = EnergyKind.FREE,
) -> int:
    """Write frames one by one; return how many.

    Args:
        frames: consumed as a stream.
        target: text stream, or a path, which is replaced only once all is written.
        format: ``extxyz``, ``n2p2`` (in Å and eV), ``jsonl``; to a path also ``deepmd``
            and ``aenet`` (a new folder, or a file that ends in .zip) and ``asedb``.
        energy: which energy ``energy`` is in the file.

    Raises:
        InvalidInput: the format can't be written, or can't hold a frame.
    """
    count = 0
    with frame_sink(target, format, energy=energy) as sink:
        for frame in frames:
            sink.write(frame)
            count += 1
    return count


class _TextSink:
    """Frames as text on a stream that somebody else closes."""

    def __init__(self, stream: TextIO, write: Writer, energy: EnergyKind) -> None:
        self._stream, self._write, self._energy = stream, write, energy

    def write(self, frame: Frame) -> None:
        self._write(frame, self._stream, self._energy)


class Discarded(Exception):
    """Raised inside `frame_sink` to leave nothing behind; doesn't get out of it."""


@contextmanager
def frame_sink(
    target: TextIO | str | Path,
    format: FrameFormat | str,
    *,
    energy: EnergyKind | str = EnergyKind.FREE,
) -> Iterator[FrameSink]:
    """Give something to write frames to; a path appears only when the block ends well.

    Raises:
        InvalidInput: the format can't be written to such a target, or a folder is in the way.
    """
    chosen, kind = FrameFormat(format), EnergyKind(energy)
    write, factory = WRITERS.get(chosen), PATH_SINKS.get(chosen)
    if write is None and factory is None:
        raise InvalidInput(
            "format", f"{chosen} can only be read", " or ".join(f.value for f in WRITABLE)
        )
    if not isinstance(target, (str, Path)):
        if write is None:
            raise InvalidInput("format", f"{chosen} on a stream", "the name of a file to write")
        yield _TextSink(target, write, kind)
        return
    path = Path(target)
    if path.is_dir() and (factory is None or any(path.iterdir())):
        raise InvalidInput(str(path), "a folder that exists", "a new name", "Choose another name.")
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        if write is not None:
            with part.open("w", encoding="utf-8", newline="\n") as stream:
                yield _TextSink(stream, write, kind)
        elif factory is not None:
            with factory(part, kind) as sink:
                yield sink
        os.replace(part, path)
    except Discarded:
        pass
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        part.unlink(missing_ok=True)
