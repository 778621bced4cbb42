"""What `manage.py check` says of the document store."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from datasets.store import SqlDocumentStore, StoreUnavailable, document_store


@checks.register
def document_store_check(**_options: Any) -> list[checks.CheckMessage]:
    """Say that the store's URL can't be read, or that nobody answers there.

    The latter is a warning: the site starts and waits, and whoever mends it needs its commands.
    """
    try:
        store = document_store()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), hint="Mend MLMD_TEACHER_URL.", id="datasets.E001")]
    if isinstance(store, SqlDocumentStore):
        return []  # Django checks its databases itself
    try:
        store.check()
    except StoreUnavailable as error:
        hint = "Start that server, or mend MLMD_TEACHER_URL; uploads wait meanwhile."
        return [checks.Warning(str(error), hint=hint, id="datasets.W001")]
    return []
