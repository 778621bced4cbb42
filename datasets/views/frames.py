"""The catalog over all frames, and the page of one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from datasets.access import may_edit, visible_or_404
from datasets.catalog import catalog_query, elements_visible_to, facets
from datasets.coverage import coverage_visible_to
from datasets.downloads import ROW_FILES, rows_response
from datasets.duplicates import duplicates_but_first
from datasets.filters import FrameFilters
from datasets.frame_forms import FrameFilterForm
from datasets.models import Dataset, Frame, Origin
from datasets.pages import page_of
from datasets.periodic import periodic_table
from datasets.querysets import FrameQuerySet
from datasets.regions import Region
from datasets.selections import iterate_frames
from datasets.selectors import (
    datasets_visible_to,
    frames_left_out,
    frames_visible_to,
    searches_visible_to,
)
from datasets.services import frames_exclude, frames_restore, structure_create_from_atoms
from datasets.snapshots import CatalogRows
from datasets.viewer import viewer_payload
from datasets.views.answers import next_url, says_refusals
from labs.exceptions import PermissionDenied, Refused
from labs.selectors import may_create
from mlmd.formats.atoms import frame_to_atoms
from mlmd.frame import Frame as LabelledFrame

FORCES_SHOWN = 200
SEARCHES_SHOWN = 50
ON_HULL = 1e-6  # eV/atom, far below what labels mean


@require_GET
def frame_catalog(request: HttpRequest) -> HttpResponse:
    problem, dataset, chips = "", None, []
    rows = CatalogRows((), FrameFilters())
    elements: tuple[str, ...] = ()
    version = None
    try:
        query = catalog_query(request.user, request.GET)
    except Refused as error:
        problem = str(error)
    else:
        dataset, version = query.dataset, query.version
        rows = query.rows(request.user, request.GET.get("sort"))
        chips = query.filters.describe()
        if query.region is not None:
            chips.append(("region", "", _("chosen on the map")))
        elements = query.filters.elements
    form = FrameFilterForm(
        request.GET,
        facets=facets(rows),
        datasets=Dataset.objects.visible_to(request.user).only("public_id", "name")[:500],
    )
    page = page_of(request, rows)
    editable = dataset is not None and may_edit(dataset, request.user)
    context = {
        "form": form,
        "problem": problem,
        "page_obj": page,
        "chips": [(words, _without(request, name, value)) for name, value, words in chips],
        "dataset": dataset,
        "version": version,
        "everywhere": _everywhere(request),
        "squares": _squares(request, dataset, elements),
        "elements": elements,
        "downloads": _downloads(request, page.paginator.count),
        "searches": searches_visible_to(request.user)[:SEARCHES_SHOWN],
        "may_save": bool(chips) and may_create(request.user, request.lab),
        "may_exclude": editable
        and dataset is not None
        and not dataset.withdrawn_at
        and not version,
    }
    return render(request, "datasets/frames.html", context, status=400 if problem else 200)


def _squares(request: HttpRequest, dataset: Dataset | None, elements: tuple[str, ...]) -> Any:
    coverage = coverage_visible_to(request.user, dataset)
    return periodic_table(coverage, elements_visible_to(request.user, dataset), elements)


def _everywhere(request: HttpRequest) -> str:
    """Return the address of the same search over all datasets."""
    query = request.GET.copy()
    for name in ("dataset", "version", "region", "split", "page"):  # mean nothing elsewhere
        query.pop(name, None)
    return f"?{query.urlencode()}"


def _without(request: HttpRequest, name: str, value: str) -> str:
    query = request.GET.copy()
    values = [v for v in query.getlist(name) if value and v != value]
    query.setlist(name, values)
    query.pop("page", None)
    return f"?{query.urlencode()}"


def _downloads(request: HttpRequest, count: int) -> list[dict[str, Any]]:
    query = request.GET.copy()
    for name in ("page", "page_size", "sort"):
        query.pop(name, None)
    if not count:
        return []
    return [
        {
            "label": kind.label,
            "url": f"{reverse('datasets:frames-download', args=[key])}?{query.urlencode()}",
            "size": None,
            "note": kind.note,
        }
        for key, kind in ROW_FILES.items()
    ]


@require_GET
@says_refusals(lambda **_k: reverse("datasets:frames"))
def frames_download(request: HttpRequest, file_format: str) -> HttpResponseBase:
    """Send every frame that the filters find, however many there are."""
    query, user = catalog_query(request.user, request.GET), request.user
    energy = request.GET.get("energy", "free")
    return rows_response(
        query.frames(user), file_format, "frames", energy=energy, found=query.rows(user)
    )


@require_GET
def frame_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _frame(request, public_id)
    frame = next(iterate_frames(Frame.objects.filter(pk=row.pk)))
    editable = may_edit(row.dataset, request.user) and not row.dataset.withdrawn_at
    current = Frame.objects.filter(dataset=row.dataset).current()
    context = {
        "row": row,
        "frame": frame,
        "forces": _force_rows(frame),
        "forces_hidden": max(0, len(frame) - FORCES_SHOWN) if frame.forces is not None else 0,
        "stress": None if frame.stress is None else frame.stress.tolist(),
        "lengths": np.linalg.norm(frame.cell, axis=1).tolist(),
        "twins": _twins(request, row),
        "on_hull": row.energy_above is not None and row.energy_above < ON_HULL,
        "source": frames_visible_to(request.user)
        .filter(pk=row.copied_from_id)
        .select_related("dataset")
        .first(),
        "before": current.filter(pk__lt=row.pk).order_by("-pk").first(),
        "after": current.filter(pk__gt=row.pk).order_by("pk").first(),
        "downloads": [
            {
                "label": kind.label,
                "url": reverse("datasets:frame-download", args=[row.public_id, key]),
                "size": None,
                "note": kind.note,
            }
            for key, kind in ROW_FILES.items()
        ],
        "may_edit": editable,
        "may_create": may_create(request.user, request.lab),
    }
    return render(request, "datasets/frame.html", context)


def _frame(request: HttpRequest, public_id: UUID) -> Frame:
    rows = frames_visible_to(request.user).select_related(
        "dataset", "dataset__owner", "dataset__lab", "calculation", "upload"
    )
    found: Frame = visible_or_404(rows, public_id)
    return found


def _force_rows(frame: LabelledFrame) -> list[tuple[int, str, list[float], float]]:
    if frame.forces is None:
        return []
    symbols = frame_to_atoms(frame).get_chemical_symbols()
    sizes = np.linalg.norm(frame.forces, axis=1)
    return [
        (i + 1, symbols[i], frame.forces[i].tolist(), float(sizes[i]))
        for i in range(min(len(frame), FORCES_SHOWN))
    ]


def _twins(request: HttpRequest, row: Frame) -> FrameQuerySet:
    """Return frames with the same structure, or the same label."""
    same = Q(structure_hash=row.structure_hash) | Q(label_identity=row.label_identity)
    rows = frames_visible_to(request.user).current().filter(same).exclude(pk=row.pk)
    return rows.select_related("dataset")[:8]


@require_GET
def frame_viewer(request: HttpRequest, public_id: UUID) -> HttpResponse:
    row = _frame(request, public_id)
    frame = next(iterate_frames(Frame.objects.filter(pk=row.pk)))
    return JsonResponse(
        viewer_payload(frame_to_atoms(frame), title=row.formula, forces=frame.forces)
    )


def _page(public_id: UUID, **_others: Any) -> str:
    return reverse("datasets:frame", args=[public_id])


@require_GET
@says_refusals(_page)
def frame_download(request: HttpRequest, public_id: UUID, file_format: str) -> HttpResponseBase:
    row = _frame(request, public_id)
    rows = Frame.objects.filter(pk=row.pk)
    return rows_response(rows, file_format, f"{row.dataset.name}-{row.formula}-{row.pk}")


@require_POST
@says_refusals(_page)
def frame_to_structure(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Keep the atoms of a frame as a structure."""
    row = _frame(request, public_id)
    frame = next(iterate_frames(Frame.objects.filter(pk=row.pk)))
    structure = structure_create_from_atoms(
        owner=request.user,
        lab=request.lab,
        name=f"{row.formula} {row.kind}".strip(),
        atoms=frame_to_atoms(frame),
        origin=Origin.FRAME,
        recipe={"frame": str(row.public_id), "dataset": str(row.dataset.public_id)},
    )
    messages.success(request, _("The atoms were kept as a structure."))
    return redirect(structure)


def _dataset_page(public_id: UUID) -> str:
    return reverse("datasets:detail", args=[public_id])


@require_POST
@says_refusals(_dataset_page)
def frames_exclusion(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Leave the ticked frames out of the draft, or take them back in."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    if not may_edit(dataset, request.user):
        raise PermissionDenied(_("Only the owner and the lab's managers change this dataset."))
    chosen = _chosen(dataset, request.POST)
    if request.POST.get("restore"):
        count = frames_restore(dataset=dataset, actor=request.user, frames=chosen)
        text = ngettext("%d frame is back.", "%d frames are back.", count)
    else:
        count = frames_exclude(dataset=dataset, actor=request.user, frames=chosen)
        text = ngettext(
            "%d frame was left out of the draft.", "%d frames were left out of the draft.", count
        )
    messages.success(request, text % count)
    return redirect(next_url(request, dataset.get_absolute_url()))


def _chosen(dataset: Dataset, posted: Any) -> FrameQuerySet:
    """Return the frames that a form means: ticked ones, a part of the map, doubles, all left out."""
    if posted.get("duplicates"):
        current = Frame.objects.filter(dataset=dataset).current()
        rest = duplicates_but_first(current)
        identity = posted["duplicates"]
        return rest if identity == "all" else rest.filter(label_identity=identity)
    if region := posted.get("region"):
        some = Region.from_text(region).places(dataset)
        return Frame.objects.filter(some, dataset=dataset)
    if posted.get("restore") and posted.get("all"):
        return frames_left_out(dataset)
    return _ticked(dataset, posted.getlist("frame"))


def _ticked(dataset: Dataset, texts: list[str]) -> FrameQuerySet:
    ids = []
    for text in texts:
        try:
            ids.append(UUID(text))
        except ValueError as error:
            raise Refused(_("“%s” isn't the id of a frame.") % text[:40]) from error
    return Frame.objects.filter(dataset=dataset, public_id__in=ids)
