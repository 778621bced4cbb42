"""The form that validates a potential again, with every setting on request."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from datasets.selectors import versions_usable_by
from jobs.offering import clusters_offering
from jobs.services import LOCAL
from labs.settings_forms import settings_fields, settings_values
from mlmd.errors import MlmdError
from mlmd.validation import CheckName, ValidationSettings, settings_from_mapping
from mlmd.validation.words import TITLES
from potentials.choices import VersionField
from potentials.clusters import PROGRAM, most_threads
from potentials.models import Potential
from potentials.services.validations import ValidationRequest

EXPERT = {"data-expert": "true"}
PREFIX = "set-"  # in front of the settings, which could share a name with ours


class ValidationForm(forms.Form):
    """Against which data, where, and how finely."""

    versions = VersionField(
        label=gettext_lazy("Teacher data to hold it against"),
        queryset=None,
        required=False,
        help_text=gettext_lazy(
            "Test frames of a stated split if there are any; at most 200 frames. Without data the "
            "checks that need none are done."
        ),
    )
    checks = forms.MultipleChoiceField(
        label=gettext_lazy("Checks"), widget=forms.CheckboxSelectMultiple
    )
    cluster = forms.ModelChoiceField(
        label=gettext_lazy("Run on"), queryset=None, to_field_name="public_id", empty_label=None
    )
    threads = forms.IntegerField(
        label=gettext_lazy("Cores"),
        min_value=1,
        max_value=1024,
        initial=1,
        help_text=gettext_lazy("The speed is measured on so many."),
        widget=forms.NumberInput(EXPERT | {"data-default": "1"}),
    )

    def __init__(self, *args: Any, user: Any, potential: Potential, **options: Any) -> None:
        super().__init__(*args, **options)
        versions, clusters = versions_usable_by(user), clusters_offering(user, PROGRAM)
        self.fields["versions"].queryset = versions
        fitted = potential.versions.values_list("pk", flat=True)
        self.fields["versions"].initial = list(
            versions.filter(pk__in=fitted).values_list("public_id", flat=True)
        )
        self.fields["checks"].choices = [(name.value, _(TITLES[name])) for name in CheckName]
        self.fields["checks"].initial = [name.value for name in CheckName]
        self.fields["cluster"].queryset = clusters
        self.fields["cluster"].initial = clusters.filter(name=LOCAL).first() or clusters.first()
        made = settings_fields(ValidationSettings, ValidationSettings(), prefix=PREFIX)
        self.fields.update(made)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cluster, threads = cleaned.get("cluster"), cleaned.get("threads")
        if cluster and threads and threads > most_threads(cluster):
            message = _("%(cluster)s has %(cores)s cores.") % {
                "cluster": cluster.name,
                "cores": most_threads(cluster),
            }
            self.add_error("threads", message)
        if not self.errors:
            values = settings_values(ValidationSettings, cleaned, PREFIX)
            try:
                cleaned["settings"] = settings_from_mapping({**values, "checks": cleaned["checks"]})
            except MlmdError as error:
                raise ValidationError(str(error)) from error
        return cleaned

    def request(self) -> ValidationRequest:
        """Return what is asked for; the form is valid."""
        values = self.cleaned_data
        return ValidationRequest(
            settings=values["settings"],
            versions=tuple(values["versions"]),
            cluster=values["cluster"],
            threads=values["threads"],
        )
