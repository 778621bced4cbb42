"""Starts MD runs, writes their input, and takes in what they leave."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from datasets.models import Structure
from datasets.selectors import structures_visible_to
from datasets.services.structures import structure_atoms, structure_create_from_atoms
from jobs.clusters import resources_of
from jobs.files import job_folder
from jobs.models import Batch, Cluster
from jobs.resources import NOTHING_ASKED, Asked
from jobs.services import job_create, job_delete
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab
from labs.selectors import may_create
from mlmd.launch import Launch, Resources
from mlmd.md import MDSettings, RunStatus, collect, settings_from_mapping
from mlmd.runs import to_jsonable
from potentials.cards import facts_of
from potentials.committees import committee_of, has_committee, own_files
from potentials.engines import ENGINES, Engine, RunInput, problem_words, usual_engine
from potentials.estimates import simulation_seconds, simulation_walltime
from potentials.families import CATALOG
from potentials.models import Potential, Simulation
from potentials.selectors import potentials_visible_to
from potentials.trajectories import frame_atoms, open_trajectory

KIND = "md"
MAX_ATOMS = 2_000_000
MOST_CHECKED = 200_000  # atoms that are looked at while somebody waits


@dataclass(frozen=True)
class SimulationRequest:
    """What a person asks for.

    Args:
        name: of the run.
        potential: gives the forces.
        structure: to start from.
        repeats: of the cell along a, b and c.
        settings: ensemble, stages, time step, sampling.
        cluster: where to run.
        threads: processor cores to use.
        visibility: of the run.
        parent: the run whose settings these started from.
        asked: what an expert chose of the cluster.
        batch: the runs that it is started together with.
        engine: key of the registry; empty for our own, where it knows the potential.
    """

    name: str
    potential: Potential
    structure: Structure
    settings: MDSettings
    cluster: Cluster
    repeats: tuple[int, int, int] = (1, 1, 1)
    threads: int = 2
    visibility: str = "lab"
    parent: Simulation | None = None
    asked: Asked = NOTHING_ASKED
    batch: Batch | None = None
    engine: str = ""

    @property
    def program(self) -> Engine:
        """The engine that is asked for.

        Raises:
            Refused: there is none of that name.
        """
        if not self.engine:
            return usual_engine(CATALOG[self.potential.family])
        if self.engine not in ENGINES:
            raise Refused(
                _("There is no engine “%(name)s”; known are %(known)s.")
                % {"name": self.engine, "known": ", ".join(ENGINES)}
            )
        return ENGINES[self.engine]


@transaction.atomic
def simulation_start(*, owner: Any, lab: Lab, request: SimulationRequest) -> Simulation:
    """Make an MD run and the job that carries it.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: no name, elements that the potential doesn't know, a cell that can't be
            repeated, too many atoms, or an engine that the cluster lacks or that doesn't know the
            potential.
        mlmd.errors.InvalidInput: the settings don't fit together.
    """
    if not may_create(owner, lab):
        raise PermissionDenied(_("Guests of a lab can look, but not start runs."))
    name = request.name.strip()
    if not name:
        raise Refused(_("The MD run needs a name."))
    _check_visible(owner, request)
    settings = settings_from_mapping(to_jsonable(request.settings))
    count = _check_structure(request)
    engine = request.program
    if problem := problem_words(engine, CATALOG[request.potential.family], request.cluster):
        raise Refused(problem)
    bonds = simulation_check(request)
    seconds = simulation_seconds(
        request.potential, count, settings.total_steps, request.threads, engine
    )
    job = job_create(
        owner=owner,
        lab=lab,
        kind=KIND,
        title=name,
        spec={
            "potential": str(request.potential.public_id),
            "structure": str(request.structure.public_id),
            "steps": settings.total_steps,
            "engine": engine.name,
            "rigid_bonds": bonds,
        },
        cluster=request.cluster,
        resources=request.asked.over(engine.cores(request.threads, simulation_walltime(seconds))),
        visibility=request.visibility,
        parent=request.parent.job if request.parent else None,
        batch=request.batch,
    )
    simulation = Simulation.objects.create(
        owner=owner,
        lab=lab,
        visibility=request.visibility,
        name=name,
        job=job,
        potential=request.potential,
        structure=request.structure,
        structure_hash=request.structure.structure_hash,
        repeats=list(request.repeats),
        atom_count=count,
        formula=request.structure.formula,
        engine=engine.name,
        settings=to_jsonable(settings),
        parent=request.parent,
    )
    audit_record(actor=owner, verb="MD run started", target=simulation, atoms=count)
    return simulation


def simulation_check(request: SimulationRequest) -> int:
    """Hold a run's settings against its structure and its potential, before it is started.

    Returns:
        How many bonds are rigid.

    Raises:
        Refused: a limit on the disagreement of a committee, where none is asked.
        mlmd.errors.InvalidInput: atoms or bonds that the structure doesn't have, or a pressure
            that can't be held.
    """
    engine, settings = request.program, request.settings
    if settings.disagreement_limit is not None:
        if not engine.watches:
            raise Refused(
                _("%(engine)s asks no committee: leave the disagreement limit empty.")
                % {"engine": engine.title}
            )
        if not settings.watch_committee or not has_committee(request.potential):
            raise Refused(
                _(
                    "No committee is watched, so there is no disagreement to limit. Train a "
                    "committee, or leave the disagreement limit empty."
                )
            )
    if request.structure.n_atoms * math.prod(request.repeats) > MOST_CHECKED:
        return 0  # the run says it itself
    return engine.check(settings, repeated(structure_atoms(request.structure), request.repeats))


def simulation_prepare(*, simulation: Simulation, folder: Path) -> Launch:
    """Write structure, potential and settings of a run into an empty folder."""
    run = run_input(
        potential=simulation.potential,
        structure=simulation.structure,
        repeats=simulation.repeats,
        settings=settings_from_mapping(simulation.settings),
        resources=resources_of(simulation.job),
    )
    return ENGINES[simulation.engine].prepare(run, folder)


def run_input(
    *,
    potential: Potential,
    structure: Structure,
    repeats: Any,
    settings: MDSettings,
    resources: Resources,
) -> RunInput:
    """Return what an engine prepares a run from."""
    return RunInput(
        settings=settings,
        atoms=repeated(structure_atoms(structure), repeats),
        family=CATALOG[potential.family],
        facts=facts_of(potential),
        files=own_files(potential),
        resources=resources,
        committee=committee_of(potential),
    )


@transaction.atomic
def simulation_accept(*, simulation: Simulation, folder: Path) -> Simulation:
    """Note what a run that ended well found.

    Raises:
        Refused: the run says of itself that it isn't finished.
    """
    result = collect(folder)
    if result.status is not RunStatus.FINISHED:
        raise Refused(
            _("The run ended after %(done)s of %(all)s steps: %(why)s")
            % {"done": result.steps, "all": result.total_steps, "why": result.error or "?"}
        )
    simulation.result = to_jsonable(result)
    simulation.save(update_fields=["result", "modified_at"])
    return simulation


@transaction.atomic
def simulation_delete(*, simulation: Simulation, actor: Any) -> None:
    """Remove an MD run that has ended, with its job and files.

    Raises:
        PermissionDenied: the person may not change it.
        Refused: it still runs.
    """
    if not Simulation.objects.editable_by(actor).filter(pk=simulation.pk).exists():
        raise PermissionDenied(_("Only the owner and the lab's managers delete this MD run."))
    job = simulation.job
    audit_record(actor=actor, verb="MD run deleted", target=simulation)
    Simulation.objects.filter(pk=simulation.pk).delete()
    job_delete(job=job, actor=actor)


@transaction.atomic
def simulation_structure_save(
    *, simulation: Simulation, actor: Any, name: str, frame: int = -1
) -> Structure:
    """Keep one configuration of a trajectory as a structure, with where it comes from.

    Args:
        simulation: the run.
        actor: who keeps it; it becomes theirs, in the run's lab.
        name: of the structure.
        frame: index in the trajectory; −1 for the last one.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: there is no such frame.
    """
    if not may_create(actor, simulation.lab):
        raise PermissionDenied(_("Guests of a lab can look, but not add structures."))
    if not name.strip():
        raise Refused(_("The structure needs a name."))
    reader = open_trajectory(job_folder(simulation.job))
    if reader is None or not -len(reader) <= frame < len(reader):
        raise Refused(_("The run has no frame %(frame)s yet.") % {"frame": frame})
    with reader:
        moment = reader[frame]
        structure = structure_create_from_atoms(
            owner=actor,
            lab=simulation.lab,
            name=name.strip(),
            atoms=frame_atoms(reader, moment),
            visibility=simulation.visibility,
            origin="run",
            recipe={
                "simulation": str(simulation.public_id),
                "step": moment.step,
                "time_fs": moment.time,
            },
            parent=simulation.structure,
        )
    audit_record(actor=actor, verb="structure kept from run", target=structure, step=moment.step)
    return structure


def repeated(atoms: Atoms, repeats: Any) -> Atoms:
    """Return the structure with its cell repeated along a, b and c."""
    counts = tuple(int(count) for count in repeats) or (1, 1, 1)
    return atoms if counts == (1, 1, 1) else atoms.repeat(counts)


def uncovered_elements(potential: Potential, structure: Structure) -> list[str]:
    """Return the structure's elements that the potential doesn't know."""
    return [symbol for symbol in structure.elements if symbol not in potential.elements]


def _check_visible(owner: Any, request: SimulationRequest) -> None:
    if not potentials_visible_to(owner).filter(pk=request.potential.pk).exists():
        raise Refused(_("The potential doesn't exist or isn't visible to you."))
    if not structures_visible_to(owner).filter(pk=request.structure.pk).exists():
        raise Refused(_("The structure doesn't exist or isn't visible to you."))


def _check_structure(request: SimulationRequest) -> int:
    """Return how many atoms the run will have, or refuse."""
    missing = uncovered_elements(request.potential, request.structure)
    if missing:
        raise Refused(
            _(
                "%(structure)s has %(missing)s, which %(potential)s doesn't know (it knows "
                "%(known)s). Choose another potential, or train one with these elements."
            )
            % {
                "structure": request.structure.name,
                "missing": ", ".join(missing),
                "potential": request.potential.name,
                "known": ", ".join(request.potential.elements),
            }
        )
    a, b, c = request.repeats
    if min(a, b, c) < 1:
        raise Refused(_("The cell is repeated at least once along each axis."))
    periodic = structure_atoms(request.structure).pbc
    for axis, count, is_periodic in zip("abc", request.repeats, periodic, strict=True):
        if count > 1 and not is_periodic:
            raise Refused(
                _("The structure isn't periodic along %(axis)s, so it can't be repeated there.")
                % {"axis": axis}
            )
    count = request.structure.n_atoms * a * b * c
    if count > MAX_ATOMS:
        raise Refused(
            _("%(count)s atoms are more than the %(limit)s that one run may have.")
            % {"count": count, "limit": MAX_ATOMS}
        )
    return count
