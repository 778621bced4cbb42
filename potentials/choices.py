"""Widgets of the forms of this room."""

from __future__ import annotations

from typing import Any

from django import forms

from datasets.models import DatasetVersion, Structure
from potentials.models import Potential


class SearchableChoices(forms.CheckboxSelectMultiple):
    """Checkboxes in a box that scrolls, with a field above that narrows them."""

    template_name = "potentials/widgets/searchable_choices.html"
    use_fieldset = True


class VersionField(forms.ModelMultipleChoiceField):
    """Dataset versions, by public id, with what they hold."""

    widget = SearchableChoices

    def __init__(self, **options: Any) -> None:
        super().__init__(to_field_name="public_id", **options)

    def label_from_instance(self, version: DatasetVersion) -> str:
        return f"{version.dataset.name} v{version.number} · {' '.join(version.elements)}"


class PotentialField(forms.ModelChoiceField):
    """A potential, by public id, with its elements."""

    def __init__(self, **options: Any) -> None:
        super().__init__(to_field_name="public_id", **options)

    def label_from_instance(self, potential: Potential) -> str:
        return f"{potential.name} v{potential.version} · {' '.join(potential.elements)}"


class StructureField(forms.ModelChoiceField):
    """A structure, by public id, with its formula and size."""

    def __init__(self, **options: Any) -> None:
        super().__init__(to_field_name="public_id", **options)

    def label_from_instance(self, structure: Structure) -> str:
        return f"{structure.name} · {structure.formula} · {structure.n_atoms}"
