"""Snapshots at hand: in this process, else from a file, else taken from the rows."""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Lock
from uuid import UUID

from datasets.models import Dataset
from datasets.snapshots.files import files_remove, snapshot_load, snapshot_save
from datasets.snapshots.snapshot import Snapshot, snapshot_take

MOST_HELD = 4096  # mapped files of a process
_TRIES = 3
_log = logging.getLogger(__name__)
_held: OrderedDict[int, tuple[UUID, Snapshot]] = OrderedDict()
_taking = Lock()


def snapshot_of(dataset_id: int, mark: UUID) -> Snapshot:
    """Return the snapshot that this mark names, taken now where nobody has yet."""
    held = _held.get(dataset_id)
    if held is not None and held[0] == mark:
        return held[1]
    with _taking:
        found = snapshot_load(dataset_id, mark)
        if found is None:
            return _taken(dataset_id, mark)
        _hold(dataset_id, mark, found)
    return found


def snapshots_remove(dataset_id: int) -> None:
    """Forget a dataset that is gone."""
    _held.pop(dataset_id, None)
    files_remove(dataset_id)


def _taken(dataset_id: int, mark: UUID) -> Snapshot:
    """Take a snapshot between two looks at the mark, so that it is known whose it is."""
    for _try in range(_TRIES):
        snapshot = snapshot_take(dataset_id)
        now = Dataset.objects.values_list("frames_mark", flat=True).get(pk=dataset_id)
        if now == mark:
            break
        mark = now
    else:
        return snapshot  # it changes all the time: right when it was read, and kept by nobody
    _hold(dataset_id, mark, snapshot)
    try:
        snapshot_save(dataset_id, mark, snapshot)
    except OSError as error:
        _log.warning("the snapshot of dataset %s wasn't kept: %s", dataset_id, error)
    return snapshot


def _hold(dataset_id: int, mark: UUID, snapshot: Snapshot) -> None:
    _held[dataset_id] = (mark, snapshot)
    _held.move_to_end(dataset_id)
    while len(_held) > MOST_HELD:
        _held.popitem(last=False)
