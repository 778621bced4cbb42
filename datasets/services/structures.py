"""Structures are uploaded, built from others, described and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ase import Atoms
from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from datasets.builders import BUILDERS
from datasets.models import Origin, Structure, Upload
from datasets.packing import unpack_atoms
from datasets.parser.records import Record
from datasets.parser.structures import structure_record
from datasets.services.access import creation_check
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Visibility


@transaction.atomic
def structure_create_from_atoms(
    *,
    owner: Any,
    lab: Lab,
    name: str,
    atoms: Atoms,
    origin: str = Origin.RUN,
    recipe: Mapping[str, Any] | None = None,
    parent: Structure | None = None,
    visibility: str = Visibility.LAB,
    notes: str = "",
) -> Structure:
    """Keep atoms as a structure; `recipe` says in JSON how they were made.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: no name.
        InvalidInput: no atoms, or one without an element.
    """
    creation_check(owner, lab)
    structure = Structure(
        owner=owner,
        lab=lab,
        visibility=visibility,
        notes=notes.strip(),
        origin=origin,
        recipe=dict(recipe or {}),
        parent=parent,
        **structure_columns(structure_record(atoms)),
    )
    structure.name = structure_name(name)
    structure.save()
    audit_record(actor=owner, verb="structure created", target=structure, origin=str(origin))
    return structure


def structure_create_from_record(
    *, upload: Upload, record: Record, index: int, count: int, source_format: str = ""
) -> Structure:
    """Keep one structure of an uploaded file; the caller's transaction."""
    title = upload.name if count == 1 else f"{upload.name} · {index + 1}"
    return Structure.objects.create(
        owner=upload.owner,
        lab=upload.lab,
        visibility=upload.visibility,
        name=title[:200],
        origin=Origin.UPLOAD,
        upload=upload,
        source_name=upload.name,
        source_format=source_format[:24],
        **structure_columns(record),
    )


def structure_atoms(structure: Structure) -> Atoms:
    """Return the atoms of a structure."""
    return unpack_atoms(structure.content)


@transaction.atomic
def structure_update(
    *, structure: Structure, actor: Any, name: str, notes: str, visibility: str
) -> Structure:
    """Change what is said of a structure, never its atoms."""
    if visibility not in Visibility.values:
        raise Refused(_("“%s” isn't a visibility.") % visibility)
    structure.name, structure.notes, structure.visibility = (
        structure_name(name),
        notes.strip(),
        visibility,
    )
    structure.save(update_fields=["name", "notes", "visibility", "modified_at"])
    audit_record(actor=actor, verb="structure changed", target=structure, visibility=visibility)
    return structure


@transaction.atomic
def structure_delete(*, structure: Structure, actor: Any) -> None:
    """Delete a structure that no run refers to.

    Raises:
        Refused: a run refers to it.
    """
    audit_record(actor=actor, verb="structure deleted", target=structure)
    try:
        structure.delete()
    except ProtectedError as error:
        raise Refused(
            _("“%s” was used by a run and stays, so that the run can be understood later.")
            % structure
        ) from error


def structure_columns(record: Record) -> dict[str, Any]:
    """Return what the columns of a structure hold, from what the parser says of it."""
    values = record.values
    report = values["report"]
    return {
        "formula": values["formula"],
        "elements_key": values["elements_key"],
        "n_elements": values["n_elements"],
        "n_atoms": values["n_atoms"],
        "structure_hash": values["structure_hash"],
        "density": report["density"],
        "volume": report["volume"],
        "space_group": report["space_group"],
        "shortest_distance": report["closest"]["distance"] if report["closest"] else None,
        "report": report,
        "content": record.content,
    }


def structure_name(name: str) -> str:
    """Return a name as it is kept.

    Raises:
        Refused: it is empty.
    """
    name = " ".join(name.split())
    if not name:
        raise Refused(_("A structure needs a name."))
    return name[:200]


def structure_build(
    *,
    owner: Any,
    lab: Lab,
    builder: str,
    values: Mapping[str, Any],
    parent: Structure | None = None,
    name: str = "",
    visibility: str = Visibility.LAB,
) -> Structure:
    """Make a new structure with one of the builders, from `parent` where it needs one.

    Args:
        owner: who builds.
        lab: where it goes.
        builder: a key of `datasets.builders.BUILDERS`.
        values: the builder's settings, as its form takes them.
        parent: what is changed; None for crystals from nothing.
        name: empty for one that says what was done.
        visibility: who sees it.

    Raises:
        Refused: an unknown builder, or one that needs a parent and has none.
        InvalidInput: settings that give no sensible structure.
    """
    creation_check(owner, lab)
    chosen = BUILDERS.get(builder)
    if chosen is None:
        raise Refused(
            _("“%(builder)s” isn't a builder; expected one of %(known)s.")
            % {"builder": builder, "known": ", ".join(BUILDERS)}
        )
    if chosen.needs_parent and parent is None:
        raise Refused(_("Choose the structure to start from."))
    form = chosen.form(dict(values))
    if not form.is_valid():
        field, problems = next(iter(form.errors.items()))
        raise Refused(f"{field}: {problems[0]}")
    settings = form.cleaned_data
    atoms = chosen.build(structure_atoms(parent) if parent else None, settings)
    return structure_create_from_atoms(
        owner=owner,
        lab=lab,
        name=name or chosen.name(parent.name if parent else "", settings),
        atoms=atoms,
        origin=builder,
        recipe=settings,
        parent=parent,
        visibility=visibility,
    )
