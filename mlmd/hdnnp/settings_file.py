"""n2p2's ``input.nn``: keywords with their values and line numbers.

``#`` and ``!`` start comments. A keyword may stand once, but for those that list things.
Keywords that only steer n2p2's training are left to whoever wants them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mlmd.errors import InvalidInput

REPEATED = frozenset({"symfunction", "atom_energy", "element_nodes_short"})
ALIASES = {"symfunction_short": "symfunction"}

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Line:
    """One keyword line: where it stands (file and line number) and its words."""

    where: str
    words: tuple[str, ...]

    def word(self, index: int) -> str:
        """Return one word.

        Raises:
            InvalidInput: the line is too short.
        """
        if index >= len(self.words):
            raise InvalidInput(self.where, f"{len(self.words)} values", f"at least {index + 1}")
        return self.words[index]

    def number(self, index: int, kind: type[Number]) -> Number:
        """Return one word as a number.

        Raises:
            InvalidInput: it isn't one.
        """
        word = self.word(index)
        try:
            return kind(word)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            raise InvalidInput(self.where, repr(word), what) from None


class SettingsFile:
    """The keywords of one ``input.nn``.

    Args:
        path: the file.

    Raises:
        InvalidInput: the file can't be read, or repeats a keyword.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[str, list[Line]] = {}
        for number, text in enumerate(read_lines(path), 1):
            words = text.split("#", 1)[0].split("!", 1)[0].split()
            if not words:
                continue
            keyword = ALIASES.get(words[0], words[0])
            line = Line(f"{path.name}, line {number}", tuple(words[1:]))
            earlier = self._lines.setdefault(keyword, [])
            if earlier and keyword not in REPEATED:
                raise InvalidInput(line.where, f"{words[0]} again", "each keyword once")
            earlier.append(line)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self._lines

    def all(self, keyword: str) -> list[Line]:
        """Return every line of a keyword that may be repeated."""
        return self._lines.get(keyword, [])

    def one(self, keyword: str) -> Line:
        """Return the line of a keyword that must be there.

        Raises:
            InvalidInput: it isn't.
        """
        if keyword not in self._lines:
            raise InvalidInput(
                self.path.name, f"no {keyword}", "it", "The file is cut off or not an input.nn."
            )
        return self._lines[keyword][0]

    def number(self, keyword: str, default: Number) -> Number:
        """Return a keyword's first value, or the default where the keyword is absent."""
        if keyword not in self._lines:
            return default
        return self.one(keyword).number(0, type(default))


def read_lines(path: Path) -> list[str]:
    """Return a text file's lines.

    Raises:
        InvalidInput: it is missing or a folder.
    """
    try:
        # Comments come in any encoding; what matters is ASCII.
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        raise InvalidInput(path.name, f"no such file in {path.parent}", "it") from None
    except IsADirectoryError:
        raise InvalidInput(path.name, "a folder", "a text file") from None
