"""What would be handed over to a cluster, before a run is started."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jobs.resources import asking
from jobs.script_preview import ScriptPreview, script_preview
from labs.models import Lab
from potentials.data_facts import data_facts
from potentials.estimates import simulation_seconds, simulation_walltime, training_walltime
from potentials.families import CATALOG, FAMILIES
from potentials.services import simulations, trainings
from potentials.services.simulations import SimulationRequest
from potentials.services.trainings import TrainingRequest, cores_of_family


def training_resources(request: TrainingRequest, seconds: float) -> dict[str, Any]:
    """Return what a training asks of its cluster.

    Args:
        request: what a person asks for.
        seconds: about how long it takes.
    """
    cores = cores_of_family(FAMILIES[request.family], request.threads)
    return request.asked.over(replace(cores, walltime_s=training_walltime(seconds)))


def training_script(*, user: Any, lab: Lab, request: TrainingRequest) -> ScriptPreview | None:
    """Return the script of a training; None for families that know it only once prepared.

    Raises:
        Refused: it fits in no queue, or not within the lab's limits.
        mlmd.errors.InvalidInput: the cluster can't start the program.
    """
    family = FAMILIES[request.family]
    if family.launch is None:
        return None
    facts = data_facts(request.selection, user)
    size = (request.settings, facts.frames, facts.atoms, len(facts.elements), request.threads)
    asked = training_resources(request, family.estimate_seconds(*size))
    return script_preview(
        lab=lab,
        kind=trainings.KIND,
        cluster=request.cluster,
        asked=asked,
        launch=asking(family.launch(*size), asked),
    )


def simulation_script(*, lab: Lab, request: SimulationRequest) -> ScriptPreview:
    """Return the script of an MD run.

    Raises:
        Refused: it fits in no queue, or not within the lab's limits.
        mlmd.errors.InvalidInput: the cluster can't start the program.
    """
    a, b, c = request.repeats
    engine = request.program
    seconds = simulation_seconds(
        request.potential,
        request.structure.n_atoms * a * b * c,
        request.settings.total_steps,
        request.threads,
        engine,
    )
    usual = engine.cores(request.threads, simulation_walltime(seconds))
    asked = request.asked.over(usual)
    return script_preview(
        lab=lab,
        kind=simulations.KIND,
        cluster=request.cluster,
        asked=asked,
        launch=asking(engine.launch_of(usual), asked),
    )


def simulation_deck(request: SimulationRequest) -> str:
    """Return what the engine of an MD run will read; empty for engines without such.

    Raises:
        mlmd.errors.InvalidInput: settings, structure and potential don't fit together.
    """
    engine = request.program
    if engine.refusal(CATALOG[request.potential.family]):
        return ""
    run = simulations.run_input(
        potential=request.potential,
        structure=request.structure,
        repeats=request.repeats,
        settings=request.settings,
        resources=engine.cores(request.threads, request.asked.walltime_s or 3600),
    )
    return engine.deck(run)
