"""Queries about trainings, potentials and simulations, filtered by who may see what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet, Sum

from labs.models import Lab
from potentials.models import Potential, PotentialFile, RefusedUpload, Simulation, Training
from potentials.versions import with_version_marks

POTENTIAL_ORDERS = {
    "created": "created_at",
    "name": "name",
    "elements": "element_count",
    "energy_rmse": "energy_rmse",
    "force_rmse": "force_rmse",
    "frames": "frame_count",
    "owner": "owner__name",
}


@dataclass(frozen=True)
class PotentialFilter:
    """What the catalog is narrowed to.

    Args:
        text: in name or description.
        elements: symbols that the potential has to cover.
        only: covers exactly those and no others.
        family: key of the registry; empty for all.
        force_rmse_below: meV/Å.
        energy_rmse_below: meV/atom.
        owner: public part of the owner's name; empty for all.
        mine: only those of the person who asks.
        latest: of each name only the newest version that the person sees.
    """

    text: str = ""
    elements: tuple[str, ...] = ()
    only: bool = False
    family: str = ""
    force_rmse_below: float | None = None
    energy_rmse_below: float | None = None
    owner: str = ""
    mine: bool = False
    latest: bool = False


def trainings_visible_to(user: Any) -> QuerySet[Training]:
    """Return the training runs that a person may see, with what a list of them shows."""
    return Training.objects.visible_to(user).select_related("job", "owner", "lab", "potential")


def potentials_visible_to(user: Any) -> QuerySet[Potential]:
    """Return the potentials that a person may see, with what a list of them shows."""
    return Potential.objects.visible_to(user).select_related("owner", "lab", "training__job")


def simulations_visible_to(user: Any) -> QuerySet[Simulation]:
    """Return the MD runs that a person may see, with what a list of them shows."""
    return Simulation.objects.visible_to(user).select_related(
        "job", "owner", "lab", "potential", "structure"
    )


def potentials_filtered(user: Any, wanted: PotentialFilter, order: str = "-created") -> Any:
    """Return the catalog narrowed and sorted.

    Args:
        user: who asks.
        wanted: what to keep.
        order: a key of `POTENTIAL_ORDERS`, with ``-`` in front for descending; an unknown
            one sorts by time.
    """
    rows = with_version_marks(potentials_visible_to(user), user)
    if wanted.latest:
        rows = rows.filter(has_newer=False)
    if wanted.text:
        rows = rows.filter(Q(name__icontains=wanted.text) | Q(description__icontains=wanted.text))
    for symbol in wanted.elements:
        rows = rows.filter(elements_key__contains=f"|{symbol}|")
    if wanted.only and wanted.elements:
        rows = rows.filter(element_count=len(set(wanted.elements)))
    if wanted.family:
        rows = rows.filter(family=wanted.family)
    if wanted.force_rmse_below is not None:
        rows = rows.filter(force_rmse__lt=wanted.force_rmse_below)
    if wanted.energy_rmse_below is not None:
        rows = rows.filter(energy_rmse__lt=wanted.energy_rmse_below)
    if wanted.owner:
        rows = rows.filter(owner__name__icontains=wanted.owner)
    if wanted.mine:
        rows = rows.filter(owner_id=user.pk)
    column = POTENTIAL_ORDERS.get(order.lstrip("-"), "created_at")
    descending = order.startswith("-") or order.lstrip("-") not in POTENTIAL_ORDERS
    # Ties sort by key, so that a page boundary never shows a row twice.
    if descending:
        return rows.order_by(F(column).desc(nulls_last=True), "-id")
    return rows.order_by(F(column).asc(nulls_last=True), "id")


def refusals_visible_to(user: Any) -> Any:
    """Return the refused uploads that a person may see, without their files."""
    return RefusedUpload.objects.visible_to(user).defer("content", "values", "verdicts")


def bytes_of_potentials(lab: Lab) -> int:
    """Return the bytes of the files of a lab's potentials, and of those that were refused."""
    files = PotentialFile.objects.filter(potential__lab=lab)
    refused = RefusedUpload.objects.filter(lab=lab, content__isnull=False)
    return sum(int(rows.aggregate(total=Sum("size"))["total"] or 0) for rows in (files, refused))
