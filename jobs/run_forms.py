"""Forms of the page of one run."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class ContinueForm(forms.Form):
    """How long the next attempt of a run may take."""

    hours = forms.FloatField(
        label=_("Time limit"), required=False, min_value=0.001, max_value=100_000
    )

    def walltime_s(self) -> int | None:
        """Return the time limit, s; None for the one before."""
        hours = self.cleaned_data.get("hours")
        return max(1, round(hours * 3600)) if hours else None
