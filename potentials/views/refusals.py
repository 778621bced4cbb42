"""Pages of what was sent as a potential and refused."""

from __future__ import annotations

import io
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from datasets.access import editable_or_403, may_edit, visible_or_404
from potentials.models import RefusedUpload
from potentials.selectors import refusals_visible_to
from potentials.services.refusals import refusal_delete

PAGE_SIZE = 50


@require_GET
def refused_uploads(request: HttpRequest) -> HttpResponse:
    """All that was refused, newest first."""
    rows = refusals_visible_to(request.user).select_related("owner")
    context = {"page_obj": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))}
    return render(request, "potentials/refused_uploads.html", context)


@require_GET
def refused_upload(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """What was sent, and why it is no potential."""
    row = visible_or_404(RefusedUpload.objects.visible_to(request.user), public_id)
    context = {
        "upload": row,
        "is_kept": row.content is not None,
        "may_edit": may_edit(row, request.user),
    }
    return render(request, "potentials/refused_upload.html", context)


@require_GET
def refused_upload_original(request: HttpRequest, public_id: UUID) -> FileResponse:
    row = visible_or_404(RefusedUpload.objects.visible_to(request.user), public_id)
    if row.content is None:
        raise Http404(_("The files were too large to be kept."))
    return FileResponse(
        io.BytesIO(bytes(row.content)),
        as_attachment=True,
        filename=row.file_name,
        content_type="application/octet-stream",
    )


@require_POST
def refused_upload_delete(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = editable_or_403(RefusedUpload, request.user, public_id)
    refusal_delete(row=row, actor=request.user)
    messages.success(request, _("The files are off the list."))
    return redirect("potentials:upload")
