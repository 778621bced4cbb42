"""Which atoms left the range that the potential was trained in, and when."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_ENTRIES = 1000  # atoms and functions kept by name; counts go on beyond


@dataclass
class ExtrapolationEntry:
    """One function of one atom.

    Args:
        atom: index, from 0.
        element: symbol.
        function: index among the element's functions, in the potential's order.
        first_step: when it first left its range.
        last_step: when it was last outside.
        count: in how many steps.
        worst: the value farthest from the range.
        low: lower end of the range.
        high: upper end.
    """

    atom: int
    element: str
    function: int
    first_step: int
    last_step: int
    count: int
    worst: float
    low: float
    high: float


class ExtrapolationLog:
    """Collects warnings of all steps in bounded memory.

    Args:
        symbols: chemical symbol of each atom.
    """

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = symbols
        self.total = 0
        self.steps = 0
        self.first_step: int | None = None
        self.not_listed = 0
        self._entries: dict[tuple[int, int], ExtrapolationEntry] = {}
        self._atoms = np.zeros(len(symbols), dtype=np.bool_)

    def add(self, step: int, warnings: NDArray[Any]) -> None:
        """Add a step's warnings: fields atom, function, value, low, high."""
        if not len(warnings):
            return
        self.total += len(warnings)
        self.steps += 1
        self.first_step = step if self.first_step is None else self.first_step
        self._atoms[warnings["atom"]] = True
        for atom, function, value, low, high in warnings[:MAX_ENTRIES].tolist():
            entry = self._entries.get((atom, function))
            if entry is not None:
                entry.count += 1
                entry.last_step = step
                if _excess(value, low, high) > _excess(entry.worst, low, high):
                    entry.worst = value
            elif len(self._entries) < MAX_ENTRIES:
                self._entries[atom, function] = ExtrapolationEntry(
                    atom, self.symbols[atom], function, step, step, 1, value, low, high
                )
            else:
                self.not_listed += 1
        self.not_listed += max(len(warnings) - MAX_ENTRIES, 0)

    def summary(self) -> dict[str, Any]:
        """Return the contents of ``extrapolation.json``, worst offenders first."""
        entries = sorted(self._entries.values(), key=lambda entry: -entry.count)
        return {
            "total": self.total,
            "steps": self.steps,
            "first_step": self.first_step,
            "atoms": int(np.count_nonzero(self._atoms)),
            "atom_indices": np.flatnonzero(self._atoms)[:MAX_ENTRIES].tolist(),
            "not_listed": self.not_listed,
            "entries": [asdict(entry) for entry in entries],
        }

    def restore(self, summary: dict[str, Any]) -> None:
        """Take what `summary` gave, for a restart."""
        self.total, self.steps = summary["total"], summary["steps"]
        self.first_step, self.not_listed = summary["first_step"], summary["not_listed"]
        self._atoms[summary["atom_indices"]] = True
        self._entries = {
            (entry["atom"], entry["function"]): ExtrapolationEntry(**entry)
            for entry in summary["entries"]
        }


def _excess(value: float, low: float, high: float) -> float:
    width = high - low
    return max(low - value, value - high) / (width if width > 0 else 1.0)
