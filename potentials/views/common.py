"""What the pages of runs share."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from jobs.continuing import may_continue
from jobs.files import file_path, log_tail
from jobs.models import Job
from jobs.states import State
from labs.selectors import may_create

REFRESH = 3  # s between two looks at a running figure
SLOW_REFRESH = 8


def run_context(request: HttpRequest, row: Any) -> dict[str, Any]:
    """Return what `_live.html` and `_log.html` need for a training or an MD run."""
    job = row.job
    text = log_tail(job)
    took = job.ended_at - job.started_at if job.started_at and job.ended_at else None
    return {
        "job": job,
        "took": took,
        # Not "log": the plot component takes that name for its switch of the axis.
        "log_text": text,
        "error_words": error_in(text) if job.state == State.FAILED else "",
        "refresh": "" if job.is_final else REFRESH,
        "slow_refresh": "" if job.is_final else SLOW_REFRESH,
        "may_edit": type(row).objects.editable_by(request.user).filter(pk=row.pk).exists(),
        "may_create": may_create(request.user, request.lab),
        "continue_possible": may_continue(job),
        "retry_possible": job.state in {State.FAILED, State.CANCELLED, State.BLOCKED},
    }


def error_in(text: str) -> str:
    """Return what a program of ours said last before it gave up; empty where it said nothing.

    Args:
        text: the end of its log; `mlmd` begins its last message with ``error:``.
    """
    lines = text.splitlines()
    starts = [k for k, line in enumerate(lines) if line.startswith("error: ")]
    return " ".join(lines[starts[-1] :]).removeprefix("error: ")[:600] if starts else ""


def live(request: HttpRequest, response: HttpResponse, job: Job) -> HttpResponse:
    """Ask htmx to load the whole page once a run is final: figures and downloads change then."""
    if request.headers.get("HX-Request") and job.is_final:
        response["HX-Refresh"] = "true"
    return response


def job_file(job: Job, name: str, download_as: str) -> FileResponse:
    """Send one of a run's files as a download.

    Raises:
        Http404: it isn't there (yet).
    """
    path = file_path(job, name)
    if path is None:
        raise Http404(_("The run has no file %(name)s yet.") % {"name": name})
    return FileResponse(path.open("rb"), as_attachment=True, filename=download_as)
