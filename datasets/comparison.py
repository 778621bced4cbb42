"""What differs between two versions of a dataset."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q

from datasets.models import DatasetVersion, Frame
from datasets.querysets import FrameQuerySet


@dataclass(frozen=True)
class Change:
    """How many frames share a word, before and after.

    Args:
        name: level of theory, kind or formula.
        before: frames in the older version.
        after: frames in the newer version.
    """

    name: str
    before: int
    after: int

    @property
    def difference(self) -> int:
        return self.after - self.before


@dataclass(frozen=True)
class VersionComparison:
    """Two versions side by side.

    Args:
        old: the older version.
        new: the newer version.
        added: frames that only the newer one holds.
        removed: frames that only the older one holds.
        added_count: how many.
        removed_count: how many.
        kept_count: frames of both.
        levels: levels of theory.
        kinds: kinds of configuration.
        formulas: formulas whose number of frames changed, the largest change first.
        elements_added: elements that only the newer one holds.
        elements_removed: elements that only the older one holds.
    """

    old: DatasetVersion
    new: DatasetVersion
    added: FrameQuerySet
    removed: FrameQuerySet
    added_count: int
    removed_count: int
    kept_count: int
    levels: list[Change]
    kinds: list[Change]
    formulas: list[Change]
    elements_added: list[str]
    elements_removed: list[str]


def versions_compare(one: DatasetVersion, other: DatasetVersion) -> VersionComparison:
    """Compare two versions of one dataset, in either order; a draft counts as the newest."""
    old, new = sorted((one, other), key=lambda version: version.number)
    before, after = Frame.objects.in_version(old), Frame.objects.in_version(new)
    gone = Q(removed_in__isnull=False, removed_in__lte=new.number)
    added, removed = after.filter(added_in__gt=old.number), before.filter(gone)
    removed_count = removed.count()
    had, have = _elements(before), _elements(after)
    formulas = [c for c in _changes(before, after, "formula") if c.difference]
    return VersionComparison(
        old,
        new,
        added.order_by("pk"),
        removed.order_by("pk"),
        added.count(),
        removed_count,
        before.count() - removed_count,
        _changes(before, after, "compat_key"),
        _changes(before, after, "kind"),
        sorted(formulas, key=lambda c: -abs(c.difference))[:30],
        sorted(have - had),
        sorted(had - have),
    )


def _changes(before: FrameQuerySet, after: FrameQuerySet, column: str) -> list[Change]:
    counted = []
    for frames in (before, after):
        rows = frames.order_by().values_list(column).annotate(n=Count("pk"))
        counted.append(dict(rows))
    names = sorted(set(counted[0]) | set(counted[1]))
    return [Change(name, counted[0].get(name, 0), counted[1].get(name, 0)) for name in names]


def _elements(frames: FrameQuerySet) -> set[str]:
    keys = frames.order_by().values_list("elements_key", flat=True).distinct()
    return {symbol for key in keys for symbol in key.split("|") if symbol}
