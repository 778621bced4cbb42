"""The periodic table: which elements frames cover, as squares to look at and to choose."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets.coverage import Coverage, ElementCoverage
from mlmd.elements import SYMBOLS

# Group (1–18) of each element up to oganesson; the f block hangs below as rows 9 and 10.
_NOBLE = (2, 10, 18, 36, 54, 86, 118)
_LEAST_SHADE = 12  # percent, of an element with one frame: it must differ from none


@dataclass(frozen=True)
class Square:
    """One element of the periodic table.

    Args:
        symbol: chemical symbol.
        number: atomic number.
        row: 1 to 10; lanthanoids and actinoids are rows 9 and 10, row 8 is a gap.
        column: 1 to 18.
        known: whether some visible frame holds it.
        chosen: whether the filter names it.
        coverage: what the frames say of it, None where it isn't surveyed.
        shade: percent of the full shade, by the logarithm of the number of frames.
    """

    symbol: str
    number: int
    row: int
    column: int
    known: bool
    chosen: bool
    coverage: ElementCoverage | None
    shade: int

    @property
    def words(self) -> str:
        """Say what is known of the element: ``Si: 205 frames, 1,640 atoms, …``."""
        if self.coverage is None:
            return f"{self.symbol}: " + (_("in some frames") if self.known else _("no frames"))
        return f"{self.symbol}: {coverage_words(self.coverage)}"


def coverage_words(found: ElementCoverage) -> str:
    """Return frames, atoms and the range of forces in words."""
    frames, atoms = intcomma(found.frames), intcomma(found.atoms)
    said = [
        ngettext("%s frame", "%s frames", found.frames) % frames,
        ngettext("%s atom", "%s atoms", found.atoms) % atoms,
    ]
    if found.force_min is not None and found.force_max is not None:
        said.append(
            _("largest forces %(low)s to %(high)s eV/Å")
            % {"low": f"{round(found.force_min, 3):.3g}", "high": f"{found.force_max:.3g}"}
        )
    return ", ".join(said)


def periodic_table(
    coverage: Coverage, known: Iterable[str] = (), chosen: Iterable[str] = ()
) -> list[Square]:
    """Return the elements with their places.

    Args:
        coverage: what is known of elements.
        known: further elements that some frame holds.
        chosen: elements that a filter names.
    """
    have, named = {*known, *coverage}, set(chosen)
    most = max((found.frames for found in coverage.values()), default=1)
    squares = []
    for number in range(1, len(SYMBOLS)):
        symbol = SYMBOLS[number]
        found = coverage.get(symbol)
        row, column = _place(number)
        shade = 0 if found is None else _shade(found.frames, most)
        squares.append(
            Square(symbol, number, row, column, symbol in have, symbol in named, found, shade)
        )
    return squares


def _shade(frames: int, most: int) -> int:
    if most <= 1:
        return 100
    return round(_LEAST_SHADE + (100 - _LEAST_SHADE) * math.log(max(frames, 1)) / math.log(most))


def _place(number: int) -> tuple[int, int]:
    for low, row in ((57, 9), (89, 10)):
        if low <= number <= low + 14:
            return row, 3 + number - low
    row = 1 + sum(number > noble for noble in _NOBLE)
    before = (0, *_NOBLE)[row - 1]
    position = number - before
    length = _NOBLE[row - 1] - before
    if length == 32:
        length, position = 18, position if position <= 2 else position - 14
    return row, position if position <= 2 and number != 2 else 18 - (length - position)
