"""The stages of an MD run as rows of a form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labs.settings_forms import plain_number
from mlmd.md import Ensemble, Stage, StageKind

MOST_STAGES = 50

SHORT_ENSEMBLES = {
    Ensemble.NVT_BUSSI: gettext_lazy("NVT Bussi"),
    Ensemble.NVT_LANGEVIN: gettext_lazy("NVT Langevin"),
    Ensemble.NVT_NOSE_HOOVER: gettext_lazy("NVT Nosé–Hoover"),
    Ensemble.NVE: "NVE",
    Ensemble.NPT: "NPT",
    Ensemble.NPT_AXES: gettext_lazy("NPT, axes"),
    Ensemble.NPT_FULL: gettext_lazy("NPT, full"),
}
STAGE_KINDS = {
    StageKind.HEAT: gettext_lazy("heat"),
    StageKind.HOLD: gettext_lazy("hold"),
    StageKind.QUENCH: gettext_lazy("quench"),
}


def _quiet(unit: str) -> forms.NumberInput:
    # Expert: in a row of a table, the word "optional" behind each label says nothing.
    return forms.NumberInput({"step": "any", "data-unit": unit, "data-expert": "true"})


class StageForm(forms.Form):
    """One stage; a row without a kind is left out."""

    kind = forms.ChoiceField(
        label=gettext_lazy("What"),
        required=False,
        choices=[("", "–"), *((kind.value, words) for kind, words in STAGE_KINDS.items())],
        widget=forms.Select({"data-expert": "true"}),
    )
    ensemble = forms.ChoiceField(
        label=gettext_lazy("Ensemble"),
        choices=[(ensemble.value, words) for ensemble, words in SHORT_ENSEMBLES.items()],
        required=False,
        initial=Ensemble.NVT_BUSSI.value,
        widget=forms.Select({"data-expert": "true"}),
    )
    temperature_start = forms.FloatField(
        label=gettext_lazy("From"),
        min_value=0.1,
        max_value=1e6,
        required=False,
        widget=_quiet("K"),
    )
    temperature_end = forms.FloatField(
        label=gettext_lazy("To"), min_value=0.1, max_value=1e6, required=False, widget=_quiet("K")
    )
    pressure = forms.FloatField(
        label=gettext_lazy("Pressure"),
        required=False,
        min_value=-1000,
        max_value=10_000,
        widget=_quiet("GPa"),
    )
    duration = forms.FloatField(
        label=gettext_lazy("Time"), min_value=1e-4, required=False, widget=_quiet("ps")
    )
    stress = forms.CharField(
        label=gettext_lazy("Extra stress"),
        required=False,
        max_length=100,
        widget=forms.TextInput(
            {"data-unit": "GPa", "data-expert": "true", "placeholder": "xx yy zz yz xz xy"}
        ),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("kind"):
            for name in ("temperature_start", "duration"):
                if name not in self.errors and cleaned.get(name) is None:
                    self.add_error(name, _("Please fill this in."))
        return cleaned

    def stage(self, time_step: float) -> dict[str, Any] | None:
        """Return the stage as JSON, or None for an empty row."""
        values = self.cleaned_data
        if not values.get("kind"):
            return None
        return {
            "kind": values["kind"],
            "ensemble": values.get("ensemble") or Ensemble.NVT_BUSSI.value,
            "temperature_start": values["temperature_start"],
            "temperature_end": values.get("temperature_end"),
            "pressure": values.get("pressure") or 0.0,
            "stress": values.get("stress") or "",
            "steps": max(1, round(values["duration"] * 1000 / time_step)),
        }


class StageRows(forms.BaseFormSet):
    """The stages of a run."""

    @property
    def has_rows(self) -> bool:
        """Whether any row says something, so that the drawer should be open."""
        return any(form["kind"].value() for form in self.forms)


StageFormSet = forms.formset_factory(
    StageForm, formset=StageRows, extra=1, max_num=MOST_STAGES, absolute_max=MOST_STAGES
)


def stage_initial(stage: Stage, picoseconds: float) -> dict[str, Any]:
    """Return what a row starts with when a run is cloned; its time step in picoseconds."""
    return {
        "kind": stage.kind.value,
        "ensemble": stage.ensemble.value,
        "temperature_start": plain_number(stage.temperature_start),
        "temperature_end": plain_number(stage.temperature_end),
        "pressure": plain_number(stage.pressure),
        "stress": stage.stress,
        "duration": plain_number(stage.steps * picoseconds),
    }
