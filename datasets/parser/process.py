"""Starts the child that reads a file, and listens to it."""

from __future__ import annotations

import logging
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from datasets.parser.records import Record, RecordKind, read_record

log = logging.getLogger(__name__)

HEARTBEAT = 2.0  # s
_CHUNK = 1 << 20


class ReaderDied(Exception):
    """The child ended without a last word; the text is for the user (translated)."""


@dataclass(frozen=True)
class ReadRequest:
    """A file to read.

    Args:
        path: where it lies.
        name: what the user calls it.
        target: ``frames`` or ``structures``.
        format: empty to detect it.
        kind: kind of configuration for frames that don't say theirs.
        length_unit: for formats that don't say theirs.
        energy_unit: likewise.
    """

    path: Path
    name: str
    target: str
    format: str = ""
    kind: str = ""
    length_unit: str = ""
    energy_unit: str = ""


def read_in_child(request: ReadRequest, heartbeat: Callable[[], None]) -> Iterator[Record]:
    """Yield the child's records; `heartbeat` is called every few seconds and may raise to stop.

    Raises:
        ReaderDied: the child crashed, was killed or took too long.
    """
    deadline = time.monotonic() + 3 * settings.MLMD_PARSE_SECONDS
    with tempfile.TemporaryFile() as complaints:
        child = subprocess.Popen(  # noqa: S603 - our own module; the file's name is an argument
            _command(request),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            cwd=settings.BASE_DIR,
            env=_environment(),
            start_new_session=True,
        )
        try:
            ended = False
            for record in _records(child, heartbeat, deadline):
                ended = ended or record.kind in _LAST
                yield record
            code = child.wait()
            if not ended:
                raise ReaderDied(_death(code, complaints))
        finally:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()


_LAST = {RecordKind.REPORT, RecordKind.REFUSED, RecordKind.EXHAUSTED}


def _command(request: ReadRequest) -> list[str]:
    return [
        sys.executable,
        "-m",
        "datasets.parser.child",
        str(request.path),
        f"--target={request.target}",
        f"--name={request.name}",
        f"--format={request.format}",
        f"--kind={request.kind}",
        f"--length-unit={request.length_unit}",
        f"--energy-unit={request.energy_unit}",
        f"--memory={settings.MLMD_PARSE_MEMORY_BYTES}",
        f"--seconds={settings.MLMD_PARSE_SECONDS}",
        f"--expanded={settings.MLMD_MAX_EXPANDED_BYTES}",
    ]


def _environment() -> dict[str, str]:
    """What the child needs, and nothing of the site's secrets."""
    kept = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    )
    return {name: os.environ[name] for name in kept if name in os.environ} | threads


def _records(
    child: subprocess.Popen[bytes], heartbeat: Callable[[], None], deadline: float
) -> Iterator[Record]:
    pipe = _Pipe(child, heartbeat, deadline)
    try:
        while (record := read_record(pipe.read_exactly)) is not None:
            yield record
    except EOFError:
        log.warning("the reader of an upload ended in the middle of a record")


class _Pipe:
    """Reads exact amounts from the child's output without ever waiting past a heartbeat."""

    def __init__(
        self, child: subprocess.Popen[bytes], heartbeat: Callable[[], None], deadline: float
    ) -> None:
        if child.stdout is None:
            raise ValueError("the child has no pipe")
        self._descriptor = child.stdout.fileno()
        self._heartbeat = heartbeat
        self._deadline = deadline
        self._buffer = bytearray()
        self._next_beat = time.monotonic() + HEARTBEAT

    def read_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            chunk = self._read()
            if not chunk:
                break
            self._buffer += chunk
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _read(self) -> bytes:
        while True:
            now = time.monotonic()
            if now >= self._next_beat:
                self._heartbeat()
                self._next_beat = now + HEARTBEAT
            if now > self._deadline:
                raise ReaderDied(
                    _("Reading the file took longer than allowed. Split it and send the parts.")
                )
            ready, _w, _x = select.select([self._descriptor], [], [], HEARTBEAT)
            if ready:
                return os.read(self._descriptor, _CHUNK)


def _death(code: int, complaints: object) -> str:
    complaints.seek(0)  # type: ignore[attr-defined]
    said = complaints.read()[-4000:].decode("utf-8", "replace")  # type: ignore[attr-defined]
    log.error("the reader of an upload ended with code %s: %s", code, said)
    if code < 0:
        return _(
            "The reader was stopped by the system (signal %(signal)d), probably for lack of "
            "memory. Split the file and send the parts."
        ) % {"signal": -code}
    return _(
        "The reader broke down on this file. Nothing was kept; please report it to the operators."
    )
