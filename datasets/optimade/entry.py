"""One entry: a frame's row, its version, and its arrays, read only when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from datasets.models import Frame
from datasets.packing import unpack_frame
from datasets.selectors import PublicVersion
from datasets.store import FrameKey, document_store
from mlmd.documents.formula import (
    element_counts,
    formula_anonymous,
    formula_hill,
    formula_reduced,
)
from mlmd.elements import SYMBOLS
from mlmd.frame import Frame as LabelledFrame


class Contents:
    """The packed frames of one page, read together when the first of them is asked for."""

    def __init__(self, keys: list[FrameKey]) -> None:
        self.keys = keys

    @cached_property
    def by_key(self) -> dict[int, bytes]:
        return document_store().fetch(self.keys)


@dataclass(frozen=True)
class Entry:
    """What the values of the properties are taken from.

    Args:
        row: the frame's row, with its calculation.
        version: the version through which the world sees it.
        published: when the version that brought the frame was published, RFC 3339.
        contents: of the page.
    """

    row: Frame
    version: PublicVersion
    published: str
    contents: Contents

    @cached_property
    def frame(self) -> LabelledFrame:
        return unpack_frame(self.contents.by_key[self.row.pk])

    @cached_property
    def counts(self) -> dict[str, int]:
        return element_counts(self.frame.numbers)

    @property
    def formula(self) -> str:
        return formula_hill(self.counts)

    @property
    def formula_reduced(self) -> str:
        return formula_reduced(self.counts)

    @property
    def formula_anonymous(self) -> str:
        return formula_anonymous(self.counts)

    @property
    def symbols(self) -> list[str]:
        return [SYMBOLS[z] for z in self.frame.numbers.tolist()]

    @property
    def species(self) -> list[dict[str, Any]]:
        return [
            {"name": symbol, "chemical_symbols": [symbol], "concentration": [1.0]}
            for symbol in self.counts
        ]

    @property
    def lattice_vectors(self) -> list[list[float | None]]:
        return [row if any(row) else [None] * 3 for row in self.frame.cell.tolist()]

    def listed(self, name: str) -> list[Any] | None:
        """Return an array of the frame as lists, None where there is none."""
        array = getattr(self.frame, name)
        return None if array is None else array.tolist()
