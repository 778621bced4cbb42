"""Frames that stand out or are there twice, and those left out of the draft."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from datasets.access import may_edit, visible_or_404
from datasets.duplicates import MOST_LISTED, duplicates_find, mixture_of
from datasets.models import Frame
from datasets.outliers import FAR, outliers_find
from datasets.selectors import datasets_visible_to, frames_left_out
from datasets.views.datasets import chosen_version, dataset_frames

LEFT_OUT_SHOWN = 100


@require_GET
def dataset_outliers(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """List outliers; the dataset's page fetches the same section."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    version = chosen_version(list(dataset.versions.all()), request.GET.get("version"))
    editable = version is None and not dataset.withdrawn_at and may_edit(dataset, request.user)
    left_out = frames_left_out(dataset) if version is None else Frame.objects.none()
    frames = dataset_frames(dataset, version)
    # The dataset's page fetches the section: people go back to where they were.
    inside = "HX-Request" in request.headers
    context = {
        "dataset": dataset,
        "chosen": version,
        "outliers": outliers_find(frames),
        "duplicates": duplicates_find(frames),
        "duplicates_most": MOST_LISTED,
        "mixture": mixture_of(frames),
        "back": (dataset.get_absolute_url() if inside else request.path) + "#outliers",
        "far": f"{FAR:g}",
        "left_out": left_out[:LEFT_OUT_SHOWN],
        "left_out_count": left_out.count(),
        "may_edit": editable,
    }
    return render(request, "datasets/outliers.html", context)
