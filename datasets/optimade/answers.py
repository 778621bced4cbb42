"""The envelope of every answer: JSON:API with OPTIMADE's `meta`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from datasets.optimade.errors import OptimadeError
from datasets.optimade.properties import PREFIX

API_VERSION = "1.2.0"
MEDIA_TYPE = "application/vnd.api+json"
_BASE = re.compile(r"^.*?/optimade(?:/v[0-9][0-9.]*)?(?=/|$)")


def answer(
    request: HttpRequest,
    data: Any,
    *,
    returned: int | None = None,
    available: int | None = None,
    more: bool = False,
    links: dict[str, Any] | None = None,
    foreign: Iterable[str] = (),
) -> HttpResponse:
    """Return an answer with data.

    Args:
        request: what was asked.
        data: a resource, a list of them, or None.
        returned: how many fit, where that is known.
        available: how many there are.
        more: whether further pages follow.
        links: where they are.
        foreign: other providers' properties, to be warned of.
    """
    meta = _meta(request, more)
    if returned is not None:
        meta["data_returned"] = returned
    if available is not None:
        meta["data_available"] = available
    warnings = [_warning(number, name) for number, name in enumerate(foreign)]
    if warnings:
        meta["warnings"] = warnings
    content = {"jsonapi": _JSONAPI, "meta": meta, "links": links or {}, "data": data}
    return JsonResponse(content, content_type=MEDIA_TYPE)


def refusal(request: HttpRequest, error: OptimadeError) -> HttpResponse:
    """Return an answer that says what is wrong."""
    said = {"status": str(error.status), "title": error.title, "detail": str(error)}
    content = {"jsonapi": _JSONAPI, "meta": _meta(request, False), "errors": [said]}
    return JsonResponse(content, status=error.status, reason=error.title, content_type=MEDIA_TYPE)


def base_url(request: HttpRequest) -> str:
    """Return the unversioned base URL of this API."""
    before = request.path.split("/optimade")[0]
    return request.build_absolute_uri(f"{before}/optimade")


def _meta(request: HttpRequest, more: bool) -> dict[str, Any]:
    return {
        "api_version": API_VERSION,
        "query": {"representation": _BASE.sub("", request.get_full_path(), count=1) or "/"},
        "more_data_available": more,
        "schema": "https://schemas.optimade.org/openapi/v1.2/optimade.json",
        "time_stamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "provider": {
            "name": "MLMD portal",
            "description": "Labelled frames for training machine-learning potentials",
            "prefix": PREFIX.strip("_"),
        },
        "implementation": {"name": "mlmd-portal"},
    }


def _warning(number: int, name: str) -> dict[str, str]:
    return {
        "id": f"unknown-{number}",
        "type": "warning",
        "code": f"{PREFIX}unknown_provider_property",
        "title": "UnknownProviderProperty",
        "detail": f"{name} belongs to another provider and counts as unknown here.",
    }


_JSONAPI = {"version": "1.1", "meta": {"api": "OPTIMADE", "api-version": API_VERSION}}
