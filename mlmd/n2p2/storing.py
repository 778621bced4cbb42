"""Keeps what a step gave as a document: in a folder, in MongoDB, or on a portal."""

from __future__ import annotations

import getpass
import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from mlmd import __version__
from mlmd.errors import InvalidInput, MlmdError
from mlmd.hdnnp.files import INPUT, SCALING, UNITS, weights_name
from mlmd.n2p2.data import TrainingData
from mlmd.n2p2.input_files import CURVE
from mlmd.n2p2.outputs import read_columns
from mlmd.n2p2.results import n2p2_version, read_best_epoch
from mlmd.n2p2.steps import ENERGIES, StepName
from mlmd.runs import to_jsonable, write_json_atomic

COLLECTION = "n2p2"
VERSION = 1


class StoreFailed(MlmdError):
    """A document couldn't be stored."""


class DocumentStore(Protocol):
    """Takes documents; `mlmd.Portal` is one."""

    def store(self, document: Mapping[str, Any]) -> str:
        """Keep a document; return its address or number."""


Store = str | Path | DocumentStore


def step_document(
    name: StepName, data: TrainingData, folder: Path, seconds: float, queue_id: str
) -> dict[str, Any]:
    """Return what a step did as one JSON object.

    Input and, as far as they are there, scaling, weights of the best epoch, learning curve and
    comparison with the data are in it, with settings and provenance. Its ``_id`` is a hash of
    its content without times, so that storing it twice keeps one.

    Args:
        name: of the step.
        data: what was trained on.
        folder: run directory.
        seconds: how long the step took.
        queue_id: number of the run in a batch system; may be empty.
    """
    names = [INPUT, SCALING, UNITS]
    content: dict[str, Any] = {
        "type": f"n2p2-{name.value}",
        "version": VERSION,
        "elements": data.elements,
        "settings": data.settings,
        "data": {
            "sha256": data.sha256,
            "frames": len(data.frames),
            "held_out": len(data.held_out),
            "excluded": data.excluded,
            "sources": _sources(data),
        },
        "notices": [notice.text for notice in data.notices],
    }
    if name in (StepName.TRAIN, StepName.PREDICT):
        names += [weights_name(element) for element in data.elements]
        content["learning_curve"] = _table(folder / CURVE)
        content["best_epoch"] = read_best_epoch(folder)
    if name is StepName.PREDICT:
        content["energies"] = _table(folder / ENERGIES)
    content["files"] = {
        file: (folder / file).read_text(encoding="utf-8")
        for file in names
        if (folder / file).is_file()
    }
    document: dict[str, Any] = to_jsonable(content)
    text = json.dumps(document, sort_keys=True)
    provenance = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "made_by": getpass.getuser(),
        "machine": platform.node(),
        "folder": folder.resolve().name,
        "seconds": seconds,
        "queue_id": queue_id,
        "versions": {"mlmd": __version__, "n2p2": n2p2_version(folder)},
    }
    identity = hashlib.sha256(text.encode()).hexdigest()[:32]
    return {"_id": identity, **document, "provenance": provenance}


def store_document(document: Mapping[str, Any], store: Store) -> str:
    """Keep a document; return its address or number.

    Args:
        document: of `step_document`.
        store: a folder (one file for each document), ``mongodb://host/database`` (collection
            ``n2p2``), or an object with `DocumentStore`'s method.

    Raises:
        StoreFailed: the database can't be reached, or refuses.
        InvalidInput: its URL names no database.
    """
    if isinstance(store, str) and store.startswith(("mongodb://", "mongodb+srv://")):
        return _store_in_mongo(document, store)
    if isinstance(store, str | Path):
        folder = Path(store)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{document['type']}-{document['_id']}.json"
        write_json_atomic(path, document)
        return str(path)
    return store.store(document)


def _store_in_mongo(document: Mapping[str, Any], url: str) -> str:
    # Only who stores in MongoDB needs its driver.
    try:
        import pymongo
        from pymongo.errors import ConfigurationError, PyMongoError
    except ImportError as error:
        raise StoreFailed("MongoDB needs the package pymongo: pip install pymongo") from error
    try:
        client: Any = pymongo.MongoClient(url, serverSelectionTimeoutMS=10_000)
        with client:
            collection = client.get_default_database()[COLLECTION]
            collection.replace_one({"_id": document["_id"]}, dict(document), upsert=True)
    except ConfigurationError as error:
        raise InvalidInput("store", str(error), "mongodb://host/database") from error
    except PyMongoError as error:
        raise StoreFailed(f"MongoDB took no document: {str(error)[:300]}") from error
    return str(document["_id"])


def _table(path: Path) -> dict[str, Any]:
    names, rows = read_columns(path)
    return {name: rows[:, column].tolist() for column, name in enumerate(names)}


def _sources(data: TrainingData) -> list[dict[str, str]]:
    found = {
        (frame.calculation.source_name, frame.calculation.source_sha256) for frame in data.frames
    }
    return [{"name": name, "sha256": sha} for name, sha in sorted(found) if name or sha]
