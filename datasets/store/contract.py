"""What a store of documents promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import NamedTuple, TypeVar
from uuid import UUID

from django.db import OperationalError
from django.db.models import QuerySet

BATCH = 500  # documents asked for at once, at most
BATCH_BYTES = 16 << 20  # of content in memory at once, about
FIRST_BATCH = 100  # before anything is known of their size
T = TypeVar("T")

Existing = Callable[[Collection[UUID]], set[UUID]]


class FrameKey(NamedTuple):
    """By what stores know a frame: columns of its row."""

    frame_id: int
    public_id: UUID
    calculation_id: int


def frame_keys(rows: QuerySet) -> list[FrameKey]:
    """Return the keys of rows of frames, in their order."""
    return [FrameKey(*key) for key in rows.values_list("pk", "public_id", "calculation_id")]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A packed frame (`datasets.packing`) and the key of its row."""

    key: FrameKey
    content: bytes


class StoreUnavailable(OperationalError):
    """The store can't be reached just now: nothing was written, and trying again may help.

    A database's error for whoever waits for databases already: the job machine tries again.
    """


class StoreRefused(Exception):
    """The store took the request and won't do it; trying again won't help."""


class DocumentStore(ABC):
    """Keeps packed frames by the key of their row.

    Every method raises `StoreUnavailable` when the store can't be reached.
    """

    @abstractmethod
    def insert_many(self, documents: Iterable[StoredDocument]) -> int:
        """Store documents durably and return how many; storing one again replaces it.

        A document whose calculation has no row may be left out: its frame can have no row either.
        """

    @abstractmethod
    def fetch(self, keys: Collection[FrameKey]) -> dict[int, bytes]:
        """Return the documents that exist, by the id of their row; all in memory."""

    @abstractmethod
    def count(self) -> int: ...

    @abstractmethod
    def delete_many(self, keys: Iterable[FrameKey]) -> int:
        """Remove documents and return how many there were."""

    @abstractmethod
    def discard(self, keys: Collection[FrameKey]) -> None:
        """Remove documents if and when the caller's transaction commits.

        What can't be removed then is left to `remove_orphans`.
        """

    @abstractmethod
    def remove_orphans(self, existing: Existing, older_than: timedelta) -> int:
        """Remove documents that no row refers to and return how many.

        Args:
            existing: of `public_id`s of frames or calculations, returns those that have a row.
            older_than: leave younger ones: their rows may be about to be committed.
        """

    @abstractmethod
    def check(self) -> None:
        """Return when the store answers."""

    @abstractmethod
    def __str__(self) -> str:
        """Say in words which store this is, without credentials."""

    def get(self, key: FrameKey) -> bytes:
        """Return one document.

        Raises:
            KeyError: there is none.
        """
        return self.fetch([key])[key.frame_id]

    def iterate(self, keys: Iterable[FrameKey]) -> Iterator[StoredDocument]:
        """Yield documents in the order of the keys; few at a time where they are large.

        Raises:
            KeyError: one of them is missing.
        """
        waiting, size = iter(keys), FIRST_BATCH
        while batch := list(islice(waiting, size)):
            found = self.fetch(batch)
            for key in batch:
                yield StoredDocument(key, found[key.frame_id])
            mean = sum(map(len, found.values())) // len(found) + 1
            size = max(1, min(BATCH, BATCH_BYTES // mean))


def in_batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield the items in lists of `BATCH`, the last one shorter."""
    waiting = iter(items)
    while batch := list(islice(waiting, BATCH)):
        yield batch
