"""The form of an MD run: simple questions, stages, and every other setting on request."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from datasets.selectors import structures_visible_to
from datasets.services.structures import structure_atoms
from jobs.clusters import need
from jobs.offering import clusters_offering, usual_cluster
from jobs.resource_forms import asked_of, check_fits, resource_fields, resource_initial
from labs.models import Visibility
from labs.settings_forms import plain_number, settings_fields, settings_values
from mlmd.errors import MlmdError
from mlmd.launch import Resources
from mlmd.md import Ensemble, MDSettings, StageKind, settings_from_mapping
from mlmd.structure import bulk_repeats
from potentials.choices import PotentialField, StructureField
from potentials.clusters import PROGRAM, default_threads, most_threads
from potentials.committees import with_committee
from potentials.engines import ENGINES, Engine, problem_words, usual_engine
from potentials.families import CATALOG
from potentials.models import Potential, Simulation
from potentials.selectors import potentials_visible_to
from potentials.services.simulations import KIND, SimulationRequest, uncovered_elements
from potentials.stage_forms import StageRows, stage_initial

MOST_LISTED = 400  # structures offered in the list; older ones are reached from their page
RESOURCES = ("hours", "memory", "gpus", "queue", "account", "continuations")
SKIPPED = ("threads",)  # asked for once, as the number of cores
COMMITTEE_FIELDS = (
    *("watch_committee", "on_disagreement", "disagreement_limit"),
    *("candidate_lower", "candidate_upper"),
)
COMMON_FIELDS = (
    *("name", "potential", "structure", "repeats", "ensemble", "temperature", "duration"),
    *("cluster", "watch_committee"),
)

ENSEMBLES = {
    Ensemble.NVT_BUSSI: gettext_lazy("NVT, Bussi: constant temperature, true fluctuations"),
    Ensemble.NVT_LANGEVIN: gettext_lazy("NVT, Langevin: friction and noise on every atom"),
    Ensemble.NVT_NOSE_HOOVER: gettext_lazy("NVT, Nosé–Hoover chain: deterministic thermostat"),
    Ensemble.NVE: gettext_lazy("NVE: constant energy, no thermostat"),
    Ensemble.NPT: gettext_lazy("NPT: constant temperature and pressure, shape kept"),
    Ensemble.NPT_AXES: gettext_lazy("NPT, each axis by itself: a box stays a box"),
    Ensemble.NPT_FULL: gettext_lazy("NPT, full: lengths and angles of the cell move"),
}


def parse_repeats(text: str) -> tuple[int, int, int]:
    """Return the counts of ``2 2 2``, ``2×2×2`` or ``2x2x2``.

    Raises:
        ValidationError: not three whole numbers from 1 to 100.
    """
    words = [word for word in re.split(r"[\s,;x×*]+", text.strip().lower()) if word]
    if len(words) != 3 or not all(word.isdigit() and 1 <= int(word) <= 100 for word in words):
        raise ValidationError(_("Three whole numbers from 1 to 100, for example 2 2 2."))
    a, b, c = (int(word) for word in words)
    return a, b, c


def parse_temperatures(text: str) -> list[float]:
    """Return the numbers of ``600 900, 1200``, K.

    Raises:
        ValidationError: a word is no temperature.
    """
    values = []
    for word in re.split(r"[\s,;K]+", text.strip()):
        if not word:
            continue
        try:
            value = float(word)
        except ValueError:
            value = 0.0
        if not 0.1 <= value <= 1e6:
            raise ValidationError(_("Temperatures in K with spaces between, such as 600 900."))
        values.append(value)
    return values


class SimulationForm(forms.Form):
    """Which potential moves which atoms, how, how hot and how long."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("Empty: structure and temperature."),
    )
    potential = PotentialField(label=gettext_lazy("Potential"), queryset=None)
    structure = StructureField(label=gettext_lazy("Structure"), queryset=None)
    repeats = forms.CharField(
        label=gettext_lazy("Repeat the cell"),
        required=False,
        max_length=20,
        help_text=gettext_lazy("Along a, b, c, such as 2 2 2; empty: at least 10 Å across."),
    )
    ensemble = forms.ChoiceField(
        label=gettext_lazy("Ensemble"),
        choices=[(ensemble.value, words) for ensemble, words in ENSEMBLES.items()],
        initial=Ensemble.NVT_BUSSI.value,
    )
    temperature = forms.FloatField(
        label=gettext_lazy("Temperature"),
        initial=300,
        min_value=0.1,
        max_value=1e6,
        widget=forms.NumberInput({"step": "any", "data-unit": "K"}),
    )
    duration = forms.FloatField(
        label=gettext_lazy("Time"),
        initial=10,
        min_value=1e-4,
        max_value=1e7,
        widget=forms.NumberInput({"step": "any", "data-unit": "ps"}),
    )
    pressure = forms.FloatField(
        label=gettext_lazy("Pressure"),
        initial=0,
        required=False,
        min_value=-1000,
        max_value=10_000,
        help_text=gettext_lazy("Target of NPT; other ensembles don't use it."),
        widget=forms.NumberInput({"step": "any", "data-unit": "GPa", "data-expert": "true"}),
    )
    temperatures = forms.CharField(
        label=gettext_lazy("Further temperatures"),
        required=False,
        max_length=1000,
        help_text=gettext_lazy(
            "In K, such as 600 900 1200: one run each, started together as a batch."
        ),
        widget=forms.TextInput({"data-expert": "true", "data-unit": "K"}),
    )
    engine = forms.ChoiceField(
        label=gettext_lazy("Engine"),
        required=False,
        help_text=gettext_lazy(
            "LAMMPS runs where the cluster has it, with the package that the potential's card names."
        ),
        widget=forms.Select({"data-expert": "true"}),
    )
    cluster = forms.ModelChoiceField(
        label=gettext_lazy("Run on"), queryset=None, to_field_name="public_id"
    )
    threads = forms.IntegerField(
        label=gettext_lazy("Cores"),
        min_value=1,
        max_value=1024,
        help_text=gettext_lazy("More cores finish sooner and wait longer for a free place."),
        widget=forms.NumberInput({"data-expert": "true"}),
    )
    visibility = forms.ChoiceField(
        label=gettext_lazy("Who can see it"),
        choices=Visibility.choices,
        initial=Visibility.LAB,
        widget=forms.Select({"data-expert": "true"}),
    )

    def __init__(self, *args: Any, user: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user = user
        potentials = potentials_visible_to(user).defer("settings", "validation")
        self.fields["potential"].queryset = potentials
        # What was made last is what one goes on with.
        self.fields["potential"].initial = potentials.order_by("-created_at").first()
        structures = structures_visible_to(user)
        # Before the rows: with them the list is made.
        self.fields["structure"].iterator = _Newest
        self.fields["structure"].queryset = structures
        asked = self.data.get("structure") if self.is_bound else self.initial.get("structure")
        newest = structures.filter(member_of=None).order_by("-created_at").first()
        self.fields["structure"].initial = asked or (newest and newest.public_id)
        clusters = clusters_offering(user, PROGRAM)
        self.fields["cluster"].queryset = clusters
        self.fields["cluster"].initial = usual_cluster(user, KIND, clusters)
        self.fields["engine"].choices = [
            ("", _("our own where it knows the potential")),
            *((engine.name, engine.title) for engine in ENGINES.values()),
        ]
        self.fields["threads"].initial = default_threads()
        self.fields["threads"].widget.attrs["data-default"] = str(default_threads())
        self.fields.update(resource_fields(RESOURCES))
        self.fields.update(settings_fields(MDSettings, MDSettings(), skip=SKIPPED))
        self._offer_committee(potentials)

    def _offer_committee(self, potentials: QuerySet[Potential]) -> None:
        """Ask about the committee where one is kept; a script shows it for such potentials only."""
        known = " ".join(str(public_id) for public_id in with_committee(potentials))
        for name in COMMITTEE_FIELDS:
            self.fields[name].widget.attrs["data-potentials"] = known
        if known:
            self.fields["watch_committee"].widget.attrs.pop("data-expert")
            self.fields["watch_committee"].widget.attrs.pop("data-default")
            self.order_fields(COMMON_FIELDS)

    def clean_temperatures(self) -> list[float]:
        return parse_temperatures(self.cleaned_data["temperatures"])

    def clean_repeats(self) -> tuple[int, int, int] | None:
        text = self.cleaned_data["repeats"]
        return parse_repeats(text) if text.strip() else None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        potential, structure = cleaned.get("potential"), cleaned.get("structure")
        if structure and cleaned.get("repeats", ()) is None:
            cleaned["repeats"] = bulk_repeats(structure_atoms(structure))
        if potential and structure:
            missing = uncovered_elements(potential, structure)
            if missing:
                message = _("%(potential)s doesn't know %(missing)s; it knows %(known)s.") % {
                    "potential": potential.name,
                    "missing": ", ".join(missing),
                    "known": ", ".join(potential.elements),
                }
                self.add_error("structure", message)
        cluster, threads = cleaned.get("cluster"), cleaned.get("threads")
        if cluster and potential:
            family = CATALOG[potential.family]
            engine = self.chosen_engine(cleaned)
            if problem := problem_words(engine, family, cluster):
                self.add_error("engine", problem)
        if cluster and threads and threads > most_threads(cluster):
            message = _("%(cluster)s has %(cores)s cores.") % {
                "cluster": cluster.name,
                "cores": most_threads(cluster),
            }
            self.add_error("threads", message)
        if not self.errors:
            check_fits(self, cluster, Resources(threads=threads or 1), RESOURCES)
        return cleaned

    def chosen_engine(self, values: dict[str, Any] | None = None) -> Engine:
        """Return the engine that was chosen, or the usual one of the potential's kind."""
        values = self.cleaned_data if values is None else values
        chosen = ENGINES.get(values.get("engine", ""))
        return chosen or usual_engine(CATALOG[values["potential"].family])

    def field_of(self, error: Exception) -> str | None:
        """Return the field that an error speaks of; None where it is no single one."""
        name = getattr(error, "where", "").rsplit(": ", 1)[-1].replace(" ", "_")
        return name if name in self.fields else None

    def batch_temperatures(self) -> list[float]:
        """Return the temperatures of a batch, K; none where one run was asked for."""
        further = self.cleaned_data["temperatures"]
        return [self.cleaned_data["temperature"], *further] if further else []

    def settings(self, stages: StageRows) -> MDSettings:
        """Return the settings of a valid form.

        Raises:
            mlmd.errors.InvalidInput: they don't fit together.
        """
        values = self.cleaned_data
        chosen = settings_values(MDSettings, values)
        time_step = float(chosen.get("time_step", MDSettings().time_step))
        rows = [stage for form in stages.forms if (stage := form.stage(time_step))]
        if not rows:
            rows = [
                {
                    "kind": StageKind.HOLD.value,
                    "ensemble": values["ensemble"],
                    "temperature_start": values["temperature"],
                    "pressure": values.get("pressure") or 0.0,
                    "steps": max(1, round(values["duration"] * 1000 / time_step)),
                }
            ]
        return settings_from_mapping({**chosen, "stages": rows})

    def _own_name(self, values: dict[str, Any]) -> str:
        if values["temperatures"]:
            return str(values["structure"].name)[:90]
        return f"{values['structure'].name}, {values['temperature']:g} K"[:120]

    def request(self, stages: StageRows, parent: Simulation | None) -> SimulationRequest | None:
        """Return what to start, or None after noting on the form what is wrong."""
        try:
            settings = self.settings(stages)
        except MlmdError as error:
            self.add_error(None, str(error))
            return None
        values = self.cleaned_data
        return SimulationRequest(
            name=values["name"] or self._own_name(values),
            potential=values["potential"],
            structure=values["structure"],
            repeats=values["repeats"],
            settings=settings,
            cluster=values["cluster"],
            threads=values["threads"],
            visibility=values["visibility"],
            parent=parent,
            asked=asked_of(values, RESOURCES),
            engine=values["engine"],
        )


class _Newest(forms.models.ModelChoiceIterator):
    """Lists the newest rows only, without members of sets; every visible one is still accepted."""

    def __iter__(self) -> Any:
        if self.field.empty_label is not None:
            yield ("", self.field.empty_label)
        pinned = self.field.initial
        for row in self.queryset.filter(member_of=None)[:MOST_LISTED]:
            pinned = None if str(row.public_id) == str(pinned) else pinned
            yield self.choice(row)
        # A structure whose own page led here is offered however old it is.
        try:
            row = self.queryset.filter(public_id=pinned).first() if pinned else None
        except ValidationError:
            return  # no id at all: an address that somebody typed
        if row:
            yield self.choice(row)


def simulation_initial(parent: Simulation) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what the form and its stages start with when a run is cloned."""
    settings = settings_from_mapping(parent.settings)
    stages = settings.stages
    simple = len(stages) == 1 and stages[0].kind == StageKind.HOLD and not stages[0].stress
    only = stages[0] if simple else None
    picoseconds = settings.time_step / 1000
    initial = {
        **{n: plain_number(value) for n, value in parent.settings.items() if n != "stages"},
        "name": _("%(name)s, changed") % {"name": parent.name},
        "potential": parent.potential.public_id,
        "structure": parent.structure.public_id,
        "repeats": " ".join(str(count) for count in parent.repeats),
        "engine": parent.engine,
        "visibility": parent.visibility,
        "cluster": parent.job.cluster.entry.public_id,
        "threads": need(parent.job),
        **resource_initial(parent.job.resources),
    }
    if only is not None:
        initial |= {
            "ensemble": only.ensemble.value,
            "temperature": plain_number(only.temperature_start),
            "pressure": plain_number(only.pressure),
            "duration": plain_number(only.steps * picoseconds),
        }
        return initial, []
    return initial, [stage_initial(stage, picoseconds) for stage in stages]
