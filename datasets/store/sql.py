"""Documents in a table of the site's own database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from datasets.models import FrameDocument
from datasets.store.contract import StoredDocument, in_batches


class SqlDocumentStore:
    """Documents in a table of the main database, in the caller's transaction."""

    def insert_many(self, documents: Iterable[StoredDocument]) -> int:
        total = 0
        for batch in in_batches(documents):
            rows = [FrameDocument(frame_id=d.frame_id, content=d.content) for d in batch]
            total += len(FrameDocument.objects.bulk_create(rows))
        return total

    def get(self, frame_id: int) -> bytes:
        return next(self.iterate([frame_id])).content

    def iterate(self, frame_ids: Iterable[int]) -> Iterator[StoredDocument]:
        for ids in in_batches(frame_ids):
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
            for ids in in_batches(frame_ids)
        )
