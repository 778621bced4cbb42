"""Takes the frames that an MD run put aside into the lab's structures, to be computed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from datasets.models import StructureSet
from datasets.services import structure_set_from_run
from jobs.files import job_folder
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.selectors import may_create
from mlmd.md.candidates import CANDIDATES_FILE, Candidates
from mlmd.structure.initial_set import Member
from potentials.archives import sha256_of
from potentials.disagreement import candidate_atoms, candidates_of
from potentials.models import Simulation

KIND = "MD candidate"  # of the frames that come of them: errors are told by kind


@transaction.atomic
def candidates_save(*, simulation: Simulation, actor: Any) -> StructureSet:
    """Keep the candidates of a run as a set of structures, in the run's lab.

    The same candidates make one set, however often they are asked for.

    Args:
        simulation: the run.
        actor: who keeps them; they become theirs.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: the run has put nothing aside, or its structures aren't here yet.
    """
    if not may_create(actor, simulation.lab):
        raise PermissionDenied(_("Guests of a lab can look, but not add structures."))
    folder = job_folder(simulation.job)
    found, path = candidates_of(folder), folder / CANDIDATES_FILE
    if found is None or not found.chosen:
        raise Refused(_("The run has put no frames aside yet."))
    if not path.is_file():
        raise Refused(
            _("The candidates are still on the cluster: they come when the run has ended.")
        )
    recipe = {
        "kind": "candidates",
        "simulation": str(simulation.public_id),
        "sha256": sha256_of(path.read_bytes()),
    }
    known = StructureSet.objects.visible_to(actor).filter(lab=simulation.lab, recipe=recipe).first()
    if known is not None:
        return known
    made = structure_set_from_run(
        owner=actor,
        lab=simulation.lab,
        members=_members(path, found),
        name=_("Candidates of %(run)s") % {"run": simulation.name},
        recipe=recipe,
        parent=simulation.structure,
        visibility=simulation.visibility,
    )
    audit_record(actor=actor, verb="candidates kept from run", target=made, size=made.size)
    return made


def _members(path: Path, found: Candidates) -> Iterator[Member]:
    for number, candidate in enumerate(found.chosen):
        name = _("step %(step)d, %(time).4g ps") % {
            "step": candidate.step,
            "time": candidate.time_ps,
        }
        yield Member(name, KIND, candidate_atoms(path, number))
