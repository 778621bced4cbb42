"""Plots of a dataset: JSON for the page, CSV for everybody."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET

from datasets.access import visible_or_404
from datasets.querysets import FrameQuerySet
from datasets.selectors import datasets_visible_to
from datasets.statistics import grouped_values, groups
from datasets.views.datasets import chosen_version, dataset_frames
from labs.plots import bars, figure, histogram, scatter

BINS = 50


_LEGEND_BESIDE = {"orientation": "v", "x": 1.02, "xanchor": "left", "y": 1, "yanchor": "top"}


@dataclass(frozen=True)
class Plot:
    """A plot of a set of frames.

    Args:
        columns: of the frames, in the CSV.
        draw: frames, address of the CSV → the figure.
    """

    columns: tuple[str, ...]
    draw: Callable[[FrameQuerySet, str], dict[str, Any]]


def _energy(frames: FrameQuerySet, csv_url: str) -> dict[str, Any]:
    values = grouped_values(frames, "elements_key", "energy_per_atom")
    every = np.concatenate([v[:, 0] for v in values.values()]) if values else np.array([])
    edges = _edges(every)
    traces = [
        _bars_between(group[:, 0], edges, str(_NAMES.get(name, name.strip("|").replace("|", "–"))))
        for name, group in values.items()
    ]
    if len(every):
        words = ngettext(
            "Energy of %(n)d frame: %(low).3f eV/atom.",
            "Energies of %(n)d frames, from %(low).3f to %(high).3f eV/atom.",
            len(every),
        ) % {
            "n": len(every),
            "low": every.min(),
            "high": every.max(),
        }
    else:
        words = _("No frame has an energy.")
    return figure(
        traces,
        _("energy per atom / eV"),
        _("frames"),
        words,
        csv=csv_url,
        layout={"barmode": "stack"},
    )


def _force(frames: FrameQuerySet, csv_url: str) -> dict[str, Any]:
    values = grouped_values(frames, "elements_key", "max_force")
    every = np.concatenate([v[:, 0] for v in values.values()]) if values else np.array([])
    if len(every):
        words = ngettext(
            "Largest force on an atom of %(n)d frame: %(most).3f eV/Å.",
            "Largest force on an atom of each of %(n)d frames: median %(median).3f, "
            "at most %(most).3f eV/Å.",
            len(every),
        ) % {"n": len(every), "median": float(np.median(every)), "most": every.max()}
    else:
        words = _("No frame has forces.")
    return figure(
        [histogram(every, bins=BINS)],
        _("largest force on an atom / eV/Å"),
        _("frames"),
        words,
        csv=csv_url,
    )


_NAMES = {"": gettext_lazy("no kind"), "…": gettext_lazy("others")}


def _volume(frames: FrameQuerySet, csv_url: str) -> dict[str, Any]:
    values = grouped_values(frames, "kind", "volume_per_atom", "energy_per_atom")
    traces = [
        scatter(group[:, 0], group[:, 1], _NAMES.get(name, name)) for name, group in values.items()
    ]
    count = sum(len(group) for group in values.values())
    words = (
        ngettext(
            "Energy against volume of %d frame.",
            "Energy against volume of %d frames, by kind of configuration.",
            count,
        )
        % count
    )
    return figure(traces, _("volume per atom / Å³"), _("energy per atom / eV"), words, csv=csv_url)


def _composition(frames: FrameQuerySet, csv_url: str) -> dict[str, Any]:
    found = groups(frames, "formula", 30)
    listed = ", ".join(f"{g.name} {g.frames}" for g in found[:5])
    words = _("Frames by formula, the most frequent first: %s.") % listed
    return figure(
        [bars([g.name for g in found], [g.frames for g in found])],
        _("formula"),
        _("frames"),
        words,
        csv=csv_url,
    )


PLOTS: Mapping[str, Plot] = {
    "energy": Plot(("formula", "energy_per_atom"), _energy),
    "force": Plot(("formula", "max_force"), _force),
    "volume": Plot(("formula", "kind", "volume_per_atom", "energy_per_atom"), _volume),
    "composition": Plot(("formula", "n_atoms"), _composition),
}
HEADS = {
    "energy_per_atom": "energy_ev_per_atom",
    "max_force": "max_force_ev_per_a",
    "volume_per_atom": "volume_a3_per_atom",
}


@require_GET
def dataset_plot(request: HttpRequest, public_id: UUID, name: str) -> HttpResponseBase:
    """Answer one of the plots, ``?version=`` for a version."""
    frames, query = _frames(request, public_id)
    plot = _plot(name)
    csv_url = reverse("datasets:plot-csv", args=[public_id, name]) + query
    return JsonResponse(plot.draw(frames, csv_url))


@require_GET
def dataset_plot_csv(request: HttpRequest, public_id: UUID, name: str) -> HttpResponseBase:
    """Answer every number behind a plot."""
    frames, _query = _frames(request, public_id)
    plot = _plot(name)
    response = StreamingHttpResponse(
        _csv(frames, plot.columns), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _frames(request: HttpRequest, public_id: UUID) -> tuple[FrameQuerySet, str]:
    dataset = visible_or_404(datasets_visible_to(request.user), public_id)
    version = chosen_version(list(dataset.versions.all()), request.GET.get("version"))
    return dataset_frames(dataset, version), f"?version={version.number}" if version else ""


def _plot(name: str) -> Plot:
    if name not in PLOTS:
        raise Http404(_("There is no such plot."))
    return PLOTS[name]


def _csv(frames: FrameQuerySet, columns: tuple[str, ...]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(["frame", *(HEADS.get(column, column) for column in columns)])
    rows = frames.order_by("pk").values_list("public_id", *columns)
    for row in rows.iterator(chunk_size=2000):
        writer.writerow(row)
        if line.tell() > 1 << 16:
            yield line.getvalue()
            line.seek(0)
            line.truncate()
    yield line.getvalue()


def _edges(values: Any) -> Any:
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    if high == low:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BINS + 1)


def _bars_between(values: Any, edges: Any, name: str) -> dict[str, Any]:
    counts, _edges_again = np.histogram(values, bins=edges)
    return {
        "type": "bar",
        "x": ((edges[:-1] + edges[1:]) / 2).tolist(),
        "y": counts.tolist(),
        "width": np.diff(edges).tolist(),
        "name": name,
    }
