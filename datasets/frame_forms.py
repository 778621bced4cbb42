"""The filters of the frames' catalog as a form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from datasets.statistics import Group
from labs.models import Visibility

EXPERT = {"data-expert": "1"}
_NUMBER = {"step": "any"}

_DAY = {"type": "date"}


def _bound(label: Any) -> forms.FloatField:
    widget = forms.NumberInput(attrs={**EXPERT, **_NUMBER})
    return forms.FloatField(label=label, required=False, widget=widget)


def _words(label: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, required=False, widget=forms.Select(attrs=EXPERT))


def _yes_or_no(label: Any) -> forms.ChoiceField:
    choices = [("", _("any")), ("yes", _("yes")), ("no", _("no"))]
    widget = forms.Select(attrs=EXPERT)
    return forms.ChoiceField(label=label, required=False, choices=choices, widget=widget)


class FrameFilterForm(forms.Form):
    """Shows the filters; `datasets.filters.FrameFilters` reads and checks them."""

    q = forms.CharField(
        label=_("Words"),
        required=False,
        max_length=200,
        widget=forms.SearchInput(attrs={"placeholder": _("dataset, kind, file")}),
    )
    mode = forms.ChoiceField(
        label=_("Elements"),
        required=False,
        choices=[
            ("all", _("all of the chosen")),
            ("any", _("any of the chosen")),
            ("only", _("only the chosen")),
        ],
    )
    formula = forms.CharField(
        label=_("Formula"),
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "O2Si"}),
    )
    atoms_min = forms.IntegerField(label=_("Atoms from"), required=False, min_value=1)
    atoms_max = forms.IntegerField(label=_("Atoms to"), required=False, min_value=1)
    functional = forms.ChoiceField(label=_("Functional"), required=False)
    code = forms.ChoiceField(label=_("Code"), required=False)
    kind = forms.ChoiceField(label=_("Kind"), required=False)
    converged = forms.ChoiceField(
        label=_("SCF converged"),
        required=False,
        choices=[("", _("any")), ("yes", _("yes")), ("no", _("no")), ("unknown", _("unknown"))],
        widget=forms.Select(attrs=EXPERT),
    )
    force_max = forms.FloatField(
        label=_("Force to / eV/Å"),
        required=False,
        widget=forms.NumberInput(attrs={**EXPERT, **_NUMBER}),
    )
    force_min = forms.FloatField(
        label=_("Force from / eV/Å"),
        required=False,
        widget=forms.NumberInput(attrs={**EXPERT, **_NUMBER}),
    )
    energy_min = forms.FloatField(
        label=_("Energy from / eV/atom"),
        required=False,
        widget=forms.NumberInput(attrs={**EXPERT, **_NUMBER}),
    )
    energy_max = forms.FloatField(
        label=_("Energy to / eV/atom"),
        required=False,
        widget=forms.NumberInput(attrs={**EXPERT, **_NUMBER}),
    )
    above_max = _bound(_("Above hull to / eV/atom"))
    distance_min = _bound(_("Distance from / Å"))
    distance_max = _bound(_("Distance to / Å"))
    pressure_min = _bound(_("Pressure from / GPa"))
    pressure_max = _bound(_("Pressure to / GPa"))
    cutoff_min = _bound(_("Cutoff from / eV"))
    cutoff_max = _bound(_("Cutoff to / eV"))
    k_spacing_max = _bound(_("k-point spacing to / Å⁻¹"))
    dispersion = _words(_("Dispersion"))
    hubbard = _yes_or_no(_("Hubbard U"))
    spin = _words(_("Spin"))
    run_type = _words(_("Run type"))
    label_source = _words(_("Label source"))
    stress = _yes_or_no(_("Stress"))
    split = _words(_("Split"))
    licence = _words(_("Licence"))
    lab = _words(_("Lab"))
    since = forms.DateField(
        label=_("Added since"), required=False, widget=forms.DateInput(attrs={**EXPERT, **_DAY})
    )
    until = forms.DateField(
        label=_("Added until"), required=False, widget=forms.DateInput(attrs={**EXPERT, **_DAY})
    )
    dataset = forms.ChoiceField(
        label=_("Dataset"), required=False, widget=forms.Select(attrs=EXPERT)
    )
    visibility = forms.ChoiceField(
        label=_("Visibility"),
        required=False,
        choices=[("", _("any")), *Visibility.choices],
        widget=forms.Select(attrs=EXPERT),
    )
    above_min = forms.FloatField(required=False, widget=forms.HiddenInput())
    k_spacing_min = forms.FloatField(required=False, widget=forms.HiddenInput())
    compat_key = forms.CharField(required=False, widget=forms.MultipleHiddenInput())
    version = forms.IntegerField(required=False, widget=forms.HiddenInput())
    region = forms.CharField(required=False, widget=forms.HiddenInput())
    identity = forms.CharField(required=False, widget=forms.HiddenInput())

    def __init__(
        self, query: Any, *, facets: dict[str, list[Group]], datasets: Iterable[Any]
    ) -> None:
        super().__init__(query)
        if query.get("dataset"):  # said by a chip
            self.fields["dataset"].widget = forms.HiddenInput()
        for name, groups in facets.items():
            given = {value for value in query.getlist(name) if value}
            missing = sorted(given - {group.name for group in groups})
            self.fields[name].choices = [  # type: ignore[attr-defined]
                ("", _("any")),
                *((g.name, f"{g.name or '–'} ({g.frames:,})") for g in groups if g.name),
                *((value, value) for value in missing),
            ]
        self.fields["dataset"].choices = [  # type: ignore[attr-defined]
            ("", _("all visible")),
            *((str(d.public_id), d.name) for d in datasets),
        ]
