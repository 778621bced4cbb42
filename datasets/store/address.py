"""The URL of a document store: read once per process, never shown."""

from __future__ import annotations

import os
from functools import cache

from django.core.exceptions import ImproperlyConfigured

from datasets.store.contract import DocumentStore
from datasets.store.mongo import MongoDocumentStore
from datasets.store.sql import SqlDocumentStore

SITE = "site"  # in a URL's place: the site's own database


def open_store(url: str) -> DocumentStore:
    """Return the store that a URL names; empty or ``site`` is the site's own database.

    Raises:
        ImproperlyConfigured: not a URL of a store; the text holds no credentials.
    """
    if url in ("", SITE):
        return SqlDocumentStore()
    scheme = url.partition(":")[0]
    if scheme not in ("mongodb", "mongodb+srv"):
        raise ImproperlyConfigured(
            f"document store: the URL begins with “{scheme[:20]}:”; expected mongodb://… or "
            "mongodb+srv://…, or nothing for the site's own database (SQLite or PostgreSQL, "
            "whatever DATABASE_URL names)."
        )
    # A connection must not be shared with a process that was forked meanwhile.
    return _mongo(url, os.getpid())


@cache
def _mongo(url: str, _process: int) -> MongoDocumentStore:
    return MongoDocumentStore.connect(url)
