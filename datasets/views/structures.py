"""Pages of structures."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.access import editable_or_403, may_edit, visible_or_404
from datasets.builders import BUILDERS
from datasets.downloads import STRUCTURE_FILES, structure_response
from datasets.forms import StructureFilterForm, StructureForm
from datasets.models import Structure, UploadTarget
from datasets.pages import ordered, page_of
from datasets.search import by_elements, by_words
from datasets.selectors import (
    structure_sets_visible_to,
    structures_visible_to,
    uploads_visible_to,
)
from datasets.services import structure_build, structure_delete, structure_update
from datasets.services.access import creation_check
from datasets.services.structures import structure_atoms
from datasets.viewer import viewer_payload
from datasets.views.answers import next_url, posted, says_refusals
from labs.exceptions import Refused
from labs.selectors import may_create
from mlmd.errors import MlmdError

ORDER = {
    "name": "name",
    "formula": "formula",
    "atoms": "n_atoms",
    "density": "density",
    "made": "created_at",
}


@require_GET
def structure_list(request: HttpRequest) -> HttpResponse:
    form = StructureFilterForm(request.GET or None)
    # Members of sets have a page of their own.
    rows = structures_visible_to(request.user).filter(member_of=None)
    nothing_yet = not request.GET and not rows.exists()
    if form.is_valid():
        try:
            rows = by_words(rows, form.cleaned_data["q"], "name", "formula")
            rows = by_elements(rows, form.cleaned_data["elements"], form.cleaned_data["mode"])
        except Refused as error:
            form.add_error("elements", str(error))
            rows = rows.none()
        if form.cleaned_data["visibility"]:
            rows = rows.filter(visibility=form.cleaned_data["visibility"])
    page = page_of(request, ordered(rows, request.GET.get("sort"), ORDER, "-made"))
    mine = uploads_visible_to(request.user).filter(target=UploadTarget.STRUCTURES)
    uploads = list(mine.filter(owner=request.user).exclude(state="accepted")[:10])
    context = {
        "form": form,
        "page_obj": page,
        "nothing_yet": nothing_yet and not uploads,
        "uploads": uploads,
        "sets": [] if request.GET else structure_sets_visible_to(request.user)[:10],
        "reading": any(not upload.is_final for upload in uploads),
        "may_create": may_create(request.user, request.lab),
        "most_bytes": settings.MLMD_MAX_UPLOAD_BYTES,
    }
    return render(request, "datasets/structures.html", context)


@require_http_methods(["GET", "POST"])
def structure_new(request: HttpRequest) -> HttpResponse:
    """Build a crystal, or drop files."""
    builder = BUILDERS["bulk"]
    if request.method == "POST":
        creation_check(request.user, request.lab)
    form = builder.form(posted(request))
    if form.is_valid():
        built = _built(request, form, "bulk", None)
        if built is not None:
            return redirect(built)
    context = {
        "form": form,
        "builder": builder,
        "may_create": may_create(request.user, request.lab),
        "most_bytes": settings.MLMD_MAX_UPLOAD_BYTES,
    }
    return render(
        request, "datasets/structure_new.html", context, status=422 if form.errors else 200
    )


@require_GET
def structure_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    structure = visible_or_404(structures_visible_to(request.user), public_id)
    return _structure_page(request, structure)


@require_POST
def structure_change(request: HttpRequest, public_id: UUID, builder: str) -> HttpResponse:
    """Make a new structure from this one with a builder."""
    structure = visible_or_404(structures_visible_to(request.user), public_id)
    creation_check(request.user, request.lab)
    chosen = BUILDERS.get(builder)
    if chosen is None or not chosen.needs_parent:
        messages.error(request, _("There is no builder “%s”.") % builder)
        return redirect(structure)
    form = chosen.form(request.POST, prefix=builder)
    if form.is_valid():
        built = _built(request, form, builder, structure)
        if built is not None:
            messages.success(
                request, _("“%(new)s” was made from “%(old)s”.") % {"new": built, "old": structure}
            )
            return redirect(built)
    return _structure_page(request, structure, {builder: form}, status=422)


def _built(
    request: HttpRequest, form: forms.Form, builder: str, parent: Structure | None
) -> Structure | None:
    values = {
        key: " ".join(value) if isinstance(value, list) else value
        for key, value in form.cleaned_data.items()
    }
    try:
        return structure_build(
            owner=request.user, lab=request.lab, builder=builder, values=values, parent=parent
        )
    except (Refused, MlmdError) as error:
        form.add_error(None, str(error))
        return None


def _structure_page(
    request: HttpRequest,
    structure: Structure,
    bound: dict[str, forms.Form] | None = None,
    status: int = 200,
) -> HttpResponse:
    bound = bound or {}
    changes = [
        (key, builder, bound.get(key) or builder.form(prefix=key), key in bound)
        for key, builder in BUILDERS.items()
        if builder.needs_parent
    ]
    downloads = [
        {
            "label": kind.label,
            "url": reverse("datasets:structure-download", args=[structure.public_id, key]),
            "size": None,
            "note": kind.note,
        }
        for key, kind in STRUCTURE_FILES.items()
    ]
    parent = structure.parent
    if parent is not None and not Structure.objects.visible_to(request.user).filter(pk=parent.pk):
        parent = None
    context = {
        "structure": structure,
        "parent": parent,
        "children": structures_visible_to(request.user).filter(parent=structure)[:12],
        "twins": _twins(request, structure),
        "changes": changes,
        "settings": [_setting(k, v) for k, v in structure.recipe.items() if v not in (None, "")],
        "downloads": downloads,
        "may_edit": may_edit(structure, request.user),
        "may_create": may_create(request.user, request.lab),
    }
    return render(request, "datasets/structure.html", context, status=status)


def _setting(name: str, value: Any) -> str:
    return f"{name}={' '.join(map(str, value)) if isinstance(value, list) else value}"


def _twins(request: HttpRequest, structure: Structure) -> Any:
    same = structures_visible_to(request.user).filter(structure_hash=structure.structure_hash)
    return same.exclude(pk=structure.pk)[:6]


@require_GET
def structure_viewer(request: HttpRequest, public_id: UUID) -> HttpResponse:
    structure = visible_or_404(Structure.objects.visible_to(request.user), public_id)
    return JsonResponse(viewer_payload(structure_atoms(structure), title=structure.name))


@require_GET
@says_refusals(lambda public_id, file_format: reverse("datasets:structure", args=[public_id]))
def structure_download(request: HttpRequest, public_id: UUID, file_format: str) -> HttpResponseBase:
    structure = visible_or_404(Structure.objects.visible_to(request.user), public_id)
    return structure_response(structure_atoms(structure), file_format, structure.name)


def _page(public_id: UUID) -> str:
    return reverse("datasets:structure", args=[public_id])


@require_http_methods(["GET", "POST"])
def structure_edit(request: HttpRequest, public_id: UUID) -> HttpResponse:
    structure = editable_or_403(Structure, request.user, public_id)
    form = StructureForm(posted(request), instance=structure)
    if request.method == "POST" and form.is_valid():
        fresh = Structure.objects.get(pk=structure.pk)
        structure_update(structure=fresh, actor=request.user, **form.cleaned_data)
        messages.success(request, _("“%s” was saved.") % fresh)
        return redirect(fresh)
    context = {"form": form, "structure": structure}
    return render(
        request, "datasets/structure_edit.html", context, status=422 if form.errors else 200
    )


@require_POST
@says_refusals(_page)
def structure_visibility(request: HttpRequest, public_id: UUID) -> HttpResponse:
    structure = editable_or_403(Structure, request.user, public_id)
    structure_update(
        structure=structure,
        actor=request.user,
        name=structure.name,
        notes=structure.notes,
        visibility=request.POST.get("visibility", ""),
    )
    messages.success(request, _("The visibility was changed."))
    return redirect(structure)


@require_POST
@says_refusals(_page)
def structure_remove(request: HttpRequest, public_id: UUID) -> HttpResponse:
    structure = editable_or_403(Structure, request.user, public_id)
    structure_delete(structure=structure, actor=request.user)
    messages.success(request, _("“%s” was deleted.") % structure.name)
    return redirect(next_url(request, reverse("datasets:structures")))
