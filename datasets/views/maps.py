"""The map of a dataset's frames, and what is chosen on it."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from datasets.access import may_edit, visible_or_404
from datasets.maps import COLOUR_WORDS, MOST_DRAWN, Colour, map_figure, map_state
from datasets.models import Dataset
from datasets.regions import Region
from datasets.selectors import datasets_visible_to, frames_left_out
from datasets.views.answers import says_refusals
from datasets.views.datasets import chosen_version, dataset_frames
from labs.exceptions import Refused
from labs.selectors import may_create

FEWEST = 3  # frames below which a map says nothing


def _page(public_id: UUID, **_others: Any) -> str:
    return reverse("datasets:map", args=[public_id])


@require_GET
@says_refusals(_page)
def dataset_map(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the map; the dataset's page fetches the same section."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    version = chosen_version(list(dataset.versions.all()), request.GET.get("version"))
    colour = colour_of(request.GET.get("colour"), dataset)
    suffix = f"?colour={colour}" + (f"&version={version.number}" if version else "")
    state = map_state(dataset)
    editable = version is None and not dataset.withdrawn_at and may_edit(dataset, request.user)
    context = {
        "dataset": dataset,
        "chosen": version,
        "state": state,
        "working": not state.current and dataset.frame_count >= FEWEST,
        "too_few": dataset.frame_count < FEWEST,
        "colour": colour,
        "colours": COLOUR_WORDS.items(),
        "points_url": reverse("datasets:map-points", args=[public_id]) + suffix,
        "most_drawn": MOST_DRAWN,
        "left_out": frames_left_out(dataset).count() if editable else 0,
        "may_edit": editable,
        "may_create": may_create(request.user, request.lab),
    }
    return render(request, "datasets/map.html", context)


@require_GET
@says_refusals(_page)
def map_points(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Answer the points as a figure."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    version = chosen_version(list(dataset.versions.all()), request.GET.get("version"))
    return JsonResponse(dataset_map_figure(dataset, version, request.GET.get("colour")))


@require_GET
@says_refusals(_page)
def map_region(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Answer how many frames lie in a part of the map, and where they are listed."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    version = chosen_version(list(dataset.versions.all()), request.GET.get("version"))
    text = request.GET.get("region", "")
    frames = dataset_frames(dataset, version).filter(Region.from_text(text).places(dataset))
    count = frames.count()
    query = f"dataset={dataset.public_id}&region={text}"
    query += f"&version={version.number}" if version else ""
    words = ngettext("%d frame is chosen.", "%d frames are chosen.", count) % count
    url = f"{reverse('datasets:frames')}?{query}"
    return JsonResponse({"count": count, "words": words, "query": query, "url": url})


@require_GET
@says_refusals(_page)
def map_box(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Lead from four numbers to the frames between them."""
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    state = map_state(dataset)
    drawn = state.survey.drawn if state.survey else 0
    x1, x2, y1, y2 = (_coordinate(request, name) for name in ("x1", "x2", "y1", "y2"))
    region = Region(drawn, ((x1, y1), (x2, y1), (x2, y2), (x1, y2)))
    query = QueryDict(mutable=True)
    query.update({"dataset": str(dataset.public_id), "region": region.to_text()})
    if request.GET.get("version"):
        query["version"] = request.GET["version"]
    return redirect(f"{reverse('datasets:frames')}?{query.urlencode()}")


def _coordinate(request: HttpRequest, name: str) -> float:
    text = request.GET.get(name, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Refused(
            _("%(name)s: “%(value)s” isn't a number.") % {"name": name, "value": text[:40]}
        )
    return value


def dataset_map_figure(dataset: Dataset, version: Any, colour: str | None) -> dict[str, Any]:
    """Return the map of a version or of the current frames.

    Raises:
        Refused: an unknown colour.
    """
    state = map_state(dataset)
    explained = state.survey.explained if state.survey else []
    found = map_figure(dataset_frames(dataset, version), colour_of(colour, dataset), explained)
    return found | {"drawn": state.survey.drawn if state.survey else 0}


def colour_of(text: str | None, dataset: Dataset) -> Colour:
    """Return what is asked for; else the kinds where there are several, or the energy.

    Raises:
        Refused: something else.
    """
    if text:
        if text not in set(Colour):
            raise Refused(
                _("colour: “%(value)s” isn't possible; expected one of %(choices)s.")
                % {"value": text[:40], "choices": ", ".join(Colour)}
            )
        return Colour(text)
    kinds = dataset_frames(dataset, None).order_by().values("kind").distinct()[:2]
    return Colour.KIND if len(kinds) > 1 else Colour.ENERGY
