"""Documents whose rows never came, or are gone, are taken away."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from datasets.models import Calculation, Frame
from datasets.store import document_store

log = logging.getLogger(__name__)

# Longer than any transaction takes: a younger document's row may be about to be committed.
ORPHAN_AGE = timedelta(hours=6)


def documents_sweep(*, older_than: timedelta = ORPHAN_AGE) -> int:
    """Remove the documents that no row refers to and return how many there were.

    They come from workers that were killed between writing documents and committing rows, and
    from deletions that the store could not follow at once.
    """
    store = document_store()
    gone = store.remove_orphans(_with_row, older_than)
    if gone:
        log.info("%d documents without a row were removed from %s", gone, store)
    return gone


def _with_row(ids: Collection[UUID]) -> set[UUID]:
    return {
        public_id
        for model in (Frame, Calculation)
        for public_id in model.objects.filter(public_id__in=ids).values_list("public_id", flat=True)
    }
