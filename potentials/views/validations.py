"""Pages of validations: their part of the card, the form that starts one, plots and tables."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labs.exceptions import Refused
from mlmd.errors import MlmdError
from mlmd.validation.report import Plot
from potentials.models import Potential
from potentials.names import file_stem
from potentials.selectors import potentials_visible_to
from potentials.services.suggestions import suggestion_accept
from potentials.services.validations import validation_start
from potentials.validation_figures import plot_figure, plots_csv, plots_of
from potentials.validation_forms import ValidationForm
from potentials.validation_reports import report_of
from potentials.views.comparisons import csv_response


@require_http_methods(["GET", "POST"])
def validate(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _editable(request, public_id)
    form = ValidationForm(request.POST or None, user=request.user, potential=row)
    if request.method == "POST" and form.is_valid():
        try:
            validation_start(potential=row, actor=request.user, request=form.request())
        except (Refused, MlmdError) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The validation has been started."))
            return redirect(f"{reverse('potentials:detail', args=[public_id])}#validation")
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "potential": row}
    return render(request, "potentials/validate.html", context, status=status)


@require_POST
def accept_suggestion(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _editable(request, public_id)
    try:
        suggestion_accept(potential=row, actor=request.user, key=request.POST.get("key", ""))
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The card says it now."))
    return redirect("potentials:detail", public_id=public_id)


@require_GET
def validation_plot(request: HttpRequest, public_id: UUID, check: str, number: int) -> HttpResponse:
    row = get_object_or_404(potentials_visible_to(request.user), public_id=public_id)
    plot = _plot(row, check, number)
    if plot is None:
        return JsonResponse({"detail": _("There is no such plot.")}, status=404)
    address = reverse("potentials:validation-plot-csv", args=[public_id, check, number])
    return JsonResponse(plot_figure(plot, address))


@require_GET
def validation_plot_csv(
    request: HttpRequest, public_id: UUID, check: str, number: int
) -> HttpResponse:
    row = get_object_or_404(potentials_visible_to(request.user), public_id=public_id)
    plot = _plot(row, check, number)
    if plot is None:
        return JsonResponse({"detail": _("There is no such plot.")}, status=404)
    name = f"{row.name} v{row.version}"
    stem = file_stem(row.name, "potential")
    return csv_response(plots_csv([(name, plot)]), f"{stem}-{plot.name}.csv")


def _plot(row: Potential, check: str, number: int) -> Plot | None:
    report = report_of(row)
    plots = plots_of(report, check) if report else ()
    return plots[number] if number < len(plots) else None


def _editable(request: HttpRequest, public_id: UUID) -> Potential:
    row = get_object_or_404(potentials_visible_to(request.user), public_id=public_id)
    if not Potential.objects.editable_by(request.user).filter(pk=row.pk).exists():
        raise PermissionDenied(_("Only the owner and the lab's managers validate this potential."))
    return row
