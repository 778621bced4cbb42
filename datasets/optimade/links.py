"""Where a dataset's entries are found."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse

from datasets.models import Dataset
from datasets.selectors import public_versions


def entries_url(dataset: Dataset) -> str:
    """Return the address of a dataset's entries, empty where the world sees none of them."""
    if not settings.MLMD_OPTIMADE or dataset.visibility != "public":
        return ""
    if all(version.dataset_id != dataset.pk for version in public_versions()):
        return ""
    query = urlencode({"filter": f'_mlmd_dataset_id="{dataset.public_id}"'})
    return f"{reverse('datasets:optimade-structures')}?{query}"
