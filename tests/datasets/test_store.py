"""The contract of every document store; another store is one more line here."""

from __future__ import annotations

from uuid import UUID

import pytest

from datasets.store import DocumentStore, FrameKey, SqlDocumentStore, StoredDocument

STORES = [SqlDocumentStore]


@pytest.fixture(params=STORES)
def store(request, db) -> DocumentStore:
    return request.param()


def documents(count: int) -> list[StoredDocument]:
    return [StoredDocument(key(i), bytes([i % 251]) * (i % 7 + 1)) for i in range(1, count + 1)]


def key(i: int) -> FrameKey:
    return FrameKey(i, UUID(int=i), 1)


def test_documents_come_back_in_the_order_asked_for(store):
    kept = documents(1203)
    assert store.insert_many(kept) == 1203
    assert store.count() == 1203
    order = [document.key for document in reversed(kept)]
    assert list(store.iterate(order)) == list(reversed(kept))
    assert store.get(key(7)) == kept[6].content


def test_a_missing_document_is_an_error(store):
    store.insert_many(documents(2))
    with pytest.raises(KeyError):
        store.get(key(3))
    with pytest.raises(KeyError):
        list(store.iterate([key(1), key(3)]))


def test_deleting_says_how_many_there_were(store):
    store.insert_many(documents(5))
    assert store.delete_many([key(1), key(2), key(99)]) == 2
    assert store.count() == 3
