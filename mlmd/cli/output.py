"""What commands print: tables for people, JSON for programs, a bar on a terminal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from mlmd.runs import to_jsonable


def print_json(value: Any, indent: int | None = 1) -> None:
    """Print a value as JSON on standard output; ``indent`` None gives one line."""
    print(json.dumps(to_jsonable(value), ensure_ascii=False, allow_nan=False, indent=indent))


def format_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an aligned table; numbers to the right, None as a dash."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[k]) for line in [list(head), *cells]) for k in range(len(head))]
    lines = [
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in [list(head), *cells]
    ]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


class Bar:
    """A progress bar on standard error; silent where that is no terminal.

    Args:
        label: in front of the bar.
        total: how much work there is; None shows a count only.
        stream: where to draw.
    """

    WIDTH = 24

    def __init__(self, label: str, total: int | None, stream: TextIO | None = None) -> None:
        self.label, self.total = label, total
        self.stream = sys.stderr if stream is None else stream
        self._is_on = self.stream.isatty()
        self._next = 0.0

    def show(self, done: int) -> None:
        """Draw the bar, at most ten times a second."""
        now = time.monotonic()
        if not self._is_on or now < self._next:
            return
        self._next = now + 0.1
        text = f"{self.label} {done}"
        if self.total:
            share = min(done / self.total, 1.0)
            bar = "█" * round(share * self.WIDTH)
            text = f"{self.label} {bar:·<{self.WIDTH}} {share:4.0%} {done} of {self.total}"
        print(f"\r{text}\033[K", end="", file=self.stream, flush=True)

    def clear(self) -> None:
        """Remove the bar."""
        if self._is_on:
            print("\r\033[K", end="", file=self.stream, flush=True)
