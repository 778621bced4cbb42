"""Documents in MongoDB, as plain JSON that any client of it reads.

Collections: ``frames`` (one document of the published schema for each frame, `_id` its public
id), ``calculations`` (how they were computed) and ``parts`` (see `datasets.store.plain`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils.translation import gettext as _
from pymongo import MongoClient
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    InvalidURI,
    PyMongoError,
)

from datasets.models import Calculation
from datasets.store.contract import (
    DocumentStore,
    Existing,
    FrameKey,
    StoredDocument,
    StoreRefused,
    StoreUnavailable,
    in_batches,
)
from datasets.store.plain import Origin, Plain, flattened, from_plain, to_plain
from mlmd.documents import calculation_from_document
from mlmd.errors import MlmdError

log = logging.getLogger(__name__)

DEFAULT_NAME = "mlmd"
INDEXES = (
    "dataset",
    "calculation_id",
    "elements",
    "chemical_formula_hill",
    "calculation.compat_key",
    "structure_hash",
    "label_identity",
)
# A page waits for an answer: what takes longer than this is as good as down.
DEFAULTS: dict[str, Any] = {
    "serverSelectionTimeoutMS": 4000,
    "connectTimeoutMS": 4000,
    "socketTimeoutMS": 25_000,
    "appName": "mlmd-portal",
    "w": "majority",
    "journal": True,
}
_DUPLICATE = 11000
_PAGE = 5000  # ids looked at together by the sweep


class MongoDocumentStore(DocumentStore):
    """Plain documents in a MongoDB database, written before the rows that refer to them commit.

    A transaction that fails afterwards, or a process that is killed, leaves documents without a
    row: nobody sees them, and `remove_orphans` takes them away.

    Args:
        database: of a `pymongo.MongoClient`, or one that behaves like it.
        place: where it is, without credentials.
    """

    def __init__(self, database: Any, place: str = "") -> None:
        self.database, self.place = database, place
        self.frames, self.parts = database["frames"], database["parts"]
        self.calculations = database["calculations"]
        self._is_prepared = False

    @classmethod
    def connect(cls, url: str) -> MongoDocumentStore:
        """Return the store in a database of a server; nothing is asked of the server yet.

        Raises:
            ImproperlyConfigured: the URL can't be read; its text isn't repeated.
        """
        try:
            said = {name.lower() for name in parse_qs(urlsplit(url).query, keep_blank_values=True)}
            rest = {k: v for k, v in DEFAULTS.items() if k.lower() not in said}
            client: MongoClient[dict[str, Any]] = MongoClient(url, connect=False, **rest)
            database = client.get_default_database(DEFAULT_NAME)
            seeds = client.topology_description.server_descriptions()
        except (InvalidURI, ConfigurationError, ValueError) as error:
            raise ImproperlyConfigured(
                "document store: the URL can't be read as mongodb://user:password@host:port/name "
                f"({type(error).__name__}); special characters in user and password must be "
                "percent-encoded."
            ) from None
        hosts = ", ".join(f"{host}:{port}" for host, port in seeds)
        return cls(database, f"{database.name} · {hosts}".strip(" ·"))

    def __str__(self) -> str:
        return f"MongoDB ({self.place})" if self.place else "MongoDB"

    def insert_many(self, documents: Iterable[StoredDocument]) -> int:
        total = 0
        for batch in in_batches(documents):
            origins = _origins({document.key.calculation_id for document in batch})
            known = [d for d in batch if d.key.calculation_id in origins]
            if len(known) < len(batch):
                # Restored from a copy that is younger than that of the rows: orphans from the start.
                log.warning("%s: %d documents have no row", self, len(batch) - len(known))
            plain = [
                to_plain(d.key.public_id, d.content, origins[d.key.calculation_id]) for d in known
            ]
            with self._talking():
                self._prepare()
                self._put_parts(plain)
                self._put(self.calculations, [_calculation(o) for o in origins.values()])
                self._put(self.frames, [self._form(p.document) for p in plain])
            total += len(known)
        return total

    def fetch(self, keys: Collection[FrameKey]) -> dict[int, bytes]:
        ids = {str(key.public_id): key.frame_id for key in keys}
        with self._talking():
            found = {}
            for document in self._found(list(ids)):
                try:
                    found[ids[document["_id"]]] = self._content(document)
                except (MlmdError, LookupError, TypeError, ValueError) as error:
                    # Somebody changed it: as good as none, and to be restored.
                    log.error("%s: frame %s can't be read: %s", self, document["_id"], error)
            return found

    def count(self) -> int:
        with self._talking():
            return int(self.frames.count_documents({}))

    def delete_many(self, keys: Iterable[FrameKey]) -> int:
        return sum(
            self._delete([str(key.public_id) for key in batch]) for batch in in_batches(keys)
        )

    def discard(self, keys: Collection[FrameKey]) -> None:
        ids = [str(key.public_id) for key in keys]
        # Robust: the rows are gone by then, so a failure is for the log and for the sweep.
        transaction.on_commit(lambda: self._delete(ids), robust=True)

    def remove_orphans(self, existing: Existing, older_than: timedelta) -> int:
        return sum(
            remove(ids)
            for documents, remove in (
                (self.frames, self._delete),
                (self.calculations, self._delete_calculations),
            )
            for ids in self._orphans(documents, existing, datetime.now(UTC) - older_than)
        )

    def check(self) -> None:
        with self._talking():
            self.database.command("ping")

    def _delete(self, ids: list[str]) -> int:
        with self._talking():
            # Parts last: a frame that is there has all of its parts.
            deleted = self.frames.delete_many({"_id": {"$in": ids}}).deleted_count
            self.parts.delete_many({"frame": {"$in": ids}})
            return int(deleted)

    def _delete_calculations(self, ids: list[str]) -> int:
        with self._talking():
            return int(self.calculations.delete_many({"_id": {"$in": ids}}).deleted_count)

    def _orphans(self, documents: Any, existing: Existing, before: datetime) -> Iterator[list[str]]:
        last = ""
        while True:
            with self._talking():
                page = list(
                    documents.find({"_id": {"$gt": last}}, {"_id": 1, "stored_at": 1})
                    .sort("_id", 1)
                    .limit(_PAGE)
                )
            if not page:
                return
            last = page[-1]["_id"]
            old = {d["_id"] for d in page if _moment(d.get("stored_at")) < before}
            with_row = {str(known) for known in existing([UUID(i) for i in old])}
            if gone := sorted(old - with_row):
                yield gone

    def _put_parts(self, plain: list[Plain]) -> None:
        for one in plain:
            if one.parts:
                key = one.document["_id"]
                self.parts.delete_many({"frame": key})
                self.parts.insert_many(
                    {"_id": f"{key}/{i}", "frame": key, "content": part}
                    for i, part in enumerate(one.parts)
                )

    def _put(self, documents: Any, new: list[dict[str, Any]]) -> None:
        """Insert, and replace those that are there: an interrupted write is done again whole."""
        stamped = [{**document, "stored_at": datetime.now(UTC)} for document in new]
        try:
            documents.insert_many(stamped, ordered=False)
        except BulkWriteError as error:
            trouble = error.details.get("writeErrors", [])
            other = [e for e in trouble if e.get("code") != _DUPLICATE]
            if other:
                raise StoreRefused(
                    _("The document store (%(store)s) refuses a document: %(error)s")
                    % {"store": self, "error": str(other[0].get("errmsg"))[:300]}
                ) from None
            if not trouble:  # the write concern failed, not a document
                raise
            for entry in trouble:
                document = stamped[entry["index"]]
                documents.replace_one({"_id": document["_id"]}, document, upsert=True)

    def _content(self, document: dict[str, Any]) -> bytes:
        count, frame = document.get("parts"), document["_id"]
        if not count:
            return from_plain(document)
        parts = [self.parts.find_one({"_id": f"{frame}/{i}"}) for i in range(count)]
        if None in parts:
            raise LookupError(f"{parts.count(None)} of its {count} parts are missing")
        return b"".join(part["content"] for part in parts)

    def _found(self, ids: list[str]) -> Iterable[dict[str, Any]]:
        if self._form is dict:
            return self.frames.find({"_id": {"$in": ids}})
        # FerretDB 1 looks one id up in its index; for a list of them it reads everything.
        each = (self.frames.find_one({"_id": key}) for key in ids)
        return (document for document in each if document is not None)

    @cached_property
    def _form(self) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """How documents are written here: as published, or flat where the server asks for it."""
        # The one field in which FerretDB 1, which refuses arrays in arrays, says that it is that.
        return flattened if "ferretdbVersion" in self.database.client.server_info() else dict

    def _prepare(self) -> None:
        """Make the indexes, once per process."""
        if not self._is_prepared:
            for name in INDEXES:
                self.frames.create_index(name)
            self.parts.create_index("frame")
            self._is_prepared = True

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Turn what the driver says into what the site says."""
        try:
            yield
        except PyMongoError as error:
            # Not the driver's own words alone: they name no store, and fill lines with topology.
            raise StoreUnavailable(
                _(
                    "The document store (%(store)s) can't be used just now: %(error)s. Nothing is "
                    "lost; it is tried again."
                )
                % {"store": self, "error": _short(error)}
            ) from error


def _short(error: PyMongoError) -> str:
    words = str(error).split(", Timeout:")[0].split(" (configured timeouts")[0]
    return f"{type(error).__name__}: {words[:200]}"


def _moment(stored: datetime | None) -> datetime:
    """Return when a document was stored; drivers may leave the time zone out."""
    if stored is None:
        return datetime.min.replace(tzinfo=UTC)
    return stored if stored.tzinfo else stored.replace(tzinfo=UTC)


def _origins(calculation_ids: set[int]) -> dict[int, Origin]:
    rows = Calculation.objects.filter(pk__in=calculation_ids).values_list(
        "pk", "public_id", "dataset__public_id", "digest", "document"
    )
    return {
        pk: Origin(public_id, dataset, digest, calculation_from_document(document))
        for pk, public_id, dataset, digest, document in rows
    }


def _calculation(origin: Origin) -> dict[str, Any]:
    added = {"_id": str(origin.calculation_id), "dataset": str(origin.dataset_id)}
    return {**added, "digest": origin.digest, **origin.said}
