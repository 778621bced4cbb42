"""Frames found in several datasets become a new one that knows where each came from."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets.models import Calculation, Dataset, Frame
from datasets.parser.records import FrameColumns
from datasets.querysets import FrameQuerySet
from datasets.services.datasets import dataset_create
from datasets.services.frames import calculation_ensure
from datasets.services.versions import dataset_lock, dataset_summarise, draft_ensure
from datasets.store import BATCH, FrameKey, StoredDocument, document_store
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Visibility

MOST_COPIED = 50_000
_COLUMNS = tuple(FrameColumns.__dataclass_fields__)


@transaction.atomic
def dataset_collect(
    *,
    owner: Any,
    lab: Lab,
    name: str,
    frames: FrameQuerySet,
    query: str,
    visibility: str = Visibility.LAB,
) -> Dataset:
    """Copy frames into a new dataset; each copy points to the frame that it came from.

    The licence goes with the frames where all have the same.

    Args:
        owner: who collects.
        lab: where the dataset goes.
        name: of the dataset.
        frames: what the person may see and has chosen.
        query: the search that found them, kept in the history.
        visibility: of the new dataset.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: no frames, or too many.
    """
    keys = list(frames.order_by("pk").values_list("pk", flat=True)[: MOST_COPIED + 1])
    if not keys:
        raise Refused(_("The search finds no frame: loosen the filters first."))
    if len(keys) > MOST_COPIED:
        raise Refused(
            _("At most %d frames can be copied at once; narrow the filters.") % MOST_COPIED
        )
    sources = Dataset.objects.filter(frames__in=frames.values("pk")).distinct()
    licences = set(sources.values_list("licence", flat=True))
    dataset = dataset_create(
        owner=owner,
        lab=lab,
        name=name,
        licence=licences.pop() if len(licences) == 1 else "",
        visibility=visibility,
    )
    dataset = dataset_lock(dataset)
    number = draft_ensure(dataset).number
    calculations: dict[int, int] = {}
    for start in range(0, len(keys), BATCH):
        _copy(dataset, number, keys[start : start + BATCH], calculations)
    dataset_summarise(dataset)
    audit_record(
        actor=owner,
        verb="frames collected",
        target=dataset,
        frames=len(keys),
        sources=[str(public_id) for public_id in sources.values_list("public_id", flat=True)],
        query=query[:1000],
    )
    return dataset


def _copy(dataset: Dataset, number: int, keys: list[int], calculations: dict[int, int]) -> None:
    rows = list(Frame.objects.filter(pk__in=keys).order_by("pk"))
    missing = {row.calculation_id for row in rows} - set(calculations)
    for known in Calculation.objects.filter(pk__in=missing):
        calculations[known.pk] = calculation_ensure(dataset.pk, known.digest, known.document)
    copies = Frame.objects.bulk_create(
        Frame(
            dataset=dataset,
            added_in=number,
            copied_from=row,
            calculation_id=calculations[row.calculation_id],
            **{column: getattr(row, column) for column in _COLUMNS},
        )
        for row in rows
    )
    store = document_store()
    documents = store.iterate(_key(row) for row in rows)
    store.insert_many(
        StoredDocument(_key(copy), document.content)
        for copy, document in zip(copies, documents, strict=True)
    )


def _key(row: Frame) -> FrameKey:
    return FrameKey(row.pk, row.public_id, row.calculation_id)


def collected_words(dataset: Dataset) -> str:
    """Return what a person reads after collecting."""
    count = dataset.frame_count
    return (
        ngettext(
            "%d frame was copied into the new dataset.",
            "%d frames were copied into the new dataset.",
            count,
        )
        % count
    )
