"""Forms of the catalog: its filters, and what people may say about a potential."""

from __future__ import annotations

import re
from typing import Any

from ase.data import atomic_numbers
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from potentials.families import CATALOG
from potentials.models import Potential
from potentials.selectors import PotentialFilter


def parse_elements(text: str) -> tuple[str, ...]:
    """Return chemical symbols written with spaces, commas or hyphens between them.

    Raises:
        ValidationError: a word that is no symbol.
    """
    symbols = [word.capitalize() for word in re.split(r"[\s,;\-]+", text.strip()) if word]
    for symbol in symbols:
        if atomic_numbers.get(symbol, 0) == 0:
            raise ValidationError(
                _("“%(word)s” is no chemical symbol; write for example Si O.") % {"word": symbol}
            )
    return tuple(dict.fromkeys(symbols))


class CatalogForm(forms.Form):
    """Filters of the potential catalog; they live in the address."""

    q = forms.CharField(label=gettext_lazy("Name"), required=False, max_length=120)
    elements = forms.CharField(
        label=gettext_lazy("Elements"),
        required=False,
        max_length=200,
        widget=forms.TextInput({"placeholder": "Si O"}),
    )
    only = forms.TypedChoiceField(
        label=gettext_lazy("Covers"),
        required=False,
        choices=[("", gettext_lazy("at least these")), ("1", gettext_lazy("only these"))],
        coerce=bool,
        empty_value=False,
    )
    force_rmse = forms.FloatField(
        label=gettext_lazy("Force RMSE below"),
        required=False,
        min_value=0,
        widget=forms.NumberInput({"step": "any", "placeholder": "meV/Å"}),
    )
    energy_rmse = forms.FloatField(
        label=gettext_lazy("Energy RMSE below"),
        required=False,
        min_value=0,
        widget=forms.NumberInput({"step": "any", "placeholder": "meV/atom", "data-expert": "true"}),
    )
    family = forms.ChoiceField(
        label=gettext_lazy("Family"), required=False, widget=forms.Select({"data-expert": "true"})
    )
    latest = forms.TypedChoiceField(
        label=gettext_lazy("Versions"),
        required=False,
        choices=[("", gettext_lazy("all")), ("1", gettext_lazy("newest of each name"))],
        coerce=bool,
        empty_value=False,
    )
    owner = forms.CharField(
        label=gettext_lazy("Owner"),
        required=False,
        max_length=120,
        widget=forms.TextInput({"data-expert": "true"}),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["family"].choices = [
            ("", _("all")),
            *((f.name, f.title) for f in CATALOG.values()),
        ]

    def clean_elements(self) -> tuple[str, ...]:
        return parse_elements(self.cleaned_data["elements"])

    def filter(self) -> PotentialFilter:
        """Return what a valid form asks for."""
        values = self.cleaned_data
        return PotentialFilter(
            text=values["q"],
            elements=values["elements"],
            only=values["only"],
            family=values["family"],
            force_rmse_below=values["force_rmse"],
            energy_rmse_below=values["energy_rmse"],
            owner=values["owner"],
            latest=values["latest"],
        )


class CardForm(forms.ModelForm):
    """What people say about a potential."""

    class Meta:
        model = Potential
        fields = [
            *("name", "description", "not_for"),
            *("licence", "citation", "source", "visibility"),
        ]
        widgets = {
            "citation": forms.Textarea({"rows": 2}),
            "description": forms.Textarea({"rows": 4}),
            "not_for": forms.Textarea({"rows": 3}),
        }
