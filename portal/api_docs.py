"""The API as a page: what the OpenAPI document says, grouped for people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from drf_spectacular.generators import SchemaGenerator

PREFIX = "/api/v1/"
METHODS = ("get", "post", "put", "patch", "delete")
TITLES: dict[str, str | Promise] = {
    "structures": _("Structures"),
    "structure-sets": _("Sets of structures"),
    "datasets": _("Teacher data"),
    "versions": _("Versions of teacher data"),
    "frames": _("Frames"),
    "saved-searches": _("Saved searches"),
    "uploads": _("Uploads"),
    "dft": _("DFT runs"),
    "pseudo-families": _("Pseudopotentials"),
    "potentials": _("Potentials"),
    "trainings": _("Training runs"),
    "simulations": _("MD runs"),
    "jobs": _("Runs"),
    "batches": _("Batches of runs"),
    "notices": _("Notices"),
    "usage": _("Usage"),
    "limits": _("Limits"),
    "clusters": _("Clusters"),
    "labs": _("Labs"),
    "memberships": _("Members"),
    "tokens": _("Tokens"),
    "me": _("Yourself"),
    "schema": _("This document"),
}


@dataclass(frozen=True)
class Parameter:
    """A value in the address, or a field of the body."""

    name: str
    kind: str
    required: bool
    text: str


@dataclass(frozen=True)
class Route:
    """One method of one address."""

    method: str
    path: str
    example_path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    body_type: str
    body: tuple[Parameter, ...]
    example: Any

    @property
    def anchor(self) -> str:
        return f"{self.method}-{self.path.strip('/').replace('/', '-')}".replace("{", "").replace(
            "}", ""
        )


@dataclass(frozen=True)
class Group:
    """Routes of one kind of thing."""

    key: str
    title: str | Promise
    routes: tuple[Route, ...]


@cache
def groups() -> tuple[Group, ...]:
    """Return every route of the API; computed once per process, code doesn't change under it."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    found: dict[str, list[Route]] = {}
    for path, methods in schema["paths"].items():
        key = path.removeprefix(PREFIX).split("/")[0]
        for method in METHODS:
            if method in methods:
                found.setdefault(key, []).append(_route(schema, path, method, methods[method]))
    order = [*TITLES, *sorted(set(found) - set(TITLES))]
    return tuple(
        Group(key, TITLES.get(key, key), tuple(found[key])) for key in order if key in found
    )


def _route(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Route:
    content = operation.get("requestBody", {}).get("content", {})
    # The first one is what the view prefers: JSON, or multipart for files.
    body_type = next(iter(content), "")
    media = content.get(body_type, {})
    body = _resolved(schema, media.get("schema", {}))
    examples = [example["value"] for example in media.get("examples", {}).values()]
    fields = _fields(schema, body)
    return Route(
        method=method.upper(),
        path=path,
        example_path=path,
        summary=operation.get("summary") or operation["operationId"].replace("_", " "),
        description=operation.get("description", ""),
        parameters=tuple(_parameter(schema, item) for item in operation.get("parameters", [])),
        body_type=body_type,
        body=fields,
        example=examples[0] if examples else _example(schema, body) if fields else None,
    )


def _parameter(schema: dict[str, Any], item: dict[str, Any]) -> Parameter:
    return Parameter(
        item["name"],
        _kind(schema, item["schema"]),
        item.get("required", False),
        item.get("description", ""),
    )


def _fields(schema: dict[str, Any], body: dict[str, Any]) -> tuple[Parameter, ...]:
    required = body.get("required", [])
    return tuple(
        Parameter(name, _kind(schema, value), name in required, value.get("description", ""))
        for name, value in body.get("properties", {}).items()
        if not value.get("readOnly")
    )


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference; a nullable one is wrapped in allOf or oneOf."""
    for wrapper in ("allOf", "oneOf", "anyOf"):
        if node.get(wrapper):
            return {
                **_resolved(schema, node[wrapper][0]),
                "description": node.get("description", ""),
            }
    if "$ref" not in node:
        return node
    name = node["$ref"].rsplit("/", 1)[-1]
    resolved: dict[str, Any] = schema["components"]["schemas"][name]
    return resolved


def _kind(schema: dict[str, Any], node: dict[str, Any]) -> str:
    node = _resolved(schema, node)
    if "enum" in node:
        return " | ".join(str(value) for value in node["enum"])
    kind = node.get("format") or node.get("type", "any")
    if kind == "array":
        return f"[{_kind(schema, node.get('items', {}))}]"
    return str(kind)


def _example(schema: dict[str, Any], node: dict[str, Any], depth: int = 0) -> Any:
    """Return a value of the right shape."""
    node = _resolved(schema, node)
    if "enum" in node:
        return node["enum"][0]
    if "default" in node:
        return node["default"]
    kind = node.get("type")
    if kind == "object" and depth < 3:
        required = node.get("required", [])
        return {
            name: _example(schema, value, depth + 1)
            for name, value in node.get("properties", {}).items()
            if name in required and not value.get("readOnly")
        }
    if kind == "array":
        return [_example(schema, node.get("items", {}), depth + 1)]
    plain = {"integer": 1, "number": 1.0, "boolean": True, "object": {}}
    named = {"uuid": "00000000-0000-0000-0000-000000000000", "email": "name@example.org"}
    return plain.get(kind or "", named.get(node.get("format", ""), "…"))
