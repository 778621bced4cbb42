"""What the home page and the search show, through the selectors of the rooms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from datasets.models import Dataset
from datasets.selectors import datasets_visible_to, structures_visible_to, versions_usable_by
from jobs.selectors import jobs_visible_to
from jobs.states import ACTIVE
from labs.models import Lab
from potentials.selectors import potentials_visible_to, simulations_visible_to

RECENT = 6
FOUND = 8


@dataclass(frozen=True)
class Step:
    """One step from nothing to a simulation.

    Args:
        title: what to do.
        text: why, in one sentence.
        done: whether the lab has done it.
        url: where to do it.
        action: words of the button.
        example_url: takes a POST that does the step with an example; empty where there is none.
    """

    title: str | Promise
    text: str | Promise
    done: bool
    url: str
    action: str | Promise
    example_url: str = ""


def steps(user: Any, lab: Lab) -> list[Step]:
    """Return the path of a new lab, with what it has done already."""
    return [
        Step(
            _("Bring teacher data"),
            _("Energies and forces from VASP or Quantum ESPRESSO runs, or the silicon example."),
            versions_usable_by(user).filter(dataset__lab=lab).exists(),
            reverse("datasets:upload"),
            _("Upload data"),
            reverse("datasets:silicon"),
        ),
        Step(
            _("Train a potential"),
            _("A neural network learns them; the settings choose themselves."),
            potentials_visible_to(user).filter(lab=lab).exists(),
            reverse("potentials:train"),
            _("Train potential"),
        ),
        Step(
            _("Bring a structure"),
            _("Drop a POSCAR or CIF file, or build a crystal."),
            structures_visible_to(user).filter(lab=lab).exists(),
            reverse("datasets:structure-new"),
            _("Add structure"),
        ),
        Step(
            _("Run molecular dynamics"),
            _("Heat it, hold it, and read temperature, RDF and diffusion."),
            simulations_visible_to(user).filter(lab=lab).exists(),
            reverse("potentials:simulate"),
            _("Run MD"),
        ),
    ]


def recent_runs(user: Any, lab: Lab) -> list[Any]:
    """Return the lab's runs that are on their way, then the newest finished ones."""
    runs = jobs_visible_to(user).filter(lab=lab)
    active = list(runs.filter(state__in=sorted(ACTIVE))[:RECENT])
    finished = runs.exclude(state__in=sorted(ACTIVE))[: max(0, RECENT - len(active))]
    return [*active, *finished]


def newest_potentials(user: Any, lab: Lab) -> QuerySet[Any]:
    return potentials_visible_to(user).filter(lab=lab).order_by("-created_at")[:RECENT]


def newest_datasets(user: Any, lab: Lab) -> QuerySet[Dataset]:
    found = datasets_visible_to(user).filter(lab=lab, withdrawn_at=None)
    return found.order_by("-modified_at")[:RECENT]


@dataclass(frozen=True)
class Hit:
    """One thing that the search found."""

    name: str
    formula: str
    url: str
    state: str
    state_label: str | Promise
    made: Any


@dataclass(frozen=True)
class Group:
    """What the search found of one kind; `more` when there is more than shown."""

    title: str | Promise
    icon: str
    hits: list[Hit]
    more: bool


def search(user: Any, text: str) -> list[Group]:
    """Find structures, data, potentials and runs whose name (or formula) contains the text."""
    text = text.strip()
    if not text:
        return []
    named = Q(name__icontains=text)
    return [
        _group(
            _("Structures"),
            "structures",
            structures_visible_to(user).filter(named | Q(formula__iexact=text)),
            lambda s: Hit(s.name, s.formula, s.get_absolute_url(), "", "", s.created_at),
        ),
        _group(
            _("Teacher data"),
            "data",
            datasets_visible_to(user).filter(named | Q(description__icontains=text)),
            lambda d: Hit(
                d.name, "–".join(d.elements), d.get_absolute_url(), "", "", d.modified_at
            ),
        ),
        _group(
            _("Potentials"),
            "potentials",
            potentials_visible_to(user).filter(named),
            lambda p: Hit(
                p.name,
                "–".join(p.elements),
                reverse("potentials:detail", args=[p.public_id]),
                "",
                "",
                p.created_at,
            ),
        ),
        _group(
            _("Runs"),
            "runs",
            jobs_visible_to(user).filter(title__icontains=text),
            lambda j: Hit(
                j.title,
                "",
                reverse("jobs:detail", args=[j.public_id]),
                j.state,
                j.get_state_display(),
                j.created_at,
            ),
        ),
    ]


def _group(title: Any, icon: str, rows: Any, hit: Callable[[Any], Hit]) -> Group:
    found = list(rows[: FOUND + 1])
    return Group(title, icon, [hit(row) for row in found[:FOUND]], len(found) > FOUND)
