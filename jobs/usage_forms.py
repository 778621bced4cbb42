"""Forms of the page of usage."""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs.models import Cluster, Limit, Usage
from jobs.usage import UsageFilter

SPANS = {"1": _("this month"), "3": _("3 months"), "12": _("12 months"), "": _("all")}


class UsageFilterForm(forms.Form):
    """Which months, cluster and person."""

    months = forms.ChoiceField(label=_("Months"), required=False, choices=list(SPANS.items()))
    cluster = forms.ChoiceField(label=_("Cluster"), required=False)
    person = forms.CharField(label=_("Person"), required=False, max_length=120)

    def __init__(self, data: Any, *, rows: QuerySet[Usage]) -> None:
        super().__init__({"months": "12", **data.dict()})
        names = rows.order_by("cluster_name").values_list("cluster_name", flat=True).distinct()
        self.fields["cluster"].choices = [  # type: ignore[attr-defined]
            ("", _("all")),
            *((name, name) for name in names),
        ]

    def narrow(self) -> UsageFilter:
        """Return what was asked for; fields that make no sense narrow nothing."""
        self.is_valid()
        values = self.cleaned_data
        return UsageFilter(
            since=first_of(int(values["months"])) if values.get("months") else None,
            cluster=values.get("cluster", ""),
            person=values.get("person", "").strip(),
        )


def first_of(months: int) -> datetime.date:
    """Return the first day of the span of so many months that ends with this one."""
    today = timezone.localdate()
    count = today.year * 12 + today.month - months
    return datetime.date(count // 12, count % 12 + 1, 1)


class LimitForm(forms.Form):
    """One limit; without an amount it is taken away."""

    what = forms.ChoiceField(label=_("What"), choices=Limit.What.choices)
    cluster = forms.ModelChoiceField(
        label=_("Cluster"),
        queryset=Cluster.objects.none(),
        required=False,
        to_field_name="public_id",
        empty_label=_("all together"),
    )
    amount = forms.FloatField(
        label=_("At most"),
        required=False,
        min_value=0,
        help_text=_("Empty takes the limit away."),
        widget=forms.NumberInput({"step": "any"}),
    )

    def __init__(self, *args: Any, clusters: QuerySet[Cluster], **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.fields["cluster"].queryset = clusters  # type: ignore[attr-defined]
