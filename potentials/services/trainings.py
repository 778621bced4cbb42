"""Starts trainings, writes their input, and takes in what they leave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from datasets.selections import Selection
from jobs.clusters import resources_of
from jobs.models import Batch, Cluster
from jobs.resources import NOTHING_ASKED, Asked, with_asked
from jobs.services import job_create, job_delete
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab
from labs.selectors import may_create
from mlmd.launch import Launch, Resources
from mlmd.runs import to_jsonable
from potentials.clusters import missing_words
from potentials.data_facts import data_facts
from potentials.estimates import training_walltime
from potentials.families import FAMILIES, Family, TrainingInput
from potentials.models import Effort, Potential, Training
from potentials.run_visibility import run_visibility
from potentials.services.potentials import potential_create_from_training

KIND = "train"


@dataclass(frozen=True)
class TrainingRequest:
    """What a person asks for.

    Args:
        name: of the run and of the potential it makes.
        selection: which frames of which published versions.
        family: key of the registry.
        effort: preset that the settings started from.
        settings: of the family.
        cluster: where to run.
        threads: processor cores to use.
        visibility: of the run and of the potential.
        parent: the run whose settings these started from.
        asked: what an expert chose of the cluster.
        batch: the runs that it is started together with.
    """

    name: str
    selection: Selection
    family: str
    effort: str
    settings: Any
    cluster: Cluster
    threads: int = 2
    visibility: str = "lab"
    parent: Training | None = None
    asked: Asked = NOTHING_ASKED
    batch: Batch | None = None


@transaction.atomic
def training_start(*, owner: Any, lab: Lab, request: TrainingRequest) -> Training:
    """Make a training and the job that carries it.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: no name, an unknown family, no frames in the selection.
        mlmd.errors.InvalidInput: the settings don't fit together.
    """
    if not may_create(owner, lab):
        raise PermissionDenied(_("Guests of a lab can look, but not start runs."))
    family = _family(request)
    name = request.name.strip()
    if not name:
        raise Refused(_("The training needs a name."))
    facts = data_facts(request.selection, owner)
    if facts.frames == 0:
        raise Refused(_("The selection has no frames: choose other datasets or filters."))
    if lacking := missing_words(request.cluster, family):
        raise Refused(lacking)
    checksum = request.selection.checksum(owner)
    settings = family.read_settings(to_jsonable(request.settings))
    seconds = family.estimate_seconds(
        settings, facts.frames, facts.atoms, len(facts.elements), request.threads
    )
    job = job_create(
        owner=owner,
        lab=lab,
        kind=KIND,
        title=name,
        spec={"family": family.name, "frames": facts.frames, "data": checksum},
        cluster=request.cluster,
        resources=request.asked.over(
            replace(cores_of_family(family, request.threads), walltime_s=training_walltime(seconds))
        ),
        # Its files hold the frames, which not all who will see the potential may see.
        visibility=run_visibility(request.visibility, lab.pk, request.selection.versions(owner)),
        parent=request.parent.job if request.parent else None,
        batch=request.batch,
    )
    training = Training.objects.create(
        owner=owner,
        lab=lab,
        visibility=request.visibility,
        name=name,
        job=job,
        family=family.name,
        effort=Effort(request.effort),
        selection=request.selection.to_json(),
        data_checksum=checksum,
        data_summary=request.selection.describe(owner)[:300],
        frame_count=facts.frames,
        elements_key=f"|{'|'.join(facts.elements)}|",
        settings=to_jsonable(settings),
        parent=request.parent,
    )
    training.versions.set(request.selection.versions(owner))
    audit_record(actor=owner, verb="training started", target=training, frames=facts.frames)
    return training


def training_prepare(*, training: Training, folder: Path) -> Launch:
    """Write the frames and settings of a training into an empty folder.

    The data are read again as they are now; published versions never change, so a
    different checksum means that the store was damaged.

    Raises:
        Refused: the data aren't those that were chosen any more.
    """
    family = FAMILIES[training.family]
    selection = Selection.from_json(training.selection)
    checksum = selection.checksum(training.owner)
    if checksum != training.data_checksum:
        raise Refused(
            _(
                "The chosen data changed since the training was started (checksum %(now)s, "
                "was %(then)s). Start it again from the form."
            )
            % {"now": checksum[:12], "then": training.data_checksum[:12]}
        )
    request = TrainingInput(
        name=training.name,
        settings=family.read_settings(training.settings),
        frames=selection.frames(training.owner),
        data_checksum=checksum,
        threads=_core_count(resources_of(training.job)),
    )
    return with_asked(family.prepare(request, folder), training.job)


@transaction.atomic
def training_accept(*, training: Training, folder: Path) -> Potential:
    """Make the potential from the fetched files of a training that ended well."""
    outcome = FAMILIES[training.family].collect(folder)
    training.result = {
        "energy_rmse": outcome.energy_rmse,
        "force_rmse": outcome.force_rmse,
        "warnings": list(outcome.warnings),
        "descriptors": outcome.validation.get("descriptors", []),
    }
    training.save(update_fields=["result", "modified_at"])
    return potential_create_from_training(training=training, outcome=outcome)


@transaction.atomic
def training_delete(*, training: Training, actor: Any) -> None:
    """Remove a training that ended without a potential, with its job and files.

    Raises:
        PermissionDenied: the person may not change it.
        Refused: it still runs, or a potential came from it.
    """
    if not Training.objects.editable_by(actor).filter(pk=training.pk).exists():
        raise PermissionDenied(_("Only the owner and the lab's managers delete this training."))
    if Potential.objects.filter(training=training).exists():
        raise Refused(_("A potential came from this training, so it stays as its provenance."))
    job = training.job
    audit_record(actor=actor, verb="training deleted", target=training)
    Training.objects.filter(pk=training.pk).delete()
    # In its owner's name: a run on private data is seen by fewer than its training.
    job_delete(job=job, actor=job.owner)


def cores_of_family(family: Family, count: int) -> Resources:
    """Return so many cores as the family's program uses them."""
    return Resources(processes=count) if family.processes else Resources(threads=count)


def _core_count(resources: Resources) -> int:
    return resources.nodes * resources.processes * resources.threads


def _family(request: TrainingRequest) -> Family:
    try:
        return FAMILIES[request.family]
    except KeyError:
        known = ", ".join(sorted(FAMILIES))
        raise Refused(
            _("There is no family “%(name)s”; known are %(known)s.")
            % {"name": request.family, "known": known}
        ) from None
