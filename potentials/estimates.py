"""Says in one sentence what a run will do and about how long it takes, before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets.models import Structure
from datasets.selections import Selection
from jobs.states import State
from labs.templatetags.mlmd_tags import bytes_, duration
from mlmd.md import MDSettings
from potentials.data_facts import DataFacts, data_facts
from potentials.data_warnings import data_warnings, unit_warnings
from potentials.engines import Engine
from potentials.families import CATALOG, Family
from potentials.models import Potential, Simulation

START_UP = 6.0  # s until a process has imported and compiled what it needs
LIGHT_ELEMENTS_STEP = 0.5  # fs; hydrogen vibrates with a period of about 10 fs


@dataclass(frozen=True)
class TrainingPlan:
    """What a training will do.

    Args:
        sentence: for the person who is about to start it.
        warnings: what they should know first.
        seconds: about how long.
        facts: what the data amount to.
    """

    sentence: str
    warnings: tuple[str, ...]
    seconds: float
    facts: DataFacts


@dataclass(frozen=True)
class SimulationPlan:
    """What an MD run will do.

    Args:
        sentence: for the person who is about to start it.
        warnings: what they should know first.
        seconds: about how long.
        atoms: how many.
    """

    sentence: str
    warnings: tuple[str, ...]
    seconds: float
    atoms: int


def training_plan(
    *, user: Any, selection: Selection, family: Family, settings: Any, threads: int
) -> TrainingPlan:
    """Return what a training with these settings will do.

    Raises:
        labs.exceptions.Refused: the selection can't be used.
    """
    facts = data_facts(selection, user)
    seconds = family.estimate_seconds(
        settings, facts.frames, facts.atoms, len(facts.elements), threads
    )
    frames = ngettext("%(count)d frame", "%(count)d frames", facts.frames) % {"count": facts.frames}
    cores = ngettext("%(count)d core", "%(count)d cores", threads) % {"count": threads}
    sentence = _("%(frames)s of %(elements)s, about %(time)s on %(cores)s.") % {
        "frames": frames,
        "elements": ", ".join(facts.elements) or "–",
        "time": rounded_duration(seconds),
        "cores": cores,
    }
    warnings = (*data_warnings(facts), *unit_warnings(selection, user))
    return TrainingPlan(sentence, warnings, seconds, facts)


def simulation_plan(
    *,
    potential: Potential,
    structure: Structure,
    repeats: tuple[int, int, int],
    settings: MDSettings,
    threads: int,
    engine: Engine,
) -> SimulationPlan:
    """Return what an MD run with these settings will do."""
    atoms = structure.n_atoms * math.prod(repeats)
    steps = settings.total_steps
    seconds = START_UP + simulation_seconds(potential, atoms, steps, threads, engine)
    cores = ngettext("%(count)d core", "%(count)d cores", threads) % {"count": threads}
    frames = steps // settings.trajectory_every + 1
    per_atom = 24 if settings.store_velocities else 12
    sentence = _(
        "%(atoms)s, %(steps)s steps of %(step)s fs (%(length)s ps), about %(time)s on %(cores)s; "
        "%(frames)s frames of the trajectory, %(size)s."
    ) % {
        "atoms": ngettext("%(count)d atom", "%(count)d atoms", atoms) % {"count": atoms},
        "steps": steps,
        "step": f"{settings.time_step:g}",
        "length": f"{steps * settings.time_step / 1000:g}",
        "time": rounded_duration(seconds),
        "cores": cores,
        "frames": frames,
        "size": bytes_(frames * (atoms * per_atom + 120)),
    }
    warnings = _simulation_warnings(potential, structure, settings, atoms)
    return SimulationPlan(sentence, tuple(warnings), seconds, atoms)


def simulation_seconds(
    potential: Potential, atoms: int, steps: int, threads: int, engine: Engine
) -> float:
    """Return about how long an MD run takes, s, from this potential's own runs if there are any."""
    done = (
        Simulation.objects.filter(potential=potential, engine=engine.name, job__state=State.DONE)
        .exclude(result={})
        .order_by("-pk")
        .values_list("result", flat=True)
        .first()
    )
    measured = (done or {}).get("seconds_per_atom_step")
    each = float(measured) if measured else engine.cost(CATALOG[potential.family]) / threads
    return atoms * steps * each


def training_walltime(seconds: float) -> int:
    """Return the time limit to ask for, s: generous, because the estimate is rough."""
    return int(max(1800, 6 * seconds))


def simulation_walltime(seconds: float) -> int:
    """Return the time limit to ask for, s: generous, because the estimate is rough."""
    return int(max(1800, 6 * seconds))


def rounded_duration(seconds: float) -> str:
    """Return an estimate without digits that it doesn't have."""
    if seconds < 60:
        return duration(10 * math.ceil(seconds / 10))
    if seconds < 3600:
        return duration(60 * round(seconds / 60))
    return duration(600 * round(seconds / 600))


def _simulation_warnings(
    potential: Potential, structure: Structure, settings: MDSettings, atoms: int
) -> list[str]:
    warnings = []
    missing = [s for s in structure.elements if s not in potential.elements]
    if missing:
        warnings.append(
            _("The potential doesn't know %(missing)s: the run can't start.")
            % {"missing": ", ".join(missing)}
        )
    if "H" in structure.elements and settings.time_step > LIGHT_ELEMENTS_STEP:
        warnings.append(
            _("With hydrogen, take a time step of 0.5 fs or less: the energy will drift otherwise.")
        )
    if atoms < 32:
        warnings.append(
            _(
                "%(count)s atoms are few: each sees its own images. Repeat the cell to have at "
                "least some dozens."
            )
            % {"count": atoms}
        )
    if any(stage.ensemble.moves_cell for stage in settings.stages) and not all(
        structure.report.get("pbc", [True])
    ):
        warnings.append(_("The structure isn't periodic in all directions: it has no pressure."))
    if potential.not_for:
        warnings.append(
            _("This potential is not to be used for: %(words)s") % {"words": potential.not_for}
        )
    return warnings
