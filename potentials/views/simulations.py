"""Pages of MD runs."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.selectors import structures_visible_to
from jobs.files import job_folder
from labs.exceptions import Refused
from labs.settings_forms import settings_rows, wrong_labels
from mlmd.errors import MlmdError
from mlmd.lammps.deck import INPUT_FILE, LOG_FILE
from mlmd.md import Ensemble, MDSettings
from mlmd.md.candidates import CANDIDATES_FILE
from mlmd.md.committee import DISAGREEMENT_FILE
from potentials import observations
from potentials.committees import has_committee
from potentials.disagreement import (
    candidate_rows,
    candidate_words,
    candidates_of,
    disagreement_figure,
    is_watched,
    may_compute,
)
from potentials.engines import ENGINES, OWN
from potentials.estimates import simulation_plan
from potentials.models import Simulation
from potentials.names import file_stem
from potentials.player import player_payload
from potentials.run_words import extrapolation_words, run_warnings, summary_rows
from potentials.selectors import potentials_visible_to, simulations_visible_to
from potentials.services.batches import simulations_start
from potentials.services.scripts import simulation_deck, simulation_script
from potentials.services.simulations import (
    simulation_check,
    simulation_delete,
    simulation_start,
    simulation_structure_save,
)
from potentials.simulation_forms import (
    ENSEMBLES,
    SimulationForm,
    simulation_initial,
)
from potentials.simulation_plots import (
    THERMO_PLOTS,
    thermo_figure,
    thermo_response,
    thermo_table,
)
from potentials.stage_forms import STAGE_KINDS, StageFormSet
from potentials.trajectories import TrajectoryRequest, open_trajectory, trajectory_lines
from potentials.views.common import job_file, live, run_context

ENGINE_FILES = {
    "input": INPUT_FILE,
    "lammps-log": LOG_FILE,  # of LAMMPS
    "disagreement": DISAGREEMENT_FILE,
    "candidates": CANDIDATES_FILE,  # of our own engine
}


@require_http_methods(["GET", "POST"])
def simulate(request: HttpRequest) -> HttpResponse:
    parent = _parent(request)
    initial, stage_rows = _initial(request, parent)
    form = SimulationForm(request.POST or None, user=request.user, initial=initial)
    stages = StageFormSet(request.POST or None, prefix="stages", initial=stage_rows)
    if request.method == "POST" and form.is_valid() and stages.is_valid():
        asked = form.request(stages, parent)
        if asked is not None:
            temperatures = form.batch_temperatures()
            started = {"owner": request.user, "lab": request.lab, "request": asked}
            try:
                if temperatures:
                    batch = simulations_start(**started, temperatures=temperatures)
                    messages.success(request, _("The MD runs have been started."))
                    return redirect("jobs:batch", batch.public_id)
                row = simulation_start(**started)
            except (Refused, MlmdError) as error:
                form.add_error(form.field_of(error), str(error))
            else:
                messages.success(request, _("The MD run has been started."))
                return redirect("potentials:simulation", public_id=row.public_id)
    context = {
        "form": form,
        "stages": stages,
        "parent": parent,
        "no_potential": not potentials_visible_to(request.user).exists(),
        "no_structure": not structures_visible_to(request.user).exists(),
        "ensemble_words": [words.split(": ", 1) for words in map(str, ENSEMBLES.values())],
        "draft_name": f"md-{parent.public_id}" if parent else "md",
        "api_body": _api_example(request),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "potentials/simulate.html", context, status=status)


@require_POST
def simulate_preview(request: HttpRequest) -> HttpResponse:
    form = SimulationForm(request.POST, user=request.user)
    stages = StageFormSet(request.POST, prefix="stages")
    plan, script, deck, problem = None, None, "", ""
    valid = form.is_valid()
    if not valid or not stages.is_valid():
        problem = _("Needs another look: %(fields)s.") % {
            "fields": wrong_labels(form) or _("the stages")
        }
        problem = " ".join([problem, *map(str, form.errors.get("engine", ()))])
    else:
        try:
            values = form.cleaned_data
            plan = simulation_plan(
                potential=values["potential"],
                structure=values["structure"],
                repeats=values["repeats"],
                settings=form.settings(stages),
                threads=values["threads"],
                engine=form.chosen_engine(),
            )
            asked = form.request(stages, None)
            if asked is not None and request.lab is not None:
                simulation_check(asked)
                script = simulation_script(lab=request.lab, request=asked)
                deck = simulation_deck(asked)
        except (Refused, MlmdError) as error:
            problem = str(error)
    context = {"plan": plan, "script": script, "deck": deck, "problem": problem}
    return render(request, "potentials/_simulation_preview.html", context)


@require_GET
def simulation(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _row(request, public_id)
    folder = job_folder(row.job)
    head, lines = extrapolation_words(folder, row)
    reader = open_trajectory(folder)
    context = {
        "simulation": row,
        **run_context(request, row),
        "summary_rows": summary_rows(row),
        "warnings": run_warnings(row),
        "extrapolation_head": head,
        "extrapolation": lines,
        "thermo_plots": [
            {"name": name, "label": plot.title, "url": _plot_url(row, name)}
            for name, plot in THERMO_PLOTS.items()
        ],
        "analysis_plots": [
            {"name": name, "label": title, "url": _plot_url(row, name)}
            for name, title in observations.TITLES.items()
        ],
        **_candidates(row),
        "has_trajectory": reader is not None,
        "final_name": _("%(name)s, last configuration") % {"name": row.name},
        "settings_rows": [
            *_stage_rows(row.settings),
            *settings_rows(MDSettings, row.settings),
        ],
        "provenance_rows": _provenance(row),
        "downloads": _downloads(row),
    }
    return live(request, render(request, "potentials/simulation.html", context), row.job)


@require_POST
def simulation_remove(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _row(request, public_id)
    try:
        simulation_delete(simulation=row, actor=request.user)
    except Refused as error:
        messages.error(request, str(error))
        return redirect("potentials:simulation", public_id=public_id)
    messages.success(request, _("The MD run has been deleted."))
    return redirect("potentials:list")


@require_GET
def simulation_plot(request: HttpRequest, public_id: UUID, name: str) -> HttpResponse:
    row = _row(request, public_id)
    folder = job_folder(row.job)
    if name in THERMO_PLOTS:
        csv = reverse("potentials:simulation-file", args=[row.public_id, "thermo"])
        return JsonResponse(thermo_figure(thermo_table(row), name, row.atom_count, csv))
    if name == "disagreement":
        csv = reverse("potentials:simulation-file", args=[row.public_id, name])
        limit = row.settings.get("disagreement_limit")
        return JsonResponse(disagreement_figure(folder, csv, limit))
    if name in observations.FIGURES:
        csv = reverse("potentials:simulation-file", args=[row.public_id, name])
        return JsonResponse(observations.FIGURES[name](folder, csv))
    return JsonResponse({"detail": _("There is no such plot.")}, status=404)


@require_GET
def simulation_file(request: HttpRequest, public_id: UUID, name: str) -> HttpResponse:
    row = _row(request, public_id)
    stem = file_stem(row.name, "md")
    if name in observations.TABLES:
        text = observations.TABLES[name](job_folder(row.job))
        return _attachment(text, f"{stem}-{name}.csv", "text/csv; charset=utf-8")
    if name == "settings":
        text = json.dumps(row.settings, indent=1, ensure_ascii=False) + "\n"
        return _attachment(text, f"{stem}-settings.json", "application/json")
    if name == "log":
        return job_file(row.job, "job.log", f"{stem}.log")
    if name in ENGINE_FILES:
        return job_file(row.job, ENGINE_FILES[name], f"{stem}-{ENGINE_FILES[name]}")
    return thermo_response(row, f"{stem}-thermo.csv")


@require_GET
def trajectory_view(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Answer the 3D player: one frame whole, or only the moving parts of ``?frame=``."""
    row = _row(request, public_id)
    try:
        frame = int(request.GET["frame"]) if "frame" in request.GET else None
    except ValueError:
        return JsonResponse({"detail": _("The frame is a whole number.")}, status=400)
    url = reverse("potentials:trajectory-view", args=[row.public_id])
    try:
        return JsonResponse(
            player_payload(job_folder(row.job), title=row.name, url=url, frame=frame)
        )
    except Refused as error:
        return JsonResponse({"detail": str(error)}, status=404)


@require_GET
def trajectory_download(request: HttpRequest, public_id: UUID, kind: str) -> HttpResponse:
    row = _row(request, public_id)
    try:
        asked = TrajectoryRequest.from_query(kind, request.GET)
        lines = trajectory_lines(job_folder(row.job), asked)
    except Refused as error:
        return HttpResponse(str(error), status=404, content_type="text/plain; charset=utf-8")
    response = StreamingHttpResponse(lines, content_type="text/plain; charset=utf-8")
    name = f"{file_stem(row.name, 'md')}.{asked.suffix}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_POST
def save_structure(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _row(request, public_id)
    try:
        structure = simulation_structure_save(
            simulation=row, actor=request.user, name=request.POST.get("name", "")
        )
    except Refused as error:
        messages.error(request, str(error))
        return redirect("potentials:simulation", public_id=public_id)
    messages.success(request, _("The last configuration is now a structure."))
    return redirect(structure.get_absolute_url())


def _row(request: HttpRequest, public_id: UUID) -> Simulation:
    return get_object_or_404(simulations_visible_to(request.user), public_id=public_id)


def _candidates(row: Simulation) -> dict[str, Any]:
    """Return what the page says of the committee and of the frames that were put aside."""
    folder = job_folder(row.job)
    found, watched = candidates_of(folder), is_watched(folder)
    asked = row.engine == OWN.name and bool(row.settings.get("watch_committee"))
    context: dict[str, Any] = {}
    if watched or (asked and not row.job.is_final and has_committee(row.potential)):
        context["disagreement_url"] = _plot_url(row, "disagreement")
    if found is not None and (watched or found.chosen):
        context |= {
            "candidates": found,
            "candidate_words": candidate_words(found),
            "candidate_rows": candidate_rows(found),
            "candidates_here": may_compute(folder),
        }
    return context


def _parent(request: HttpRequest) -> Simulation | None:
    wanted = request.GET.get("clone")
    if not wanted:
        return None
    try:
        return _row(request, UUID(wanted))
    except ValueError:
        return None


def _initial(
    request: HttpRequest, parent: Simulation | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if parent is not None:
        return simulation_initial(parent)
    asked = {name: request.GET.get(name, "") for name in ("potential", "structure")}
    return {name: value for name, value in asked.items() if value}, []


def _plot_url(row: Simulation, name: str) -> str:
    return reverse("potentials:simulation-plot", args=[row.public_id, name])


def _attachment(text: str, name: str, kind: str) -> HttpResponse:
    response = HttpResponse(text, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _stage_rows(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one line for each stage."""
    kinds = {kind.value: words for kind, words in STAGE_KINDS.items()}
    rows = []
    for number, stage in enumerate(settings["stages"], start=1):
        start, end = stage["temperature_start"], stage["temperature_end"]
        heat = f"{start:g} K" if end in (None, start) else f"{start:g} → {end:g} K"
        length = stage["steps"] * settings["time_step"] / 1000
        words = f"{kinds[stage['kind']]}, {stage['ensemble']}, {heat}, {length:g} ps"
        if Ensemble(stage["ensemble"]).moves_cell:
            words += f", {stage['pressure']:g} GPa"
        if stage.get("stress"):
            words += ", " + _("stress %(stress)s GPa") % {"stress": stage["stress"]}
        rows.append({"label": _("Stage %(number)s") % {"number": number}, "value": words})
    return rows


def _provenance(row: Simulation) -> list[dict[str, Any]]:
    repeats = "×".join(str(count) for count in row.repeats)
    rows: list[dict[str, Any]] = [
        {
            "label": _("Potential"),
            "value": f"{row.potential.name} v{row.potential.version}",
            "url": reverse("potentials:detail", args=[row.potential.public_id]),
        },
        {
            "label": _("Structure"),
            "value": row.structure.name,
            "url": row.structure.get_absolute_url(),
        },
        {
            "label": _("Structure hash"),
            "value": f"{row.structure_hash[:12]}…",
            "copy": row.structure_hash,
        },
        {"label": _("Atoms"), "value": f"{row.atom_count} ({repeats})"},
        {"label": _("Engine"), "value": ENGINES[row.engine].title},
        {"label": _("Cluster"), "value": row.job.cluster.name},
    ]
    if bonds := row.job.spec.get("rigid_bonds"):
        rows.append({"label": _("Rigid bonds"), "value": str(bonds)})
    if row.parent_id and row.parent:
        url = reverse("potentials:simulation", args=[row.parent.public_id])
        rows.append({"label": _("Cloned from"), "value": row.parent.name, "url": url})
    return rows


def _downloads(row: Simulation) -> list[dict[str, Any]]:
    folder = job_folder(row.job)
    items = []
    if len(thermo_table(row)):
        items.append(_download(row, "thermo", _("Thermodynamic log, CSV")))
    items += [
        _download(row, name, _("%(title)s, CSV") % {"title": title})
        for name, title in observations.TITLES.items()
        if observations.has_table(folder, name)
    ]
    if open_trajectory(folder) is not None:
        for kind, label in (
            ("extxyz", _("Trajectory, extxyz")),
            ("lammps-dump", _("Trajectory, LAMMPS dump")),
        ):
            url = reverse("potentials:trajectory", args=[row.public_id, kind])
            items.append({"label": label, "url": url, "size": None, "note": "?stride=10"})
    for name, label in (
        ("disagreement", _("Disagreement of the committee, CSV")),
        ("candidates", _("Candidates, extxyz")),
        ("input", _("Input of LAMMPS")),
        ("lammps-log", _("Log of LAMMPS")),
    ):
        if (folder / ENGINE_FILES[name]).is_file():
            items.append(_download(row, name, label))
    if (folder / "job.log").is_file():
        items.append(_download(row, "log", _("Log")))
    return [*items, _download(row, "settings", _("Settings, JSON"))]


def _download(row: Simulation, name: str, label: str) -> dict[str, Any]:
    url = reverse("potentials:simulation-file", args=[row.public_id, name])
    return {"label": label, "url": url, "size": None}


def _api_example(request: HttpRequest) -> dict[str, Any]:
    potential = potentials_visible_to(request.user).first()
    structure = structures_visible_to(request.user).first()
    stage = {
        "kind": "hold",
        "ensemble": "nvt-bussi",
        "temperature_start": 300.0,
        "steps": 10000,
    }
    return {
        "name": "Si at 300 K",
        "potential": str(potential.public_id) if potential else "…",
        "structure": str(structure.public_id) if structure else "…",
        "settings": {"stages": [stage], "time_step": 1.0},
    }
