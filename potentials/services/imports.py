"""Takes potentials into the catalog that were trained elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from datasets.models import DatasetVersion, Licence
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Visibility
from labs.selectors import may_create
from potentials.archives import checksum_of
from potentials.families.reading import Recognised, recognise
from potentials.models import Potential
from potentials.references import source_cleaned
from potentials.services.potentials import MOST_NAME, next_version, store_files
from potentials.services.validations import validation_start_by_itself
from potentials.unpacking import MOST_BYTES


@dataclass(frozen=True)
class PotentialFiles:
    """A potential from elsewhere.

    Args:
        name: in the catalog.
        files: of any program that is read here, name → content.
        length_unit: of the files, where no ``units.json`` is among them.
        energy_unit: likewise.
        energy_rmse: on held-out frames, meV/atom, or None.
        force_rmse: on held-out frames, meV/Å, or None.
        settings: of its training.
        validation: what else is known of its training; JSON.
        data_checksum: of the frames it was fitted to; may be empty.
        frame_count: how many they were.
        description: for people.
        not_for: what it must not be used for.
        licence: SPDX identifier, or empty.
        citation: what to cite for it.
        source: where it comes from: a DOI or an address.
        visibility: of the potential.
        judged_by: dataset versions that its validation holds it against.
    """

    name: str
    files: Mapping[str, str | bytes]
    length_unit: str = ""
    energy_unit: str = ""
    energy_rmse: float | None = None
    force_rmse: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    validation: Mapping[str, Any] = field(default_factory=dict)
    data_checksum: str = ""
    frame_count: int = 0
    description: str = ""
    not_for: str = ""
    licence: str = ""
    citation: str = ""
    source: str = ""
    visibility: str = Visibility.LAB
    judged_by: tuple[DatasetVersion, ...] = ()


@transaction.atomic
def potential_import(*, owner: Any, lab: Lab, potential: PotentialFiles) -> tuple[Potential, bool]:
    """Put a potential from elsewhere into the catalog.

    The same files again give the potential that is there already.

    Returns:
        The potential, and whether it is new.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: no name, or other files than a potential has.
        mlmd.errors.InvalidInput: the files don't make a potential; names file and line.
    """
    if not may_create(owner, lab):
        raise PermissionDenied(_("Guests of a lab can look, but not add potentials."))
    name = potential.name.strip()
    if not 0 < len(name) <= MOST_NAME:
        raise Refused(
            _("The potential needs a name of at most %(n)s characters.") % {"n": MOST_NAME}
        )
    if potential.licence not in Licence.values:
        raise Refused(
            _("“%(value)s” is no licence that is offered.") % {"value": potential.licence}
        )
    found = _read(potential)
    checksum = checksum_of(found.files)
    facts = found.facts
    known = Potential.objects.filter(lab=lab, files_checksum=checksum).visible_to(owner).first()
    if known is not None:
        return known, False
    row = Potential.objects.create(
        owner=owner,
        lab=lab,
        visibility=Visibility(potential.visibility),
        name=name,
        version=next_version(lab, name),
        family=found.family,
        elements_key=f"|{'|'.join(facts.elements)}|",
        element_count=len(facts.elements),
        cutoff_radius=facts.cutoff_radius,
        length_unit=facts.length_unit,
        energy_unit=facts.energy_unit,
        data_checksum=potential.data_checksum[:64],
        frame_count=potential.frame_count,
        settings=dict(potential.settings),
        validation={**potential.validation, "parameters": facts.parameters},
        energy_rmse=potential.energy_rmse,
        force_rmse=potential.force_rmse,
        description=potential.description.strip(),
        not_for=potential.not_for.strip(),
        licence=potential.licence,
        citation=potential.citation.strip(),
        source=source_cleaned(potential.source),
        files_checksum=checksum,
    )
    store_files(row, found.files)
    validation_start_by_itself(potential=row, versions=potential.judged_by)
    audit_record(actor=owner, verb="potential imported", target=row)
    return row, True


def _read(potential: PotentialFiles) -> Recognised:
    content = {
        name: data.encode() if isinstance(data, str) else data
        for name, data in potential.files.items()
    }
    if sum(map(len, content.values())) > MOST_BYTES:
        raise Refused(_("The files are larger than %(mb)d MB.") % {"mb": MOST_BYTES // 1_000_000})
    found = recognise(content, potential.length_unit, potential.energy_unit)
    if found.needs_units:
        raise Refused(
            _(
                "Nothing says the units of these files: add units.json, or say the units of "
                "length and energy."
            )
        )
    return found
