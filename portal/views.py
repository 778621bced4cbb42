"""The home page, the search, the description of the API."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from datasets.store import document_store
from portal import selectors
from portal.api_docs import groups


def home(request: HttpRequest) -> HttpResponse:
    """Show the path of a new lab, or what an active one is doing."""
    lab: Any = getattr(request, "lab", None)
    if lab is None:
        return render(request, "labs/no_lab.html")
    steps = selectors.steps(request.user, lab)
    context = {
        "steps": steps,
        "next_step": next((step for step in steps if not step.done), None),
        "is_new": not any(step.done for step in steps),
        "runs": selectors.recent_runs(request.user, lab),
        "potentials": selectors.newest_potentials(request.user, lab),
        "datasets": selectors.newest_datasets(request.user, lab),
    }
    return render(request, "portal/home.html", context)


def search(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "")[:200]
    found = [group for group in selectors.search(request.user, text) if group.hits]
    return render(request, "portal/search.html", {"search_text": text, "groups": found})


def api_docs(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/api_docs.html", {"groups": groups()})


@login_not_required
def health(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process serves; the database isn't asked."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
def health_documents(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the document store answers, else 503; which store it is isn't said."""
    try:
        document_store().check()
    except DatabaseError:
        return HttpResponse("the document store is away", status=503, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")
