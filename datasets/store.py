"""The seam behind which the documents of frames are kept.

Columns for searching stay in the main database; what a frame consists of lies behind
`DocumentStore`, so that another store can take its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from datasets.models import FrameDocument

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


class SqlDocumentStore:
    """Documents in a table of the main database, in the caller's transaction."""

    def insert_many(self, documents: Iterable[StoredDocument]) -> int:
        total = 0
        for batch in _in_batches(documents):
            rows = [FrameDocument(frame_id=d.frame_id, content=d.content) for d in batch]
            total += len(FrameDocument.objects.bulk_create(rows))
        return total

    def get(self, frame_id: int) -> bytes:
        return next(self.iterate([frame_id])).content

    def iterate(self, frame_ids: Iterable[int]) -> Iterator[StoredDocument]:
        for ids in _in_batches(frame_ids):
            found = dict(
                FrameDocument.objects.filter(frame_id__in=ids).values_list("frame_id", "content")
            )
            for frame_id in ids:
                yield StoredDocument(frame_id, bytes(found[frame_id]))

    def count(self) -> int:
        return FrameDocument.objects.count()

    def delete_many(self, frame_ids: Iterable[int]) -> int:
        return sum(
            FrameDocument.objects.filter(frame_id__in=ids).delete()[0]
            for ids in _in_batches(frame_ids)
        )


def document_store() -> DocumentStore:
    """Return the store of this site."""
    return SqlDocumentStore()


def _in_batches(items: Iterable[T]) -> Iterator[list[T]]:
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
