"""The form of how a person wants to be told of runs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from jobs.kinds import kinds
from jobs.models import NoticeSettings
from jobs.notices import DEFAULT_MAIL_AFTER, OUTCOMES, Way, way_for

WAY_WORDS = {
    Way.NONE: _("not at all"),
    Way.SITE: _("site"),
    Way.MAIL: _("site, e-mail"),
}


class NoticeSettingsForm(forms.Form):
    """One choice for each kind of run and outcome."""

    mail_after = forms.FloatField(
        label=_("E-mail only about runs of at least"),
        min_value=0,
        max_value=100_000,
        help_text=_("From pressing the button to the end. Runs that end together share a mail."),
        widget=forms.NumberInput({"step": "any", "data-unit": "min"}),
    )

    def __init__(self, *args: Any, settings: NoticeSettings | None, **extra: Any) -> None:
        super().__init__(*args, **extra)
        after = settings.mail_after_s if settings else DEFAULT_MAIL_AFTER
        self.fields["mail_after"].initial = f"{after / 60:g}"
        for kind in kinds():
            for outcome in OUTCOMES:
                self.fields[f"{kind.name}-{outcome}"] = forms.ChoiceField(
                    label=f"{kind.title}: {outcome.label}",
                    choices=[(way.value, words) for way, words in WAY_WORDS.items()],
                    initial=way_for(settings, kind.name, outcome).value,
                )

    def table(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """Return a row of choices for each kind."""
        return [
            (kind.title, [self[f"{kind.name}-{outcome}"] for outcome in OUTCOMES])
            for kind in kinds()
        ]

    def ways(self) -> dict[str, dict[str, str]]:
        """Return kind → outcome → way; the form is valid."""
        return {
            kind.name: {
                outcome.value: self.cleaned_data[f"{kind.name}-{outcome}"] for outcome in OUTCOMES
            }
            for kind in kinds()
        }
