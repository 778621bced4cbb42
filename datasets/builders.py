"""The structure builders that pages and API offer: one line in the registry each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ase import Atoms
from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from datasets.filters import parse_elements
from datasets.models import Origin
from labs.exceptions import Refused
from mlmd.structure import (
    build_bulk,
    build_supercell,
    build_surface,
    build_vacancy,
    displace_randomly,
    strain,
)
from mlmd.structure.build import CRYSTALS


def _length(label: Any, **options: Any) -> forms.FloatField:
    field = forms.FloatField(label=label, **options)
    field.widget.attrs |= {"data-unit": "Å", "step": "any"}
    return field


def _whole(label: Any, initial: int, least: int, most: int) -> forms.IntegerField:
    return forms.IntegerField(label=label, initial=initial, min_value=least, max_value=most)


class BulkForm(forms.Form):
    """A crystal from nothing."""

    elements = forms.CharField(
        label=gettext_lazy("Elements"),
        max_length=40,
        help_text=gettext_lazy("One, such as Si, or two for a binary crystal, such as Na Cl."),
    )
    crystal = forms.ChoiceField(
        label=gettext_lazy("Crystal structure"),
        required=False,
        choices=[("", gettext_lazy("the element's own")), *((c, c) for c in CRYSTALS)],
    )
    a = _length(
        gettext_lazy("Lattice constant a"),
        required=False,
        min_value=0.5,
        max_value=1000,
        help_text=gettext_lazy("Empty: the experimental one of the element."),
    )
    c = _length(
        gettext_lazy("Lattice constant c"),
        required=False,
        min_value=0.5,
        max_value=1000,
        help_text=gettext_lazy("Only for hexagonal crystals."),
    )
    conventional = forms.BooleanField(
        label=gettext_lazy("Conventional cell"), required=False, initial=True
    )

    def clean_elements(self) -> list[str]:
        words = self.cleaned_data["elements"].replace(",", " ").replace("-", " ").split()
        try:
            # In the order given: zincblende and rocksalt tell the two apart.
            return [parse_elements(word)[0] for word in words]
        except Refused as error:
            raise forms.ValidationError(str(error)) from error


class SupercellForm(forms.Form):
    na = _whole(gettext_lazy("Repeats along a"), 2, 1, 100)
    nb = _whole(gettext_lazy("Repeats along b"), 2, 1, 100)
    nc = _whole(gettext_lazy("Repeats along c"), 2, 1, 100)


class SurfaceForm(forms.Form):
    h = _whole(gettext_lazy("h"), 1, -20, 20)
    k = _whole(gettext_lazy("k"), 0, -20, 20)
    l = _whole(gettext_lazy("l"), 0, -20, 20)  # noqa: E741 - Miller's letter
    layers = _whole(gettext_lazy("Layers"), 4, 1, 100)
    vacuum = _length(
        gettext_lazy("Vacuum on each side"), initial=10.0, min_value=0.0, max_value=1000.0
    )


class VacancyForm(forms.Form):
    atom = _whole(gettext_lazy("Atom to remove"), 1, 1, 2_000_000)


class DisplaceForm(forms.Form):
    amplitude = _length(
        gettext_lazy("Standard deviation"),
        initial=0.05,
        min_value=0.0,
        max_value=2.0,
        help_text=gettext_lazy("Of each Cartesian component."),
    )
    seed = _whole(gettext_lazy("Seed"), 1, 0, 2**31 - 1)


class StrainForm(forms.Form):
    """Tensor components, in per cent because that is what people say."""

    xx, yy, zz, yz, xz, xy = (
        forms.FloatField(
            label=name,
            initial=0.0,
            min_value=-50.0,
            max_value=50.0,
            widget=forms.NumberInput(attrs={"data-unit": "%", "step": "any"}),
        )
        for name in ("xx", "yy", "zz", "yz", "xz", "xy")
    )


@dataclass(frozen=True)
class Builder:
    """A way to make a structure.

    Args:
        title: what it makes.
        submit: what the button says.
        form: asks for the settings.
        needs_parent: whether it changes an existing structure.
        build: parent or None, cleaned settings → atoms.
        name: parent's name, cleaned settings → a name for the result.
    """

    title: Any
    submit: Any
    form: type[forms.Form]
    needs_parent: bool
    build: Callable[[Any, Mapping[str, Any]], Atoms]
    name: Callable[[str, Mapping[str, Any]], str]


def _bulk(parent: None, v: Mapping[str, Any]) -> Atoms:
    return build_bulk(v["elements"], v["crystal"] or None, v["a"], v["c"], v["conventional"])


def _strain(parent: Atoms, v: Mapping[str, Any]) -> Atoms:
    return strain(parent, [v[name] / 100 for name in ("xx", "yy", "zz", "yz", "xz", "xy")])


BUILDERS: Mapping[str, Builder] = {
    Origin.BULK.value: Builder(
        gettext_lazy("Bulk crystal"),
        gettext_lazy("Build crystal"),
        BulkForm,
        False,
        _bulk,
        lambda parent, v: f"{''.join(v['elements'])} {v['crystal']}".strip(),
    ),
    Origin.SUPERCELL.value: Builder(
        gettext_lazy("Supercell"),
        gettext_lazy("Build supercell"),
        SupercellForm,
        True,
        lambda atoms, v: build_supercell(atoms, (v["na"], v["nb"], v["nc"])),
        lambda parent, v: f"{parent} {v['na']}×{v['nb']}×{v['nc']}",
    ),
    Origin.SURFACE.value: Builder(
        gettext_lazy("Surface"),
        gettext_lazy("Cut surface"),
        SurfaceForm,
        True,
        lambda atoms, v: build_surface(atoms, (v["h"], v["k"], v["l"]), v["layers"], v["vacuum"]),
        lambda parent, v: f"{parent} ({v['h']}{v['k']}{v['l']})",
    ),
    Origin.VACANCY.value: Builder(
        gettext_lazy("Vacancy"),
        gettext_lazy("Remove atom"),
        VacancyForm,
        True,
        lambda atoms, v: build_vacancy(atoms, v["atom"] - 1),
        lambda parent, v: _("%s with a vacancy") % parent,
    ),
    Origin.DISPLACE.value: Builder(
        gettext_lazy("Random displacement"),
        gettext_lazy("Displace atoms"),
        DisplaceForm,
        True,
        lambda atoms, v: displace_randomly(atoms, v["amplitude"], v["seed"]),
        lambda parent, v: (
            _("%(name)s displaced %(amplitude)g Å") % {"name": parent, "amplitude": v["amplitude"]}
        ),
    ),
    Origin.STRAIN.value: Builder(
        gettext_lazy("Strain"),
        gettext_lazy("Strain cell"),
        StrainForm,
        True,
        _strain,
        lambda parent, v: _("%s strained") % parent,
    ),
}
