"""Further pages of one run: looking at its files, continuing it, its bundle."""

from __future__ import annotations

from pathlib import PurePosixPath
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from jobs.bundle import bundle_response
from jobs.continuing import job_continue
from jobs.models import Job
from jobs.previews import picture_response, preview
from jobs.run_forms import ContinueForm
from jobs.selectors import job_detail
from labs.exceptions import Refused
from labs.views.forms import refusals_as_messages


@never_cache
@require_GET
def view_file(request: HttpRequest, public_id: UUID, name: str) -> HttpResponse:
    """Show a file of a run: text, the rows of a table, or a picture."""
    job = _visible(request, public_id)
    context = {
        "job": job,
        "name": name,
        "preview": preview(job, name),
        "save_as": PurePosixPath(name).name,
    }
    return render(request, "jobs/file.html", context)


@require_GET
def picture(request: HttpRequest, public_id: UUID, name: str) -> HttpResponseBase:
    """Send a picture among a run's files for its page."""
    return picture_response(_visible(request, public_id), name)


@require_GET
def bundle(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Send what is needed to run a run again, with its outputs when asked for."""
    job = _visible(request, public_id)
    try:
        return bundle_response(job, outputs=request.GET.get("outputs") == "1")
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("jobs:detail", public_id)


@require_POST
def continue_run(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Begin a further attempt that goes on from the checkpoint."""
    job = _visible(request, public_id)
    form = ContinueForm(request.POST)
    with refusals_as_messages(request):
        if not form.is_valid():
            raise Refused(_("A time limit is a number of hours above zero."))
        job_continue(job=job, actor=request.user, walltime_s=form.walltime_s())
        messages.success(request, _("“%(job)s” goes on where it stopped.") % {"job": job})
    return redirect("jobs:detail", public_id)


def _visible(request: HttpRequest, public_id: UUID) -> Job:
    return get_object_or_404(job_detail(request.user), public_id=public_id)
