"""The seam behind which the documents of frames are kept.

Columns for searching stay in the main database; what a frame consists of lies behind
`DocumentStore`, so that another store can take its place.
"""

from datasets.store.contract import (
    BATCH,
    DocumentStore,
    FrameKey,
    StoredDocument,
    StoreRefused,
    StoreUnavailable,
    frame_keys,
)
from datasets.store.sql import SqlDocumentStore

__all__ = [
    "BATCH",
    "DocumentStore",
    "FrameKey",
    "SqlDocumentStore",
    "StoreRefused",
    "StoreUnavailable",
    "StoredDocument",
    "document_store",
    "frame_keys",
]


def document_store() -> DocumentStore:
    """Return the store of this site."""
    return SqlDocumentStore()
