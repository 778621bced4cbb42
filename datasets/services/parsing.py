"""Reading one upload: under a lease, a chunk per transaction, visible only when complete."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from datasets.files import original_path
from datasets.models import Frame, Upload, UploadState, UploadTarget
from datasets.parser.process import ReaderDied, ReadRequest, read_in_child
from datasets.parser.records import PackedFrame, Record, RecordKind, frame_of_record
from datasets.services.frames import (
    calculation_ensure,
    element_sets_ensure,
    frames_remove,
    packed_insert,
)
from datasets.services.structures import structure_create_from_record
from datasets.services.uploads import readable_at
from datasets.services.versions import dataset_lock, dataset_summarise, draft_ensure
from datasets.snapshots import snapshot_of
from datasets.store import StoreRefused, StoreUnavailable, document_store
from labs.audit import audit_record
from labs.exceptions import Refused

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
CHUNK_FRAMES, CHUNK_BYTES = 2000, 16 << 20
MOST_ATTEMPTS = 3
STORE_PAUSE = timedelta(seconds=30)  # before another try where the document store is away


class LeaseLost(Exception):
    """Somebody cancelled the upload, or took it over: stop without a trace."""


@dataclass
class _Reading:
    """What one attempt has collected so far."""

    upload: Upload
    lease: str
    batch: list[PackedFrame] = field(default_factory=list)
    bytes: int = 0
    calculations: dict[str, int] = field(default_factory=dict)
    kept: int = 0
    structures: list[Record] = field(default_factory=list)
    last: Record | None = None


def upload_parse(*, upload_id: int) -> bool:
    """Read an upload to its end; False when there was nothing to do.

    WAITING, or PARSING whose lease ran out → ACCEPTED, REFUSED or FAILED. Frames are stored in
    chunks that no page shows (`added_in` is empty) until the last transaction accepts all of
    them; an attempt that dies leaves rows that the next attempt removes first. While the document
    store is away, the upload waits with its reason.
    """
    lease = uuid.uuid4().hex
    upload = _claim(upload_id, lease)
    if upload is None:
        return False
    try:
        _read(_Reading(upload, lease))
    except LeaseLost:
        log.info("upload %s was cancelled or taken over", upload.public_id)
    return True


def _read(reading: _Reading) -> None:
    upload = reading.upload
    try:
        if upload.attempts > MOST_ATTEMPTS:
            raise ReaderDied(
                _("Reading was interrupted %d times. Read it again, or tell the operators.")
                % MOST_ATTEMPTS
            )
        _start_clean(reading)
        if upload.target == UploadTarget.FRAMES:
            document_store().check()  # before a large file is read for nothing
        for record in read_in_child(_request(upload), lambda: _hold(upload.pk, reading.lease)):
            _take(reading, record)
        _finish(reading)
    except ReaderDied as error:
        _end(reading, UploadState.FAILED, str(error), {})
    except Refused as error:
        _end(reading, UploadState.REFUSED, str(error), {})
    except StoreRefused as error:
        _end(reading, UploadState.FAILED, str(error), {})
    except StoreUnavailable as error:
        _wait_for_store(reading, error)


def _wait_for_store(reading: _Reading, error: StoreUnavailable) -> None:
    """PARSING → WAITING with the reason; it counts as no attempt, and nothing was kept."""
    upload, now = reading.upload, timezone.now()
    log.warning("upload %s waits: %s", upload.public_id, error)
    Upload.objects.filter(pk=upload.pk, state=UploadState.PARSING, lease=reading.lease).update(
        state=UploadState.WAITING,
        reason=_("The database that holds the documents of frames doesn't answer just now."),
        frames_kept=0,
        attempts=F("attempts") - 1,
        lease="",
        lease_until=now + STORE_PAUSE,
        modified_at=now,
    )


@transaction.atomic
def _start_clean(reading: _Reading) -> None:
    _hold(reading.upload.pk, reading.lease)
    frames_remove(Frame.objects.filter(upload_id=reading.upload.pk, added_in=None))


def _claim(upload_id: int, lease: str) -> Upload | None:
    now = timezone.now()
    claimed = Upload.objects.filter(readable_at(now), pk=upload_id).update(
        state=UploadState.PARSING,
        reason="",
        lease=lease,
        lease_until=now + LEASE,
        attempts=F("attempts") + 1,
        frames_kept=0,
        modified_at=now,
    )
    if not claimed:
        return None
    return Upload.objects.select_related("dataset", "owner", "lab").get(pk=upload_id)


def _request(upload: Upload) -> ReadRequest:
    return ReadRequest(
        path=original_path(upload.public_id),
        name=upload.name,
        target=upload.target,
        format=upload.format,
        kind=upload.kind,
        length_unit=upload.length_unit,
        energy_unit=upload.energy_unit,
    )


def _hold(upload_id: int, lease: str, **changes: Any) -> None:
    """Extend the lease, or stop: a slow worker must not write after a faster one took over."""
    now = timezone.now()
    held = Upload.objects.filter(pk=upload_id, state=UploadState.PARSING, lease=lease).update(
        lease_until=now + LEASE, modified_at=now, **changes
    )
    if not held:
        raise LeaseLost


def _take(reading: _Reading, record: Record) -> None:
    match record.kind:
        case RecordKind.CALCULATION:
            _hold(reading.upload.pk, reading.lease)
            digest = record.values["digest"]
            reading.calculations[digest] = calculation_ensure(
                reading.upload.dataset_id, digest, record.values["document"]
            )
        case RecordKind.FRAME:
            frame = frame_of_record(record)
            reading.batch.append(frame)
            reading.bytes += len(frame.content)
            if len(reading.batch) >= CHUNK_FRAMES or reading.bytes >= CHUNK_BYTES:
                _flush(reading)
        case RecordKind.STRUCTURE:
            reading.structures.append(record)
        case _:
            reading.last = record


@transaction.atomic
def _flush(reading: _Reading) -> None:
    upload = reading.upload
    reading.kept += len(reading.batch)
    _hold(upload.pk, reading.lease, frames_kept=reading.kept)
    packed_insert(upload.dataset_id, upload.pk, None, reading.batch, reading.calculations)
    reading.batch, reading.bytes = [], 0


def _finish(reading: _Reading) -> None:
    last = reading.last
    if last is None:
        raise ReaderDied(_("The reader ended without a result. Read it again."))
    if last.kind is RecordKind.EXHAUSTED:
        words = {
            "memory": _("The file needs more memory than a reader may use. Split it."),
            "time": _("Reading the file took longer than allowed. Split it."),
        }
        _end(reading, UploadState.FAILED, words[last.values["limit"]], {})
        return
    issues = last.values["issues"]
    if last.kind is RecordKind.REFUSED:
        _end(reading, UploadState.REFUSED, last.values["reason"], {"issues": issues})
        return
    if reading.batch:
        _flush(reading)
    report = {
        "format": last.values["format"],
        "seconds": last.values["seconds"],
        "issues": issues,
    }
    if not reading.kept and not reading.structures:
        reason = _issue_text(issues[0]) if issues else _("The file holds nothing that can be used.")
        _end(reading, UploadState.REFUSED, reason, report)
    elif reading.upload.target == UploadTarget.FRAMES:
        _accept_frames(reading, report)
    else:
        _accept_structures(reading, report)


@transaction.atomic
def _accept_frames(reading: _Reading, report: dict[str, Any]) -> None:
    upload = reading.upload
    _hold(upload.pk, reading.lease)
    if upload.dataset is None:
        raise ValueError("teacher data without a dataset")
    dataset = dataset_lock(upload.dataset)
    number = draft_ensure(dataset).number
    mine = Frame.objects.filter(upload=upload, added_in=None)
    element_sets_ensure(mine)
    report["duplicates"] = _duplicates(upload)
    report["same_file"] = _same_file(upload)
    mine.update(added_in=number)
    dataset_summarise(dataset)
    # Taken here, where nobody waits, and not by the first who looks.
    transaction.on_commit(lambda: snapshot_of(dataset.pk, dataset.frames_mark))
    _end(reading, UploadState.ACCEPTED, "", report)


@transaction.atomic
def _accept_structures(reading: _Reading, report: dict[str, Any]) -> None:
    upload = reading.upload
    _hold(upload.pk, reading.lease)
    for index, record in enumerate(reading.structures):
        structure_create_from_record(
            upload=upload,
            record=record,
            index=index,
            count=len(reading.structures),
            source_format=report["format"],
        )
    reading.kept = len(reading.structures)
    _end(reading, UploadState.ACCEPTED, "", report)


@transaction.atomic
def _end(reading: _Reading, state: UploadState, reason: str, report: dict[str, Any]) -> None:
    upload = reading.upload
    kept = reading.kept if state is UploadState.ACCEPTED else 0
    ended = Upload.objects.filter(
        pk=upload.pk, state=UploadState.PARSING, lease=reading.lease
    ).update(
        state=state,
        reason=reason,
        report=report,
        frames_kept=kept,
        lease="",
        lease_until=None,
        ended_at=timezone.now(),
        modified_at=timezone.now(),
    )
    if not ended:
        raise LeaseLost
    if state is not UploadState.ACCEPTED:
        frames_remove(Frame.objects.filter(upload_id=upload.pk, added_in=None))
    audit_record(
        actor=upload.owner,
        verb=f"upload {state.value}",
        target=upload,
        kept=kept,
        reason=reason[:400],
    )


def _duplicates(upload: Upload) -> int:
    """Return how many of the new frames answer a question that the dataset answers already."""
    known = Frame.objects.filter(dataset_id=upload.dataset_id).current().values("label_identity")
    new = Frame.objects.filter(upload=upload, added_in=None)
    return new.filter(label_identity__in=known).count()


def _same_file(upload: Upload) -> str:
    """Return the name under which the very same file was accepted before, or nothing."""
    before = (
        Upload.objects.filter(
            dataset_id=upload.dataset_id, sha256=upload.sha256, state=UploadState.ACCEPTED
        )
        .exclude(pk=upload.pk)
        .first()
    )
    return before.name if before else ""


def _issue_text(issue: dict[str, str]) -> str:
    expected = f"; expected {issue['expected']}" if issue["expected"] else ""
    return f"{issue['where']}: {issue['found']}{expected}. {issue['action']}".rstrip()
