"""Documents in a table of the site's own database."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta

from django.db import connection

from datasets.models import FrameDocument
from datasets.store.contract import DocumentStore, Existing, FrameKey, StoredDocument, in_batches


class SqlDocumentStore(DocumentStore):
    """Packed documents in a table of the main database, in the caller's transaction.

    Rows of frames and documents come and go together, so nothing is ever left over.
    """

    def insert_many(self, documents: Iterable[StoredDocument]) -> int:
        total = 0
        table, (key, content) = FrameDocument._meta.db_table, FrameDocument._meta.concrete_fields
        quoted = [connection.ops.quote_name(name) for name in (table, key.column, content.column)]
        insert = "INSERT INTO {} ({}, {}) VALUES (%s, %s)".format(*quoted)  # noqa: S608 - names only
        statement = "{0} ON CONFLICT ({2}) DO UPDATE SET {3} = excluded.{3}".format(insert, *quoted)
        for batch in in_batches(documents):
            rows = [(d.key.frame_id, connection.Database.Binary(d.content)) for d in batch]
            # Plain rows: an object for each would cost more than storing it.
            with connection.cursor() as cursor:
                cursor.executemany(statement, rows)
            total += len(rows)
        return total

    def fetch(self, keys: Collection[FrameKey]) -> dict[int, bytes]:
        rows = FrameDocument.objects.filter(frame_id__in=[key.frame_id for key in keys])
        return {frame_id: bytes(content) for frame_id, content in rows.values_list()}

    def count(self) -> int:
        return FrameDocument.objects.count()

    def delete_many(self, keys: Iterable[FrameKey]) -> int:
        return sum(
            FrameDocument.objects.filter(frame_id__in=[key.frame_id for key in batch]).delete()[0]
            for batch in in_batches(keys)
        )

    def discard(self, keys: Collection[FrameKey]) -> None:
        self.delete_many(keys)

    def remove_orphans(self, existing: Existing, older_than: timedelta) -> int:
        return 0

    def check(self) -> None:
        connection.ensure_connection()

    def __str__(self) -> str:
        return f"the site's own database ({connection.vendor})"
