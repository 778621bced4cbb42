"""Pages of a lab's pseudopotentials."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.access import editable_or_403, may_edit, visible_or_404
from datasets.forms import PseudoFamilyForm
from datasets.models import PseudoFamily
from datasets.services.access import creation_check
from datasets.services.pseudopotentials import (
    pseudo_family_create,
    pseudo_family_delete,
    pseudo_family_set_visibility,
    pseudo_file_add,
    pseudo_path,
)
from datasets.views.answers import next_url, posted, says_refusals
from labs.exceptions import Refused
from labs.selectors import may_create
from mlmd.errors import MlmdError


@require_http_methods(["GET", "POST"])
def pseudo_families(request: HttpRequest) -> HttpResponse:
    """List the families, and make one from files."""
    if request.method == "POST":
        creation_check(request.user, request.lab)
    form = PseudoFamilyForm(posted(request), request.FILES or None)
    if request.method == "POST" and form.is_valid():
        values = {name: value for name, value in form.cleaned_data.items() if name != "files"}
        try:
            family = pseudo_family_create(owner=request.user, lab=request.lab, **values)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            _add_files(request, family)
            return redirect(family)
    context = {
        "families": PseudoFamily.objects.visible_to(request.user)
        .select_related("owner", "lab")
        .annotate(elements=Count("files")),
        "form": form,
        "may_create": may_create(request.user, request.lab),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "datasets/pseudo_families.html", context, status=status)


@require_GET
def pseudo_family(request: HttpRequest, public_id: UUID) -> HttpResponse:
    family = visible_or_404(PseudoFamily.objects.visible_to(request.user), public_id)
    files = list(family.files.all())
    suggested = [row.cutoff for row in files if row.cutoff]
    context = {
        "family": family,
        "files": files,
        "largest": max(suggested, default=None),
        "may_edit": may_edit(family, request.user),
    }
    return render(request, "datasets/pseudo_family.html", context)


@require_POST
@says_refusals(lambda public_id: reverse("datasets:pseudo-family", args=[public_id]))
def pseudo_files_add(request: HttpRequest, public_id: UUID) -> HttpResponse:
    family = editable_or_403(PseudoFamily, request.user, public_id)
    _add_files(request, family)
    return redirect(family)


@require_GET
def pseudo_file(request: HttpRequest, public_id: UUID, element: str) -> HttpResponseBase:
    family = visible_or_404(PseudoFamily.objects.visible_to(request.user), public_id)
    row = family.files.filter(element=element).first()
    if row is None:
        raise Http404(_("The family has no such element."))
    return FileResponse(pseudo_path(row.sha256).open("rb"), as_attachment=True, filename=row.name)


@require_POST
@says_refusals(lambda public_id: reverse("datasets:pseudo-family", args=[public_id]))
def pseudo_family_visibility(request: HttpRequest, public_id: UUID) -> HttpResponse:
    family = editable_or_403(PseudoFamily, request.user, public_id)
    visibility = request.POST.get("visibility", "")
    pseudo_family_set_visibility(family=family, actor=request.user, visibility=visibility)
    return redirect(next_url(request, family.get_absolute_url()))


@require_POST
@says_refusals(lambda public_id: reverse("datasets:pseudo-family", args=[public_id]))
def pseudo_family_remove(request: HttpRequest, public_id: UUID) -> HttpResponse:
    family = editable_or_403(PseudoFamily, request.user, public_id)
    pseudo_family_delete(family=family, actor=request.user)
    messages.success(request, _("“%s” was deleted.") % family)
    return redirect("datasets:pseudo-families")


def _add_files(request: HttpRequest, family: PseudoFamily) -> None:
    """Add each file by itself: one that is refused doesn't keep the others away."""
    added = 0
    for file in request.FILES.getlist("files"):
        try:
            pseudo_file_add(
                family=family, actor=request.user, name=file.name or "", chunks=file.chunks()
            )
        except (Refused, MlmdError) as error:
            messages.error(request, str(error))
        else:
            added += 1
    if added:
        words = ngettext("%d file was added.", "%d files were added.", added)
        messages.success(request, words % added)
