"""Frames come into a dataset's draft and leave it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets.models import Calculation, Dataset, ElementSet, Frame
from datasets.parser.measures import hubbard_words, run_type
from datasets.parser.records import PackedFrame, packed_frame
from datasets.querysets import FrameQuerySet
from datasets.services.compositions import compositions_ensure
from datasets.services.rows import rows_insert
from datasets.services.versions import dataset_lock, dataset_summarise, draft_ensure
from datasets.store import StoredDocument, document_store, frame_keys
from labs.audit import audit_record
from labs.exceptions import Refused
from mlmd.documents import calculation_from_document, calculation_to_document
from mlmd.frame import Frame as LabelledFrame

MOST_AT_ONCE = 20_000  # frames excluded or restored by one click


@transaction.atomic
def frames_insert(
    *, dataset: Dataset, actor: Any, frames: Iterable[LabelledFrame], chunk: int = 2000
) -> int:
    """Add frames that are at hand (not in a file) to the draft; return how many."""
    dataset = dataset_lock(dataset)
    calculations: dict[str, int] = {}
    number = draft_ensure(dataset).number
    total, batch = 0, []
    for frame in frames:
        packed = packed_frame(frame)
        if packed.calculation not in calculations:
            calculations[packed.calculation] = calculation_ensure(
                dataset.pk, packed.calculation, calculation_to_document(frame.calculation)
            )
        batch.append(packed)
        if len(batch) == chunk:
            total += len(packed_insert(dataset.pk, None, number, batch, calculations))
            batch = []
    total += len(packed_insert(dataset.pk, None, number, batch, calculations))
    element_sets_ensure(Frame.objects.filter(dataset=dataset).current())
    dataset_summarise(dataset)
    audit_record(actor=actor, verb="frames added", target=dataset, frames=total)
    return total


def calculation_ensure(dataset_id: int, digest: str, document: dict[str, Any]) -> int:
    """Return the id of the dataset's row for a calculation, made when there is none."""
    known = calculation_from_document(document)
    row, _created = Calculation.objects.get_or_create(
        dataset_id=dataset_id,
        digest=digest,
        defaults={
            "code": document["code"][:40],
            "version": document["version"][:80],
            "functional": document["functional"][:80],
            "dispersion": document["dispersion"][:80],
            "cutoff_energy": document["cutoff_energy"],
            "spin": document["spin"][:24],
            "hubbard": hubbard_words(known)[:200],
            "run_type": run_type(known),
            "compat_key": document["compat_key"][:255],
            "source_name": document["source_name"][:255],
            "source_sha256": document["source_sha256"][:64],
            "document": document,
        },
    )
    return row.pk


def packed_insert(
    dataset_id: int,
    upload_id: int | None,
    added_in: int | None,
    frames: Sequence[PackedFrame],
    calculations: dict[str, int],
) -> list[int]:
    """Write rows and documents of packed frames; return the rows' ids, in order."""
    keys = rows_insert(dataset_id, upload_id, added_in, frames, calculations)
    document_store().insert_many(
        StoredDocument(key, frame.content) for key, frame in zip(keys, frames, strict=True)
    )
    return [key.frame_id for key in keys]


def element_sets_ensure(frames: FrameQuerySet) -> None:
    """Note the combinations of elements and the compositions of these frames, for searching."""
    keys = frames.order_by("elements_key").values_list("elements_key", flat=True).distinct()
    ElementSet.objects.bulk_create([ElementSet(key=key) for key in keys], ignore_conflicts=True)
    compositions_ensure(frames)


def frames_remove(frames: FrameQuerySet) -> int:
    """Delete rows and their documents, a batch at a time; the caller's transaction."""
    total, store = 0, document_store()
    while keys := frame_keys(frames.order_by("pk")[:500]):
        store.discard(keys)
        total += Frame.objects.filter(pk__in=[key.frame_id for key in keys]).delete()[0]
    return total


@transaction.atomic
def frames_exclude(*, dataset: Dataset, actor: Any, frames: FrameQuerySet) -> int:
    """Leave frames out of the draft; published versions keep theirs. Return how many.

    Raises:
        Refused: none of them is in the dataset now, or too many at once.
    """
    dataset = dataset_lock(dataset)
    draft = draft_ensure(dataset)
    chosen = Frame.objects.filter(
        dataset=dataset, removed_in=None, pk__in=_some_ids(frames.current())
    )
    # What only the draft holds gets equal numbers: it is in no version and can be taken back
    # until the draft is published, when it goes for good.
    gone = chosen.update(removed_in=draft.number)
    if gone == 0:
        raise Refused(_("None of these frames is in the dataset now."))
    dataset_summarise(dataset)
    audit_record(actor=actor, verb="frames excluded", target=dataset, frames=gone)
    return gone


@transaction.atomic
def frames_restore(*, dataset: Dataset, actor: Any, frames: FrameQuerySet) -> int:
    """Take back an exclusion that is not published yet; return how many frames came back.

    Raises:
        Refused: none of them was excluded in the draft.
    """
    dataset = dataset_lock(dataset)
    draft = draft_ensure(dataset)
    chosen = Frame.objects.filter(
        dataset=dataset, removed_in=draft.number, pk__in=_some_ids(frames)
    )
    # What it refers to may have changed while it was out: it is worked out again below.
    back = chosen.update(removed_in=None, energy_above=None)
    if back == 0:
        raise Refused(_("None of these frames was excluded since the last version."))
    dataset_summarise(dataset)
    audit_record(actor=actor, verb="frames restored", target=dataset, frames=back)
    return back


def _some_ids(frames: FrameQuerySet) -> list[int]:
    ids = list(frames.order_by("pk").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
    if len(ids) > MOST_AT_ONCE:
        raise Refused(
            ngettext(
                "At most %d frame can be changed at once; narrow the filters.",
                "At most %d frames can be changed at once; narrow the filters.",
                MOST_AT_ONCE,
            )
            % MOST_AT_ONCE
        )
    return ids
