"""Where the potential leaves the range of the data it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from mlmd.hdnnp.calculator import PotentialCalculator
from mlmd.hdnnp.training.screening import group_of
from mlmd.validation.comparison import Comparison
from mlmd.validation.report import Cell, Table, Value
from mlmd.validation.subject import Findings, Skipped, Subject

ATOMS_OUTSIDE, FRAMES_OUTSIDE = "Atoms outside the range", "Frames with such atoms"
FUNCTIONS, KINDS = "Functions that leave their range", "Extrapolation by kind"
COLUMNS = (
    "element", "function", "atoms outside (%)", "lowest known", "highest known", "farthest seen",
)  # fmt: skip
KIND_COLUMNS = ("kind", "frames", "atoms outside (%)")
_MOST_ROWS = 40


@dataclass
class ExtrapolationMap:
    """Counts atoms outside, by element and function.

    Args:
        outside: (element, function) → how many atoms were outside.
        farthest: (element, function) → value farthest outside, and the range.
        atoms: element → how many were looked at.
        touched: atoms with any function outside.
    """

    outside: Counter[tuple[str, int]] = field(default_factory=Counter)
    farthest: dict[tuple[str, int], tuple[float, float, float]] = field(default_factory=dict)
    atoms: Counter[str] = field(default_factory=Counter)
    touched: int = 0

    def add(self, symbols: Sequence[str], found: NDArray[Any]) -> int:
        """Take one arrangement; return how many of its atoms were outside.

        Args:
            symbols: of all atoms.
            found: structured array with atom, function, value, low and high.
        """
        self.atoms.update(symbols)
        touched = {int(atom) for atom in found["atom"]}
        self.touched += len(touched)
        for atom, function, value, low, high in found.tolist():
            key = (symbols[atom], function)
            self.outside[key] += 1
            known = self.farthest.get(key)
            if known is None or _excess(value, low, high) > _excess(*known):
                self.farthest[key] = (value, low, high)
        return len(touched)

    @property
    def share(self) -> float:
        """Atoms outside, %."""
        total = sum(self.atoms.values())
        return 100 * self.touched / total if total else 0.0

    def table(self, name: Callable[[str, int], str]) -> Table | None:
        """Return the functions that left their range, the most frequent first."""
        if not self.outside:
            return None
        rows: list[tuple[Cell, ...]] = []
        for (element, function), count in self.outside.most_common(_MOST_ROWS):
            value, low, high = self.farthest[element, function]
            share = 100 * count / self.atoms[element]
            numbers = (float(f"{number:.4g}") for number in (share, low, high, value))
            rows.append((element, name(element, function), *numbers))
        return Table(FUNCTIONS, COLUMNS, tuple(rows))


def check_extrapolation(subject: Subject) -> Findings:
    """Count in the teacher's frames how often which function leaves its range.

    Frames that the potential was trained on can't be outside; held-out ones show how far the
    data reach. What happens in motion stands with the dynamics.
    """
    if not isinstance(subject.calculator, PotentialCalculator):
        raise Skipped("This potential doesn't say when it leaves the range of its data.")
    comparison: Comparison = subject.comparison
    if not comparison.predictions:
        raise Skipped("No teacher data were given.")
    whole, frames = ExtrapolationMap(), 0
    by_kind: dict[str, tuple[int, ExtrapolationMap]] = {}
    for prediction in comparison.predictions:
        symbols = prediction.symbols
        frames += whole.add(symbols, prediction.extrapolations) > 0
        kind = group_of(prediction.frame)
        count, part = by_kind.get(kind, (0, ExtrapolationMap()))
        part.add(symbols, prediction.extrapolations)
        by_kind[kind] = count + 1, part
    values = (
        Value(ATOMS_OUTSIDE, whole.share, "%"),
        Value(FRAMES_OUTSIDE, 100 * frames / len(comparison.predictions), "%"),
    )
    kinds = tuple(
        (kind, count, round(part.share, 2)) for kind, (count, part) in sorted(by_kind.items())
    )
    table = whole.table(subject.function_name)
    tables = (Table(KINDS, KIND_COLUMNS, kinds), *((table,) if table else ()))
    return Findings(values, tables=tables)


def _excess(value: float, low: float, high: float) -> float:
    width = high - low
    return max(low - value, value - high) / (width if width > 0 else 1.0)
