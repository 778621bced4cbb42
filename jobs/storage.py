"""How many bytes a lab keeps; rooms above add theirs when Django starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db.models import Sum

from jobs.models import Job

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from labs.models import Lab

_counters: dict[str, tuple[_StrOrPromise, Callable[[Lab], int]]] = {}


def register_storage(name: str, title: _StrOrPromise, count: Callable[[Lab], int]) -> None:
    """Make something that labs store known; the same name again replaces it.

    Args:
        name: key.
        title: what a person reads.
        count: returns the bytes that a lab keeps of it.
    """
    _counters[name] = (title, count)


def storage_of(lab: Lab) -> list[tuple[str, int]]:
    """Return what a lab stores, as (title, bytes)."""
    return [(str(title), count(lab)) for title, count in _counters.values()]


def files_of_runs(lab: Lab) -> int:
    """Return the bytes of the site's copies of the lab's runs."""
    total = Job.objects.filter(lab=lab, size_bytes__gt=0).aggregate(total=Sum("size_bytes"))
    return int(total["total"] or 0)
