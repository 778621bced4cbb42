"""Keeps what a step gave as a document: in a folder, in MongoDB, or on a portal."""

from __future__ import annotations

import getpass
import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from mlmd import __version__
from mlmd.errors import InvalidInput, MlmdError
from mlmd.frame import Frame
from mlmd.runs import to_jsonable, write_json_atomic


class StoreFailed(MlmdError):
    """A document couldn't be stored."""


class DocumentStore(Protocol):
    """Takes documents; `mlmd.Portal` is one."""

    def store(self, document: Mapping[str, Any]) -> str:
        """Keep a document; return its address or number."""


Store = str | Path | DocumentStore


def finished_document(
    content: Mapping[str, Any],
    folder: Path,
    seconds: float,
    queue_id: str,
    version: Mapping[str, str],
) -> dict[str, Any]:
    """Return what a step did as one JSON object, with provenance.

    Its ``_id`` is a hash of the content, without times, so that storing it twice keeps one.

    Args:
        content: what came out.
        folder: run directory.
        seconds: how long the step took.
        queue_id: number of the run in a batch system; may be empty.
        version: program → its version.
    """
    document: dict[str, Any] = to_jsonable(content)
    text = json.dumps(document, sort_keys=True)
    provenance = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "made_by": getpass.getuser(),
        "machine": platform.node(),
        "folder": folder.resolve().name,
        "seconds": seconds,
        "queue_id": queue_id,
        "versions": {"mlmd": __version__, **version},
    }
    identity = hashlib.sha256(text.encode()).hexdigest()[:32]
    return {"_id": identity, **document, "provenance": provenance}


def sources_of(frames: Iterable[Frame]) -> list[dict[str, str]]:
    """Return name and hash of the files that frames come from."""
    found = {(f.calculation.source_name, f.calculation.source_sha256) for f in frames}
    return [{"name": name, "sha256": sha} for name, sha in sorted(found) if name or sha]


def store_document(document: Mapping[str, Any], store: Store, collection: str) -> str:
    """Keep a document; return its address or number.

    Args:
        document: of `finished_document`.
        store: a folder (one file for each document), ``mongodb://host/database``, or an object
            with `DocumentStore`'s method.
        collection: in MongoDB.

    Raises:
        StoreFailed: the database can't be reached, or refuses.
        InvalidInput: its URL names no database.
    """
    if isinstance(store, str) and store.startswith(("mongodb://", "mongodb+srv://")):
        return _store_in_mongo(document, store, collection)
    if isinstance(store, str | Path):
        folder = Path(store)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{document['type']}-{document['_id']}.json"
        write_json_atomic(path, document)
        return str(path)
    return store.store(document)


def _store_in_mongo(document: Mapping[str, Any], url: str, collection: str) -> str:
    # Only who stores in MongoDB needs its driver.
    try:
        import pymongo
        from pymongo.errors import ConfigurationError, PyMongoError
    except ImportError as error:
        raise StoreFailed("MongoDB needs the package pymongo: pip install pymongo") from error
    try:
        client: Any = pymongo.MongoClient(url, serverSelectionTimeoutMS=10_000)
        with client:
            place = client.get_default_database()[collection]
            place.replace_one({"_id": document["_id"]}, dict(document), upsert=True)
    except ConfigurationError as error:
        raise InvalidInput("store", str(error), "mongodb://host/database") from error
    except PyMongoError as error:
        raise StoreFailed(f"MongoDB took no document: {str(error)[:300]}") from error
    return str(document["_id"])
