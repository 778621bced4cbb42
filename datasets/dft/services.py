"""Starts DFT runs, writes their input, and puts what they computed into a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from datasets.access import may_edit
from datasets.dft.codes import CODES, DftCode, Potentials, code_named
from datasets.models import Dataset, PseudoFamily, Structure
from datasets.services.access import creation_check
from datasets.services.datasets import dataset_create
from datasets.services.frames import frames_insert
from datasets.services.structures import structure_atoms
from jobs.clusters import resources_of
from jobs.files import SCRIPT_FILE, job_folder
from jobs.models import Cluster, Job
from jobs.placement import queues_of
from jobs.resources import NOTHING_ASKED, Asked, asked_again
from jobs.selectors import jobs_visible_to, may_change
from jobs.services import job_create
from labs.exceptions import PermissionDenied, Refused
from labs.models import Lab, Visibility
from mlmd.codes.batches import NamedStructure, StructureResult
from mlmd.frame import Frame
from mlmd.launch import Launch, Resources
from mlmd.runs import read_json, to_jsonable, write_json_atomic

KIND = "dft"
MOST_STRUCTURES = 2000
USUAL_LANES = 10  # structures at a time on a cluster that doesn't say how many
OUTCOMES_FILE = "outcomes.json"
UNFINISHED = frozenset({"unfinished", "waiting"})
LEAST_WALLTIME = 1800  # s


@dataclass(frozen=True)
class DftRequest:
    """What a person asks for.

    Args:
        structures: to compute, in this order.
        settings: of the code.
        cluster: where to run.
        dataset: that takes the frames; None makes a new one.
        dataset_name: of the new one; empty to name it after the structures.
        frame_kind: kind of configuration of the frames.
        processes: of MPI.
        walltime_s: of the whole run; None for six times the estimate.
        visibility: of the run and of a new dataset.
        parent: the run this one repeats in part.
        code: a key of `datasets.dft.codes.CODES`.
        at_once: structures computed at the same time, each with its own processes; None for as
            many as the cluster suits.
        family: of pseudopotentials; None for the site's own.
        asked: what an expert chose of the cluster.
    """

    structures: Sequence[Structure]
    settings: Any
    cluster: Cluster
    dataset: Dataset | None = None
    dataset_name: str = ""
    frame_kind: str = ""
    processes: int = 1
    walltime_s: int | None = None
    visibility: str = Visibility.LAB
    parent: Job | None = None
    code: str = "espresso"
    at_once: int | None = None
    family: PseudoFamily | None = None
    asked: Asked = NOTHING_ASKED


@dataclass(frozen=True)
class DftOutcome:
    """What became of one structure of a run.

    Args:
        structure: its public id.
        name: as it was when the run was started.
        outcome: `mlmd.codes.batches.Outcome`, or "waiting".
        frames: how many went into the dataset.
        message: why it isn't converged.
    """

    structure: str
    name: str
    outcome: str
    frames: int = 0
    message: str = ""


def dft_estimate(request: DftRequest, potentials: Potentials) -> float:
    """Return about how long the run takes, s."""
    atoms = [structure_atoms(structure) for structure in request.structures]
    cores = request.processes * dft_lanes(request)
    return code_named(request.code).estimate(atoms, request.settings, potentials, cores)


def dft_lanes(request: DftRequest) -> int:
    """Return how many structures are computed at the same time.

    One after another without a scheduler; with one as many as the first queue lets an account run.
    """
    most = len(request.structures)
    if request.at_once:
        return min(request.at_once, most)
    if request.cluster.scheduler == "direct":
        return 1
    allowed = next((queue.jobs for queue in queues_of(request.cluster) if queue.jobs), USUAL_LANES)
    return max(1, min(allowed, most))


def dft_check(request: DftRequest) -> Potentials:
    """Return the potentials that a run needs.

    Raises:
        Refused: no or too many structures, one without a cell, or no such program on the cluster.
        mlmd.errors.InvalidInput: an element has no potential.
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
    elements = {element for row in request.structures for element in row.elements}
    return code_named(request.code).potentials(
        request.cluster, elements, request.settings, request.family
    )


def dft_resources(request: DftRequest, potentials: Potentials) -> dict[str, Any]:
    """Return what a run asks of its cluster, as `job_create` takes it."""
    walltime = request.walltime_s or max(LEAST_WALLTIME, int(6 * dft_estimate(request, potentials)))
    usual = Resources(processes=request.processes, walltime_s=walltime, at_once=dft_lanes(request))
    return request.asked.over(usual)


@transaction.atomic
def dft_start(*, owner: Any, lab: Lab, request: DftRequest) -> Job:
    """Make the job that computes structures, and the dataset it feeds where none was chosen.

    Raises:
        PermissionDenied: the person may not add to the lab, or to the dataset.
        Refused: see `dft_check`; or the dataset was withdrawn.
        mlmd.errors.InvalidInput: an element has no pseudopotential.
    """
    creation_check(owner, lab)
    potentials = dft_check(request)
    dataset = request.dataset or dataset_create(
        owner=owner,
        lab=lab,
        name=request.dataset_name or _default_name(request.structures),
        visibility=request.visibility,
    )
    _may_feed(dataset, owner)
    spec = {
        "structures": [_entry(structure) for structure in request.structures],
        "code": request.code,
        "settings": to_jsonable(request.settings),
        "pseudopotentials": potentials,
        "dataset": str(dataset.public_id),
        "family": str(request.family.public_id) if request.family else "",
        "frame_kind": " ".join(request.frame_kind.split())[:120],
    }
    return job_create(
        owner=owner,
        lab=lab,
        kind=KIND,
        title=_default_name(request.structures),
        spec=spec,
        cluster=request.cluster,
        resources=dft_resources(request, potentials),
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
    code = dft_code(job)
    structures = tuple(NamedStructure(rows[key].name, structure_atoms(rows[key])) for key in wanted)
    return code.prepare(
        job.cluster,
        structures,
        code.settings.from_json(job.spec["settings"]),  # type: ignore[attr-defined]
        job.spec["pseudopotentials"],
        resources_of(job),
        folder,
    )


def dft_code(job: Job) -> DftCode:
    """Return the code of a run; those of the time before there were several used pw.x."""
    return CODES[job.spec.get("code", "espresso")]


@transaction.atomic
def dft_accept(job: Job, folder: Path) -> None:
    """Put the frames of a run into its dataset; unconverged ones carry their flag.

    Raises:
        Refused: no structure gave a frame, or the dataset doesn't take any more.
    """
    _take_over(job, folder)


@transaction.atomic
def dft_salvage(job: Job, folder: Path) -> str:
    """Put the frames of the structures into the dataset that a broken-off run had finished.

    Returns:
        In words, how many those are.

    Raises:
        Refused: there are none, or the dataset doesn't take any more.
    """
    outcomes = _take_over(job, folder)
    whole = sum(row.outcome not in UNFINISHED for row in outcomes)
    return _("%(whole)d of %(all)d structures were finished; their results are kept.") % {
        "whole": whole,
        "all": len(outcomes),
    }


def _take_over(job: Job, folder: Path) -> list[DftOutcome]:
    code = dft_code(job)
    results = code.collect(folder)
    outcomes = _outcomes(job, results)
    used = code.used(folder)
    # Beside the files it sums up, and the same however often it is written.
    told = {"outcomes": [asdict(row) for row in outcomes], "potentials": used}
    write_json_atomic(folder / OUTCOMES_FILE, told)
    path = folder / SCRIPT_FILE
    script = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    frames = [
        _linked(frame, job, entry, used, script)
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
    return outcomes


def dft_retry_failed(*, job: Job, actor: Any) -> Job:
    """Start a new run of the structures that failed or did not converge in one that has ended.

    Raises:
        PermissionDenied: the person may not change the run, or not add to the dataset.
        Refused: the run goes on, or nothing in it failed.
    """
    return _compute_again(job, actor, frozenset({"failed", "unconverged"}))


def dft_continue(*, job: Job, actor: Any) -> Job:
    """Start a new run of the structures that a run had not finished when it ended.

    Raises:
        PermissionDenied: the person may not change the run, or not add to the dataset.
        Refused: the run goes on, or finished all of them.
    """
    return _compute_again(job, actor, UNFINISHED)


@transaction.atomic
def _compute_again(job: Job, actor: Any, wanted: frozenset[str]) -> Job:
    if not may_change(actor, job):
        raise PermissionDenied(
            _("Only the owner and the lab's managers can change “%(job)s”.") % {"job": job}
        )
    if not job.is_final:
        raise Refused(_("Only what a finished run left behind can be computed again here."))
    missing = [row.structure for row in dft_outcomes(job) if row.outcome in wanted]
    if not missing:
        raise Refused(_("There is nothing of that kind left to compute again."))
    rows = Structure.objects.visible_to(actor).filter(public_id__in=missing)
    dataset = Dataset.objects.visible_to(actor).filter(public_id=job.spec["dataset"]).first()
    if dataset is None:
        raise Refused(_("The dataset that was to take the frames has been deleted."))
    code = dft_code(job)
    resources = resources_of(job)
    families = PseudoFamily.objects.visible_to(actor)
    family = families.filter(public_id=job.spec.get("family") or None).first()
    request = DftRequest(
        structures=list(rows.order_by("pk")),
        settings=code.settings.from_json(job.spec["settings"]),  # type: ignore[attr-defined]
        cluster=job.cluster,
        dataset=dataset,
        frame_kind=job.spec["frame_kind"],
        processes=resources.processes,
        walltime_s=resources.walltime_s,
        visibility=job.visibility,
        parent=job,
        code=code.name,
        at_once=resources.at_once,
        family=family,
        asked=asked_again(job),
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


def dft_potentials(job: Job) -> dict[str, dict[str, str]]:
    """Return the potentials of a run: what the run itself noted, else what was asked for."""
    path = job_folder(job) / OUTCOMES_FILE
    noted = read_json(path).get("potentials", {}) if job.is_final and path.is_file() else {}
    return noted or dict(job.spec.get("pseudopotentials", {}))


def _outcomes(job: Job, results: Sequence[StructureResult]) -> list[DftOutcome]:
    return [
        DftOutcome(
            entry["id"], entry["name"], str(result.outcome), len(result.frames), result.message
        )
        for entry, result in zip(job.spec["structures"], results, strict=True)
    ]


def _linked(
    frame: Frame, job: Job, entry: dict[str, str], used: dict[str, dict[str, str]], script: str
) -> Frame:
    """Return a frame that says which run and structure of the portal it comes from."""
    known = frame.calculation
    files = used or job.spec["pseudopotentials"]
    further = {
        "portal_job": str(job.public_id),
        "portal_structure": entry["id"],
        "portal_cluster": job.cluster.name,
        "portal_script_sha256": script,
        "pseudopotential_sha256": {name: file["sha256"] for name, file in files.items()},
    }
    calculation = replace(known, settings={**known.settings, **further})
    kind = job.spec["frame_kind"] or entry.get("kind", "") or frame.kind
    return replace(frame, calculation=calculation, kind=kind)


def _entry(structure: Structure) -> dict[str, str]:
    """Return what a run notes of a structure; members of a set say what kind they are."""
    entry = {"id": str(structure.public_id), "name": structure.name}
    kind = structure.recipe.get("kind")
    return {**entry, "kind": kind} if isinstance(kind, str) else entry


def _may_feed(dataset: Dataset, person: Any) -> None:
    if dataset.withdrawn_at:
        raise Refused(_("“%s” was withdrawn and takes no more data.") % dataset)
    if not may_edit(dataset, person):
        raise PermissionDenied(_("You may not add frames to “%s”.") % dataset)


def _default_name(structures: Sequence[Structure]) -> str:
    """Return a name after the set that all structures are from, else after the first of them."""
    first = structures[0]
    if first.member_of_id and {row.member_of_id for row in structures} == {first.member_of_id}:
        return _("DFT of %s") % first.member_of
    if len(structures) == 1:
        return _("DFT of %s") % first.name
    more = len(structures) - 1
    return _("DFT of %(first)s and %(more)d more") % {"first": first.name, "more": more}
