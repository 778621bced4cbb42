"""The documents of frames, through the seam of the store, where they lie outside of the database."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from datasets.models import Frame
from datasets.store import (
    BATCH,
    FrameKey,
    SqlDocumentStore,
    StoredDocument,
    document_store,
    frame_keys,
)


def is_apart() -> bool:
    """Whether the documents lie outside of the site's database."""
    return not isinstance(document_store(), SqlDocumentStore)


def dump_documents(target: Path) -> int:
    """Write the document of every frame, one a line, and return how many.

    A frame that is deleted meanwhile has none: its row may be in the copy of the database.
    """
    store, total, last = document_store(), 0, 0
    with gzip.open(target, "wt", compresslevel=5, encoding="ascii") as stream:
        while keys := frame_keys(Frame.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
            found = store.fetch(keys)
            for key in keys:
                if key.frame_id in found:
                    stream.write(_line(key, found[key.frame_id]))
                    total += 1
            last = keys[-1].frame_id
    return total


def load_documents(source: Path) -> int:
    """Store every document of a file again and return how many; what is there is replaced."""
    return document_store().insert_many(_read(source))


def missing_documents() -> int:
    """Return how many frames have no document."""
    store, missing, last = document_store(), 0, 0
    while keys := frame_keys(Frame.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
        missing += len(keys) - len(store.fetch(keys))
        last = keys[-1].frame_id
    return missing


def _line(key: FrameKey, content: bytes) -> str:
    values = {
        "frame": key.frame_id,
        "id": str(key.public_id),
        "calculation": key.calculation_id,
        "content": base64.b64encode(content).decode("ascii"),
    }
    return json.dumps(values) + "\n"


def _read(source: Path) -> Iterator[StoredDocument]:
    with gzip.open(source, "rt", encoding="ascii") as stream:
        for line in stream:
            values = json.loads(line)
            key = FrameKey(values["frame"], UUID(values["id"]), values["calculation"])
            yield StoredDocument(key, base64.b64decode(values["content"]))
