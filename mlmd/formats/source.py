"""Bytes of an uploaded file, decompressed within bounds, one chunk at a time."""

from __future__ import annotations

import bz2
import hashlib
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

from mlmd.errors import FormatError, HostileInput
from mlmd.formats.issues import IssueLog

CHUNK = 1 << 18


@dataclass(frozen=True)
class Limits:
    """What a file may cost before it is refused.

    Args:
        decompressed_bytes: most bytes that are read out of one file.
        ratio: most decompressed bytes per stored byte, once ``free_bytes`` have been read.
        free_bytes: decompressed bytes that are always allowed.
        line_bytes: longest line of a text format.
        atoms: most atoms in one frame.
    """

    decompressed_bytes: int = 16 << 30
    ratio: int = 250
    free_bytes: int = 32 << 20
    line_bytes: int = 64 << 20
    atoms: int = 10_000_000


DEFAULT_LIMITS = Limits()


class _Decompressor(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


def _gzip() -> _Decompressor:
    return zlib.decompressobj(wbits=31)


def _xz() -> _Decompressor:
    # The dictionary of an xz stream may claim gigabytes: bound what it may allocate.
    return lzma.LZMADecompressor(memlimit=256 << 20)


_MAGIC = {b"\x1f\x8b": _gzip, b"BZh": bz2.BZ2Decompressor, b"\xfd7zXZ\x00": _xz}


class Source:
    """A file opened for reading: its plain bytes, in order, never more than the limits allow.

    Args:
        path: the file.
        name: what the user calls it; only used in messages and provenance.
        limits: when to refuse it.

    Raises:
        HostileInput: while reading, when the file decompresses beyond the limits.
    """

    def __init__(
        self, path: str | Path, name: str | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.path = Path(path)
        self.name = safe_name(name if name is not None else self.path.name)
        self.limits = limits
        self.truncated = ""
        self._file: BinaryIO = self.path.open("rb")
        magic = self._file.read(6)
        self._file.seek(0)
        self._factory = next((f for m, f in _MAGIC.items() if magic.startswith(m)), None)
        self._decompressor = self._factory() if self._factory else None
        self._pending = b""
        self._stored = 0
        self._plain = 0
        self._pushed_back = b""
        self._sha256: str | None = None

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def sha256(self) -> str:
        """Hash of the file as it is stored (compressed, when it is), read once on demand."""
        if self._sha256 is None:
            with self.path.open("rb") as stream:
                self._sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return self._sha256

    @property
    def fraction(self) -> float:
        """Share of the stored file that has been read, 0 to 1."""
        size = self.path.stat().st_size
        return self._file.tell() / size if size and not self._file.closed else 1.0

    def read(self) -> bytes:
        """Return the next chunk of plain bytes, empty at the end."""
        if self._pushed_back:
            chunk, self._pushed_back = self._pushed_back, b""
            return chunk
        chunk = self._file.read(CHUNK) if self._decompressor is None else self._decompress()
        self._plain += len(chunk)
        self._check_limits()
        return chunk

    def head(self, size: int = 1 << 16) -> bytes:
        """Return the first bytes without consuming them; only before the first `read`."""
        parts: list[bytes] = []
        total = 0
        while total < size and (chunk := self.read()):
            parts.append(chunk)
            total += len(chunk)
        self._pushed_back = b"".join(parts)
        return self._pushed_back[:size]

    def chunks(self) -> Iterator[bytes]:
        """Iterate over the remaining plain bytes."""
        while chunk := self.read():
            yield chunk

    def lines(self) -> Iterator[str]:
        """Iterate over the lines, without their ends, decoded as UTF-8 (bad bytes replaced)."""
        rest = b""
        for chunk in self.chunks():
            parts = (rest + chunk).split(b"\n") if rest else chunk.split(b"\n")
            rest = parts.pop()
            if len(rest) > self.limits.line_bytes:
                raise HostileInput(
                    self.name,
                    f"a line is longer than {self.limits.line_bytes >> 20} MiB",
                    "a text file with lines",
                )
            for part in parts:
                yield part.decode("utf-8", "replace").rstrip("\r")
        if rest:
            yield rest.decode("utf-8", "replace").rstrip("\r")

    def _decompress(self) -> bytes:
        while not self.truncated:
            decompressor = self._decompressor
            if decompressor is None:
                return b""
            if decompressor.eof:
                if not self._next_member(decompressor):
                    return b""
                continue
            if not self._pending and self._wants_input():
                self._pending = self._file.read(CHUNK)
                self._stored += len(self._pending)
            try:
                data = decompressor.decompress(self._pending, CHUNK)
            except (zlib.error, OSError, lzma.LZMAError, EOFError) as error:
                if self._plain == 0:
                    raise FormatError(
                        self.name, f"damaged compressed data ({error})", "a whole file", _RESEND
                    ) from error
                self.truncated = f"the compressed data is damaged ({error})"
                return b""
            # zlib hands back what it has not eaten; bz2 and lzma keep it themselves.
            at_end = not self._pending
            self._pending = getattr(decompressor, "unconsumed_tail", b"")
            if data:
                return data
            if at_end and not decompressor.eof and self._wants_input():
                self.truncated = "the compressed data ends before its end mark"
        return b""

    def _wants_input(self) -> bool:
        return bool(getattr(self._decompressor, "needs_input", True))

    def _next_member(self, finished: _Decompressor) -> bool:
        rest = finished.unused_data or self._file.read(CHUNK)
        if not rest.strip(b"\0") or self._factory is None:
            return False
        self._pending = rest
        self._decompressor = self._factory()
        return True

    def _check_limits(self) -> None:
        limits = self.limits
        if self._plain > limits.decompressed_bytes:
            raise HostileInput(
                self.name,
                f"more than {limits.decompressed_bytes >> 20} MiB of content",
                "a smaller file",
                "Split the trajectory into several files.",
            )
        if (
            self._decompressor is not None
            and self._plain > limits.free_bytes
            and self._plain > limits.ratio * max(self._stored, 1)
        ):
            raise HostileInput(
                self.name,
                f"it expands more than {limits.ratio} times when decompressed",
                "an ordinary compressed file",
                "Send it uncompressed if it is real.",
            )


_RESEND = "Copy the file again; the transfer was probably cut off."


def safe_name(name: str) -> str:
    """Return the last part of a user's file name, without control characters, never empty."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    printable = "".join(c for c in last if c.isprintable()).strip()
    return printable[:255] if printable not in ("", ".", "..") else "unnamed"


def report_truncation(source: Source, log: IssueLog) -> None:
    """Add an issue when the compressed stream was cut."""
    if source.truncated:
        log.lose("", source.truncated, "a whole file", _RESEND)
