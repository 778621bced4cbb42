"""The form that brings a potential from elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from datasets.models import Licence
from datasets.selections import Selection
from datasets.selectors import versions_usable_by
from labs.exceptions import Refused
from labs.models import Lab, Visibility
from mlmd.errors import InvalidInput
from mlmd.formats.source import safe_name
from mlmd.lammps import PAIR_FILE, read_pair_lines
from potentials.choices import VersionField
from potentials.families.reading import Recognised, recognise
from potentials.models import RefusedUpload
from potentials.references import MOST_LETTERS, source_cleaned
from potentials.services.imports import PotentialFiles
from potentials.services.potentials import MOST_NAME
from potentials.services.refusals import refusal_files, refusal_keep
from potentials.unit_guess import Guess, guess_units
from potentials.unpacking import Fate, Unpacked, unpack

LENGTH_CHOICES = [("", gettext_lazy("as the files say")), ("angstrom", "Å"), ("bohr", "bohr")]
ENERGY_CHOICES = [
    ("", gettext_lazy("as the files say")),
    ("ev", "eV"),
    ("hartree", gettext_lazy("hartree")),
    ("rydberg", gettext_lazy("rydberg")),
]


class ManyFilesInput(forms.FileInput):
    """A file input that takes several."""

    allow_multiple_selected = True

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[UploadedFile]:
        # A test or a program may send a plain dictionary.
        several = files.getlist(name) if isinstance(files, MultiValueDict) else [files.get(name)]
        return [file for file in several if file]


class ManyFilesField(forms.Field):
    """Several files; the value is a list."""

    widget = ManyFilesInput


@dataclass(frozen=True)
class Findings:
    """What was found in the files that a person sent.

    Args:
        unpacked: each file with its verdict; None where not even that could be read.
        recognised: the potential, or None.
        problem: why there is none, in words; empty where there is one.
        guess: of the units, where the files don't say them.
        chosen: units of length and energy that the person chose; empty where they did not.
    """

    unpacked: Unpacked | None
    recognised: Recognised | None
    problem: str
    guess: Guess | None
    chosen: tuple[str, str] = ("", "")

    @property
    def is_chosen(self) -> bool:
        """Whether both units were chosen."""
        return all(self.chosen)

    @property
    def is_doubtful(self) -> bool:
        """Whether the chosen units are others than the guess."""
        if self.guess is None or not self.is_chosen:
            return False
        return self.chosen != (self.guess.length, self.guess.energy)


class UploadForm(forms.Form):
    """Files of a potential, and what is known of it."""

    files = ManyFilesField(
        label=gettext_lazy("Files"),
        required=False,
        widget=ManyFilesInput({"multiple": True}),
        help_text=gettext_lazy("All files of the potential, or one .zip or .tar.gz of them."),
    )
    folder = ManyFilesField(
        label=gettext_lazy("Or a folder"),
        required=False,
        widget=ManyFilesInput({"multiple": True, "webkitdirectory": True}),
        help_text=gettext_lazy("Other files in it are left out."),
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=MOST_NAME,
        help_text=gettext_lazy("A name that the lab has already gives a further version of it."),
    )
    length_unit = forms.ChoiceField(
        label=gettext_lazy("Unit of length"), choices=LENGTH_CHOICES, required=False
    )
    energy_unit = forms.ChoiceField(
        label=gettext_lazy("Unit of energy"), choices=ENERGY_CHOICES, required=False
    )
    versions = VersionField(
        label=gettext_lazy("Teacher data to judge it by"),
        queryset=None,
        required=False,
        help_text=gettext_lazy("Frames of the kind that it was made for; also tell its units."),
    )
    source = forms.CharField(
        label=gettext_lazy("Comes from"),
        required=False,
        max_length=MOST_LETTERS,
        widget=forms.TextInput({"placeholder": "10.1063/1.3553717"}),
        help_text=gettext_lazy("A DOI or an address."),
    )
    not_for = forms.CharField(
        label=gettext_lazy("Not to be used for"),
        required=False,
        widget=forms.Textarea({"rows": 2}),
    )
    licence = forms.ChoiceField(
        label=gettext_lazy("Licence"), choices=Licence.choices, required=False
    )
    visibility = forms.ChoiceField(
        label=gettext_lazy("Visibility"), choices=Visibility.choices, initial=Visibility.LAB
    )
    lammps_lines = forms.CharField(
        label=gettext_lazy("Lines for LAMMPS"),
        required=False,
        max_length=100_000,
        widget=forms.Textarea({"rows": 3, "data-expert": "true", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "pair_style and pair_coeff, units metal, of a potential that only LAMMPS runs; the files "
            "that they name go above."
        ),
    )
    lammps_elements = forms.CharField(
        label=gettext_lazy("Elements of LAMMPS' atom types"),
        required=False,
        max_length=400,
        widget=forms.TextInput({"data-expert": "true", "placeholder": "Si O"}),
        help_text=gettext_lazy("In their order, where pair_coeff doesn't end with them."),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        widget=forms.Textarea({"rows": 3, "data-expert": "true"}),
    )
    citation = forms.CharField(
        label=gettext_lazy("To be cited"),
        required=False,
        widget=forms.Textarea({"rows": 2, "data-expert": "true"}),
    )

    again = forms.UUIDField(required=False, widget=forms.HiddenInput())

    def __init__(self, *args: Any, user: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.user = user
        self.findings: Findings | None = None
        # Files that came with this request, and what an earlier one left.
        self.sent: list[UploadedFile] = []
        self.earlier: RefusedUpload | None = None
        self.fields["versions"].queryset = versions_usable_by(user)

    def clean_source(self) -> str:
        try:
            return source_cleaned(self.cleaned_data["source"])
        except Refused as error:
            raise ValidationError(str(error)) from error

    def clean_lammps_elements(self) -> tuple[str, ...]:
        return tuple(re.split(r"[\s,;]+", self.cleaned_data["lammps_elements"].strip()))

    def _lines_file(self, values: dict[str, Any]) -> list[UploadedFile]:
        """Return the lines for LAMMPS as the file that keeps them; none where nothing was typed."""
        text = values.get("lammps_lines", "").strip()
        if not text:
            return []
        try:
            found = read_pair_lines(
                text, elements=[name for name in values.get("lammps_elements", ()) if name]
            )
        except InvalidInput as error:
            self.add_error("lammps_lines", str(error))
            return []
        return [SimpleUploadedFile(PAIR_FILE, found.text.encode())]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        self.sent = [*values.get("files", ()), *values.get("folder", ())]
        self.earlier = self._earlier(values.get("again"))
        kept = refusal_files(self.earlier) if self.earlier and not self.sent else []
        sent = [*self.sent, *kept, *self._lines_file(values)]
        if "lammps_lines" in self.errors:
            return values
        if not sent:
            self.add_error("files", _("Choose the potential's files."))
            return values
        units = values.get("length_unit", ""), values.get("energy_unit", "")
        self.findings = found = findings(sent, *units, self._frames(values.get("versions")))
        if found.problem:
            self.add_error("files", found.problem)
        elif found.recognised is not None and found.recognised.needs_units:
            self._ask_units()
        return values

    def request(self) -> PotentialFiles:
        """Return what a valid form asks for."""
        values, found = self.cleaned_data, self.findings
        assert found is not None  # noqa: S101  (a valid form has read its files)
        assert found.recognised is not None  # noqa: S101
        said = ("name", "description", "not_for", "licence", "citation", "source", "visibility")
        return PotentialFiles(files=found.recognised.files, **{name: values[name] for name in said})

    def reasons(self) -> str:
        """Return why an invalid form is refused, in words."""
        words = [text for texts in self.errors.values() for text in texts]
        if self.findings is not None and self.findings.guess is not None:
            words.append(self.findings.guess.why)
        return " ".join(str(text) for text in words)

    def _earlier(self, public_id: Any) -> RefusedUpload | None:
        if public_id is None:
            return None
        mine = RefusedUpload.objects.editable_by(self.user)
        return mine.filter(public_id=public_id).first()

    def _frames(self, versions: Any) -> Any:
        """Return the frames of the chosen data, read only when the units have to be guessed."""
        if not versions:
            return ()
        return Selection(tuple(version.public_id for version in versions)).frames(self.user)

    def _ask_units(self) -> None:
        words = _("Nothing in the files says it.")
        for name in ("length_unit", "energy_unit"):
            if not self.cleaned_data.get(name):
                self.add_error(name, words)


def refused_form_keep(form: UploadForm, lab: Lab) -> RefusedUpload | None:
    """Keep the files of a form that is refused; None where it came without any."""
    if not form.sent and form.earlier is None:
        return None
    found = form.findings
    return refusal_keep(
        owner=form.user,
        lab=lab,
        sent=form.sent,
        typed=form.data,
        versions=[version.public_id for version in form.cleaned_data.get("versions") or ()],
        reason=form.reasons(),
        verdicts=found.unpacked.verdicts if found and found.unpacked else (),
        earlier=form.earlier,
    )


def findings(
    sent: list[UploadedFile], length_unit: str = "", energy_unit: str = "", frames: Any = ()
) -> Findings:
    """Read what a person sent; nothing in it makes this fail.

    Args:
        sent: files or archives.
        length_unit: as the person says; empty if unknown.
        energy_unit: likewise.
        frames: with forces, to guess the units from.
    """
    unpacked = None
    try:
        unpacked = unpack(sent)
        if unpacked.refused:
            first = unpacked.refused[0]
            raise Refused(f"{first.name}: {first.words}")
        recognised = recognise(unpacked.files)
        guess = guess_units(unpacked.files, frames) if recognised.needs_units else None
        if guess is not None:
            recognised = recognise(unpacked.files, length_unit, energy_unit)
    except Refused as error:
        return Findings(unpacked, None, str(error), None)
    except InvalidInput as error:
        return Findings(_blamed(unpacked, error), None, str(error), None)
    chosen = (length_unit, energy_unit)
    return Findings(unpacked, recognised, "", guess, chosen)


def _blamed(unpacked: Unpacked | None, error: InvalidInput) -> Unpacked | None:
    """Return the verdicts with that of the file changed that an error is about."""
    if unpacked is None:
        return None
    words = _("%(found)s; expected %(expected)s.") % {
        "found": error.found,
        "expected": error.expected,
    }
    verdicts = tuple(
        replace(verdict, fate=Fate.REFUSED, words=words)
        if error.where.startswith(safe_name(verdict.name)) and verdict.fate is Fate.KEPT
        else verdict
        for verdict in unpacked.verdicts
    )
    return replace(unpacked, verdicts=verdicts)
