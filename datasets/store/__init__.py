"""The seam behind which the documents of frames are kept.

Columns for searching stay in the main database; what a frame consists of lies behind
`DocumentStore`: in a table of that database, or in MongoDB.
"""

from django.conf import settings

from datasets.store.address import SITE, open_store
from datasets.store.contract import (
    BATCH,
    DocumentStore,
    FrameKey,
    StoredDocument,
    StoreRefused,
    StoreUnavailable,
    frame_keys,
)
from datasets.store.mongo import MongoDocumentStore
from datasets.store.sql import SqlDocumentStore

__all__ = [
    "BATCH",
    "SITE",
    "DocumentStore",
    "FrameKey",
    "MongoDocumentStore",
    "SqlDocumentStore",
    "StoreRefused",
    "StoreUnavailable",
    "StoredDocument",
    "document_store",
    "frame_keys",
    "open_store",
]


def document_store() -> DocumentStore:
    """Return the store of this site."""
    return open_store(settings.MLMD_TEACHER_URL)
