"""Snapshots as files: one each, mapped into memory, so that all processes share its pages."""

from __future__ import annotations

import json
import shutil
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from django.conf import settings

from datasets.snapshots.columns import layout_digest
from datasets.snapshots.snapshot import Array, Snapshot

_LENGTHS = struct.Struct("<QQ")  # of the header, of the file
_ALIGNED = 64
_OWN = ("keys", "group", "added", "removed", "created", "calculation")


def snapshot_load(dataset_id: int, mark: uuid.UUID) -> Snapshot | None:
    """Return the snapshot of this mark, or None where no whole file of it is there."""
    try:
        # A plain view: slices of a memmap cost more than the work on most of them.
        whole = np.asarray(np.memmap(_path(dataset_id, mark), np.uint8, "r"))
    except (OSError, ValueError):
        return None  # ValueError: an empty file cannot be mapped
    start = _LENGTHS.size
    size, length = _LENGTHS.unpack_from(whole) if len(whole) > start else (0, -1)
    if length != len(whole):
        return None  # cut off by a disk that was full or a file system that was mended
    header = json.loads(whole[start : start + size].tobytes())
    arrays: dict[str, Array] = {}
    for name, kind, count, offset in header["arrays"]:
        dtype = np.dtype(kind)
        arrays[name] = whole[offset : offset + count * dtype.itemsize].view(dtype)
    return Snapshot(
        **{name: arrays[name] for name in _OWN},
        numbers=_part(arrays, "number:"),
        levels=_part(arrays, "level:"),
        codes=_part(arrays, "code:"),
        words=header["words"],
    )


def snapshot_save(dataset_id: int, mark: uuid.UUID, snapshot: Snapshot) -> None:
    """Write a snapshot; its name appears when it is whole, and older ones of the dataset go."""
    path = _path(dataset_id, mark)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{uuid.uuid4().hex[:8]}.part")
    arrays = [(name, np.ascontiguousarray(array)) for name, array in _named(snapshot)]
    # The header names the places, which its own length moves: it gets room to spare.
    offset = _aligned(4096 + 200 * len(arrays) + len(json.dumps(snapshot.words)))
    places = []
    for name, array in arrays:
        places.append([name, array.dtype.str, array.size, offset])
        offset = _aligned(offset + array.nbytes)
    header = json.dumps({"arrays": places, "words": snapshot.words}).encode()
    try:
        with part.open("wb") as stream:
            stream.write(_LENGTHS.pack(len(header), offset) + header)
            for (_name, array), (*_others, start) in zip(arrays, places, strict=True):
                stream.seek(start)
                stream.write(memoryview(array).cast("B") if array.size else b"")
            stream.truncate(offset)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    for old in path.parent.glob("*.snapshot"):
        if old != path:
            old.unlink(missing_ok=True)


def files_remove(dataset_id: int) -> None:
    shutil.rmtree(_folder(dataset_id), ignore_errors=True)


def _named(snapshot: Snapshot) -> Iterator[tuple[str, Array]]:
    for name in _OWN:
        yield name, getattr(snapshot, name)
    for prefix, part in (
        ("number:", snapshot.numbers),
        ("level:", snapshot.levels),
        ("code:", snapshot.codes),
    ):
        for name, array in part.items():
            yield prefix + name, array


def _part(arrays: dict[str, Array], prefix: str) -> dict[str, Array]:
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGNED) * _ALIGNED


def _folder(dataset_id: int) -> Path:
    return Path(settings.CATALOG_DIR) / str(dataset_id)


def _path(dataset_id: int, mark: uuid.UUID) -> Path:
    return _folder(dataset_id) / f"{mark.hex}-{layout_digest()}.snapshot"
