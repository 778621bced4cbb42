"""Pages of DFT runs."""

from __future__ import annotations

import json
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.access import visible_or_404
from datasets.dft.forms import DftForm
from datasets.dft.services import (
    dft_check,
    dft_estimate,
    dft_outcomes,
    dft_retry_failed,
    dft_runs_visible_to,
    dft_start,
)
from datasets.models import Dataset
from datasets.services.access import creation_check
from datasets.services.structures import structure_atoms
from datasets.views.answers import posted, says_refusals
from jobs.selectors import may_change
from jobs.states import State
from labs.exceptions import Refused
from labs.selectors import may_create
from labs.templatetags.mlmd_tags import duration
from mlmd.codes.espresso_input import input_text
from mlmd.errors import MlmdError


@require_http_methods(["GET", "POST"])
def dft_new(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        creation_check(request.user, request.lab)
    chosen = [word for word in request.GET.getlist("structure") if _is_uuid(word)]
    form = DftForm(posted(request), user=request.user, initial={"structures": chosen})
    if request.method == "POST" and form.is_valid():
        try:
            job = dft_start(owner=request.user, lab=request.lab, request=form.request())
        except (Refused, MlmdError) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The run has been started."))
            return redirect("datasets:dft", public_id=job.public_id)
    body = json.dumps({"structures": chosen or ["…"], "protocol": "moderate"})
    context = {"form": form, "api_body": body, "may_create": may_create(request.user, request.lab)}
    status = 422 if request.method == "POST" else 200
    return render(request, "datasets/dft_new.html", context, status=status)


@require_POST
def dft_preview(request: HttpRequest) -> HttpResponse:
    """Say how long a run will take, and show the first input file."""
    form = DftForm(request.POST, user=request.user)
    sentence = problem = text = ""
    if not form.is_valid():
        problem = _("Choose structures to see what will happen.")
        problem = " ".join(form.non_field_errors()) or problem
    else:
        asked = form.request()
        try:
            files = dft_check(asked)
            names = {element: file.name for element, file in files.items()}
            text = input_text(structure_atoms(asked.structures[0]), asked.settings, names)
            sentence = _sentence(len(asked.structures), dft_estimate(asked), names)
        except (Refused, MlmdError) as error:
            problem = str(error)
    context = {"sentence": sentence, "problem": problem, "input": text}
    return render(request, "datasets/_dft_preview.html", context)


@require_GET
def dft_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    job = visible_or_404(dft_runs_visible_to(request.user), public_id)
    outcomes = dft_outcomes(job)
    wanted = job.spec.get("dataset")
    dataset = Dataset.objects.visible_to(request.user).filter(public_id=wanted).first()
    bad = sum(row.outcome in {"failed", "unconverged"} for row in outcomes)
    context = {
        "job": job,
        "took": job.ended_at - job.started_at if job.started_at and job.ended_at else None,
        "outcomes": outcomes,
        "dataset": dataset,
        "bad": bad,
        "may_retry": bool(bad) and job.state == State.DONE and may_change(request.user, job),
        "settings_json": json.dumps(job.spec.get("settings", {}), indent=1),
        "pseudopotentials": job.spec.get("pseudopotentials", {}),
    }
    response = render(request, "datasets/dft.html", context)
    if request.headers.get("HX-Request") and job.is_final:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@says_refusals(lambda public_id: reverse("datasets:dft", args=[public_id]))
def dft_again(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Compute once more what failed in a run."""
    job = visible_or_404(dft_runs_visible_to(request.user), public_id)
    creation_check(request.user, request.lab)
    made = dft_retry_failed(job=job, actor=request.user)
    messages.success(request, _("The structures that failed are computed again."))
    return redirect("datasets:dft", public_id=made.public_id)


def _sentence(count: int, seconds: float, names: dict[str, str]) -> str:
    structures = ngettext("%(count)d structure", "%(count)d structures", count) % {"count": count}
    return _("%(structures)s, roughly %(time)s; pseudopotentials %(files)s.") % {
        "structures": structures,
        "time": duration(max(10, round(seconds, -1))),
        "files": ", ".join(names.values()),
    }


def _is_uuid(word: str) -> bool:
    try:
        UUID(word)
    except ValueError:
        return False
    return True
