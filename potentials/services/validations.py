"""Starts validations of potentials, writes their input, and takes in what they find."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings as site_settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from datasets.filters import FrameFilters
from datasets.models import DatasetVersion, Frame
from datasets.selections import Selection, iterate_frames
from datasets.splits import Part
from jobs.clusters import resources_of
from jobs.models import Cluster, Job
from jobs.services import job_create, job_delete
from jobs.states import ACTIVE
from labs.audit import audit_record
from labs.exceptions import Refused
from mlmd.errors import MlmdError
from mlmd.frame import Frame as LabelledFrame
from mlmd.launch import Launch, Resources
from mlmd.runs import to_jsonable
from mlmd.validation import (
    ValidationSettings,
    ValidationSpec,
    check_settings,
    collect,
    prepare,
    report_to_json,
    settings_from_mapping,
)
from potentials.committees import own_files
from potentials.families import CATALOG
from potentials.models import Potential, Validation
from potentials.run_visibility import run_visibility

log = logging.getLogger(__name__)

KIND = "validate"
WALLTIME = 3600  # s
MOST_SMALL, MOST_SPREAD = 60, 140  # frames: those of the smallest cells, and evenly spread ones


@dataclass(frozen=True)
class ValidationRequest:
    """How a potential is to be checked.

    Args:
        settings: of the checks.
        versions: dataset versions to hold it against; None for those it was fitted to.
        cluster: where to run; None for this machine.
        threads: processor cores to use; the speed is measured on so many.
    """

    settings: ValidationSettings = field(default_factory=ValidationSettings)
    versions: tuple[DatasetVersion, ...] | None = None
    cluster: Cluster | None = None
    threads: int = 1


@transaction.atomic
def validation_start(*, potential: Potential, actor: Any, request: ValidationRequest) -> Validation:
    """Check a potential in a run of its own; the potential itself never changes by it.

    Args:
        potential: what to check.
        actor: who asks.
        request: how.

    Raises:
        PermissionDenied: the person may not change the potential.
        Refused: a validation of it is on its way already, the lab is at a limit, or only another
            program knows the potential.
        mlmd.errors.InvalidInput: settings that don't fit together.
    """
    if not Potential.objects.editable_by(actor).filter(pk=potential.pk).exists():
        raise PermissionDenied(_("Only the owner and the lab's managers validate this potential."))
    if potential.validations.filter(job__state__in=ACTIVE).exists():
        raise Refused(_("A validation of this potential is on its way; wait or cancel it first."))
    if not CATALOG[potential.family].evaluated:
        raise Refused(
            _("Our own engine doesn't know potentials of this kind: it can't check them.")
        )
    check_settings(request.settings)
    fitted = request.versions is None
    versions = list(potential.versions.all()) if fitted else list(request.versions or ())
    job = job_create(
        owner=actor,
        lab=potential.lab,
        kind=KIND,
        title=_("Validation of %(name)s v%(version)d")
        % {"name": potential.name, "version": potential.version},
        spec={"potential": str(potential.public_id), "checks": list(request.settings.checks)},
        cluster=request.cluster,
        resources=asdict(Resources(threads=request.threads, walltime_s=WALLTIME)),
        visibility=run_visibility(potential.visibility, potential.lab_id, versions),
    )
    validation = Validation.objects.create(
        potential=potential, job=job, settings=to_jsonable(request.settings)
    )
    validation.versions.set(versions)
    audit_record(actor=actor, verb="validation started", target=potential)
    return validation


def validation_start_by_itself(
    *, potential: Potential, versions: tuple[DatasetVersion, ...] | None = None
) -> Validation | None:
    """Validate a potential that has just come into the catalog, unless the site leaves that out.

    Nothing that stands in the way of the validation stands in the way of the potential.
    """
    if not site_settings.MLMD_VALIDATE or not CATALOG[potential.family].evaluated:
        return None
    try:
        with transaction.atomic():
            return validation_start(
                potential=potential,
                actor=potential.owner,
                request=ValidationRequest(versions=versions),
            )
    except (Refused, PermissionDenied, MlmdError) as error:
        log.warning("%s is not validated by itself: %s", potential, error)
        return None


def validation_prepare(*, validation: Validation, folder: Path) -> Launch:
    """Write potential, frames and settings of a validation into an empty folder."""
    with tempfile.TemporaryDirectory(prefix="mlmd-potential-") as scratch:
        for name, content in own_files(validation.potential).items():
            (Path(scratch) / name).write_bytes(content)
        spec = ValidationSpec(
            potential=scratch,
            frames=frames_of(validation),
            settings=settings_from_mapping(validation.settings),
            resources=resources_of(validation.job),
        )
        return prepare(spec, folder)


@transaction.atomic
def validation_accept(*, validation: Validation, folder: Path) -> Validation:
    """Keep the report of a validation that ended well."""
    validation.report = report_to_json(collect(folder))
    validation.save(update_fields=["report"])
    return validation


def validations_show(*, potential: Potential) -> None:
    """Let the runs of a potential's validations follow its visibility, as far as they may."""
    for validation in potential.validations.select_related("job"):
        versions = validation.versions.select_related("dataset")
        Job.objects.filter(pk=validation.job_id).update(
            visibility=run_visibility(potential.visibility, potential.lab_id, versions)
        )


@transaction.atomic
def validations_delete(*, potential: Potential) -> None:
    """Remove the validations of a potential that is about to go, with their jobs.

    Raises:
        Refused: one is on its way.
    """
    if potential.validations.filter(job__state__in=ACTIVE).exists():
        raise Refused(_("A validation of this potential is on its way; cancel it first."))
    jobs = list(Job.objects.filter(validation__potential=potential).select_related("owner"))
    potential.validations.all().delete()
    for job in jobs:
        # In its owner's name: a run may be narrower than the potential that a manager deletes.
        job_delete(job=job, actor=job.owner)


def frames_of(validation: Validation) -> Iterator[LabelledFrame]:
    """Yield the frames that a validation holds its potential against.

    Of data with a stated split only the test frames, which no training has seen. Taken are those
    of the smallest cells, for crystals and dimers are among them, and others spread evenly.
    """
    versions = list(validation.versions.all())
    if not versions:
        return
    ids, user = tuple(version.public_id for version in versions), validation.job.owner
    try:
        tests = Selection(ids, FrameFilters(split=(Part.TEST.value,)))
        rows = tests.queryset(user)
        if not rows.exists():
            rows = Selection(ids).queryset(user)
    except Refused as error:  # withdrawn, or not to be seen any more
        log.warning("%s: validated without teacher data: %s", validation.potential, error)
        return
    yield from iterate_frames(Frame.objects.filter(pk__in=_sample(rows)))


def _sample(rows: Any) -> list[int]:
    smallest = rows.order_by("n_atoms", "energy_per_atom", "pk").values_list("pk", flat=True)
    chosen = dict.fromkeys(smallest[:MOST_SMALL])
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    step = max(1.0, len(keys) / MOST_SPREAD)
    spread = (keys[int(k * step)] for k in range(min(MOST_SPREAD, len(keys))))
    return sorted({**chosen, **dict.fromkeys(spread)})
