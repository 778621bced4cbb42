"""Settings as frozen dataclasses whose fields say what they are.

A field carries ``metadata``: ``label``, ``help`` (one line), ``unit``, ``expert``
(hidden until asked for), ``choices``, ``minimum``, ``maximum``. Forms, command lines and
documents are made from it, and `check` holds values against it.
"""

from __future__ import annotations

import difflib
import math
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, cast

from mlmd.errors import InvalidInput

T = TypeVar("T")


@dataclass(frozen=True)
class Description:
    """One setting as forms and command lines show it.

    Args:
        name: the field's name.
        type: ``int``, ``float``, ``str``, ``bool`` or an Enum; of an optional setting, the inner type.
        optional: whether None is a value ("decide for me", "off").
        default: None where there is none.
        label: short, for a form.
        help: one line.
        unit: empty for pure numbers.
        expert: shown on request only.
        choices: allowed values; empty for any.
        minimum: least allowed value, or None.
        maximum: largest allowed value, or None.
        empty: what no value means, such as ``none``; empty for "decided for you".
    """

    name: str
    type: type
    optional: bool
    default: Any
    label: str
    help: str
    unit: str = ""
    expert: bool = False
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    empty: str = ""


def about(label: str, help: str, **more: Any) -> dict[str, Any]:
    """Return a field's metadata."""
    return {"label": label, "help": help, **more}


def numbers_in(text: str, where: str) -> tuple[float, ...]:
    """Return the numbers of a setting that lists some, with spaces or commas between.

    Raises:
        InvalidInput: a word isn't a number.
    """
    try:
        return tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError:
        raise InvalidInput(where, repr(text), "numbers with spaces between") from None


def describe(settings: type | Any) -> tuple[Description, ...]:
    """Return what a settings dataclass says about its simple fields, in order.

    Fields without a ``label`` (nested or internal ones) are left out.
    """
    hints = typing.get_type_hints(settings if isinstance(settings, type) else type(settings))
    return tuple(
        _describe_field(item, hints[item.name])
        for item in fields(settings)
        if "label" in item.metadata
    )


def check(settings: Any, where: str) -> None:
    """Hold every described field against its limits and choices.

    Args:
        settings: instance of a settings dataclass.
        where: how errors name it, for example ``"molecular dynamics settings"``.

    Raises:
        InvalidInput: naming the first field that is wrong.
    """
    for item in describe(settings):
        value = getattr(settings, item.name)
        if value is None and item.optional:
            continue
        _check_value(item, value, f"{where}: {item.name}")


def from_mapping(kind: type[T], values: Mapping[str, Any], where: str) -> T:
    """Make settings from a JSON object.

    Args:
        kind: the settings dataclass; nested fields must already be converted.
        values: name → value; missing ones take their default.
        where: how errors name it.

    Raises:
        InvalidInput: an unknown name (with the nearest known one) or a wrong value.
    """
    names = [item.name for item in fields(cast(Any, kind))]
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "Remove it."
            raise InvalidInput(
                where, f"unknown setting {name!r}", f"one of {', '.join(names)}", hint
            )
    described = {item.name: item for item in describe(kind)}
    converted = {
        name: _convert(described[name], value, f"{where}: {name}") if name in described else value
        for name, value in values.items()
    }
    try:
        return kind(**converted)
    except TypeError as error:
        raise InvalidInput(where, str(error), "all settings without a default") from error


def _describe_field(item: Field[Any], hint: Any) -> Description:
    arguments = typing.get_args(hint)
    optional = type(None) in arguments
    if optional and (isinstance(hint, UnionType) or typing.get_origin(hint) is typing.Union):
        hint = next(kind for kind in arguments if kind is not type(None))
    meta = item.metadata
    choices = tuple(meta.get("choices", ()))
    if not choices and isinstance(hint, type) and issubclass(hint, Enum):
        choices = tuple(hint)
    return Description(
        name=item.name,
        type=hint,
        optional=optional,
        default=None if item.default is MISSING else item.default,
        label=str(meta["label"]),
        help=str(meta.get("help", "")),
        unit=str(meta.get("unit", "")),
        expert=bool(meta.get("expert", False)),
        choices=choices,
        minimum=meta.get("minimum"),
        maximum=meta.get("maximum"),
        empty=str(meta.get("empty", "")),
    )


def _convert(item: Description, value: Any, where: str) -> Any:
    if value is None and item.optional:
        return None
    if isinstance(item.type, type) and issubclass(item.type, Enum):
        try:
            return item.type(value)
        except ValueError:
            allowed = ", ".join(str(choice.value) for choice in item.type)
            raise InvalidInput(where, repr(value), f"one of {allowed}") from None
    # JSON writes 300.0 as 300; a bool is an int to Python but never a number to a person.
    if item.type is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if item.type is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _check_value(item: Description, value: Any, where: str) -> None:
    label = item.unit
    if item.type in (int, float):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidInput(where, repr(value), f"a number {label}".strip())
        if item.type is int and not isinstance(value, int):
            raise InvalidInput(where, repr(value), "a whole number")
        if not math.isfinite(value):
            raise InvalidInput(where, repr(value), "a finite number")
        if item.minimum is not None and value < item.minimum:
            raise InvalidInput(where, f"{value}", f"at least {item.minimum} {label}".strip())
        if item.maximum is not None and value > item.maximum:
            raise InvalidInput(where, f"{value}", f"at most {item.maximum} {label}".strip())
    elif isinstance(item.type, type) and not isinstance(value, item.type):
        raise InvalidInput(where, repr(value), f"a value of type {item.type.__name__}")
    if item.choices and value not in item.choices:
        allowed = ", ".join(str(choice) for choice in item.choices)
        raise InvalidInput(where, f"{value}", f"one of {allowed}")
