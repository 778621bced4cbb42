"""The frames that an MD run put aside: looked at, and handed on to DFT."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jobs.files import job_folder
from labs.exceptions import Refused
from potentials.models import Simulation
from potentials.player import candidates_payload
from potentials.selectors import simulations_visible_to
from potentials.services.candidates import candidates_save


@require_GET
def candidates_view(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Answer the 3D player with the first of the candidates, or that of ``?frame=``."""
    row = _row(request, public_id)
    try:
        frame = int(request.GET["frame"]) if "frame" in request.GET else None
    except ValueError:
        return JsonResponse({"detail": _("The frame is a whole number.")}, status=400)
    url = reverse("potentials:candidates-view", args=[row.public_id])
    try:
        return JsonResponse(
            candidates_payload(job_folder(row.job), title=row.name, url=url, frame=frame)
        )
    except Refused as error:
        return JsonResponse({"detail": str(error)}, status=404)


@require_POST
def candidates_compute(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Make structures of the candidates, and open the form that computes them."""
    row = _row(request, public_id)
    try:
        made = candidates_save(simulation=row, actor=request.user)
    except Refused as error:
        messages.error(request, str(error))
        return redirect("potentials:simulation", public_id=public_id)
    messages.success(
        request,
        _("The candidates are now structures of the lab: say here how to compute them."),
    )
    return redirect(f"{reverse('datasets:dft-new')}?{urlencode({'set': made.public_id})}")


def _row(request: HttpRequest, public_id: UUID) -> Simulation:
    return get_object_or_404(simulations_visible_to(request.user), public_id=public_id)
