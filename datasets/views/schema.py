"""The published description of a teacher-data document: a page, and the JSON Schema itself."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from mlmd.documents import SCHEMA, SCHEMA_VERSION, field_rows

_CALCULATION = "calculation."


@require_GET
def document_schema(request: HttpRequest) -> HttpResponse:
    """Explain each field, unit and sign."""
    rows = field_rows()
    context = {
        "version": SCHEMA_VERSION,
        "fields": [row for row in rows if not row.name.startswith(_CALCULATION)],
        "calculation_fields": [row for row in rows if row.name.startswith(_CALCULATION)],
    }
    return render(request, "datasets/schema.html", context)


@login_not_required
@require_GET
def document_schema_file(request: HttpRequest) -> HttpResponse:
    """Give the JSON Schema to anybody: documents that left the site are checked with it."""
    response = JsonResponse(SCHEMA, json_dumps_params={"ensure_ascii": False, "indent": 1})
    response["Content-Type"] = "application/schema+json"
    response["Access-Control-Allow-Origin"] = "*"
    return response
