"""Forms of structures and teacher data; their rules live in the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from datasets.credits import Author, Credits, authors_from_json, authors_parse
from datasets.models import Dataset, Licence, Structure
from datasets.splits import SplitRequest
from labs.exceptions import Refused
from labs.models import Visibility
from labs.settings_forms import settings_fields
from mlmd.formats.registry import FrameFormat
from mlmd.settings import describe
from mlmd.structure.initial_set import InitialSetSettings
from mlmd.units import ENERGY, LENGTH

EXPERT = {"data-expert": "1"}


class ManyFilesInput(forms.ClearableFileInput):
    """A file chooser for one or many files."""

    allow_multiple_selected = True
    template_name = "django/forms/widgets/input.html"


def _choices(values: Any, empty: Any) -> list[tuple[str, Any]]:
    return [("", empty), *((str(v), str(v)) for v in values)]


class DatasetForm(forms.ModelForm):
    """What is said of a dataset."""

    tags = forms.CharField(
        label=_("Tags"), required=False, max_length=400, help_text=_("Separated by commas.")
    )
    authors = forms.CharField(
        label=_("Authors"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, **EXPERT}),
        help_text=_("One a line: “Family, Given; ORCID; affiliation”. Empty: the owner."),
    )
    funding = forms.CharField(
        label=_("Funding"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2, **EXPERT}),
        help_text=_("One grant a line."),
    )
    embargo_until = forms.DateField(
        label=_("Embargo until"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date", **EXPERT}, format="%Y-%m-%d"),
        help_text=_("Before this day only the lab sees a public dataset."),
    )

    class Meta:
        model = Dataset
        fields = ["name", "description", "licence", "visibility", "funding", "embargo_until"]
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}
        help_texts = {
            "visibility": _(
                "Public: everyone who signs in; published versions also without, by OPTIMADE."
            )
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["tags"].initial = ", ".join(self.instance.tags)
            authors = authors_from_json(self.instance.authors)
            self.initial["authors"] = "\n".join(author.line for author in authors)

    def clean_tags(self) -> list[str]:
        return [tag.strip() for tag in self.cleaned_data["tags"].split(",") if tag.strip()]

    def clean_authors(self) -> tuple[Author, ...]:
        try:
            return authors_parse(self.cleaned_data["authors"])
        except Refused as error:
            raise forms.ValidationError(str(error)) from error

    def values(self) -> dict[str, Any]:
        """Return what the services take."""
        given = dict(self.cleaned_data)
        names = ("authors", "funding", "embargo_until")
        return given | {"credited": Credits(*(given.pop(name) for name in names))}


class SplitForm(forms.Form):
    """How a version's frames are split; empty fields are the defaults."""

    split = forms.BooleanField(required=False)
    validation = forms.FloatField(required=False, label=_("Validation"))
    test = forms.FloatField(required=False, label=_("Test"))
    seed = forms.IntegerField(required=False, label=_("Seed"))

    def request(self) -> SplitRequest | None:
        """Return the split asked for, None for none.

        Raises:
            Refused: something that is no number.
        """
        if not self.is_valid():
            raise Refused(_("The split needs numbers: shares in percent, and a seed."))
        given, usual = self.cleaned_data, SplitRequest()
        if not given["split"]:
            return None
        shares = (given["validation"], given["test"])
        validation, test = (10.0 if share is None else share for share in shares)
        seed = usual.seed if given["seed"] is None else given["seed"]
        return SplitRequest(validation / 100, test / 100, seed)


class StructureForm(forms.ModelForm):
    """What is said of a structure."""

    class Meta:
        model = Structure
        fields = ["name", "notes", "visibility"]
        widgets = {"notes": forms.Textarea(attrs={"rows": 3})}


class DataUploadForm(forms.Form):
    """How files of teacher data are to be read."""

    kind = forms.CharField(
        label=_("Kind of configuration"),
        required=False,
        max_length=120,
        help_text=_("For frames that don't say theirs, such as liquid; groups errors later."),
    )
    format = forms.ChoiceField(
        label=_("Format"),
        required=False,
        choices=_choices(FrameFormat, _("found out from the content")),
        widget=forms.Select(attrs=EXPERT),
        help_text=_("Choose it when a file is taken for something else."),
    )
    length_unit = forms.ChoiceField(
        label=_("Length unit"),
        required=False,
        choices=_choices(LENGTH, _("as the format says")),
        widget=forms.Select(attrs=EXPERT),
        help_text=_("For n2p2 files, which don't say theirs."),
    )
    energy_unit = forms.ChoiceField(
        label=_("Energy unit"),
        required=False,
        choices=_choices(ENERGY, _("as the format says")),
        widget=forms.Select(attrs=EXPERT),
        help_text=_("For n2p2 files, which don't say theirs."),
    )


class NewDataForm(DataUploadForm):
    """Where uploaded data go: a new dataset, or one that exists."""

    dataset = forms.ModelChoiceField(
        label=_("Dataset"),
        queryset=Dataset.objects.none(),
        required=False,
        to_field_name="public_id",
        empty_label=_("a new dataset"),
    )
    name = forms.CharField(
        label=_("Name of the new dataset"),
        required=False,
        max_length=200,
        help_text=_("Empty: the name of the first file."),
    )
    licence = forms.ChoiceField(
        label=_("Licence"),
        required=False,
        choices=Licence.choices,
        widget=forms.Select(attrs=EXPERT),
    )
    visibility = forms.ChoiceField(
        label=_("Visibility"),
        required=False,
        choices=Visibility.choices,
        initial=Visibility.LAB,
        widget=forms.Select(attrs=EXPERT),
    )

    field_order = ["dataset", "name", "kind"]

    def __init__(self, *args: Any, datasets: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["dataset"]
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = datasets


class StructureFilterForm(forms.Form):
    """Search in the list of structures."""

    q = forms.CharField(
        label=_("Name or formula"), required=False, max_length=100, widget=forms.SearchInput()
    )
    elements = forms.CharField(
        label=_("Elements"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"placeholder": "Si O"}),
    )
    mode = forms.ChoiceField(
        label=_("which are"),
        required=False,
        choices=[("all", _("all there")), ("any", _("any there")), ("only", _("the only ones"))],
    )
    visibility = forms.ChoiceField(
        label=_("Visibility"), required=False, choices=[("", _("any")), *Visibility.choices]
    )


class DatasetFilterForm(StructureFilterForm):
    """Search in the list of datasets."""

    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("any")), ("published", _("published")), ("draft", _("never published"))],
    )


SET_PREFIX = "set-"


class StructureSetForm(forms.Form):
    """A first training set from a crystal: how many of each kind."""

    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=200,
        help_text=_("Empty: named after the crystal."),
    )
    visibility = forms.ChoiceField(
        label=_("Who can see it"),
        choices=Visibility.choices,
        initial=Visibility.LAB,
        widget=forms.Select({"data-expert": "true"}),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        described = {item.name: item for item in describe(InitialSetSettings)}
        added = settings_fields(InitialSetSettings, InitialSetSettings(), prefix=SET_PREFIX)
        for name, field in added.items():
            if not described[name.removeprefix(SET_PREFIX)].expert:
                field.widget.attrs.pop("data-expert", None)
        self.fields.update(added)


class ManyFilesField(forms.FileField):
    """Any number of files; clean data is the list of them."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        return [super(ManyFilesField, self).clean(file, initial) for file in data or []]


class PseudoFamilyForm(forms.Form):
    """A new family of pseudopotentials; its files come with the same request."""

    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("Such as SSSP 1.3 PBE efficiency.")
    )
    licence = forms.CharField(
        label=_("Licence"), required=False, max_length=120, help_text=_("Such as CC-BY-4.0.")
    )
    source = forms.CharField(
        label=_("Source"), required=False, max_length=400, help_text=_("An address or citation.")
    )
    visibility = forms.ChoiceField(
        label=_("Who can see it"), choices=Visibility.choices, initial=Visibility.LAB
    )
    files = ManyFilesField(
        label=_("UPF files"),
        required=False,
        widget=ManyFilesInput({"multiple": True}),
        help_text=_("One for each element, all made for the same functional; more can follow."),
    )
