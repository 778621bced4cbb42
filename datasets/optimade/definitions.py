"""What /info/structures says of each property: OPTIMADE's property definitions."""

from __future__ import annotations

import uuid
from typing import Any

from datasets.optimade.properties import PREFIX, PROPERTIES, EntryProperty, Kind, Unit

SCHEMAS = "https://schemas.optimade.org"
JSON_TYPES = {
    Kind.STRING: "string",
    Kind.INTEGER: "integer",
    Kind.FLOAT: "number",
    Kind.BOOLEAN: "boolean",
    Kind.TIMESTAMP: "string",
    Kind.LIST: "array",
    Kind.DICTIONARY: "object",
}


def definitions() -> dict[str, dict[str, Any]]:
    """Return the definition of each property by its name."""
    return {name: _definition(name, found) for name, found in PROPERTIES.items()}


def _definition(name: str, found: EntryProperty) -> dict[str, Any]:
    # The standard wants `type` to be a list of JSON types (they are in the definition that
    # `$id` leads to); clients and the official validator still read the data type there.
    said = {
        "$schema": f"{SCHEMAS}/meta/v1.2/optimade/property_definition",
        "$id": _identifier(name),
        "title": found.title,
        "description": found.description,
        "type": found.kind.value,
        "sortable": bool(found.sort),
        "x-optimade-type": found.kind.value,
        "x-optimade-definition": {
            "format": "1.2",
            "kind": "property",
            "name": name,
            "label": f"{name.removeprefix('_')}_structures",
        },
        "x-optimade-unit": "inapplicable" if found.items else _unit(found.kind, found.unit),
        "x-optimade-implementation": _offered(found),
    }
    if found.unit is not None:
        said["x-optimade-unit-definitions"] = [
            _unit_definition(symbol, title) for symbol, title in found.unit.parts
        ]
    if found.items:
        said |= _levels(found.items, found.unit)
    return said


def _identifier(name: str) -> str:
    if name.startswith(PREFIX):
        return uuid.uuid5(uuid.NAMESPACE_URL, f"mlmd/optimade/structures/1/{name}").urn
    return f"{SCHEMAS}/defs/v1.2/properties/optimade/structures/{name}"


def _offered(found: EntryProperty) -> dict[str, Any]:
    """Return what filters and `sort` may do with a property."""
    offered: dict[str, Any] = {"sortable": bool(found.sort), "query-support": "none"}
    if found.operators:
        offered |= {
            "query-support": "partial",
            "query-support-operators": [*found.operators, "IS KNOWN", "IS UNKNOWN"],
        }
    return offered


def _levels(items: tuple[tuple[Kind, str, int | None], ...], unit: Unit | None) -> dict[str, Any]:
    """Return dimensions and items of a list, level by level."""
    kind, _dimension, _size = items[0]
    inner: dict[str, Any] = {
        "x-optimade-type": kind.value,
        "type": [JSON_TYPES[kind]],
        "x-optimade-unit": "inapplicable" if items[1:] else _unit(kind, unit),
    }
    if items[1:]:
        inner |= _levels(items[1:], unit)
    dimensions = {"names": [i[1] for i in items], "sizes": [i[2] for i in items]}
    return {"x-optimade-dimensions": dimensions, "items": inner}


def _unit(kind: Kind, unit: Unit | None) -> str:
    if unit is not None:
        return unit.symbol
    return "dimensionless" if kind in {Kind.INTEGER, Kind.FLOAT} else "inapplicable"


def _unit_definition(symbol: str, title: str) -> dict[str, Any]:
    return {
        "$schema": f"{SCHEMAS}/meta/v1.2/optimade/physical_unit_definition",
        "$id": uuid.uuid5(uuid.NAMESPACE_URL, f"mlmd/optimade/units/1/{symbol}").urn,
        "symbol": symbol,
        "title": title,
        "description": f"{title}, as GNU Units defines it.",
        "x-optimade-definition": {
            "format": "1.2",
            "kind": "unit",
            "name": symbol,
            "label": f"{symbol}_gnu_units",
        },
        "standard": {"name": "gnu units", "version": "3.15", "symbol": symbol},
    }
