"""Files made once from what never changes, kept for those who ask again or go on in the middle."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

CHUNK = 1 << 18
_PATIENCE = 0.02  # s between looks at what another process makes
_log = logging.getLogger(__name__)

Pieces = Callable[[int], Iterator[tuple[bytes, int]]]


@dataclass(frozen=True)
class Facts:
    """What is known of a whole file.

    Args:
        size: bytes.
        sha256: of its bytes, hexadecimal.
    """

    size: int
    sha256: str


@dataclass(frozen=True)
class KeptFile(ABC):
    """A file below `DOWNLOADS_DIR`, made by whoever asks first.

    Args:
        name: digest of all that decides its bytes, so that it never needs to be renewed.
    """

    name: str

    @property
    def path(self) -> Path:
        return Path(settings.DOWNLOADS_DIR) / self.name[:2] / self.name

    def facts(self) -> Facts | None:
        """Return size and checksum once the file is whole."""
        try:
            found = Facts(**json.loads(self._beside("facts").read_text()))
            os.utime(self.path)  # used just now: others go first when room is needed
        except (OSError, ValueError):
            return None
        return found

    @abstractmethod
    def finish(self) -> Facts | None:
        """Make what is missing, or wait for whoever makes it; None where there is no room."""

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield bytes of the whole file; it is opened at once, so that it can't go meanwhile."""
        return Reading(self.path.open("rb"), start, stop)

    def _beside(self, end: str) -> Path:
        return self.path.with_name(f"{self.name}.{end}")

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Give the right to write, or not; a process that dies gives it back."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._beside("lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                mine = True
            except BlockingIOError:
                mine = False
            yield mine

    def _complete(self) -> None:
        """Turn the whole part into the file, and make room for it."""
        part = self._beside("part")
        with part.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        text = json.dumps(asdict(Facts(part.stat().st_size, digest)))
        self._beside("facts").write_text(text)
        part.replace(self.path)
        self._beside("state").unlink(missing_ok=True)
        make_room(keep=self.path)

    def _give_up(self, error: OSError) -> None:
        _log.warning("a download can't be kept: %s", error)
        for end in ("part", "state"):
            with suppress(OSError):
                self._beside(end).unlink(missing_ok=True)


@dataclass(frozen=True)
class WholeFile(KeptFile):
    """A file that its writer must finish before anybody reads it.

    Args:
        write: makes it at a path.
        suffix: that the path needs to end with.
    """

    write: Callable[[Path], None]
    suffix: str

    def finish(self) -> Facts | None:
        while (facts := self.facts()) is None:
            with self._turn() as mine:
                if mine and self.facts() is None:
                    made = self._beside(f"made{self.suffix}")
                    made.unlink(missing_ok=True)
                    try:
                        self.write(made)
                        made.replace(self._beside("part"))
                        self._complete()
                    finally:
                        made.unlink(missing_ok=True)
            if not mine:
                time.sleep(_PATIENCE)
        return facts


@dataclass(frozen=True)
class _State:
    """How far a growing file has come.

    Args:
        size: bytes that are there.
        after: what to give to `pieces` to go on.
    """

    size: int = 0
    after: int = 0


@dataclass(frozen=True)
class GrowingFile(KeptFile):
    """A file that is sent while it is made, and made further by whoever comes next.

    Args:
        pieces: yields bytes, each with what to call it with to go on behind them; 0 is the start.
    """

    pieces: Pieces

    def stream(self) -> Iterator[bytes]:
        """Yield the file from its start, making what isn't there yet."""
        position = 0
        making = _Making(self)
        while self.facts() is None:
            size = self._state().size
            if size > position:
                with suppress(FileNotFoundError):  # it is whole by now
                    yield from Reading(self._beside("part").open("rb"), position, size)
                    position = size
                continue
            try:
                making.step()
            except OSError as error:
                self._give_up(error)
                yield from making.rest(position)
                return
        yield from self.read(position)

    def finish(self) -> Facts | None:
        making = _Making(self)
        while (facts := self.facts()) is None:
            try:
                making.step()
            except OSError as error:
                self._give_up(error)
                return None
        return facts

    def _state(self) -> _State:
        try:
            return _State(**json.loads(self._beside("state").read_text()))
        except (OSError, ValueError):
            return _State()

    def _append(self, content: bytes, after: int) -> None:
        state = self._state()
        if state.size + len(content) > settings.MLMD_DOWNLOADS_BYTES:
            raise OSError("it is larger than MLMD_DOWNLOADS_BYTES")
        with self._beside("part").open("r+b" if state.size else "wb") as stream:
            stream.truncate(state.size)  # bytes without a state are from one who died
            stream.seek(state.size)
            stream.write(content)
        draft = self._beside("state.new")
        draft.write_text(json.dumps(asdict(_State(state.size + len(content), after))))
        draft.replace(self._beside("state"))


class _Making:
    """One reader's share in making a growing file: a piece at a time, never while it sends."""

    def __init__(self, file: GrowingFile) -> None:
        self.file = file
        self.after: int | None = None
        self.source: Iterator[tuple[bytes, int]] = iter(())
        self.piece, self.size = b"", 0  # the newest piece, and what was there before it

    def step(self) -> None:
        """Add one piece, complete the file, or wait a moment for another who does.

        Raises:
            OSError: there is no room; `rest` gives what is left, without keeping it.
        """
        file = self.file
        with file._turn() as mine:
            if mine and file.facts() is None:
                state = file._state()
                if state.after != self.after:
                    self.source, self.after = file.pieces(state.after), state.after
                self.piece, self.size = b"", state.size
                found = next(self.source, None)
                if found is None:
                    file._complete()
                    return
                self.piece, self.after = found
                file._append(self.piece, self.after)
        if not mine:
            time.sleep(_PATIENCE)

    def rest(self, position: int) -> Iterator[bytes]:
        """Yield what follows a place in the file, without keeping it."""
        skipped = position
        if self.piece and position == self.size:
            yield self.piece
            skipped = 0
        else:
            self.source = self.file.pieces(0)
        for content, _after in self.source:
            if skipped < len(content):
                yield content[skipped:]
            skipped = max(skipped - len(content), 0)


def make_room(keep: Path) -> None:
    """Delete the files that nobody asked for longest, until the others fit."""
    files = []
    for facts in Path(settings.DOWNLOADS_DIR).glob("*/*.facts"):
        path = facts.with_suffix("")
        with suppress(OSError):
            found = path.stat()
            files.append((found.st_mtime, found.st_size, path))
    total = sum(size for _used, size, _path in files)
    for _used, size, path in sorted(files):
        if total <= settings.MLMD_DOWNLOADS_BYTES:
            break
        if path != keep:
            path.with_name(f"{path.name}.facts").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            total -= size


class Reading(Iterator[bytes]):
    """Bytes of an open file between two places; closed at the end, or when nobody wants more."""

    def __init__(self, stream: BinaryIO, start: int, stop: int | None) -> None:
        self._stream = stream
        self._left = sys.maxsize if stop is None else stop - start
        stream.seek(start)

    def __next__(self) -> bytes:
        chunk = self._stream.read(min(CHUNK, self._left)) if self._left else b""
        if not chunk:
            self.close()
            raise StopIteration
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        self._stream.close()
        self._left = 0
