"""Form fields made from what settings dataclasses say about themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext

from mlmd.settings import Description, describe


def settings_fields(
    kind: type,
    initial: Any,
    *,
    skip: Collection[str] = (),
    open_ended: Collection[str] = (),
    prefix: str = "",
) -> dict[str, forms.Field]:
    """Return one expert form field for each described setting.

    Args:
        kind: the settings dataclass.
        initial: an instance whose values the form starts with.
        skip: settings that the form asks for in its own words.
        open_ended: settings that may stay empty, because something else decides them then.
        prefix: in front of the fields' names.
    """
    fields = {}
    for item in describe(kind):
        if item.name in skip:
            continue
        field = _field(item, getattr(initial, item.name))
        if item.name in open_ended:
            field.required, field.initial = False, None
            field.widget.is_required = False
            field.widget.attrs["data-default"] = gettext("as the effort says")
        fields[prefix + item.name] = field
    return fields


def settings_values(kind: type, cleaned: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the cleaned form data that belong to a settings dataclass, ready for JSON.

    Settings that the form doesn't have, or that a person left empty although they need a
    value, are left out and so keep their default.
    """
    values: dict[str, Any] = {}
    for item in describe(kind):
        if prefix + item.name not in cleaned:
            continue
        value = cleaned[prefix + item.name]
        if value in (None, ""):
            if item.optional:
                values[item.name] = None
            elif item.type is str and value == "":
                values[item.name] = value
            continue
        # The form shows six digits: what was left as it stood is the exact default.
        untouched = item.type is float and value == plain_number(item.default)
        values[item.name] = item.default if untouched else value
    return values


def settings_rows(kind: type, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return label, value and unit of every described setting, for a page."""
    return [
        {
            "label": capfirst(gettext(item.label)),
            "value": _said(item, values.get(item.name)),
            "unit": item.unit if values.get(item.name) is not None else "",
            "help": gettext(item.help) if item.help else "",
        }
        for item in describe(kind)
        if item.name in values
    ]


def wrong_labels(form: forms.Form) -> str:
    """Return the labels of a form's fields with errors, for one sentence."""
    return ", ".join(str(form.fields[name].label) for name in form.errors if name in form.fields)


def _said(item: Description, value: Any) -> str:
    return gettext(item.empty) if item.empty and value in (None, "") else _shown(value)


def _shown(value: Any) -> str:
    if value is None:
        return pgettext("setting", "automatic")
    if isinstance(value, bool):
        return gettext("on") if value else gettext("off")
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value)
    return str(value)


def _field(item: Description, initial: Any) -> forms.Field:
    attrs: dict[str, Any] = {"data-expert": "true", "data-default": _default(item)}
    if item.unit:
        attrs["data-unit"] = item.unit
    common: dict[str, Any] = {
        "label": capfirst(gettext(item.label)),
        "help_text": gettext(item.help) if item.help else "",
        "initial": _initial(initial),
    }
    if item.type is bool and not item.optional:
        return forms.BooleanField(required=False, widget=forms.CheckboxInput(attrs), **common)
    common["required"] = not item.optional
    if item.choices:
        return forms.TypedChoiceField(
            choices=_choices(item),
            coerce=_coerce(item),
            empty_value=None,
            widget=forms.Select(attrs),
            **common,
        )
    if item.type is int:
        return forms.IntegerField(
            min_value=item.minimum,
            max_value=item.maximum,
            widget=forms.NumberInput(attrs),
            **common,
        )
    if item.type is float:
        return forms.FloatField(
            min_value=item.minimum,
            max_value=item.maximum,
            widget=forms.NumberInput({"step": "any", **attrs}),
            **common,
        )
    # Whether an empty text is a value is the settings' own business: they say so when read.
    return forms.CharField(widget=forms.TextInput(attrs), **{**common, "required": False})


def _initial(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else plain_number(value)


def plain_number(value: Any) -> Any:
    """Return a number as a person writes it: six digits, no ``.0``; other values as they are."""
    if not isinstance(value, float):
        return value
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e6 else rounded


def _default(item: Description) -> str:
    """Return the default as the expert drawer shows it."""
    default = item.default
    if isinstance(default, Enum):
        default = _word(default)
    if default in (None, "") and item.empty:
        return gettext(item.empty)
    if default is None:
        return gettext("chosen for you") if item.optional else ""
    if default == "":
        return gettext("chosen for you")
    if isinstance(default, bool):
        return gettext("on") if default else gettext("off")
    number = f"{default:g}" if isinstance(default, float) else gettext(str(default))
    return f"{number} {item.unit}".strip()


def _choices(item: Description) -> list[tuple[str, str]]:
    listed = [(_key(choice), gettext(_word(choice))) for choice in item.choices]
    if item.optional:
        return [("", pgettext("setting", "automatic")), *listed]
    return listed


def _key(choice: Any) -> str:
    return str(choice.value if isinstance(choice, Enum) else choice)


def _word(choice: Any) -> str:
    """Return a choice for people: the name of an enum's member where its value is a letter."""
    if isinstance(choice, Enum) and len(str(choice.value)) == 1:
        return choice.name.lower()
    return _key(choice)


def _coerce(item: Description) -> Any:
    """Return what turns the form's text back into the JSON value of the choice."""
    values = {_key(c): (c.value if isinstance(c, Enum) else c) for c in item.choices}
    return values.__getitem__
