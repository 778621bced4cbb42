"""Reports as JSON, read back with nothing taken on trust."""

from __future__ import annotations

import math
import typing
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, TypeVar, cast

from mlmd.errors import InvalidInput
from mlmd.runs import to_jsonable
from mlmd.validation.report import VERSION, Check, ValidationReport

T = TypeVar("T")


def report_to_json(report: ValidationReport) -> dict[str, Any]:
    """Return a report as plain JSON values."""
    return cast(dict[str, Any], to_jsonable(report))


def report_from_json(content: object, where: str = "validation report") -> ValidationReport:
    """Read a report.

    Args:
        content: what `report_to_json` gave.
        where: how errors name it.

    Raises:
        InvalidInput: an entry is missing, unknown or of the wrong kind, or the version is another.
    """
    if isinstance(content, dict) and content.get("version") != VERSION:
        raise InvalidInput(
            f"{where}: version", repr(content.get("version")), f"{VERSION}", "Validate again."
        )
    return read_as(ValidationReport, content, where)


def check_from_json(content: object, where: str) -> Check:
    """Read one check.

    Raises:
        InvalidInput: an entry is missing, unknown or of the wrong kind.
    """
    return read_as(Check, content, where)


def read_as(kind: type[T], content: object, where: str) -> T:
    """Make a frozen dataclass of a JSON object, its nested ones included.

    Args:
        kind: the dataclass.
        content: a JSON value.
        where: how errors name it.

    Raises:
        InvalidInput: an entry is missing, unknown or of the wrong kind.
    """
    if not isinstance(content, dict):
        raise InvalidInput(where, f"a JSON {type(content).__name__}", "an object")
    hints = typing.get_type_hints(kind)
    items = {item.name: item for item in fields(cast(Any, kind))}
    for name in content:
        if name not in items:
            raise InvalidInput(where, f"unknown entry {name!r}", f"one of {', '.join(items)}")
    missing = [n for n, item in items.items() if n not in content and item.default is MISSING]
    if missing:
        raise InvalidInput(where, f"no entry {missing[0]!r}", f"{', '.join(items)}")
    return kind(
        **{name: _read(hints[name], value, f"{where}: {name}") for name, value in content.items()}
    )


def _read(hint: Any, value: object, where: str) -> Any:
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise InvalidInput(where, f"a JSON {type(value).__name__}", "a list")
        inner = typing.get_args(hint)[0]
        return tuple(_read(inner, item, f"{where} {i}") for i, item in enumerate(value, 1))
    if isinstance(hint, UnionType):
        return _read_union(typing.get_args(hint), value, where)
    if is_dataclass(hint):
        return read_as(cast(type, hint), value, where)
    if issubclass(hint, StrEnum):
        try:
            return hint(value)
        except ValueError:
            raise InvalidInput(where, repr(value), f"one of {', '.join(hint)}") from None
    return _read_plain(hint, value, where)


def _read_union(kinds: tuple[Any, ...], value: object, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    for kind in (str, int, float):
        if kind in kinds and type(value) is kind:
            return value
    if float in kinds:
        return _read_plain(float, value, where)
    raise InvalidInput(where, repr(value), " or ".join(kind.__name__ for kind in kinds))


def _read_plain(kind: type, value: object, where: str) -> Any:
    # A bool is an int to Python but never a number to a person.
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise InvalidInput(where, repr(value), "a finite number")
        return float(value)
    if type(value) is kind:
        return value
    raise InvalidInput(where, repr(value), f"a value of type {kind.__name__}")
