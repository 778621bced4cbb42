"""Pages that bring a potential from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from datasets.access import editable_or_403
from datasets.selectors import versions_usable_by
from labs.exceptions import Refused
from labs.selectors import may_create
from mlmd.errors import InvalidInput
from potentials.models import RefusedUpload
from potentials.selectors import refusals_visible_to
from potentials.services.imports import potential_import
from potentials.services.refusals import refusal_delete
from potentials.unpacking import MOST_SENT
from potentials.upload_forms import UploadForm, refused_form_keep

MOST_SHOWN = 5  # refused uploads beside the form
_FORM_OVERHEAD = 1 << 20  # bytes of a request beside its files


def _receives_files(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Refuse too large a request unread; the CSRF check, which reads it, comes after."""
    protected = csrf_protect(view)

    def receive(request: HttpRequest, **arguments: Any) -> HttpResponse:
        text = request.META.get("CONTENT_LENGTH") or "0"
        if text.isdigit() and int(text) > MOST_SENT + _FORM_OVERHEAD:
            problem = _("More than the %(mb)d MB that can be sent at once.") % {
                "mb": MOST_SENT // 1_000_000
            }
            context = {"problem": problem, "back_url": reverse("potentials:upload")}
            return render(request, "datasets/too_large.html", context, status=413)
        return protected(request, **arguments)

    return csrf_exempt(receive)


@_receives_files
@require_http_methods(["GET", "POST"])
def potential_upload(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        earlier = _earlier(request)
        form = UploadForm(initial=_typed_before(request, earlier), user=request.user)
    else:
        form = UploadForm(request.POST, request.FILES, user=request.user)
        if not may_create(request.user, request.lab):
            raise PermissionDenied(_("Guests of a lab can look, but not add potentials."))
        if form.is_valid():
            try:
                row, is_new = potential_import(
                    owner=request.user, lab=request.lab, potential=form.request()
                )
            except (Refused, InvalidInput) as error:
                form.add_error(None, str(error))
            else:
                if form.earlier is not None:
                    refusal_delete(row=form.earlier, actor=request.user)
                said = _("The potential is in the catalog.")
                if not is_new:
                    said = _("These very files were in the catalog already: this is their card.")
                messages.success(request, said)
                return redirect("potentials:detail", public_id=row.public_id)
        earlier = refused_form_keep(form, request.lab)
        if earlier is not None:
            form.data = form.data.copy()
            form.data["again"] = str(earlier.public_id)
    context = {
        "form": form,
        "file_fields": [form["files"], form["folder"]],
        "findings": form.findings,
        "may_create": may_create(request.user, request.lab),
        "earlier": earlier,
        "refused": refusals_visible_to(request.user).filter(lab=request.lab)[:MOST_SHOWN],
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "potentials/upload.html", context, status=status)


def _earlier(request: HttpRequest) -> RefusedUpload | None:
    """Return the refused files that are to be tried again."""
    asked = request.GET.get("again", "")
    if not asked:
        return None
    try:
        wanted = UUID(asked)
    except ValueError as error:
        raise Http404(_("There is no such object, or it isn't shared with you.")) from error
    return cast(RefusedUpload, editable_or_403(RefusedUpload, request.user, wanted))


def _typed_before(request: HttpRequest, earlier: RefusedUpload | None) -> dict[str, Any]:
    if earlier is None:
        return {}
    asked = [UUID(text) for text in earlier.values.get("versions", [])]
    versions = versions_usable_by(request.user).filter(public_id__in=asked)
    return {
        **earlier.values,
        "versions": [version.public_id for version in versions],
        "again": earlier.public_id,
    }


@_receives_files
@require_POST
def potential_upload_preview(request: HttpRequest) -> HttpResponse:
    """Say what the chosen files are, before anything is kept."""
    form = UploadForm(request.POST, request.FILES, user=request.user)
    form.is_valid()
    return render(request, "potentials/_upload_findings.html", {"findings": form.findings})
