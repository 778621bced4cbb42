"""Where the originals of uploads lie: one folder per upload, never named by the user."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings


@dataclass(frozen=True)
class StoredFile:
    """A file that lies safely on disk."""

    path: Path
    size: int
    sha256: str


def original_path(public_id: UUID) -> Path:
    return Path(settings.MEDIA_ROOT) / "uploads" / str(public_id) / "original"


def original_store(public_id: UUID, chunks: Iterable[bytes]) -> StoredFile:
    """Write an upload's bytes; the name appears only once all of them are on the disk."""
    path = original_path(public_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    digest, size = hashlib.sha256(), 0
    try:
        with part.open("wb") as stream:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError:
        shutil.rmtree(path.parent, ignore_errors=True)
        raise
    return StoredFile(path, size, digest.hexdigest())


def original_remove(public_id: UUID) -> None:
    shutil.rmtree(original_path(public_id).parent, ignore_errors=True)
