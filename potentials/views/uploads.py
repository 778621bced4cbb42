"""Pages that bring a potential from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from labs.exceptions import Refused
from labs.selectors import may_create
from mlmd.errors import InvalidInput
from potentials.services.imports import potential_import
from potentials.unpacking import MOST_SENT
from potentials.upload_forms import UploadForm

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
    form = UploadForm(request.POST or None, request.FILES or None, user=request.user)
    if request.method == "POST":
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
                said = _("The potential is in the catalog.")
                if not is_new:
                    said = _("These very files were in the catalog already: this is their card.")
                messages.success(request, said)
                return redirect("potentials:detail", public_id=row.public_id)
    context = {
        "form": form,
        "file_fields": [form["files"], form["folder"]],
        "findings": form.findings,
        "may_create": may_create(request.user, request.lab),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "potentials/upload.html", context, status=status)


@_receives_files
@require_POST
def potential_upload_preview(request: HttpRequest) -> HttpResponse:
    """Say what the chosen files are, before anything is kept."""
    form = UploadForm(request.POST, request.FILES, user=request.user)
    form.is_valid()
    return render(request, "potentials/_upload_findings.html", {"findings": form.findings})
