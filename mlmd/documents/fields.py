"""The fields of a document as rows for a page: read from the schema, so that none is forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlmd.documents.schema import SCHEMA

_UNIT = re.compile(r"(?<![\w/])(eV/Å³|eV/Å|eV|Å|μB)(?![\w/³])|, (e)\.$")
_KINDS = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "object": "object",
}
_OPTIMADE = " (OPTIMADE)"


@dataclass(frozen=True)
class FieldRow:
    """One field of the document.

    Args:
        name: with its parents, ``calculation.code``.
        kind: of value, in words: ``number``, ``3 × 3 numbers``, ``list of text``.
        unit: ``eV``, ``Å``, …; empty for none.
        description: what it means, with its sign where it has one.
        values: the only ones allowed; empty where any is.
        is_required: whether every document has it.
        may_be_null: null says that the source doesn't say.
        is_optimade: whether name and meaning are OPTIMADE's.
    """

    name: str
    kind: str
    unit: str
    description: str
    values: tuple[str, ...]
    is_required: bool
    may_be_null: bool
    is_optimade: bool


def field_rows(schema: Mapping[str, Any] = SCHEMA) -> list[FieldRow]:
    """Return every field of the schema in its order, nested ones behind their parent."""
    return list(_rows(schema, ""))


def _rows(schema: Mapping[str, Any], prefix: str) -> Iterator[FieldRow]:
    required = schema.get("required", ())
    for name, described in schema["properties"].items():
        yield _row(prefix + name, described, name in required)
        if "properties" in described:
            yield from _rows(described, f"{prefix}{name}.")


def _row(name: str, described: Mapping[str, Any], is_required: bool) -> FieldRow:
    text = described["description"]
    unit = _UNIT.search(text)
    allowed = described.get("enum", [described["const"]] if "const" in described else [])
    return FieldRow(
        name=name,
        kind="text" if allowed else _kind(described),
        unit=(unit[1] or unit[2]) if unit and _is_quantity(described) else "",
        description=text.replace(_OPTIMADE, ""),
        values=tuple(map(str, allowed)),
        is_required=is_required,
        may_be_null="null" in _types(described),
        is_optimade=_OPTIMADE in text,
    )


def _types(described: Mapping[str, Any]) -> tuple[str, ...]:
    types = described.get("type", "string")
    return (types,) if isinstance(types, str) else tuple(types)


def _kind(described: Mapping[str, Any]) -> str:
    main = next(t for t in _types(described) if t != "null")
    if main != "array":
        return _KINDS[main]
    inner = described["items"]
    if "enum" in inner:
        return f"list of {' or '.join(map(str, inner['enum']))}"
    kind = _kind(inner)
    count = described.get("maxItems")
    if "array" in _types(inner):
        rows = "3" if count == 3 else "N"
        return f"{rows} × 3 {_plural(inner['items']['type'])}"
    if kind in ("number", "whole number"):
        return f"{count or 'list of'} {kind}s"
    return f"list of {kind}"


def _plural(kind: str) -> str:
    return {"number": "numbers", "boolean": "of true or false"}[kind]


def _is_quantity(described: Mapping[str, Any]) -> bool:
    """Tell whether the values are numbers, so that a unit in the text is theirs."""
    if "number" in _types(described):
        return True
    inner = described.get("items", described.get("additionalProperties"))
    return isinstance(inner, Mapping) and _is_quantity(inner)
