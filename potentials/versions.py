"""The versions of one name: which there are, and what changed from one to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labs.settings_forms import settings_rows
from labs.templatetags.mlmd_tags import digits
from potentials.families import FAMILIES
from potentials.models import Potential

MOST_SETTINGS = 6  # named one by one; more are only counted


@dataclass(frozen=True)
class Change:
    """One thing that differs from the version before.

    Args:
        what: for people, for example "Cutoff radius".
        before: as it was; empty where there was none.
        after: as it is.
    """

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class VersionRow:
    """One version of a name.

    Args:
        potential: its row.
        is_shown: whether its card is the one being looked at.
        is_newest: whether no version that the reader sees is newer.
        changes: against the version before; empty for the first.
    """

    potential: Potential
    is_shown: bool
    is_newest: bool
    changes: tuple[Change, ...]


def with_version_marks(rows: QuerySet[Potential], user: Any) -> QuerySet[Potential]:
    """Add ``has_newer`` and ``has_older``: whether the reader sees other versions of the name."""
    same = Potential.objects.visible_to(user).filter(lab=OuterRef("lab"), name=OuterRef("name"))
    return rows.annotate(
        has_newer=Exists(same.filter(version__gt=OuterRef("version"))),
        has_older=Exists(same.filter(version__lt=OuterRef("version"))),
    )


def versions_of(potential: Potential, user: Any) -> list[VersionRow]:
    """Return the versions of a potential's name that a person may see, newest first.

    Args:
        potential: one of them.
        user: who asks.
    """
    rows = list(
        Potential.objects.visible_to(user)
        .filter(lab_id=potential.lab_id, name=potential.name)
        .select_related("owner", "training")
        .prefetch_related("versions__dataset")
        .order_by("version", "id")
    )
    changes = [(), *(tuple(changes_between(*pair)) for pair in pairwise(rows))]
    listed = [
        VersionRow(row, row.pk == potential.pk, row.pk == rows[-1].pk, found)
        for row, found in zip(rows, changes, strict=True)
    ]
    return listed[::-1]


def changes_between(old: Potential, new: Potential) -> Iterator[Change]:
    """Yield what differs: elements, data, program, settings, errors, in this order."""
    yield from _said(_("Elements"), " ".join(old.elements), " ".join(new.elements))
    yield from _data_changes(old, new)
    yield from _said(_("Made by"), _maker(old), _maker(new))
    yield from _setting_changes(old, new)
    for name, label, unit in (
        ("energy_rmse", _("Energy RMSE"), "meV/atom"),
        ("force_rmse", _("Force RMSE"), "meV/Å"),
    ):
        before, after = _number(getattr(old, name), unit), _number(getattr(new, name), unit)
        yield from _said(label, before, after)


def _said(what: str, before: str, after: str) -> Iterator[Change]:
    if before != after:
        yield Change(what, before, after)


def _number(value: float | None, unit: str) -> str:
    return "" if value is None else f"{digits(value, 3)} {unit}"


def _data_changes(old: Potential, new: Potential) -> Iterator[Change]:
    """Yield the change of the data.

    Only frames are counted: who sees a potential need not see the names of its datasets.
    """
    if old.data_checksum == new.data_checksum:
        return
    before, after = _frames(old), _frames(new)
    if before == after:
        after = _("%(frames)s, others") % {"frames": after}
    yield Change(_("Teacher data"), before, after)


def _frames(potential: Potential) -> str:
    count = potential.frame_count
    return ngettext("%(count)d frame", "%(count)d frames", count) % {"count": count}


def _maker(potential: Potential) -> str:
    if potential.training is None:
        return _("not trained here")
    return str(FAMILIES[potential.training.family].engine)


def _setting_changes(old: Potential, new: Potential) -> Iterator[Change]:
    if old.training is None or new.training is None:
        return
    if old.training.family != new.training.family:
        return  # two programs: their settings don't compare one by one
    before, after = _settings(old), _settings(new)
    changed = [name for name in after if before.get(name) != after[name]]
    if len(changed) > MOST_SETTINGS:
        words = ngettext("%(n)d setting", "%(n)d settings", len(changed)) % {"n": len(changed)}
        yield Change(words, "", ", ".join(changed))
        return
    for name in changed:
        yield Change(name, before.get(name, ""), after[name])


def _settings(potential: Potential) -> Mapping[str, str]:
    """Return label → value with unit of a trained potential's settings."""
    kind = FAMILIES[potential.training.family].settings
    return {
        row["label"]: f"{row['value']} {row['unit']}".strip()
        for row in settings_rows(kind, potential.settings)
    }
