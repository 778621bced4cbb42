"""Drafts become published versions, which never change."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from datasets.citation import citation_line
from datasets.models import Dataset, DatasetVersion, Frame
from datasets.selections import frames_checksum
from datasets.services.energies import energies_refer
from datasets.services.splits import split_before, split_store
from datasets.splits import SplitRequest
from labs.audit import audit_record
from labs.exceptions import Refused


def dataset_lock(dataset: Dataset) -> Dataset:
    """Return the row, locked until the transaction ends.

    Raises:
        Refused: the dataset was deleted or withdrawn meanwhile.
    """
    row = Dataset.objects.select_for_update().filter(pk=dataset.pk).first()
    if row is None:
        raise Refused(_("This dataset was deleted meanwhile."))
    if row.withdrawn_at:
        raise Refused(_("“%s” was withdrawn and can't change.") % row)
    return row


def draft_ensure(dataset: Dataset) -> DatasetVersion:
    """Return the dataset's draft, made when there is none; the caller holds the lock."""
    draft = dataset.versions.filter(published_at=None).first()
    if draft is None:
        last = dataset.versions.aggregate(n=Max("number"))["n"] or 0
        draft = DatasetVersion.objects.create(dataset=dataset, number=last + 1)
    return draft


def dataset_summarise(dataset: Dataset) -> None:
    """Refresh the summary columns from the current frames."""
    frames = Frame.objects.filter(dataset=dataset).current()
    energies_refer(frames)
    dataset.frame_count = frames.count()
    dataset.elements_key = _union(frames)
    dataset.frames_mark = uuid4()
    dataset.save(update_fields=["frame_count", "elements_key", "frames_mark", "modified_at"])


def dataset_mark(dataset: Dataset) -> None:
    """Say that the frames changed, in the transaction that changes them.

    Who changes columns of frames otherwise than through `dataset_summarise` calls this, or the
    catalog goes on showing what was.
    """
    Dataset.objects.filter(pk=dataset.pk).update(frames_mark=uuid4())


@transaction.atomic
def dataset_publish(
    *, dataset: Dataset, actor: Any, notes: str = "", split: SplitRequest | None = None
) -> DatasetVersion:
    """Fix the draft as the next version, with checksum and citation.

    Args:
        dataset: whose draft is meant.
        actor: who publishes.
        notes: what changed.
        split: how frames without a part are split; None goes on as the last version did, and
            states nothing where no version has a split.

    Raises:
        Refused: there is no draft, it is empty, it equals the version before, or the split
            can't be.
    """
    dataset = dataset_lock(dataset)
    draft = dataset.versions.filter(published_at=None).first()
    if draft is None:
        raise Refused(_("Nothing changed since the last version: there is no draft to publish."))
    frames = Frame.objects.in_version(draft).order_by("pk")
    count = frames.count()
    if count == 0:
        raise Refused(_("The draft holds no frame. Upload teacher data first."))
    checksum = frames_checksum(frames)
    before = dataset.versions.published().order_by("-number").first()
    if before is not None and before.checksum == checksum:
        raise Refused(_("The draft holds exactly the frames of version %d.") % before.number)
    draft.published_at = timezone.now()
    draft.published_by = actor
    draft.notes = notes.strip()
    draft.licence = dataset.licence
    draft.frame_count = count
    draft.elements_key = _union(frames)
    draft.checksum = checksum
    draft.title = dataset.name
    draft.authors = dataset.authors
    draft.funding = dataset.funding
    wanted = split or split_before(dataset)
    draft.split = split_store(frames, wanted).to_json() if wanted else None
    draft.citation = citation_line(draft)
    draft.save()
    _drop_left_out(dataset, draft.number)
    dataset_mark(dataset)  # the frames got their part of the split, and some are gone
    audit_record(
        actor=actor,
        verb="dataset published",
        target=dataset,
        version=draft.number,
        frames=count,
        checksum=checksum,
    )
    return draft


@transaction.atomic
def version_withdraw(*, version: DatasetVersion, actor: Any, reason: str) -> None:
    """Take a published version out of use; it stays listed with the reason, its frames stay.

    Raises:
        Refused: a draft, no reason, or withdrawn before.
    """
    if version.is_draft:
        raise Refused(_("A draft can't be withdrawn: exclude its frames instead."))
    if not reason.strip():
        raise Refused(_("Say why the version is withdrawn: those who used it will read it."))
    changed = DatasetVersion.objects.filter(pk=version.pk, withdrawn_at=None).update(
        withdrawn_at=timezone.now(), withdrawn_reason=reason.strip()[:400]
    )
    if not changed:
        raise Refused(_("%s was withdrawn before.") % version)
    audit_record(
        actor=actor,
        verb="dataset version withdrawn",
        target=version.dataset,
        version=version.number,
        reason=reason.strip()[:400],
    )


def _drop_left_out(dataset: Dataset, number: int) -> None:
    """Delete what came and went within one draft: no version ever held it."""
    from datasets.services.frames import frames_remove

    frames_remove(Frame.objects.filter(dataset=dataset, added_in=number, removed_in=number))


def version_verify(version: DatasetVersion) -> bool:
    """Whether a published version still holds exactly what its checksum says."""
    frames = Frame.objects.in_version(version).order_by("pk")
    return frames_checksum(frames) == version.checksum


def _union(frames: Any) -> str:
    """Return the elements of all frames as one key, by atomic number."""
    from mlmd.elements import SYMBOLS, atomic_number

    keys = frames.order_by("elements_key").values_list("elements_key", flat=True).distinct()
    symbols = {symbol for key in keys for symbol in key.split("|") if symbol}
    numbers = sorted(atomic_number(symbol) or 0 for symbol in symbols)
    return f"|{'|'.join(SYMBOLS[n] for n in numbers)}|" if numbers else ""
