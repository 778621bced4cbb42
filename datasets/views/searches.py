"""Saved searches: kept and forgotten from the page of frames."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from datasets.access import editable_or_403
from datasets.catalog import catalog_query
from datasets.models import SavedSearch
from datasets.services import dataset_collect, search_delete, search_save
from datasets.services.copies import collected_words
from datasets.views.answers import says_refusals


@require_POST
@says_refusals(lambda **_k: reverse("datasets:frames"))
def saved_search_new(request: HttpRequest) -> HttpResponse:
    search = search_save(
        owner=request.user,
        lab=request.lab,
        name=request.POST.get("name", ""),
        query=request.POST.get("query", ""),
        visibility=request.POST.get("visibility", "private"),
    )
    messages.success(request, _("The search was saved as “%s”.") % search)
    return redirect(search)


@require_POST
@says_refusals(lambda **_k: reverse("datasets:frames"))
def frames_collect(request: HttpRequest) -> HttpResponse:
    """Copy what a search finds into a new dataset."""
    query = request.POST.get("query", "")
    dataset = dataset_collect(
        owner=request.user,
        lab=request.lab,
        name=request.POST.get("name", ""),
        frames=catalog_query(request.user, QueryDict(query)).frames(request.user),
        query=query,
    )
    dataset.refresh_from_db()
    messages.success(request, collected_words(dataset))
    return redirect(dataset)


@require_POST
@says_refusals(lambda **_k: reverse("datasets:frames"))
def saved_search_remove(request: HttpRequest, public_id: UUID) -> HttpResponse:
    search = editable_or_403(SavedSearch, request.user, public_id)
    search_delete(search=search)
    messages.success(request, _("The saved search “%s” was deleted.") % search.name)
    return redirect("datasets:frames")
