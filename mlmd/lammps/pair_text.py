"""Pair lines that a person wrote for LAMMPS, checked before a deck takes them.

They come with a potential of any style that LAMMPS has: in a file `PAIR_FILE` beside the potential's
own. A deck runs on somebody's cluster, so a line may name a style, numbers and files that lie
beside it, and nothing that could start a program or read elsewhere.
Manual: https://docs.lammps.org/pair_style.html, https://docs.lammps.org/pair_coeff.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ase.data import atomic_numbers

from mlmd.errors import InvalidInput
from mlmd.lammps.pair_styles import PairStyle

PAIR_FILE = "pair.lammps"
MOST_LINES, MOST_LETTERS = 400, 1000
_COMMANDS = ("pair_style", "pair_coeff", "pair_modify")
# No quotes, $, &, #, braces or brackets: nothing that LAMMPS would substitute or continue.
_WORD = re.compile(r"[A-Za-z0-9_.+*/:=-]+")
# Styles that run Python code or load models that do.
_PROGRAMS = frozenset({"python", "mliap"})
_FILE = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*\.[A-Za-z][A-Za-z0-9_+-]*")
_REMARK = re.compile(r"#\s*(?P<what>elements|cutoff)\s*:?\s*(?P<value>.*)")
_NUMBERED = re.compile(r"[\d*]+")


@dataclass(frozen=True)
class PairText:
    """Checked lines.

    Args:
        lines: as LAMMPS takes them, ``pair_style`` first.
        elements: of the atom types, in their order.
        cutoff: as a remark says, Å; 0 where none does.
        files: that the lines name.
    """

    lines: tuple[str, ...]
    elements: tuple[str, ...]
    cutoff: float
    files: tuple[str, ...]

    @property
    def style(self) -> PairStyle:
        """As a deck takes it."""
        return PairStyle(self.lines[0], lambda _: self.lines[1:], self.elements, self.elements)

    @property
    def name(self) -> str:
        """Of the style, such as ``eam/alloy``."""
        return self.lines[0].split()[1]

    @property
    def text(self) -> str:
        """What `read_pair_lines` reads again."""
        head = [f"# elements: {' '.join(self.elements)}"]
        if self.cutoff:
            head.append(f"# cutoff: {self.cutoff:g}")
        return "\n".join([*head, *self.lines]) + "\n"


def read_pair_lines(
    text: str,
    files: Collection[str] | None = None,
    elements: Sequence[str] = (),
    where: str = PAIR_FILE,
) -> PairText:
    """Read lines such as ``pair_style sw`` and ``pair_coeff * * Si.sw Si``, units metal.

    A remark ``# elements: Si O`` names the elements of the atom types; without one they are the
    symbols at the end of the first ``pair_coeff * *``.

    Args:
        text: the lines.
        files: that lie beside the deck; None leaves that open.
        elements: of the atom types, where the text doesn't say them.
        where: for messages.

    Raises:
        InvalidInput: another command, a word that could do more than name a style, a number or a
            file beside the deck, a file that isn't there, or elements that nothing says.
    """
    if len(text) > MOST_LINES * MOST_LETTERS:
        raise InvalidInput(where, f"{len(text)} characters", "the few lines of a pair style")
    remarks: dict[str, str] = {}
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        remark = _REMARK.match(line.strip())
        if remark:
            remarks[remark["what"]] = remark["value"].strip()
        plain = line.partition("#")[0].split()
        if plain:
            _check_line(plain, f"{where}, line {number}")
            lines.append(" ".join(plain))
    _check_order(lines, where)
    named = tuple(remarks["elements"].split()) if "elements" in remarks else tuple(elements)
    types = named or _mapped(lines)
    _check_elements(types, where)
    found = tuple(dict.fromkeys(name for line in lines for name in _files_in(line)))
    _check_files(found, files, where)
    return PairText(tuple(lines), types, _cutoff(remarks.get("cutoff", "0"), where), found)


def _check_line(words: list[str], where: str) -> None:
    if words[0] not in _COMMANDS:
        raise InvalidInput(where, words[0][:60], f"one of {', '.join(_COMMANDS)}")
    for word in words[1:]:
        if len(word) > MOST_LETTERS or not _WORD.fullmatch(word):
            raise InvalidInput(
                where,
                f"“{word[:60]}”",
                "letters, digits and . _ + - * / : =",
                "Write numbers out, and put files beside the potential.",
            )
        parts = word.split("/")
        if word.startswith("/") or ".." in parts or any(part.startswith(".") for part in parts[1:]):
            raise InvalidInput(
                where, f"“{word[:60]}”, a path", "the name of a file beside the potential's"
            )
        if parts[0] in _PROGRAMS and not words[0] == "pair_modify":
            raise InvalidInput(
                where,
                f"the style {word}",
                "a style that computes by itself",
                "Styles that run other programs' code aren't taken.",
            )


def _check_order(lines: list[str], where: str) -> None:
    styles = [line for line in lines if line.startswith("pair_style ")]
    if len(styles) != 1 or lines[0] != styles[0] or len(lines) > MOST_LINES:
        raise InvalidInput(
            where,
            f"{len(lines)} lines with {len(styles)} pair_style",
            "pair_style once, in the first line, and pair_coeff after it",
        )
    if not any(line.startswith("pair_coeff ") for line in lines):
        raise InvalidInput(where, "no pair_coeff", "at least one after pair_style")


def _mapped(lines: list[str]) -> tuple[str, ...]:
    """Return the symbols at the end of the first line for all types."""
    for line in lines:
        words = line.split()
        if words[:3] == ["pair_coeff", "*", "*"]:
            start = len(words)
            while start > 3 and words[start - 1] in atomic_numbers and words[start - 1] != "X":
                start -= 1
            return tuple(words[start:])
    return ()


def _check_elements(types: tuple[str, ...], where: str) -> None:
    unknown = [symbol for symbol in types if symbol not in atomic_numbers or symbol == "X"]
    if unknown or not types or len(set(types)) != len(types):
        found = ", ".join(types)[:80] if types else "nothing that says the elements"
        raise InvalidInput(
            where,
            found,
            "the element of each atom type, each once",
            "Add a line such as “# elements: Si O”.",
        )


def _files_in(line: str) -> list[str]:
    command, *words = line.split()
    if command == "pair_modify":
        return []
    start = 2 if command == "pair_coeff" and _NUMBERED.fullmatch(words[0]) else 0
    return [word for word in words[start:] if _FILE.fullmatch(word)]


def _check_files(found: tuple[str, ...], files: Collection[str] | None, where: str) -> None:
    missing = [] if files is None else [name for name in found if name not in files]
    if missing:
        raise InvalidInput(
            where,
            f"names {', '.join(missing)}, which isn't there",
            "every file that the lines name",
            "Bring it together with the lines.",
        )


def _cutoff(text: str, where: str) -> float:
    try:
        value = float(text.split()[0]) if text.split() else 0.0
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise InvalidInput(where, f"a cutoff of {text[:40]}", "a number of Å")
    return value
