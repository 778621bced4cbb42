"""Takes potentials into the catalog that were trained elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Visibility
from labs.selectors import may_create
from mlmd.hdnnp.files import load_potential
from potentials.archives import checksum_of
from potentials.families.hdnnp import facts
from potentials.models import Potential
from potentials.services.potentials import MOST_NAME, next_version, store_files

NEEDED = frozenset({"input.nn", "scaling.data", "units.json"})
_NAME = re.compile(r"input\.nn|scaling\.data|units\.json|weights\.\d{3}\.data")
MOST_BYTES = 20_000_000


@dataclass(frozen=True)
class PotentialFiles:
    """A potential from elsewhere.

    Args:
        name: in the catalog.
        files: n2p2's files and ``units.json``, name → text.
        energy_rmse: on held-out frames, meV/atom, or None.
        force_rmse: on held-out frames, meV/Å, or None.
        settings: of its training.
        validation: what else is known of its training; JSON.
        data_checksum: of the frames it was fitted to; may be empty.
        frame_count: how many they were.
        description: for people.
        visibility: of the potential.
    """

    name: str
    files: Mapping[str, str]
    energy_rmse: float | None = None
    force_rmse: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    validation: Mapping[str, Any] = field(default_factory=dict)
    data_checksum: str = ""
    frame_count: int = 0
    description: str = ""
    visibility: str = Visibility.LAB


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
    content = _checked(potential.files)
    with TemporaryDirectory() as folder:
        for file, data in content.items():
            (Path(folder) / file).write_bytes(data)
        found = facts(load_potential(folder))
    checksum = checksum_of(content)
    known = Potential.objects.filter(lab=lab, files_checksum=checksum).visible_to(owner).first()
    if known is not None:
        return known, False
    row = Potential.objects.create(
        owner=owner,
        lab=lab,
        visibility=Visibility(potential.visibility),
        name=name,
        version=next_version(lab, name),
        family="hdnnp",
        elements_key=f"|{'|'.join(found.elements)}|",
        element_count=len(found.elements),
        cutoff_radius=found.cutoff_radius,
        length_unit=found.length_unit,
        energy_unit=found.energy_unit,
        data_checksum=potential.data_checksum[:64],
        frame_count=potential.frame_count,
        settings=dict(potential.settings),
        validation={**potential.validation, "parameters": found.parameters},
        energy_rmse=potential.energy_rmse,
        force_rmse=potential.force_rmse,
        description=potential.description.strip(),
        files_checksum=checksum,
    )
    store_files(row, content)
    audit_record(actor=owner, verb="potential imported", target=row)
    return row, True


def _checked(files: Mapping[str, str]) -> dict[str, bytes]:
    strange = [name for name in files if not _NAME.fullmatch(name)]
    if strange:
        raise Refused(_("“%(name)s” is no file of a potential.") % {"name": strange[0][:80]})
    if missing := sorted(NEEDED - set(files)):
        raise Refused(_("The potential lacks %(names)s.") % {"names": ", ".join(missing)})
    content = {name: text.encode() for name, text in files.items()}
    if sum(map(len, content.values())) > MOST_BYTES:
        raise Refused(_("The files are larger than %(mb)d MB.") % {"mb": MOST_BYTES // 1_000_000})
    return content
