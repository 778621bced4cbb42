"""Many structures made in one go, from a crystal or from the frames of a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from datasets.models import Dataset, Frame, Origin, Structure, StructureSet
from datasets.parser.structures import structure_record
from datasets.selections import iterate_frames
from datasets.services.access import creation_check
from datasets.services.structures import structure_atoms, structure_columns, structure_name
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Visibility
from mlmd.formats.atoms import frame_to_atoms
from mlmd.runs import to_jsonable
from mlmd.structure.initial_set import (
    MOST_MEMBERS,
    InitialSetSettings,
    Member,
    initial_set,
)


@transaction.atomic
def structure_set_from_crystal(
    *,
    owner: Any,
    lab: Lab,
    parent: Structure,
    settings: InitialSetSettings,
    name: str = "",
    visibility: str = Visibility.LAB,
) -> StructureSet:
    """Make a first training set from a crystal.

    Raises:
        PermissionDenied: the person may not add to the lab.
        mlmd.errors.InvalidInput: the structure is no crystal, or too many are asked for.
    """
    creation_check(owner, lab)
    return _keep(
        initial_set(structure_atoms(parent), settings),
        owner=owner,
        lab=lab,
        name=name or _("Initial set of %s") % parent.name,
        recipe={"kind": "initial set", "settings": to_jsonable(settings)},
        parent=parent,
        visibility=visibility,
    )


@transaction.atomic
def structure_set_from_dataset(
    *, owner: Any, lab: Lab, dataset: Dataset, name: str = "", visibility: str = Visibility.LAB
) -> StructureSet:
    """Make a set of the frames of a dataset's draft, to compute them at another level of theory.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: there are none, or too many.
    """
    creation_check(owner, lab)
    rows = Frame.objects.filter(dataset=dataset).current().order_by("pk")
    count = rows.count()
    if not 0 < count <= MOST_MEMBERS:
        raise Refused(
            _("“%(dataset)s” has %(count)d frames; a set takes 1 to %(most)d.")
            % {"dataset": dataset, "count": count, "most": MOST_MEMBERS}
        )
    members = (
        Member(_("frame %d") % number, frame.kind, frame_to_atoms(frame))
        for number, frame in enumerate(iterate_frames(rows), start=1)
    )
    return _keep(
        members,
        owner=owner,
        lab=lab,
        name=name or _("Frames of %s") % dataset.name,
        recipe={"kind": "frames", "dataset": str(dataset.public_id)},
        parent=None,
        visibility=visibility,
    )


@transaction.atomic
def structure_set_from_run(
    *,
    owner: Any,
    lab: Lab,
    members: Iterable[Member],
    name: str,
    recipe: dict[str, Any],
    parent: Structure | None,
    visibility: str = Visibility.LAB,
) -> StructureSet:
    """Make a set of configurations that a run came upon.

    Args:
        owner: who keeps them.
        lab: that they belong to.
        members: the configurations.
        name: of the set.
        recipe: where they come from; JSON.
        parent: structure that the run started from.
        visibility: of the set and its members.

    Raises:
        PermissionDenied: the person may not add to the lab.
    """
    creation_check(owner, lab)
    return _keep(
        members,
        owner=owner,
        lab=lab,
        name=name,
        recipe=recipe,
        parent=parent,
        visibility=visibility,
    )


def _keep(
    members: Iterable[Member],
    *,
    owner: Any,
    lab: Lab,
    name: str,
    recipe: dict[str, Any],
    parent: Structure | None,
    visibility: str,
) -> StructureSet:
    made = StructureSet.objects.create(
        owner=owner,
        lab=lab,
        visibility=visibility,
        name=structure_name(name),
        recipe=recipe,
        parent=parent,
        size=0,
    )
    rows = [
        Structure(
            owner=owner,
            lab=lab,
            visibility=visibility,
            name=member.name[:200],
            origin=Origin.SET,
            recipe={"kind": member.kind} if member.kind else {},
            parent=parent,
            member_of=made,
            **structure_columns(structure_record(member.atoms)),
        )
        for member in members
    ]
    Structure.objects.bulk_create(rows, batch_size=200)
    StructureSet.objects.filter(pk=made.pk).update(size=len(rows))
    made.size = len(rows)
    audit_record(actor=owner, verb="set of structures created", target=made, size=len(rows))
    return made


@transaction.atomic
def structure_set_update(
    *, structure_set: StructureSet, actor: Any, name: str, visibility: str
) -> StructureSet:
    """Change the name of a set, and who sees it and its members."""
    if visibility not in Visibility.values:
        raise Refused(_("“%s” isn't a visibility.") % visibility)
    structure_set.name, structure_set.visibility = structure_name(name), visibility
    structure_set.save(update_fields=["name", "visibility", "modified_at"])
    structure_set.members.update(visibility=visibility)
    audit_record(actor=actor, verb="set of structures changed", target=structure_set)
    return structure_set


@transaction.atomic
def structure_set_delete(*, structure_set: StructureSet, actor: Any) -> None:
    """Delete a set with its members.

    Raises:
        Refused: a run refers to a member.
    """
    audit_record(actor=actor, verb="set of structures deleted", target=structure_set)
    try:
        structure_set.members.all().delete()
    except ProtectedError as error:
        raise Refused(
            _("“%s” was used by a run and stays, so that the run can be understood later.")
            % structure_set
        ) from error
    structure_set.delete()
