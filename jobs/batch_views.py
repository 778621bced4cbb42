"""Pages of batches: runs that were started together."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from jobs.batches import batch_cancel, batch_retry_failed, batch_summary, batches_visible_to
from jobs.kinds import title_of
from jobs.models import Batch
from jobs.selectors import jobs_visible_to
from labs.views.forms import refusals_as_messages

PAGE_SIZE = 25
RUNS_SHOWN = 200


@never_cache
@require_GET
def batch_list(request: HttpRequest) -> HttpResponse:
    """List the batches, newest first."""
    page = Paginator(batches_visible_to(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [(batch_summary(batch), title_of(batch.kind)) for batch in page]
    live = any(not summary.is_final for summary, _kind in rows)
    return render(request, "jobs/batches.html", {"page_obj": page, "rows": rows, "live": live})


@never_cache
@require_GET
def batch(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the runs of a batch with how far they are together."""
    row = _visible(request, public_id)
    context = {
        "summary": batch_summary(row),
        "batch": row,
        "kind_title": title_of(row.kind),
        "jobs": jobs_visible_to(request.user).filter(batch=row).order_by("id")[:RUNS_SHOWN],
        "may_change": Batch.objects.filter(pk=row.pk).editable_by(request.user).exists(),
    }
    return render(request, "jobs/batch.html", context)


@require_POST
def retry_failed(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _visible(request, public_id)
    with refusals_as_messages(request):
        count = batch_retry_failed(batch=row, actor=request.user)
        text = ngettext(
            "%(n)d run is on its way again.", "%(n)d runs are on their way again.", count
        )
        messages.success(request, text % {"n": count})
    return redirect("jobs:batch", public_id)


@require_POST
def cancel_all(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _visible(request, public_id)
    with refusals_as_messages(request):
        count = batch_cancel(batch=row, actor=request.user)
        text = ngettext("%(n)d run is being stopped.", "%(n)d runs are being stopped.", count)
        messages.success(request, text % {"n": count})
    return redirect("jobs:batch", public_id)


def _visible(request: HttpRequest, public_id: UUID) -> Batch:
    return get_object_or_404(batches_visible_to(request.user), public_id=public_id)
