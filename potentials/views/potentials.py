"""Pages of the potential catalog."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jobs.continuing import may_continue
from jobs.files import job_folder
from jobs.models import Job
from jobs.services import RETRYABLE
from labs.exceptions import Refused
from labs.selectors import may_create
from labs.settings_forms import settings_rows
from potentials import cards
from potentials.families import CATALOG, FAMILIES, Family
from potentials.models import Potential
from potentials.potential_forms import CardForm, CatalogForm
from potentials.selectors import (
    PotentialFilter,
    potentials_filtered,
    potentials_visible_to,
    simulations_visible_to,
)
from potentials.services.potentials import potential_delete, potential_update
from potentials.training_plots import QUANTITIES, has_parity, parity_figure
from potentials.validation_card import validation_card
from potentials.versions import versions_of
from potentials.views.common import REFRESH

PAGE_SIZES = (25, 50, 100)


@require_GET
def potential_list(request: HttpRequest) -> HttpResponse:
    form = CatalogForm(request.GET)
    wanted = form.filter() if form.is_valid() else PotentialFilter()
    rows = potentials_filtered(request.user, wanted, request.GET.get("sort", "-created"))
    page = Paginator(rows, _page_size(request)).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page_obj": page,
        "catalog_is_empty": not page.paginator.count and not request.GET,
        "may_create": may_create(request.user, request.lab),
        "clear_label": _("Clear filters"),
        "family_titles": {name: family.short_title for name, family in CATALOG.items()},
    }
    return render(request, "potentials/list.html", context)


@require_GET
def potential_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = get_object_or_404(potentials_visible_to(request.user), public_id=public_id)
    may_edit = Potential.objects.editable_by(request.user).filter(pk=row.pk).exists()
    family = CATALOG[row.family]
    trainer = FAMILIES[row.training.family] if row.training else family
    simulations = simulations_visible_to(request.user).filter(potential=row)
    versions = versions_of(row, request.user)
    validation = validation_card(row)
    run = validation.job
    may_open = run is not None and Job.objects.visible_to(request.user).filter(pk=run.pk).exists()
    context = {
        "potential": row,
        "validation": validation,
        "run_may_open": may_open,
        "retry_possible": may_open and run.state in RETRYABLE,
        "continue_possible": may_open and may_continue(run),
        "refresh": REFRESH,
        "family_title": family.title,
        "may_edit": may_edit,
        "may_create": may_create(request.user, request.lab),
        "glance_rows": cards.glance_rows(row),
        "has_parity": row.training is not None and has_parity(job_folder(row.training.job)),
        "element_errors": cards.element_errors(row),
        "kind_errors": cards.kind_errors(row),
        "excluded": row.validation.get("excluded", []),
        "settings_rows": (
            settings_rows(trainer.settings, row.settings) if isinstance(trainer, Family) else []
        ),
        "family": family,
        "pair_lines": cards.pair_lines(row),
        "simulations": simulations.defer("settings", "result")[:10],
        "versions": versions if len(versions) > 1 else [],
        "newer": None if versions[0].is_shown else versions[0].potential,
        "provenance_rows": cards.provenance_rows(row, request.user),
        "downloads": cards.downloads(row),
        "visibility_url": (
            reverse("potentials:visibility", args=[row.public_id]) if may_edit else ""
        ),
    }
    return render(request, "potentials/detail.html", context)


@require_http_methods(["GET", "POST"])
def potential_edit(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _editable(request, public_id)
    form = CardForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        # A fresh row: the form has already written its values into the one above.
        fresh = Potential.objects.get(pk=row.pk)
        try:
            potential_update(potential=fresh, actor=request.user, **form.cleaned_data)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The card has been saved."))
            return redirect("potentials:detail", public_id=row.public_id)
    status = 422 if request.method == "POST" else 200
    return render(request, "potentials/edit.html", {"form": form, "potential": row}, status=status)


@require_POST
def potential_visibility(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _editable(request, public_id)
    try:
        potential_update(
            potential=row,
            actor=request.user,
            name=row.name,
            licence=row.licence,
            description=row.description,
            not_for=row.not_for,
            visibility=request.POST.get("visibility", ""),
        )
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The visibility has been changed."))
    return redirect("potentials:detail", public_id=public_id)


@require_POST
def potential_remove(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _editable(request, public_id)
    try:
        potential_delete(potential=row, actor=request.user)
    except Refused as error:
        messages.error(request, str(error))
        return redirect("potentials:detail", public_id=public_id)
    messages.success(request, _("The potential has been deleted."))
    return redirect("potentials:list")


@require_GET
def potential_parity(request: HttpRequest, public_id: UUID, quantity: str) -> HttpResponse:
    row = get_object_or_404(potentials_visible_to(request.user), public_id=public_id)
    if quantity not in QUANTITIES or row.training is None:
        return JsonResponse({"detail": _("There is no such plot.")}, status=404)
    csv = reverse("potentials:parity-csv", args=[row.public_id, quantity])
    return JsonResponse(parity_figure(job_folder(row.training.job), quantity, csv))


@require_GET
def potential_parity_csv(request: HttpRequest, public_id: UUID, quantity: str) -> HttpResponse:
    row = get_object_or_404(potentials_visible_to(request.user), public_id=public_id)
    return cards.parity_csv_response(row, quantity)


@require_GET
def potential_archive(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = get_object_or_404(potentials_visible_to(request.user), public_id=public_id)
    return cards.archive_response(row, request.build_absolute_uri(_address(row)))


@require_GET
def potential_file(request: HttpRequest, public_id: UUID, name: str) -> HttpResponse:
    row = get_object_or_404(potentials_visible_to(request.user), public_id=public_id)
    file = get_object_or_404(row.files, name=name)
    response = HttpResponse(bytes(file.content), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return response


def _address(row: Potential) -> str:
    return reverse("potentials:detail", args=[row.public_id])


def _editable(request: HttpRequest, public_id: UUID) -> Potential:
    row = get_object_or_404(potentials_visible_to(request.user), public_id=public_id)
    if not Potential.objects.editable_by(request.user).filter(pk=row.pk).exists():
        raise PermissionDenied(_("Only the owner and the lab's managers change this potential."))
    return row


def _page_size(request: HttpRequest) -> int:
    wanted = request.GET.get("page_size", "")
    return int(wanted) if wanted.isdigit() and int(wanted) in PAGE_SIZES else PAGE_SIZES[0]
