"""The form of a training: data, effort and name; every setting of the family on request."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from datasets.filters import WITHOUT_TEST, FrameFilters
from datasets.selections import Selection
from datasets.selectors import state_splits, versions_usable_by
from jobs.batches import MOST_RUNS
from jobs.offering import usual_cluster
from jobs.resource_forms import asked_of, check_fits, resource_fields, resource_initial
from labs.exceptions import Refused
from labs.models import Visibility
from labs.settings_forms import plain_number, settings_fields, settings_values
from mlmd.errors import MlmdError
from mlmd.launch import Resources
from potentials.choices import VersionField
from potentials.clusters import clusters_for, default_threads, missing_words, most_threads
from potentials.families import FAMILIES, Family
from potentials.models import Effort, Training
from potentials.requests import family_settings
from potentials.services.trainings import KIND, TrainingRequest

RESOURCES = ("hours", "memory", "gpus", "queue", "account", "continuations")
PREFIX = "set-"  # in front of the family's settings, which could share a name with ours
SKIPPED = ("threads",)  # asked for once, as the number of cores
EXPERT = {"data-expert": "true"}
EFFORT_WORDS = {
    Effort.QUICK: gettext_lazy("quick: a first look"),
    Effort.NORMAL: gettext_lazy("normal: good for most data"),
    Effort.THOROUGH: gettext_lazy("thorough: when errors matter more than time"),
}


class TrainingForm(forms.Form):
    """Which data, how hard to try, and where."""

    versions = VersionField(label=gettext_lazy("Teacher data"), queryset=None)
    name = forms.CharField(
        label=gettext_lazy("Name of the potential"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("Empty: named after its data."),
    )
    effort = forms.ChoiceField(
        label=gettext_lazy("Effort"),
        choices=[(effort.value, words) for effort, words in EFFORT_WORDS.items()],
        initial=Effort.NORMAL.value,
    )
    cluster = forms.ModelChoiceField(
        label=gettext_lazy("Run on"), queryset=None, to_field_name="public_id"
    )
    threads = forms.IntegerField(
        label=gettext_lazy("Cores"),
        min_value=1,
        max_value=1024,
        help_text=gettext_lazy("More cores finish sooner and wait longer for a free place."),
        widget=forms.NumberInput(EXPERT),
    )
    visibility = forms.ChoiceField(
        label=gettext_lazy("Who can see it"),
        choices=Visibility.choices,
        initial=Visibility.LAB,
        widget=forms.Select(EXPERT),
    )
    kind = forms.CharField(
        label=gettext_lazy("Only these kinds of configuration"),
        required=False,
        max_length=400,
        help_text=gettext_lazy("Names with commas between; empty for all."),
        widget=forms.TextInput(EXPERT),
    )
    functional = forms.CharField(
        label=gettext_lazy("Only these functionals"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("Names with commas between, for example PBE; empty for all."),
        widget=forms.TextInput(EXPERT),
    )
    atoms_max = forms.IntegerField(
        label=gettext_lazy("At most so many atoms a frame"),
        required=False,
        min_value=1,
        widget=forms.NumberInput(EXPERT),
    )
    runs = forms.IntegerField(
        label=gettext_lazy("Runs with other seeds"),
        required=False,
        min_value=1,
        max_value=MOST_RUNS,
        help_text=gettext_lazy("More than one start together as a batch, each with the next seed."),
        widget=forms.NumberInput(EXPERT),
    )
    leave_out_test = forms.BooleanField(
        label=gettext_lazy("Leave out the test frames of the stated split"),
        required=False,
        initial=True,
        help_text=gettext_lazy(
            "Versions may state which frames are for testing: a potential that never saw them can be "
            "judged by them."
        ),
        widget=forms.CheckboxInput(EXPERT),
    )
    family = forms.ChoiceField(
        label=gettext_lazy("Trained by"),
        initial="hdnnp",
        help_text=gettext_lazy(
            "Ours and n2p2 make the same kind of potential, aenet makes its own; ours is fastest."
        ),
    )

    def __init__(self, *args: Any, user: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user = user
        versions = versions_usable_by(user)
        self.fields["versions"].queryset = versions
        if len(only := versions[:2]) == 1:
            self.fields["versions"].initial = [only[0].public_id]
        clusters = clusters_for(user, FAMILIES.values())
        self.fields["cluster"].queryset = clusters
        self.fields["cluster"].initial = usual_cluster(user, KIND, clusters)
        self.fields["threads"].initial = default_threads()
        self.fields["threads"].widget.attrs["data-default"] = str(default_threads())
        self.fields["family"].choices = [(f.name, self._engine(f)) for f in FAMILIES.values()]
        self.fields.update(resource_fields(RESOURCES))
        for family in FAMILIES.values():
            self._add_settings(family)
        for field in self.fields.values():
            owners = field.widget.attrs.get("data-families", "").split()
            if 0 < len(owners) < len(FAMILIES):
                # What one family lacks doesn't stand in the way of another.
                field.required = False

    def _engine(self, family: Family) -> str:
        if clusters_for(self.user, [family]).exists():
            return str(family.engine)
        return _("%(engine)s (on no cluster of yours)") % {"engine": family.engine}

    def _add_settings(self, family: Family) -> None:
        """Add the fields of a family's settings; a setting that several have is asked for once.

        ``data-families`` says whose they are: the page shows those of the chosen one.
        """
        by_effort = {name for values in family.presets.values() for name in values}
        fields = settings_fields(
            family.settings, family.settings(), skip=SKIPPED, open_ended=by_effort, prefix=PREFIX
        )
        for name in family.long_texts:
            fields[PREFIX + name].widget = forms.Textarea(
                {**EXPERT, "rows": 6, "class": "mono", "spellcheck": "false"}
            )
            if name == "symmetry_functions":
                fields[PREFIX + name].widget.attrs["data-functions"] = ""
        for name, field in fields.items():
            known = self.fields.setdefault(name, field)
            owners = known.widget.attrs.get("data-families", "")
            known.widget.attrs["data-families"] = f"{owners} {family.name}".strip()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cluster, threads = cleaned.get("cluster"), cleaned.get("threads")
        if cluster and threads and threads > most_threads(cluster):
            message = _("%(cluster)s has %(cores)s cores.") % {
                "cluster": cluster.name,
                "cores": most_threads(cluster),
            }
            self.add_error("threads", message)
        family = FAMILIES.get(cleaned.get("family", ""))
        if cluster and family and (lacking := missing_words(cluster, family)):
            self.add_error("family", lacking)
        if not self.errors:
            check_fits(self, cluster, Resources(threads=threads or 1), RESOURCES)
        if not self.errors:
            try:
                cleaned["settings"] = self._settings(cleaned)
                cleaned["selection"] = self._selection(cleaned)
            except (Refused, MlmdError) as error:
                raise ValidationError(str(error)) from error
        return cleaned

    def request(self, parent: Training | None) -> TrainingRequest:
        """Return what to start; the form is valid."""
        values = self.cleaned_data
        return TrainingRequest(
            name=values.get("name") or self._own_name(values["versions"]),
            selection=values["selection"],
            family=values["family"],
            effort=values["effort"],
            settings=values["settings"],
            cluster=values["cluster"],
            threads=values["threads"],
            visibility=values["visibility"],
            parent=parent,
            asked=asked_of(values, RESOURCES),
        )

    def _own_name(self, versions: Any) -> str:
        return ", ".join(dict.fromkeys(str(version.dataset) for version in versions))[:120]

    def _settings(self, cleaned: dict[str, Any]) -> Any:
        family = FAMILIES[cleaned["family"]]
        changed = settings_values(family.settings, cleaned, PREFIX)
        return family_settings(family, cleaned["effort"], changed)

    def _selection(self, cleaned: dict[str, Any]) -> Selection:
        without_test = cleaned["leave_out_test"] and state_splits(cleaned["versions"])
        filters = FrameFilters.from_json(
            {
                "split": WITHOUT_TEST if without_test else (),
                "kind": _words(cleaned["kind"]),
                "functional": _words(cleaned["functional"]),
                "atoms_max": cleaned["atoms_max"],
            }
        )
        ids = tuple(version.public_id for version in cleaned["versions"])
        return Selection(ids, filters)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def training_initial(parent: Training) -> dict[str, Any]:
    """Return what the form starts with when a training is cloned."""
    filters = parent.selection.get("filters") or {}
    settings = {
        PREFIX + name: plain_number(value)
        for name, value in parent.settings.items()
        if name not in SKIPPED
    }
    return {
        **settings,
        "name": _("%(name)s, changed") % {"name": parent.name},
        "versions": parent.selection["versions"],
        "effort": parent.effort,
        "family": parent.family,
        "visibility": parent.visibility,
        "cluster": parent.job.cluster.entry.public_id,
        "threads": parent.job.resources.get("threads"),
        **resource_initial(parent.job.resources),
        "kind": ", ".join(filters.get("kind", [])),
        "functional": ", ".join(filters.get("functional", [])),
        "atoms_max": filters.get("atoms_max"),
        "leave_out_test": "split" in filters or not state_splits(parent.versions.all()),
    }
