"""Several runs at once: trainings with other seeds, simulations at other temperatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from jobs.batches import MOST_RUNS, batch_create
from jobs.models import Batch
from labs.exceptions import Refused
from labs.models import Lab
from mlmd.md import MDSettings
from potentials.services import simulations, trainings
from potentials.services.simulations import SimulationRequest, simulation_start
from potentials.services.trainings import TrainingRequest, training_start


@transaction.atomic
def trainings_start(*, owner: Any, lab: Lab, request: TrainingRequest, runs: int) -> Batch:
    """Start the same training several times, each with the next seed.

    Args:
        owner: who asks.
        lab: where they belong.
        request: the first of them.
        runs: how many.

    Raises:
        Refused: fewer than two or too many, a family without a seed, or see `training_start`.
    """
    _check_count(runs)
    if not hasattr(request.settings, "seed"):
        raise Refused(_("This family has no seed: every run would be the same."))
    batch = batch_create(
        owner=owner,
        lab=lab,
        title=_("%(name)s, %(runs)d seeds") % {"name": request.name, "runs": runs},
        kind=trainings.KIND,
        visibility=request.visibility,
    )
    first = request.settings.seed
    for seed in range(first, first + runs):
        one = replace(
            request,
            name=_("%(name)s, seed %(seed)d") % {"name": request.name[:90], "seed": seed},
            settings=replace(request.settings, seed=seed),
            batch=batch,
        )
        training_start(owner=owner, lab=lab, request=one)
    return batch


@transaction.atomic
def simulations_start(
    *, owner: Any, lab: Lab, request: SimulationRequest, temperatures: Sequence[float]
) -> Batch:
    """Start the same simulation at several temperatures.

    Args:
        owner: who asks.
        lab: where they belong.
        request: with one stage that holds its temperature.
        temperatures: of the runs, K.

    Raises:
        Refused: fewer than two or too many, several stages, or see `simulation_start`.
    """
    _check_count(len(temperatures))
    if len(set(temperatures)) < len(temperatures):
        raise Refused(_("Each temperature may be named once."))
    batch = batch_create(
        owner=owner,
        lab=lab,
        title=_("%(name)s, %(runs)d temperatures")
        % {"name": request.name, "runs": len(temperatures)},
        kind=simulations.KIND,
        visibility=request.visibility,
    )
    for temperature in temperatures:
        one = replace(
            request,
            name=f"{request.name[:90]}, {temperature:g} K",
            settings=at_temperature(request.settings, temperature),
            batch=batch,
        )
        simulation_start(owner=owner, lab=lab, request=one)
    return batch


def at_temperature(settings: MDSettings, temperature: float) -> MDSettings:
    """Return the settings with another temperature.

    Raises:
        Refused: there are several stages, or one that heats or cools.
    """
    (stage, *more) = settings.stages
    steady = stage.temperature_end in {None, stage.temperature_start}
    if more or not steady:
        raise Refused(
            _(
                "Several temperatures go with one stage that holds its temperature; leave out stages."
            )
        )
    end = None if stage.temperature_end is None else temperature
    held = replace(stage, temperature_start=temperature, temperature_end=end)
    return replace(settings, stages=(held,))


def _check_count(count: int) -> None:
    if not 2 <= count <= MOST_RUNS:
        raise Refused(
            _("A batch has 2 to %(most)d runs, not %(count)d.")
            % {"most": MOST_RUNS, "count": count}
        )
