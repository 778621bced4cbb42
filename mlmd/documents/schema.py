"""The published JSON Schema, its version, and validation against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

from mlmd.errors import InvalidInput

SCHEMA: dict[str, Any] = json.loads(
    files("mlmd.documents").joinpath("schema.json").read_text(encoding="utf-8")
)
SCHEMA_VERSION: str = SCHEMA["properties"]["schema_version"]["const"]

# One step per old version: takes a document of that version, returns the next one's.
UPGRADES: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def validate(document: dict[str, Any]) -> None:
    """Check a document against the schema, and that its arrays agree on the number of sites.

    Raises:
        InvalidInput: the first thing that is wrong, with its field.
    """
    problem = first_problem(document)
    if problem is not None:
        where, found, expected = problem
        raise InvalidInput(where, found, expected)


def upgrade(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document in the current version.

    Raises:
        InvalidInput: not a document, or of a version this software doesn't know.
    """
    if not isinstance(document, dict):
        raise InvalidInput("document", f"a JSON {type(document).__name__}", "an object")
    version = document.get("schema_version")
    while version != SCHEMA_VERSION:
        step = UPGRADES.get(str(version))
        if step is None:
            raise InvalidInput(
                "schema_version",
                "missing" if version is None else f"“{version}”",
                f"“{SCHEMA_VERSION}” or older",
                "It was written by newer software, or is no teacher-data document.",
            )
        document = step(document)
        version = document["schema_version"]
    return document


def first_problem(document: Any) -> tuple[str, str, str] | None:
    """Return (where, found, expected) of the first violation, or None."""
    error = next(iter(_validator().iter_errors(document)), None)
    if error is not None:
        where = ".".join(map(str, error.absolute_path)) or "document"
        expected = f"what the schema says ({error.validator}: {str(error.validator_value)[:120]})"
        return where, error.message[:200], expected
    sites = document["nsites"]
    for name in _PER_SITE:
        value = document.get(name)
        if value is not None and len(value) != sites:
            return name, f"{len(value)} entries", f"{sites}, one per site"
    return None


_PER_SITE = (
    "species_at_sites",
    "cartesian_site_positions",
    "atomic_forces",
    "magnetic_moments",
    "fixed_components",
)


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(SCHEMA)
