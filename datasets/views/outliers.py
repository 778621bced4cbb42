"""Frames that stand out, and those left out of the draft."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from datasets.access import may_edit, visible_or_404
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
    context = {
        "dataset": dataset,
        "chosen": version,
        "outliers": outliers_find(dataset_frames(dataset, version)),
        "far": f"{FAR:g}",
        "left_out": left_out[:LEFT_OUT_SHOWN],
        "may_edit": editable,
    }
    return render(request, "datasets/outliers.html", context)
