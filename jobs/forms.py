"""Filters of the list of runs, and the few things that can be changed about a run."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from jobs.kinds import kinds
from jobs.selectors import JobFilter, clusters_visible_to
from jobs.states import State


class JobFilterForm(forms.Form):
    """The filters of the list; they live in the address of the page."""

    q = forms.CharField(label=_("Title"), required=False, max_length=200)
    state = forms.ChoiceField(label=_("State"), required=False)
    kind = forms.ChoiceField(label=_("Kind"), required=False)
    owner = forms.CharField(label=_("Owner"), required=False, max_length=120)
    cluster = forms.ChoiceField(
        label=_("Cluster"), required=False, widget=forms.Select(attrs={"data-expert": "1"})
    )

    def __init__(self, *args: Any, user: Any, **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.fields["q"].widget.input_type = "search"
        self.fields["state"].choices = [  # type: ignore[attr-defined]
            ("", _("all")),
            ("active", _("on its way")),
            ("finished", _("finished")),
            *State.choices,
        ]
        self.fields["kind"].choices = [  # type: ignore[attr-defined]
            ("", _("all")),
            *((kind.name, kind.title) for kind in kinds()),
        ]
        names = [(cluster.name, cluster.name) for cluster in clusters_visible_to(user)]
        self.fields["cluster"].choices = [("", _("all")), *names]  # type: ignore[attr-defined]

    def narrow(self, order: str) -> JobFilter:
        """Return what was asked for; fields that make no sense narrow nothing."""
        self.is_valid()
        data = self.cleaned_data
        return JobFilter(
            text=data.get("q", "").strip(),
            state=data.get("state", ""),
            kind=data.get("kind", ""),
            owner=data.get("owner", "").strip(),
            cluster=data.get("cluster", ""),
            order=order,
        )


class TitleForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=200)
