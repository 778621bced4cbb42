"""Pages and files about a dataset's versions: comparison, citation, plan, history."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from datasets.access import visible_or_404
from datasets.catalog import FRAME_ORDER
from datasets.citation import CITATION_FILES
from datasets.comparison import versions_compare
from datasets.history import dataset_history
from datasets.management_plan import plan_text
from datasets.models import Dataset, DatasetVersion
from datasets.pages import ordered
from datasets.selectors import datasets_visible_to

FRAMES_SHOWN = 25


@require_GET
def version_compare(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show what differs between two versions, by default the two newest."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    versions = list(dataset.versions.order_by("-number"))
    old, new = versions_to_compare(versions, request.GET)
    found, sort = versions_compare(old, new), request.GET.get("sort")
    context = {
        "dataset": dataset,
        "versions": versions,
        "found": found,
        "added": ordered(found.added, sort, FRAME_ORDER, "added")[:FRAMES_SHOWN],
        "removed": ordered(found.removed, sort, FRAME_ORDER, "added")[:FRAMES_SHOWN],
        "shown": FRAMES_SHOWN,
    }
    return render(request, "datasets/compare.html", context)


def versions_to_compare(
    versions: list[DatasetVersion], query: Any
) -> tuple[DatasetVersion, DatasetVersion]:
    """Return what a URL asks to compare: ``from`` and ``to``, by default the two newest."""
    if len(versions) < 2:
        raise Http404(_("This dataset has one version only: there is nothing to compare with."))
    new = _numbered(versions, query.get("to")) or versions[0]
    before = next((v for v in versions if v.number < new.number), versions[-1])
    return _numbered(versions, query.get("from")) or before, new


def _numbered(versions: list[DatasetVersion], text: str | None) -> DatasetVersion | None:
    if not text:
        return None
    for version in versions:
        if str(version.number) == text:
            return version
    raise Http404(_("This dataset has no such version."))


@require_GET
def version_citation(request: HttpRequest, public_id: UUID, file_format: str) -> HttpResponse:
    """Send the citation of a version, by default the newest published one."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    published = [v for v in dataset.versions.order_by("-number") if not v.is_draft]
    chosen = _numbered(published, request.GET.get("version"))
    version = chosen or next(iter(published), None)
    if version is None:
        raise Http404(_("Only a published version can be cited: publish the draft first."))
    return citation_response(request, version, file_format)


def citation_response(
    request: HttpRequest, version: DatasetVersion, file_format: str
) -> HttpResponse:
    """Return a citation as a file to keep."""
    kind = CITATION_FILES.get(file_format)
    if kind is None:
        raise Http404(_("Citations come as %s.") % ", ".join(CITATION_FILES))
    content = kind.write(version, request.build_absolute_uri(version.get_absolute_url()))
    if not isinstance(content, str):
        content = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    name = f"{slugify(version.dataset.name)[:60] or 'dataset'}-v{version.number}{kind.suffix}"
    return _file(content, name, kind.content_type)


@require_GET
def dataset_plan(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Send the data-management plan."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    return plan_response(request, dataset)


def plan_response(request: HttpRequest, dataset: Dataset) -> HttpResponse:
    text = plan_text(dataset, request.build_absolute_uri(dataset.get_absolute_url()))
    name = f"{slugify(dataset.name)[:60] or 'dataset'}-data-management-plan.md"
    return _file(text, name, "text/markdown; charset=utf-8")


@require_GET
def dataset_audit(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show who did what to the dataset, to those who belong to its lab."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    context = {"dataset": dataset, "events": dataset_history(request.user, dataset)[:500]}
    return render(request, "datasets/history.html", context)


def _file(content: str, name: str, content_type: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
