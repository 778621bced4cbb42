"""The form of a DFT run: structures, protocol and dataset; every keyword on request."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from datasets.dft.codes import CODES
from datasets.dft.services import KIND, LEAST_WALLTIME, DftRequest
from datasets.models import Dataset, PseudoFamily, Structure, StructureSet
from jobs.offering import clusters_offering, usual_cluster
from jobs.resource_forms import asked_of, check_fits, resource_fields
from jobs.selectors import clusters_usable_by
from labs.models import Visibility
from labs.settings_forms import settings_fields, settings_values
from mlmd.codes.protocols import Protocol
from mlmd.errors import MlmdError
from mlmd.launch import Resources

EXPERT = {"data-expert": "true"}
PREFIX = "set-"
RESOURCES = ("nodes", "threads", "memory", "gpus", "queue", "account")


def is_uuid(word: str) -> bool:
    """Whether a word can be the public id of something."""
    try:
        UUID(word)
    except ValueError:
        return False
    return True


class DftForm(forms.Form):
    """Which structures, how precisely, into which dataset."""

    code = forms.CharField(widget=forms.HiddenInput, required=False)
    structures = forms.ModelMultipleChoiceField(
        label=_("Structures"), queryset=None, to_field_name="public_id", required=False
    )
    structure_set = forms.ModelChoiceField(
        label=_("Set of structures"),
        queryset=None,
        required=False,
        to_field_name="public_id",
        empty_label=_("none"),
        help_text=_("All of its members are computed."),
    )
    protocol = forms.ChoiceField(
        label=_("Protocol"),
        choices=[],
        initial=Protocol.MODERATE.value,
    )
    family = forms.ModelChoiceField(
        label=_("Pseudopotentials"),
        queryset=None,
        required=False,
        to_field_name="public_id",
        empty_label=_("the site's own"),
    )
    dataset = forms.ModelChoiceField(
        label=_("Dataset that takes the frames"),
        queryset=None,
        required=False,
        to_field_name="public_id",
        empty_label=_("a new dataset"),
    )
    dataset_name = forms.CharField(
        label=_("Name of the new dataset"),
        required=False,
        max_length=200,
        help_text=_("Empty: named after the structures."),
    )
    cluster = forms.ModelChoiceField(label=_("Run on"), queryset=None, to_field_name="public_id")
    frame_kind = forms.CharField(
        label=_("Kind of configuration"),
        required=False,
        max_length=120,
        help_text=_("Such as liquid; groups errors later."),
        widget=forms.TextInput(EXPERT),
    )
    processes = forms.IntegerField(
        label=_("Processes"),
        min_value=1,
        max_value=4096,
        initial=1,
        help_text=_("Of each structure; more than one start with MPI."),
        widget=forms.NumberInput(EXPERT),
    )
    at_once = forms.IntegerField(
        label=_("Structures at a time"),
        required=False,
        min_value=1,
        max_value=1000,
        help_text=_(
            "Each with its own processes, as an array of jobs where the cluster has a scheduler. "
            "Empty: what the queue allows; one on a machine without a scheduler."
        ),
        widget=forms.NumberInput(EXPERT),
    )
    hours = forms.FloatField(
        label=_("Time limit"),
        required=False,
        min_value=0.01,
        max_value=1000,
        help_text=_(
            "Of the run; what is not finished by then can be continued. Empty: six times the estimate."
        ),
        widget=forms.NumberInput({**EXPERT, "step": "any", "data-unit": "h"}),
    )
    visibility = forms.ChoiceField(
        label=_("Who can see it"),
        choices=Visibility.choices,
        initial=Visibility.LAB,
        widget=forms.Select(EXPERT),
    )

    def __init__(self, *args: Any, user: Any, code: str = "espresso", **options: Any) -> None:
        super().__init__(*args, **options)
        self.code = CODES[code]
        self.fields["code"].initial = self.code.name
        self.fields["protocol"].choices = list(self.code.protocols.items())  # type: ignore[attr-defined]
        querysets = {
            "structures": self._structures(user).order_by("-pk"),
            "structure_set": StructureSet.objects.visible_to(user),
            "family": PseudoFamily.objects.visible_to(user),
            "dataset": Dataset.objects.editable_by(user).filter(withdrawn_at=None),
            "cluster": clusters_usable_by(user),
        }
        for name, queryset in querysets.items():
            field = self.fields[name]
            if isinstance(field, forms.ModelChoiceField):
                field.queryset = queryset
        if self.code.name != "espresso":
            del self.fields["family"]
        self.fields.update(resource_fields(RESOURCES))
        able = clusters_offering(user, self.code.program)
        self.fields["cluster"].initial = usual_cluster(user, KIND, able)
        self.fields.update(
            settings_fields(
                self.code.settings,
                self.code.settings(),
                open_ended=self.code.preset_fields,
                prefix=PREFIX,
            )
        )
        for name in self.code.preset_fields:
            self.fields[PREFIX + name].widget.attrs["data-default"] = _("as the protocol says")

        if not able.exists():
            words = _("no cluster has %(program)s yet") % {"program": self.code.program}
            self.fields["cluster"].empty_label = words  # type: ignore[attr-defined]

    def _structures(self, user: Any) -> Any:
        """Return what may be chosen one by one: no members of sets, unless they were named."""
        named = self.initial.get("structures") or []
        if self.is_bound and hasattr(self.data, "getlist"):
            named = self.data.getlist("structures")
        seen = Structure.objects.visible_to(user)
        named = [word for word in named if is_uuid(str(word))]
        return seen.filter(Q(member_of=None) | Q(public_id__in=named))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not cleaned["structures"] and not cleaned["structure_set"]:
            self.add_error("structures", _("Choose structures, or a set of them."))
        if not self.errors:
            hours = cleaned["hours"]
            usual = Resources(
                processes=cleaned["processes"],
                walltime_s=int(hours * 3600) if hours else LEAST_WALLTIME,
            )
            check_fits(self, cleaned["cluster"], usual, RESOURCES)
        if not self.errors:
            changed = settings_values(self.code.settings, cleaned, PREFIX)
            try:
                cleaned["settings"] = self.code.protocol_settings(cleaned["protocol"], **changed)
            except MlmdError as error:
                raise ValidationError(str(error)) from error
        return cleaned

    def request(self) -> DftRequest:
        """Return what to start; the form is valid."""
        values = self.cleaned_data
        hours = values["hours"]
        chosen = list(values["structures"])
        if values["structure_set"]:
            chosen += values["structure_set"].members.order_by("pk")
        return DftRequest(
            structures=chosen,
            settings=values["settings"],
            cluster=values["cluster"],
            dataset=values["dataset"],
            dataset_name=values["dataset_name"],
            frame_kind=values["frame_kind"],
            processes=values["processes"],
            walltime_s=int(hours * 3600) if hours else None,
            visibility=values["visibility"],
            code=self.code.name,
            at_once=values["at_once"],
            family=values.get("family"),
            asked=asked_of(values, RESOURCES),
        )
