"""The page on which several potentials stand side by side."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from potentials.comparison import (
    LEAST,
    MOST,
    Comparison,
    Overlay,
    compare,
    comparison_csv,
    count_words,
    wanted_ids,
)
from potentials.selectors import potentials_visible_to
from potentials.validation_figures import overlay_figure, plots_csv

MOST_OFFERED = 200  # in the list that adds one more


@require_GET
def comparison(request: HttpRequest) -> HttpResponse:
    found = _asked(request)
    query = _query(found)
    context = {
        "found": found,
        "groups": [
            (group, [(row, list(zip(found.names, row.cells, strict=True))) for row in group.rows])
            for group in found.groups
        ],
        "unknown_words": count_words(found),
        "is_cut": len(set(request.GET.getlist("potential"))) > MOST,
        "is_enough": len(found.potentials) >= LEAST,
        "offered": _offered(request, found) if len(found.potentials) < MOST else [],
        "query": query,
        "columns": [
            {"potential": row, "name": name, "without": _query(found, without=row.public_id)}
            for row, name in zip(found.potentials, found.names, strict=True)
        ],
        "plots": [
            {"title": overlay.title, "url": f"{_plot_address(overlay)}?{query}"}
            for overlay in found.overlays
        ],
    }
    return render(request, "potentials/compare.html", context)


@require_GET
def comparison_plot(request: HttpRequest, check: str, number: int) -> HttpResponse:
    overlay = _overlay(request, check, number)
    if overlay is None:
        return JsonResponse({"detail": _("There is no such plot.")}, status=404)
    address = reverse("potentials:compare-plot-csv", args=[check, number])
    csv_address = f"{address}?{request.GET.urlencode()}"
    return JsonResponse(overlay_figure(overlay.named, csv_address))


@require_GET
def comparison_plot_csv(request: HttpRequest, check: str, number: int) -> HttpResponse:
    overlay = _overlay(request, check, number)
    if overlay is None:
        return JsonResponse({"detail": _("There is no such plot.")}, status=404)
    return csv_response(plots_csv(overlay.named), f"comparison-{check}.csv")


@require_GET
def comparison_table(request: HttpRequest) -> HttpResponse:
    return csv_response(comparison_csv(_asked(request)), "comparison.csv")


def csv_response(content: str, name: str) -> HttpResponse:
    """Return a table as a download."""
    response = HttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _asked(request: HttpRequest) -> Comparison:
    return compare(request.user, wanted_ids(request.GET.getlist("potential")))


def _overlay(request: HttpRequest, check: str, number: int) -> Overlay | None:
    overlays = _asked(request).overlays
    return next((o for o in overlays if (o.check, o.number) == (check, number)), None)


def _plot_address(overlay: Overlay) -> str:
    return reverse("potentials:compare-plot", args=[overlay.check, overlay.number])


def _query(found: Comparison, without: object = None) -> str:
    ids = [row.public_id for row in found.potentials if row.public_id != without]
    return urlencode([("potential", str(public_id)) for public_id in ids])


def _offered(request: HttpRequest, found: Comparison) -> list[object]:
    """Return the potentials that could be added, those that share an element first."""
    chosen = {row.pk for row in found.potentials}
    known = {symbol for row in found.potentials for symbol in row.elements}
    rows = (
        potentials_visible_to(request.user).defer("settings", "validation").exclude(pk__in=chosen)
    )
    listed = list(rows[:MOST_OFFERED])
    return sorted(listed, key=lambda row: not known & set(row.elements))
