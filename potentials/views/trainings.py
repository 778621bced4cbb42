"""Pages of training runs."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.selectors import versions_usable_by
from jobs.files import job_folder
from labs.exceptions import Refused
from labs.settings_forms import settings_rows, wrong_labels
from mlmd.errors import MlmdError
from potentials.data_facts import data_facts
from potentials.estimates import training_plan
from potentials.families import FAMILIES
from potentials.models import Potential, Training
from potentials.names import file_stem
from potentials.selectors import trainings_visible_to
from potentials.services.batches import trainings_start
from potentials.services.scripts import training_script
from potentials.services.trainings import training_delete, training_start
from potentials.training_curves import curve_of, curve_response, training_progress
from potentials.training_forms import TrainingForm, training_initial
from potentials.training_plots import QUANTITIES, learning_curve
from potentials.views.common import job_file, live, run_context


@require_http_methods(["GET", "POST"])
def train(request: HttpRequest) -> HttpResponse:
    parent = _parent(request)
    initial = training_initial(parent) if parent else {}
    if not parent and (chosen := request.GET.getlist("version")):
        initial = {"versions": chosen}
    form = TrainingForm(request.POST or None, user=request.user, initial=initial)
    if request.method == "POST" and form.is_valid():
        asked, runs = form.request(parent), form.cleaned_data["runs"] or 1
        started = {"owner": request.user, "lab": request.lab, "request": asked}
        try:
            if runs > 1:
                batch = trainings_start(**started, runs=runs)
                messages.success(
                    request, _("%(count)d trainings have been started.") % {"count": runs}
                )
                return redirect("jobs:batch", batch.public_id)
            training = training_start(**started)
        except (Refused, MlmdError) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The training has been started."))
            return redirect("potentials:training", public_id=training.public_id)
    context = {
        "form": form,
        "parent": parent,
        "no_data": not versions_usable_by(request.user).exists(),
        "draft_name": f"train-{parent.public_id}" if parent else "train",
        "api_body": _api_example(request),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "potentials/train.html", context, status=status)


@require_POST
def train_preview(request: HttpRequest) -> HttpResponse:
    form = TrainingForm(request.POST, user=request.user)
    form.is_valid()
    plan, script, problem = None, None, ""
    if "versions" in form.errors:
        problem = _("Choose at least one dataset version to see what will happen.")
    elif "family" in form.errors or form.non_field_errors():
        problem = " ".join([*form.errors.get("family", []), *form.non_field_errors()])
    elif form.errors:
        problem = _("Needs another look: %(fields)s.") % {"fields": wrong_labels(form)}
    else:
        asked = form.request(None)
        try:
            plan = training_plan(
                user=request.user,
                selection=asked.selection,
                family=FAMILIES[asked.family],
                settings=asked.settings,
                threads=asked.threads,
            )
            if request.lab is not None:
                script = training_script(user=request.user, lab=request.lab, request=asked)
        except (Refused, MlmdError) as error:
            problem = str(error)
    context = {"plan": plan, "script": script, "problem": problem}
    return render(request, "potentials/_train_preview.html", context)


@require_POST
def train_functions(request: HttpRequest) -> HttpResponse:
    """Answer the automatic descriptors of the chosen data, as lines that can be edited."""
    form = TrainingForm(request.POST, user=request.user)
    if not form.is_valid():
        words = _("Choose the teacher data first: the functions depend on its elements.")
        return JsonResponse({"detail": words}, status=400)
    asked = form.request(None)
    try:
        facts = data_facts(asked.selection, request.user)
        lines = FAMILIES[asked.family].automatic_lines(asked.settings, facts.elements)
    except (Refused, MlmdError) as error:
        return JsonResponse({"detail": str(error)}, status=400)
    return JsonResponse({"lines": lines})


@require_GET
def training(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = get_object_or_404(trainings_visible_to(request.user), public_id=public_id)
    potential = Potential.objects.visible_to(request.user).filter(training=row).first()
    row.job.progress = row.job.progress or training_progress(row)  # for this page only
    context = {
        "training": row,
        "potential": potential,
        "has_result": Potential.objects.filter(training=row).exists(),
        **run_context(request, row),
        "warnings": row.result.get("warnings", []),
        "descriptors": row.result.get("descriptors", []),
        "settings_rows": settings_rows(FAMILIES[row.family].settings, row.settings),
        "provenance_rows": _provenance(row),
        "downloads": _downloads(row),
    }
    return live(request, render(request, "potentials/training.html", context), row.job)


@require_POST
def training_remove(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = get_object_or_404(trainings_visible_to(request.user), public_id=public_id)
    try:
        training_delete(training=row, actor=request.user)
    except Refused as error:
        messages.error(request, str(error))
        return redirect("potentials:training", public_id=public_id)
    messages.success(request, _("The training has been deleted."))
    return redirect("potentials:list")


@require_GET
def training_curve(request: HttpRequest, public_id: UUID, quantity: str) -> HttpResponse:
    row = get_object_or_404(trainings_visible_to(request.user), public_id=public_id)
    if quantity not in QUANTITIES:
        return JsonResponse({"detail": _("There is no such curve.")}, status=404)
    csv = reverse("potentials:training-file", args=[row.public_id, "curve"])
    return JsonResponse(learning_curve(curve_of(row), quantity, csv))


@require_GET
def training_file(request: HttpRequest, public_id: UUID, name: str) -> HttpResponse:
    row = get_object_or_404(trainings_visible_to(request.user), public_id=public_id)
    stem = file_stem(row.name, "training")
    if name == "settings":
        content = json.dumps(row.settings, indent=1, ensure_ascii=False) + "\n"
        response = HttpResponse(content, content_type="application/json")
        response["Content-Disposition"] = f'attachment; filename="{stem}-settings.json"'
        return response
    if name == "log":
        return job_file(row.job, "job.log", f"{stem}.log")
    return curve_response(row, f"{stem}-learning-curve.csv")


def _parent(request: HttpRequest) -> Training | None:
    wanted = request.GET.get("clone")
    if not wanted:
        return None
    try:
        return get_object_or_404(trainings_visible_to(request.user), public_id=UUID(wanted))
    except ValueError:
        return None


def _provenance(row: Training) -> list[dict[str, Any]]:
    family = FAMILIES[row.family]
    rows: list[dict[str, Any]] = [
        {"label": _("Data"), "value": str(version), "url": version.get_absolute_url()}
        for version in row.versions.select_related("dataset")
    ]
    rows.append({"label": _("Frames"), "value": row.frame_count})
    rows.append(
        {
            "label": _("Data checksum"),
            "value": f"{row.data_checksum[:12]}…",
            "copy": row.data_checksum,
        }
    )
    rows.append({"label": _("Family"), "value": FAMILIES[family.catalog_name].title})
    rows.append({"label": _("Trained by"), "value": family.engine})
    rows.append({"label": _("Effort"), "value": row.get_effort_display()})
    rows.append({"label": _("Cluster"), "value": row.job.cluster.name})
    if row.parent_id and row.parent:
        url = reverse("potentials:training", args=[row.parent.public_id])
        rows.append({"label": _("Cloned from"), "value": row.parent.name, "url": url})
    return rows


def _downloads(row: Training) -> list[dict[str, Any]]:
    named = {
        "curve": _("Learning curve, CSV"),
        "log": _("Log"),
        "settings": _("Settings, JSON"),
    }
    log = job_folder(row.job) / "job.log"
    sizes = {"curve": None, "log": log.stat().st_size if log.is_file() else None, "settings": None}
    there = {"curve": len(curve_of(row).epoch) > 0, "log": bool(sizes["log"]), "settings": True}
    return [
        {
            "label": label,
            "url": reverse("potentials:training-file", args=[row.public_id, name]),
            "size": sizes[name],
        }
        for name, label in named.items()
        if there[name]
    ]


def _api_example(request: HttpRequest) -> dict[str, Any]:
    version = versions_usable_by(request.user).first()
    return {
        "name": "My potential",
        "versions": [str(version.public_id) if version else "…"],
        "effort": "normal",
    }
