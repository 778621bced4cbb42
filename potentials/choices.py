"""Widgets of the forms of this room."""

from __future__ import annotations

from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.translation import ngettext

from datasets.models import DatasetVersion, Structure
from potentials.models import Potential


class SearchableChoices(forms.CheckboxSelectMultiple):
    """Checkboxes in a box that scrolls, with a field above that narrows them."""

    template_name = "potentials/widgets/searchable_choices.html"
    use_fieldset = True

    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> str:
        # Django renders widgets with an engine that doesn't know the site's templates.
        return render_to_string(template_name, context)


class VersionField(forms.ModelMultipleChoiceField):
    """Dataset versions, by public id, with what they hold."""

    widget = SearchableChoices

    def __init__(self, **options: Any) -> None:
        super().__init__(to_field_name="public_id", **options)

    def label_from_instance(self, version: DatasetVersion) -> str:
        frames = ngettext("%(count)d frame", "%(count)d frames", version.frame_count) % {
            "count": version.frame_count
        }
        return f"{version} · {' '.join(version.elements)} · {frames}"


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
        atoms = ngettext("%(count)d atom", "%(count)d atoms", structure.n_atoms) % {
            "count": structure.n_atoms
        }
        return f"{structure.name} · {structure.formula} · {atoms}"
