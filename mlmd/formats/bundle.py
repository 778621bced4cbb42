"""A folder, .zip or .tar (also .tar.gz, .xz, .bz2) as a stream of its files.

Nothing is ever unpacked to the disk, so names with ``..``, links and devices have
nothing to reach; the bytes read are bounded like those of any other file.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mlmd.errors import FormatError, HostileInput
from mlmd.formats.source import CHUNK, DEFAULT_LIMITS, Limits, Source, safe_name

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_TAR_MARK = slice(257, 262)
MOST_MEMBERS = 500_000
Buffer = bytes | mmap.mmap


@dataclass(frozen=True)
class Member:
    """One regular file of a bundle.

    Args:
        path: inside the bundle.
        size: bytes, as the bundle states it.
        load: gives the content; only while the iteration stands at this member.
    """

    path: PurePosixPath
    size: int
    load: Callable[[], Buffer]


class FolderSource(Source):
    """A folder where a file is expected: `members` gives its files."""

    def __init__(
        self, path: str | Path, name: str | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.path = Path(path)
        self.name = safe_name(name if name is not None else self.path.name)
        self.limits = limits
        self.truncated = ""
        self._sha256: str | None = None

    def close(self) -> None:
        """Nothing is held open."""

    @property
    def sha256(self) -> str:
        """Hash over the names and contents of all files, sorted by name."""
        if self._sha256 is None:
            digest = hashlib.sha256()
            for file in _files(self.path):
                with file.open("rb") as stream:
                    content = hashlib.file_digest(stream, "sha256").hexdigest()
                digest.update(f"{content}  {file.relative_to(self.path).as_posix()}\n".encode())
            self._sha256 = digest.hexdigest()
        return self._sha256

    @property
    def fraction(self) -> float:
        """Unknown, since no bytes are counted: 0."""
        return 0.0


def is_archive(head: bytes) -> bool:
    """Tell whether (decompressed) bytes start a .zip or .tar."""
    return head.startswith(_ZIP) or head[_TAR_MARK] == b"ustar"


def members(source: Source) -> Iterator[Member]:
    """Yield the regular files of a bundle, from its start; may be called again.

    Raises:
        FormatError: the archive is damaged.
        HostileInput: it exceeds the limits.
    """
    if isinstance(source, FolderSource):
        yield from _of_folder(source)
        return
    with Source(source.path, source.name, source.limits) as again, _damage_named(again):
        is_zip = again.head(len(_ZIP[0])).startswith(_ZIP)
        for member in _of_zip(source) if is_zip else _of_tar(again):
            yield replace(member, load=partial(_loaded, again, member.load))


@contextmanager
def _damage_named(source: Source) -> Iterator[None]:
    """Translate what the archive modules raise."""
    try:
        yield
    except _ARCHIVE_ERRORS as error:
        reason = source.truncated or str(error) or type(error).__name__
        raise FormatError(
            source.name,
            f"a damaged archive ({reason})",
            "a whole .zip or .tar",
            "Pack it again, without a password.",
        ) from error


def _loaded(source: Source, load: Callable[[], Buffer]) -> Buffer:
    with _damage_named(source):
        return load()


_ARCHIVE_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    LookupError,
    LZMAError,
    EOFError,
    NotImplementedError,  # a compression that this Python doesn't know
    RuntimeError,  # encrypted
    OSError,
    ValueError,
)


def _files(folder: Path) -> list[Path]:
    found = []
    for root, _, names in os.walk(folder, followlinks=False):
        found += [p for n in names if (p := Path(root, n)).is_file() and not p.is_symlink()]
    return sorted(found)


def _of_folder(source: FolderSource) -> Iterator[Member]:
    for file in _files(source.path):
        path = PurePosixPath(file.relative_to(source.path).as_posix())
        yield Member(path, file.stat().st_size, partial(_mapped, file))


def _mapped(file: Path) -> Buffer:
    with file.open("rb") as stream:
        if file.stat().st_size == 0:
            return b""
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def _of_zip(source: Source) -> Iterator[Member]:
    with zipfile.ZipFile(source.path) as archive:
        entries = archive.infolist()
        _check(source, len(entries), 0)
        total = 0
        for entry in entries:
            # The upper half of the attributes is the Unix mode; 0o12 marks a link.
            name = entry.filename
            if not name or name.endswith("/") or entry.external_attr >> 28 == 0o12:
                continue
            total += entry.file_size
            _check(source, 0, total)
            _check_ratio(source, entry.file_size, entry.compress_size)
            yield Member(PurePosixPath(name), entry.file_size, partial(archive.read, entry))


class _Plain(io.RawIOBase):
    """The decompressed bytes of a source as a file object, for tarfile."""

    def __init__(self, source: Source) -> None:
        self._source, self._rest = source, b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            chunk = self._source.read()
            if not chunk:
                break
            self._rest += chunk
        size = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _of_tar(source: Source) -> Iterator[Member]:
    plain: Any = _Plain(source)
    with tarfile.open(fileobj=plain, mode="r|", bufsize=CHUNK) as archive:
        total = 0
        for count, entry in enumerate(iter(archive.next, None)):
            total += entry.size
            _check(source, count, total)
            if entry.isreg() and not entry.issparse():
                stream = archive.extractfile(entry)
                if stream is not None:
                    path = PurePosixPath(entry.name)
                    yield Member(path, entry.size, partial(_whole, stream, entry.size))
    if source.truncated:
        raise EOFError(source.truncated)


def _whole(stream: IO[bytes], size: int) -> bytes:
    data = stream.read()
    if len(data) != size:
        raise EOFError("it ends inside a file")
    return data


def _check(source: Source, count: int, total: int) -> None:
    limits = source.limits
    if count > MOST_MEMBERS:
        raise HostileInput(source.name, f"more than {MOST_MEMBERS} files", "fewer files")
    if total > limits.decompressed_bytes:
        raise HostileInput(
            source.name,
            f"more than {limits.decompressed_bytes >> 20} MiB of content",
            "a smaller archive",
            "Split the data set into several archives.",
        )


def _check_ratio(source: Source, plain: int, stored: int) -> None:
    limits = source.limits
    if plain > limits.free_bytes and plain > limits.ratio * max(stored, 1):
        raise HostileInput(
            source.name,
            f"a file that expands more than {limits.ratio} times when decompressed",
            "an ordinary archive",
            "Pack it without compression if it is real.",
        )
