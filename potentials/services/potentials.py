"""Writes the potential catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from datasets.models import Licence
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Visibility
from potentials.archives import checksum_of, sha256_of
from potentials.committees import ARCHIVE
from potentials.families import FAMILIES, Outcome
from potentials.models import Potential, PotentialFile, Training
from potentials.references import source_cleaned
from potentials.services.validations import (
    validation_start_by_itself,
    validations_delete,
    validations_show,
)

MOST_NAME = 120


@transaction.atomic
def potential_create_from_training(*, training: Training, outcome: Outcome) -> Potential:
    """Put what a training left into the catalog, with where it comes from.

    Args:
        training: the run; has no potential yet.
        outcome: what its family collected.
    """
    potential = Potential.objects.create(
        owner=training.owner,
        lab=training.lab,
        visibility=training.visibility,
        name=training.name,
        version=next_version(training.lab, training.name),
        family=FAMILIES[training.family].catalog_name,
        elements_key=f"|{'|'.join(outcome.facts.elements)}|",
        element_count=len(outcome.facts.elements),
        cutoff_radius=outcome.facts.cutoff_radius,
        length_unit=outcome.facts.length_unit,
        energy_unit=outcome.facts.energy_unit,
        training=training,
        data_checksum=training.data_checksum,
        frame_count=training.frame_count,
        settings=training.settings,
        validation={
            **outcome.validation,
            "parameters": outcome.facts.parameters,
            "warnings": list(outcome.warnings),
        },
        energy_rmse=outcome.energy_rmse,
        force_rmse=outcome.force_rmse,
        files_checksum=checksum_of(outcome.files),
    )
    potential.versions.set(training.versions.all())
    store_files(potential, outcome.files)
    if outcome.committee is not None:
        store_files(potential, {ARCHIVE: outcome.committee})
    validation_start_by_itself(potential=potential)
    audit_record(actor=training.owner, verb="potential trained", target=potential)
    return potential


@transaction.atomic
def potential_update(
    *,
    potential: Potential,
    actor: Any,
    name: str,
    licence: str,
    description: str,
    not_for: str,
    visibility: str,
    citation: str | None = None,
    source: str | None = None,
) -> Potential:
    """Change what people say about a potential; its numbers and files never change.

    Citation and source stay as they are where they are None.
    """
    check_editable(potential, actor)
    if not 0 < len(name.strip()) <= MOST_NAME:
        raise Refused(
            _("The potential needs a name of at most %(n)s characters.") % {"n": MOST_NAME}
        )
    if licence not in Licence.values:
        raise Refused(_("“%(value)s” is no licence that is offered.") % {"value": licence})
    if visibility not in Visibility.values:
        raise Refused(_("“%(value)s” is no visibility.") % {"value": visibility})
    if name.strip() != potential.name:
        # Two potentials of one name and version couldn't be told apart.
        potential.version = next_version(potential.lab, name.strip())
    potential.name = name.strip()
    potential.licence = licence
    potential.description = description.strip()
    potential.not_for = not_for.strip()
    potential.visibility = visibility
    if citation is not None:
        potential.citation = citation.strip()
    if source is not None:
        potential.source = source_cleaned(source)
    potential.save()
    validations_show(potential=potential)
    audit_record(actor=actor, verb="potential changed", target=potential, visibility=visibility)
    return potential


@transaction.atomic
def potential_delete(*, potential: Potential, actor: Any) -> None:
    """Remove a potential that no MD run used.

    Raises:
        Refused: a run refers to it, whose provenance would be lost; or a validation of it is on
            its way.
    """
    check_editable(potential, actor)
    used = potential.simulations.count()
    if used:
        raise Refused(
            _(
                "%(count)s MD runs used this potential, so it stays for their provenance. "
                "Make it private to hide it."
            )
            % {"count": used}
        )
    validations_delete(potential=potential)
    audit_record(actor=actor, verb="potential deleted", target=potential)
    potential.delete()


def check_editable(potential: Potential, actor: Any) -> None:
    """Raise `PermissionDenied` unless the person may change the potential."""
    if not Potential.objects.editable_by(actor).filter(pk=potential.pk).exists():
        raise PermissionDenied(_("Only the owner and the lab's managers change this potential."))


def next_version(lab: Lab, name: str) -> int:
    """Return one more than the newest version of that name in the lab."""
    newest = (
        Potential.objects.filter(lab=lab, name=name)
        .order_by("-version")
        .values_list("version", flat=True)
        .first()
    )
    return (newest or 0) + 1


def store_files(potential: Potential, files: Mapping[str, bytes]) -> None:
    """Keep the files of a new potential."""
    PotentialFile.objects.bulk_create(
        PotentialFile(
            potential=potential,
            name=name,
            size=len(content),
            sha256=sha256_of(content),
            content=content,
        )
        for name, content in sorted(files.items())
    )
