"""Pages of DFT runs."""

from __future__ import annotations

import json
from collections import Counter
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.access import visible_or_404
from datasets.dft.codes import CODES, code_named
from datasets.dft.forms import DftForm, is_uuid
from datasets.dft.scripts import dft_script
from datasets.dft.services import (
    UNFINISHED,
    dft_check,
    dft_code,
    dft_continue,
    dft_estimate,
    dft_lanes,
    dft_outcomes,
    dft_potentials,
    dft_retry_failed,
    dft_runs_visible_to,
    dft_start,
)
from datasets.models import Dataset
from datasets.services.access import creation_check
from datasets.services.structures import structure_atoms
from datasets.views.answers import posted, says_refusals
from jobs.selectors import may_change
from labs.exceptions import Refused
from labs.selectors import may_create
from labs.settings_forms import wrong_labels
from labs.templatetags.mlmd_tags import duration
from mlmd.errors import MlmdError
from mlmd.launch import Resources

RANK = {"failed": 0, "unfinished": 1, "unconverged": 2, "waiting": 3, "converged": 4}


@require_http_methods(["GET", "POST"])
def dft_new(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        creation_check(request.user, request.lab)
    chosen = [word for word in request.GET.getlist("structure") if is_uuid(word)]
    code = _code(request)
    of_set = request.GET.get("set", "")
    initial = {"structures": chosen, "structure_set": of_set if is_uuid(of_set) else None}
    form = DftForm(posted(request), user=request.user, code=code, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            job = dft_start(owner=request.user, lab=request.lab, request=form.request())
        except (Refused, MlmdError) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The run has been started."))
            return redirect("datasets:dft", public_id=job.public_id)
    body = json.dumps({"code": code, "structures": chosen[:3] or ["…"], "protocol": "moderate"})
    kept = [(n, v) for n in request.GET if n != "code" for v in request.GET.getlist(n)]
    tabs = [(known, urlencode([("code", known.name), *kept])) for known in CODES.values()]
    context = {
        "form": form,
        "code": CODES[code],
        "tabs": tabs,
        "api_body": body,
        "may_create": may_create(request.user, request.lab),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "datasets/dft_new.html", context, status=status)


@require_POST
def dft_preview(request: HttpRequest) -> HttpResponse:
    """Say how long a run will take, and show the first input file."""
    form = DftForm(request.POST, user=request.user, code=_code(request))
    sentence = problem = hint = ""
    inputs: list[tuple[str, str]] = []
    script = None
    if not form.is_valid():
        problem = _("Choose structures to see what will happen.")
        if "structures" not in form.errors:
            problem = " ".join(form.non_field_errors()) or _("To be filled in: %s.") % wrong_labels(
                form
            )
    else:
        asked = form.request()
        try:
            potentials = dft_check(asked)
            first = structure_atoms(asked.structures[0])
            resources = Resources(processes=asked.processes)
            inputs = form.code.inputs(first, asked.settings, potentials, resources)
            hint = form.code.hint(asked.settings, potentials)
            names = [file["name"] for file in potentials.values()]
            seconds = dft_estimate(asked, potentials)
            sentence = _sentence(len(asked.structures), seconds, dft_lanes(asked), names)
            if request.lab is not None:
                script = dft_script(lab=request.lab, request=asked, potentials=potentials)
        except (Refused, MlmdError) as error:
            problem = str(error)
    context = {
        "sentence": sentence,
        "problem": problem,
        "hint": hint,
        "inputs": inputs,
        "script": script,
    }
    return render(request, "datasets/_dft_preview.html", context)


@require_GET
def dft_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    job = visible_or_404(dft_runs_visible_to(request.user), public_id)
    outcomes = dft_outcomes(job)
    wanted = job.spec.get("dataset")
    dataset = Dataset.objects.visible_to(request.user).filter(public_id=wanted).first()
    bad = sum(row.outcome in {"failed", "unconverged"} for row in outcomes)
    unfinished = sum(row.outcome in UNFINISHED for row in outcomes) if job.is_final else 0
    changeable = job.is_final and may_change(request.user, job)
    last = job.moves.last()
    counts = Counter(row.outcome for row in outcomes)
    # What needs a person comes first; of equals the order of the run stays.
    ranked = sorted(outcomes, key=lambda row: RANK.get(row.outcome, 0))
    context = {
        "job": job,
        "took": job.ended_at - job.started_at if job.started_at and job.ended_at else None,
        "page_obj": Paginator(ranked, 50).get_page(request.GET.get("page")),
        "counts": [(word, counts[word]) for word in RANK if counts[word]],
        "dataset": dataset,
        "bad": bad,
        "unfinished": unfinished,
        "code": dft_code(job),
        "why": last.reason if last and unfinished and job.state == "done" else "",
        "may_retry": bool(bad) and changeable,
        "may_continue": bool(unfinished) and changeable,
        "settings_json": json.dumps(job.spec.get("settings", {}), indent=1),
        "pseudopotentials": dft_potentials(job),
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


@require_POST
@says_refusals(lambda public_id: reverse("datasets:dft", args=[public_id]))
def dft_go_on(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Compute what a run had not finished when it ended."""
    job = visible_or_404(dft_runs_visible_to(request.user), public_id)
    creation_check(request.user, request.lab)
    made = dft_continue(job=job, actor=request.user)
    messages.success(request, _("The run goes on with the structures that were not finished."))
    return redirect("datasets:dft", public_id=made.public_id)


def _code(request: HttpRequest) -> str:
    """Return the code that the address or the form names; the first where it names none."""
    name = request.POST.get("code") or request.GET.get("code") or next(iter(CODES))
    return code_named(name).name if name in CODES else next(iter(CODES))


def _sentence(count: int, seconds: float, lanes: int, names: list[str]) -> str:
    structures = ngettext("%(count)d structure", "%(count)d structures", count) % {"count": count}
    if lanes > 1:
        structures = _("%(structures)s, %(lanes)d at a time") % {
            "structures": structures,
            "lanes": lanes,
        }
    return _("%(structures)s, roughly %(time)s; potentials %(files)s.") % {
        "structures": structures,
        "time": duration(max(10, round(seconds, -1))),
        "files": ", ".join(names),
    }
