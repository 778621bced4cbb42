"""The two forms of aenet's network files, read value by value.

Binary: a Fortran sequential file, each record between two lengths in bytes. ASCII: the same
values in the same order, one name a line, numbers in as many lines as they need.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Protocol

import numpy as np

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray

# A network of a million weights has 8 MB; a length beyond this is no length.
MOST_BYTES = 1 << 30


class Records(Protocol):
    """What both forms offer; every call takes the next values of the file."""

    def words(self, name: str, count: int, length: int) -> tuple[str, ...]:
        """Return ``count`` names of ``length`` characters each, stripped."""

    def integers(self, name: str, count: int) -> tuple[int, ...]:
        """Return ``count`` whole numbers."""

    def numbers(self, name: str, count: int) -> FloatArray:
        """Return ``count`` numbers, shape (count,)."""

    def environments(
        self, name: str, neighbors: int, functions: int
    ) -> tuple[tuple[int, ...], ...]:
        """Return the one or two neighbour elements of each function, counted from 1."""


def open_records(path: Path) -> Records:
    """Open a network file in whichever form it has.

    Raises:
        InvalidInput: no such file, or neither form.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise InvalidInput(path.name, f"no such file in {path.parent}", "a network file") from None
    # The first value, the number of layers, is one 4-byte record in either byte order.
    for order in "<>":
        if content[:4] == struct.pack(f"{order}i", 4) == content[8:12]:
            return _Binary(path.name, content, order)
    if content[:200].isascii() and content[:20].split()[:1] and content.split()[0].isdigit():
        return _Text(path.name, content.decode("ascii", errors="replace"))
    raise InvalidInput(
        path.name, "neither of aenet's two forms", "a network file that aenet's train.x wrote"
    )


class _Binary:
    def __init__(self, name: str, content: bytes, order: str) -> None:
        self._name, self._content, self._order = name, content, order
        self._at = 0

    def words(self, name: str, count: int, length: int) -> tuple[str, ...]:
        data = self._record(name, count * length)
        cut = (data[k * length : (k + 1) * length] for k in range(count))
        return tuple(word.decode("ascii", errors="replace").rstrip(" \0") for word in cut)

    def integers(self, name: str, count: int) -> tuple[int, ...]:
        return tuple(struct.unpack(f"{self._order}{count}i", self._record(name, 4 * count)))

    def numbers(self, name: str, count: int) -> FloatArray:
        data = np.frombuffer(self._record(name, 8 * count), dtype=f"{self._order}f8")
        return _finite(self._name, name, data.astype(np.float64))

    def environments(
        self, name: str, neighbors: int, functions: int
    ) -> tuple[tuple[int, ...], ...]:
        return _rows(self.integers(name, 2 * functions), 2)

    def _record(self, name: str, expected: int) -> bytes:
        start = self._at + 4
        if start > len(self._content):
            raise InvalidInput(self._name, f"the end before {name}", f"{expected} bytes of it")
        (size,) = struct.unpack_from(f"{self._order}i", self._content, self._at)
        if size != expected or size > MOST_BYTES:
            raise InvalidInput(
                f"{self._name}, byte {self._at}", f"{size} bytes for {name}", f"{expected}"
            )
        if start + size + 4 > len(self._content):
            raise InvalidInput(
                self._name, f"the end within {name}", f"{expected} bytes", "The file is cut off."
            )
        self._at = start + size + 4
        return self._content[start : start + size]


class _Text:
    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._lines = text.splitlines()
        self._at = 0

    def words(self, name: str, count: int, length: int) -> tuple[str, ...]:
        return tuple(self._line(name).strip() for _ in range(count))

    def integers(self, name: str, count: int) -> tuple[int, ...]:
        return tuple(int(word) for word in self._tokens(name, count, int))

    def numbers(self, name: str, count: int) -> FloatArray:
        values = [float(word) for word in self._tokens(name, count, float)]
        return _finite(self._name, name, np.array(values))

    def environments(
        self, name: str, neighbors: int, functions: int
    ) -> tuple[tuple[int, ...], ...]:
        # aenet's text has as many for each function as there are elements, not two; beyond the
        # second they belong to the function after it.
        return _rows(self.integers(name, neighbors * functions), neighbors)

    def _tokens(self, name: str, count: int, kind: type[int] | type[float]) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            found += [self._checked(name, word, kind) for word in self._line(name).split()]
        if len(found) > count:
            raise InvalidInput(
                f"{self._name}, line {self._at}", f"{len(found)} values of {name}", f"{count}"
            )
        return found

    def _checked(self, name: str, word: str, kind: type[int] | type[float]) -> str:
        # Fortran writes a large exponent as 1.0D+00, and logicals as T and F.
        plain = {"T": "1", "F": "0"}.get(word, word.replace("D", "E").replace("d", "e"))
        try:
            kind(plain)
        except ValueError:
            where = f"{self._name}, line {self._at}"
            raise InvalidInput(where, f"{word!r} for {name}", "a number") from None
        return plain

    def _line(self, name: str) -> str:
        if self._at >= len(self._lines):
            raise InvalidInput(self._name, f"the end before {name}", "it", "The file is cut off.")
        self._at += 1
        return self._lines[self._at - 1]


def _finite(where: str, name: str, values: FloatArray) -> FloatArray:
    if not np.isfinite(values).all():
        raise InvalidInput(where, f"{name} that isn't finite", "finite numbers")
    return values


def _rows(values: tuple[int, ...], width: int) -> tuple[tuple[int, ...], ...]:
    return tuple(values[at : at + min(2, width)] for at in range(0, len(values), width))
