"""What a store of documents promises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

BATCH = 500
T = TypeVar("T")


@dataclass(frozen=True)
class StoredDocument:
    """A packed frame (`datasets.packing`) and the id of its row."""

    frame_id: int
    content: bytes


class DocumentStore(Protocol):
    """Keeps packed frames by the id of their row."""

    def insert_many(self, documents: Iterable[StoredDocument]) -> int:
        """Store documents and return how many; an id that exists is an error."""

    def get(self, frame_id: int) -> bytes:
        """Return one document.

        Raises:
            KeyError: there is none.
        """

    def iterate(self, frame_ids: Iterable[int]) -> Iterator[StoredDocument]:
        """Yield the documents in the order of the ids, a batch in memory at a time.

        Raises:
            KeyError: one of them is missing.
        """

    def count(self) -> int: ...

    def delete_many(self, frame_ids: Iterable[int]) -> int:
        """Remove documents and return how many there were."""


def in_batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield the items in lists of `BATCH`, the last one shorter."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
