"""Files arrive, wait, are cancelled, read again or removed."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from datasets.files import original_path, original_remove, original_store
from datasets.models import Dataset, Frame, Structure, Upload, UploadState, UploadTarget
from datasets.services.access import creation_check
from datasets.services.frames import frames_remove
from jobs.limits import storage_check
from jobs.nudge import nudge
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Visibility
from mlmd.formats.registry import FrameFormat
from mlmd.formats.source import safe_name
from mlmd.units import ENERGY, LENGTH

PARSE_TASK = "datasets.tasks.parse_upload"
NUDGE_AFTER = timedelta(seconds=15)  # a message that old is taken for lost


def upload_create(
    *,
    owner: Any,
    lab: Lab,
    file: UploadedFile,
    target: str,
    dataset: Dataset | None = None,
    visibility: str = Visibility.LAB,
    format: str = "",
    kind: str = "",
    length_unit: str = "",
    energy_unit: str = "",
) -> Upload:
    """Keep a file and queue it for reading.

    Args:
        owner: who sends it.
        lab: where it goes.
        file: as Django received it.
        target: `UploadTarget`: teacher data for `dataset`, or structures.
        dataset: for teacher data.
        visibility: of the structures it gives; teacher data follow their dataset.
        format: a `FrameFormat`; empty to detect it by content.
        kind: kind of configuration of frames that don't say theirs.
        length_unit: of formats that don't say theirs.
        energy_unit: likewise.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: too large, a choice that isn't offered, the lab's storage is used up, or the
            disk is full.
    """
    creation_check(owner, lab)
    _check_choices(target, dataset, visibility, format, length_unit, energy_unit)
    size_check(file.size)
    storage_check(lab, file.size or 0)
    public_id = uuid.uuid4()
    try:
        stored = original_store(public_id, file.chunks())
    except OSError as error:
        raise Refused(
            _("“%(name)s” could not be stored (%(problem)s). Tell the operators.")
            % {"name": safe_name(file.name or ""), "problem": error.strerror}
        ) from error
    with transaction.atomic():
        upload = Upload.objects.create(
            public_id=public_id,
            owner=owner,
            lab=lab,
            target=target,
            dataset=dataset,
            visibility=visibility if dataset is None else dataset.visibility,
            name=safe_name(file.name or ""),
            size=stored.size,
            sha256=stored.sha256,
            format=format,
            kind=" ".join(kind.split())[:120],
            length_unit=length_unit,
            energy_unit=energy_unit,
        )
        audit_record(actor=owner, verb="file uploaded", target=upload, size=stored.size)
        nudge(PARSE_TASK, upload.pk)
    return upload


def size_check(size: int | None) -> None:
    """Refuse more bytes than the site takes."""
    most = settings.MLMD_MAX_UPLOAD_BYTES
    if size is not None and size > most:
        raise Refused(
            _("The file has %(size).1f MiB; this site takes at most %(most).1f MiB. Split it.")
            % {"size": size / 2**20, "most": most / 2**20}
        )


def readable_at(now: datetime) -> Q:
    """The condition for uploads that a worker may take: nobody reads them, and they needn't wait."""
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    return Q(state__in=(UploadState.WAITING, UploadState.PARSING)) & free


def uploads_waiting() -> list[int]:
    """Return the ids of uploads that nobody reads and that no message announces any more.

    Each is returned once per period only, so that messages don't pile up behind a busy worker.
    """
    now = timezone.now()
    rows = Upload.objects.filter(readable_at(now), modified_at__lt=now - NUDGE_AFTER)
    found = list(rows.order_by("pk").values_list("pk", flat=True)[:100])
    Upload.objects.filter(pk__in=found).update(modified_at=now)
    return found


@transaction.atomic
def upload_cancel(*, upload: Upload, actor: Any) -> None:
    """Stop the reading of a file; nothing of it is kept.

    Raises:
        Refused: it has ended already.
    """
    # The reader holds the lease; with another lease in the row its next write is refused.
    changed = Upload.objects.filter(
        pk=upload.pk, state__in=(UploadState.WAITING, UploadState.PARSING)
    ).update(
        state=UploadState.CANCELLED,
        lease="",
        lease_until=None,
        ended_at=timezone.now(),
        modified_at=timezone.now(),
        reason=_("Cancelled by %s.") % actor,
    )
    if not changed:
        raise Refused(_("“%s” has been read already.") % upload)
    leftovers_remove(upload.pk)
    audit_record(actor=actor, verb="upload cancelled", target=upload)


@transaction.atomic
def upload_retry(*, upload: Upload, actor: Any) -> None:
    """Read the kept original again.

    Raises:
        Refused: it was accepted, is being read, or the original is gone.
    """
    if not original_path(upload.public_id).exists():
        raise Refused(_("The original of “%s” isn't kept any more: upload it again.") % upload)
    changed = Upload.objects.filter(
        pk=upload.pk,
        state__in=(UploadState.REFUSED, UploadState.FAILED, UploadState.CANCELLED),
    ).update(
        state=UploadState.WAITING,
        reason="",
        report={},
        attempts=0,
        ended_at=None,
        modified_at=timezone.now(),
    )
    if not changed:
        raise Refused(_("“%s” can't be read again: it was accepted or is being read.") % upload)
    audit_record(actor=actor, verb="upload read again", target=upload)
    nudge(PARSE_TASK, upload.pk)


@transaction.atomic
def upload_delete(*, upload: Upload, actor: Any) -> None:
    """Take a refused, failed or cancelled file off the list, with its original.

    Raises:
        Refused: it is being read, or frames or structures came from it.
    """
    row = Upload.objects.select_for_update().get(pk=upload.pk)
    if not row.is_final:
        raise Refused(_("“%s” is being read: cancel it first.") % row)
    used = (
        Frame.objects.filter(upload=row).exists() or Structure.objects.filter(upload=row).exists()
    )
    if used:
        raise Refused(_("“%s” is the origin of what was kept from it and stays listed.") % row)
    audit_record(actor=actor, verb="upload deleted", target=row)
    public_id = row.public_id
    row.delete()
    transaction.on_commit(lambda: original_remove(public_id))


def leftovers_remove(upload_id: int) -> None:
    """Remove what an unfinished reading has stored."""
    frames_remove(Frame.objects.filter(upload_id=upload_id, added_in=None))


def _check_choices(
    target: str,
    dataset: Dataset | None,
    visibility: str,
    format: str,
    length_unit: str,
    energy_unit: str,
) -> None:
    offered = [
        (_("purpose"), target, UploadTarget.values),
        (_("visibility"), visibility, Visibility.values),
        (_("length unit"), length_unit, ["", *LENGTH]),
        (_("energy unit"), energy_unit, ["", *ENERGY]),
    ]
    if target == UploadTarget.FRAMES:
        offered.append((_("format"), format, ["", *(f.value for f in FrameFormat)]))
    for what, value, known in offered:
        if value not in known:
            raise Refused(
                _("%(what)s: “%(value)s” isn't offered; expected one of %(known)s.")
                % {"what": what, "value": value[:40], "known": ", ".join(k for k in known if k)}
            )
    if (target == UploadTarget.FRAMES) != (dataset is not None):
        raise Refused(_("Teacher data go into a dataset, structures don't."))
    if dataset is not None and dataset.withdrawn_at:
        raise Refused(_("“%s” was withdrawn and takes no more data.") % dataset)
