"""Pages of what a lab used and may use."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from jobs.limits import limit_set, standings
from jobs.selectors import clusters_visible_to
from jobs.storage import storage_of
from jobs.usage import usage_csv, usage_figure, usage_rows, usage_totals, usage_visible_to
from jobs.usage_forms import LimitForm, UsageFilterForm
from labs.middleware import LabRequest
from labs.models import Role
from labs.views.forms import refusals_as_messages

MEASURES = ("node_hours", "core_hours", "gpu_hours")


@never_cache
@require_GET
def usage(request: LabRequest) -> HttpResponse:
    """Show what the lab used, by month, cluster and person, and its limits."""
    if request.lab is None:
        return render(request, "labs/no_lab.html")
    rows, form = _rows(request)
    stored = storage_of(request.lab)
    query = request.GET.urlencode()
    context = {
        "form": form,
        "rows": rows,
        "totals": usage_totals(rows),
        "is_manager": request.role == Role.MANAGER,
        "standings": standings(request.lab),
        "storage": stored,
        "storage_total": sum(size for _title, size in stored),
        "limit_form": LimitForm(clusters=clusters_visible_to(request.user)),
        "plot_url": f"{reverse('jobs:usage-plot', args=['node_hours'])}?{query}",
        "core_plot_url": f"{reverse('jobs:usage-plot', args=['core_hours'])}?{query}",
        "csv_url": f"{reverse('jobs:usage-csv')}?{query}",
    }
    return render(request, "jobs/usage.html", context)


@never_cache
@require_GET
def usage_plot(request: LabRequest, measure: str) -> HttpResponse:
    """Answer the bars of a measure by month."""
    if measure not in MEASURES:
        return JsonResponse({"detail": _("There is no such plot.")}, status=404)
    rows, _form = _rows(request)
    csv = f"{reverse('jobs:usage-csv')}?{request.GET.urlencode()}"
    return JsonResponse(usage_figure(rows, measure, csv))


@require_GET
def usage_table(request: LabRequest) -> StreamingHttpResponse:
    """Send the sums as CSV."""
    rows, _form = _rows(request)
    response = StreamingHttpResponse(usage_csv(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="usage.csv"'
    return response


@require_POST
def set_limit(request: LabRequest) -> HttpResponse:
    """Set or take away a limit of the lab."""
    if request.lab is None or request.role != Role.MANAGER:
        raise PermissionDenied(_("Only managers of the lab set its limits."))
    form = LimitForm(request.POST, clusters=clusters_visible_to(request.user))
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(map(str, errors)))
        return redirect("jobs:usage")
    values = form.cleaned_data
    with refusals_as_messages(request):
        limit_set(
            lab=request.lab,
            actor=request.user,
            what=values["what"],
            amount=values["amount"],
            cluster=values["cluster"],
        )
        messages.success(
            request,
            _("The limit is set.") if values["amount"] is not None else _("The limit is gone."),
        )
    return redirect("jobs:usage")


def _rows(request: LabRequest) -> tuple[list[Any], UsageFilterForm]:
    visible = usage_visible_to(request.user, request.lab)
    form = UsageFilterForm(request.GET, rows=visible)
    return usage_rows(visible, form.narrow()), form
