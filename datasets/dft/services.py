"""Starts DFT runs, writes their input, and puts what they computed into a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from datasets.access import may_edit
from datasets.models import Dataset, Structure
from datasets.services.access import creation_check
from datasets.services.datasets import dataset_create
from datasets.services.frames import frames_insert
from datasets.services.structures import structure_atoms
from jobs.clusters import recipes_of, resources_of
from jobs.files import job_folder
from jobs.models import Cluster, Job
from jobs.selectors import jobs_visible_to, may_change
from jobs.services import job_create
from jobs.states import State
from labs.exceptions import PermissionDenied, Refused
from labs.models import Lab, Visibility
from mlmd.codes import espresso
from mlmd.codes.espresso_settings import EspressoSettings
from mlmd.codes.pseudopotentials import (
    Pseudopotential,
    pseudopotential_folders,
    pseudopotential_table,
    pseudopotentials_for,
)
from mlmd.frame import Frame
from mlmd.launch import Launch, Resources
from mlmd.runs import read_json, to_jsonable, write_json_atomic

KIND = "dft"
MOST_STRUCTURES = 500
OUTCOMES_FILE = "outcomes.json"
LEAST_WALLTIME = 1800  # s


@dataclass(frozen=True)
class DftRequest:
    """What a person asks for.

    Args:
        structures: to compute, in this order.
        settings: of pw.x.
        cluster: where to run.
        dataset: that takes the frames; None makes a new one.
        dataset_name: of the new one; empty to name it after the structures.
        frame_kind: kind of configuration of the frames.
        processes: of MPI.
        walltime_s: of the whole run; None for six times the estimate.
        visibility: of the run and of a new dataset.
        parent: the run this one repeats in part.
    """

    structures: Sequence[Structure]
    settings: EspressoSettings
    cluster: Cluster
    dataset: Dataset | None = None
    dataset_name: str = ""
    frame_kind: str = ""
    processes: int = 1
    walltime_s: int | None = None
    visibility: str = Visibility.LAB
    parent: Job | None = None


@dataclass(frozen=True)
class DftOutcome:
    """What became of one structure of a run.

    Args:
        structure: its public id.
        name: as it was when the run was started.
        outcome: `mlmd.codes.espresso.Outcome`, or "waiting".
        frames: how many went into the dataset.
        message: why it isn't converged.
    """

    structure: str
    name: str
    outcome: str
    frames: int = 0
    message: str = ""


def dft_pseudopotentials() -> dict[str, Pseudopotential]:
    """Return the pseudopotentials of this site by element."""
    return pseudopotential_table(pseudopotential_folders(Path(settings.PSEUDO_DIR)))


def dft_estimate(request: DftRequest) -> float:
    """Return about how long the run takes, s."""
    atoms = [structure_atoms(structure) for structure in request.structures]
    return espresso.estimate_seconds(
        atoms, request.settings, dft_pseudopotentials(), request.processes
    )


def dft_check(request: DftRequest) -> dict[str, Pseudopotential]:
    """Return the pseudopotentials that a run needs.

    Raises:
        Refused: no or too many structures, one without a cell, or no pw.x on the cluster.
        mlmd.errors.InvalidInput: an element has no pseudopotential.
    """
    if not request.structures:
        raise Refused(_("Choose at least one structure."))
    if len(request.structures) > MOST_STRUCTURES:
        raise Refused(
            _("At most %(most)d structures fit into one run; start several.")
            % {"most": MOST_STRUCTURES}
        )
    flat = [row.name for row in request.structures if not row.volume]
    if flat:
        raise Refused(
            _("%(names)s: no cell. Put a molecule into a box with some Å of vacuum around it.")
            % {"names": ", ".join(flat[:5])}
        )
    if espresso.PROGRAM not in recipes_of(request.cluster):
        raise Refused(
            _(
                "%(cluster)s has no pw.x. On this machine, install Quantum ESPRESSO (Debian: "
                "apt-get install quantum-espresso); elsewhere its manager adds a recipe for pw.x."
            )
            % {"cluster": request.cluster}
        )
    elements = {element for row in request.structures for element in row.elements}
    return pseudopotentials_for(elements, dft_pseudopotentials())


@transaction.atomic
def dft_start(*, owner: Any, lab: Lab, request: DftRequest) -> Job:
    """Make the job that computes structures, and the dataset it feeds where none was chosen.

    Raises:
        PermissionDenied: the person may not add to the lab, or to the dataset.
        Refused: see `dft_check`; or the dataset was withdrawn.
        mlmd.errors.InvalidInput: an element has no pseudopotential.
    """
    creation_check(owner, lab)
    files = dft_check(request)
    dataset = request.dataset or dataset_create(
        owner=owner,
        lab=lab,
        name=request.dataset_name or _default_name(request.structures),
        visibility=request.visibility,
    )
    _may_feed(dataset, owner)
    walltime = request.walltime_s or max(LEAST_WALLTIME, int(6 * dft_estimate(request)))
    spec = {
        "structures": [{"id": str(s.public_id), "name": s.name} for s in request.structures],
        "settings": to_jsonable(request.settings),
        "pseudopotentials": {
            element: {"name": file.name, "sha256": file.sha256} for element, file in files.items()
        },
        "dataset": str(dataset.public_id),
        "frame_kind": " ".join(request.frame_kind.split())[:120],
    }
    return job_create(
        owner=owner,
        lab=lab,
        kind=KIND,
        title=_default_name(request.structures),
        spec=spec,
        cluster=request.cluster,
        resources=asdict(Resources(processes=request.processes, walltime_s=walltime)),
        visibility=request.visibility,
        parent=request.parent,
    )


def dft_prepare(job: Job, folder: Path) -> Launch:
    """Write the inputs of a run into an empty folder.

    Raises:
        Refused: a structure was deleted or a pseudopotential replaced since the start.
        mlmd.errors.InvalidInput: an element has no pseudopotential any more.
    """
    wanted = [entry["id"] for entry in job.spec["structures"]]
    rows = {str(row.public_id): row for row in Structure.objects.filter(public_id__in=wanted)}
    gone = [entry["name"] for entry in job.spec["structures"] if entry["id"] not in rows]
    if gone:
        raise Refused(_("Deleted since the run was started: %s.") % ", ".join(gone[:5]))
    files = pseudopotentials_for(job.spec["pseudopotentials"], dft_pseudopotentials())
    for element, file in files.items():
        if file.sha256 != job.spec["pseudopotentials"][element]["sha256"]:
            raise Refused(
                _("The pseudopotential of %s was replaced since; start the run anew.") % element
            )
    spec = espresso.EspressoSpec(
        structures=tuple(
            espresso.NamedStructure(rows[key].name, structure_atoms(rows[key])) for key in wanted
        ),
        settings=EspressoSettings.from_json(job.spec["settings"]),
        pseudopotentials=files,
        resources=resources_of(job),
    )
    return espresso.prepare(spec, folder)


@transaction.atomic
def dft_accept(job: Job, folder: Path) -> None:
    """Put the frames of a run into its dataset; unconverged ones carry their flag.

    Raises:
        Refused: no structure gave a frame, or the dataset doesn't take any more.
    """
    results = espresso.collect(folder)
    outcomes = _outcomes(job, results)
    # Beside the files it sums up, and the same however often it is written.
    write_json_atomic(folder / OUTCOMES_FILE, {"outcomes": [asdict(row) for row in outcomes]})
    frames = [
        _linked(frame, job, entry)
        for entry, result in zip(job.spec["structures"], results, strict=True)
        for frame in result.frames
    ]
    if not frames:
        raise Refused(
            _("No structure gave a frame. The first says: %s") % (results[0].message or "–")
        )
    dataset = Dataset.objects.filter(public_id=job.spec["dataset"]).first()
    if dataset is None:
        raise Refused(_("The dataset that was to take the frames has been deleted."))
    _may_feed(dataset, job.owner)
    frames_insert(dataset=dataset, actor=job.owner, frames=frames)


@transaction.atomic
def dft_retry_failed(*, job: Job, actor: Any) -> Job:
    """Start a new run of the structures that did not converge in one that is done.

    Raises:
        PermissionDenied: the person may not change the run, or not add to the dataset.
        Refused: the run isn't done, or everything in it converged.
    """
    if not may_change(actor, job):
        raise PermissionDenied(
            _("Only the owner and the lab's managers can change “%(job)s”.") % {"job": job}
        )
    if job.state != State.DONE:
        raise Refused(_("Only what a finished run left behind can be computed again here."))
    missing = [row.structure for row in dft_outcomes(job) if row.outcome != "converged"]
    if not missing:
        raise Refused(_("Every structure converged; there is nothing to compute again."))
    rows = Structure.objects.visible_to(actor).filter(public_id__in=missing)
    dataset = Dataset.objects.visible_to(actor).filter(public_id=job.spec["dataset"]).first()
    if dataset is None:
        raise Refused(_("The dataset that was to take the frames has been deleted."))
    request = DftRequest(
        structures=list(rows.order_by("pk")),
        settings=EspressoSettings.from_json(job.spec["settings"]),
        cluster=job.cluster,
        dataset=dataset,
        frame_kind=job.spec["frame_kind"],
        processes=resources_of(job).processes,
        walltime_s=resources_of(job).walltime_s,
        visibility=job.visibility,
        parent=job,
    )
    return dft_start(owner=actor, lab=job.lab, request=request)


def dft_runs_visible_to(user: Any) -> Any:
    """Return the DFT runs that a person may see."""
    return jobs_visible_to(user).defer(None).filter(kind=KIND)


def dft_outcomes(job: Job) -> list[DftOutcome]:
    """Return what became of each structure of a run, "waiting" while it isn't known."""
    path = job_folder(job) / OUTCOMES_FILE
    if job.is_final and path.is_file():
        return [DftOutcome(**entry) for entry in read_json(path)["outcomes"]]
    return [DftOutcome(e["id"], e["name"], "waiting") for e in job.spec["structures"]]


def _outcomes(job: Job, results: Sequence[espresso.StructureResult]) -> list[DftOutcome]:
    return [
        DftOutcome(
            entry["id"], entry["name"], str(result.outcome), len(result.frames), result.message
        )
        for entry, result in zip(job.spec["structures"], results, strict=True)
    ]


def _linked(frame: Frame, job: Job, entry: dict[str, str]) -> Frame:
    """Return a frame that says which run and structure of the portal it comes from."""
    known = frame.calculation
    further = {
        "portal_job": str(job.public_id),
        "portal_structure": entry["id"],
        "portal_cluster": job.cluster.name,
        "pseudopotential_sha256": {
            element: file["sha256"] for element, file in job.spec["pseudopotentials"].items()
        },
    }
    calculation = replace(known, settings={**known.settings, **further})
    return replace(frame, calculation=calculation, kind=job.spec["frame_kind"] or frame.kind)


def _may_feed(dataset: Dataset, person: Any) -> None:
    if dataset.withdrawn_at:
        raise Refused(_("“%s” was withdrawn and takes no more data.") % dataset)
    if not may_edit(dataset, person):
        raise PermissionDenied(_("You may not add frames to “%s”.") % dataset)


def _default_name(structures: Sequence[Structure]) -> str:
    first = structures[0].name
    if len(structures) == 1:
        return _("DFT of %s") % first
    return _("DFT of %(first)s and %(more)d more") % {"first": first, "more": len(structures) - 1}
