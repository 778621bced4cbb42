"""Pages of runs and clusters: parse, call one service or selector, render."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from jobs import services
from jobs.clusters import resources_of
from jobs.continuing import may_continue
from jobs.downloads import file_response, zip_response
from jobs.files import SCRIPT_FILE, file_list, job_folder, log_tail
from jobs.forms import JobFilterForm, TitleForm
from jobs.models import Job
from jobs.presentation import attempts_of, kind_or_none, list_row, provenance_rows, resource_rows
from jobs.queue_words import place_words, reason_words
from jobs.selectors import cluster_loads, job_detail, jobs_filtered, jobs_visible_to, may_change
from labs.exceptions import PermissionDenied, Refused
from labs.models import Role
from labs.pagination import CappedPaginator
from labs.views.forms import refusals_as_messages

PAGE_SIZES = (25, 50, 100)
BULK_LIMIT = 500
_SCRIPT_LIMIT = 200_000


@never_cache
@require_GET
def job_list(request: HttpRequest) -> HttpResponse:
    """List the runs, narrowed and sorted as the address says."""
    form = JobFilterForm(request.GET or None, user=request.user)
    if not form.is_bound:
        form = JobFilterForm({}, user=request.user)
    jobs = jobs_filtered(request.user, form.narrow(request.GET.get("sort", "-created")))
    page = CappedPaginator(jobs, _page_size(request)).get_page(request.GET.get("page"))
    editable = set(
        Job.objects.filter(pk__in=[job.pk for job in page])
        .editable_by(request.user)
        .values_list("pk", flat=True)
    )
    rows = [list_row(job, may_change=job.pk in editable) for job in page]
    context = {
        "form": form,
        "page_obj": page,
        "rows": rows,
        "may_cancel_any": any(row.may_cancel for row in rows),
        "has_any": bool(rows) or jobs_visible_to(request.user).exists(),
        "live": any(row.job.is_active for row in rows),
    }
    return render(request, "jobs/list.html", context)


def _page_size(request: HttpRequest) -> int:
    asked = request.GET.get("page_size", "")
    return int(asked) if asked in map(str, PAGE_SIZES) else PAGE_SIZES[0]


@never_cache
@require_GET
def detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a run: state, log, files, script, resources, history."""
    job = _visible(request, public_id)
    script = job_folder(job) / SCRIPT_FILE
    kind = kind_or_none(job)
    context = {
        "job": job,
        "kind_title": getattr(kind, "title", job.kind),
        "kind_url": kind.url(job) if kind else "",
        "clone_url": kind.clone_url(job) if kind else "",
        "may_change": may_change(request.user, job),
        "may_cancel": job.state in services.CANCELLABLE,
        "may_retry": job.state in services.RETRYABLE,
        "took": job.ended_at - job.started_at if job.started_at and job.ended_at else None,
        "log": log_tail(job),
        "files": file_list(job),
        "script": script.read_text(errors="replace")[:_SCRIPT_LIMIT] if script.exists() else "",
        "attempts": attempts_of(job),
        "resource_rows": resource_rows(job),
        "provenance_rows": provenance_rows(job, request.user),
        "may_continue": may_continue(job),
        "reason_words": reason_words(job),
        "place_words": place_words(job),
        "limit_hours": f"{resources_of(job).walltime_s / 3600:.3g}",
    }
    return render(request, "jobs/detail.html", context)


@require_GET
def download(request: HttpRequest, public_id: UUID, name: str) -> HttpResponseBase:
    """Send one file of a run."""
    return file_response(_visible(request, public_id), name)


@require_GET
def download_all(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Send all files of a run as a zip."""
    return zip_response(_visible(request, public_id))


@require_POST
def cancel(request: HttpRequest, public_id: UUID) -> HttpResponse:
    job = _visible(request, public_id)
    with refusals_as_messages(request):
        services.job_cancel(job=job, actor=request.user)
        messages.success(request, _("“%(job)s” is being stopped.") % {"job": job})
    return redirect("jobs:detail", public_id)


@require_POST
def cancel_many(request: HttpRequest) -> HttpResponse:
    """Stop the chosen runs; those that can't be stopped are named, the others are stopped."""
    chosen = [value for value in request.POST.getlist("run")[:BULK_LIMIT] if _is_uuid(value)]
    stopped = 0
    for job in jobs_visible_to(request.user).filter(public_id__in=chosen):
        try:
            services.job_cancel(job=job, actor=request.user)
        except (Refused, PermissionDenied) as error:
            messages.warning(request, str(error))
        else:
            stopped += 1
    if stopped:
        text = ngettext("%(n)d run is being stopped.", "%(n)d runs are being stopped.", stopped)
        messages.success(request, text % {"n": stopped})
    elif not chosen:
        messages.info(request, _("No run was chosen: tick the boxes of the runs to stop."))
    return redirect("jobs:list")


@require_POST
def retry(request: HttpRequest, public_id: UUID) -> HttpResponse:
    job = _visible(request, public_id)
    with refusals_as_messages(request):
        services.job_retry(job=job, actor=request.user)
        messages.success(request, _("“%(job)s” is on its way again.") % {"job": job})
    return redirect("jobs:detail", public_id)


@require_POST
def rename(request: HttpRequest, public_id: UUID) -> HttpResponse:
    job = _visible(request, public_id)
    form = TitleForm(request.POST)
    with refusals_as_messages(request):
        if not form.is_valid():
            raise Refused(_("A run needs a title of at most 200 characters."))
        services.job_rename(job=job, actor=request.user, title=form.cleaned_data["title"])
    return redirect("jobs:detail", public_id)


@require_POST
def set_visibility(request: HttpRequest, public_id: UUID) -> HttpResponse:
    job = _visible(request, public_id)
    with refusals_as_messages(request):
        services.job_set_visibility(
            job=job, actor=request.user, visibility=request.POST.get("visibility", "")
        )
    return redirect("jobs:detail", public_id)


@require_POST
def delete(request: HttpRequest, public_id: UUID) -> HttpResponse:
    job = _visible(request, public_id)
    try:
        services.job_delete(job=job, actor=request.user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("jobs:detail", public_id)
    messages.success(request, _("“%(job)s” is deleted.") % {"job": job})
    return redirect("jobs:list")


@never_cache
@require_GET
def clusters(request: HttpRequest) -> HttpResponse:
    """List the clusters with how busy they are."""
    context = {
        "loads": cluster_loads(request.user),
        "may_register": getattr(request, "role", None) == Role.MANAGER,
    }
    return render(request, "jobs/clusters.html", context)


def _visible(request: HttpRequest, public_id: UUID) -> Job:
    return get_object_or_404(job_detail(request.user), public_id=public_id)


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True
