"""Documents in a table of the site's own database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db import connection

from datasets.models import FrameDocument
from datasets.store.contract import StoredDocument, in_batches


class SqlDocumentStore:
    """Documents in a table of the main database, in the caller's transaction."""

    def insert_many(self, documents: Iterable[StoredDocument]) -> int:
        total = 0
        table, (key, content) = FrameDocument._meta.db_table, FrameDocument._meta.concrete_fields
        quoted = [connection.ops.quote_name(name) for name in (table, key.column, content.column)]
        statement = "INSERT INTO {} ({}, {}) VALUES (%s, %s)".format(*quoted)  # noqa: S608 - names only
        for batch in in_batches(documents):
            rows = [(d.frame_id, connection.Database.Binary(d.content)) for d in batch]
            # Plain rows: an object for each would cost more than storing it.
            with connection.cursor() as cursor:
                cursor.executemany(statement, rows)
            total += len(rows)
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
