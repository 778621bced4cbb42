"""The map of a dataset's frames: points for the page, coloured by what is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from datasets.models import DatasetSurvey, FramePlace
from datasets.querysets import FrameQuerySet
from labs.plots import figure

MOST_DRAWN = 3000  # points that a browser moves smoothly
MOST_GROUPS = 8
_SCALE = "Cividis"  # even in lightness, and the same to the colour-blind
_WITHOUT = "#8a95a3"
_OUTLINE = {"width": 0.6, "color": _WITHOUT}


class Colour(StrEnum):
    """By what the points are coloured."""

    KIND = "kind"
    ENERGY = "energy"
    ABOVE = "above"
    FORCE = "force"
    SPLIT = "split"
    UPLOAD = "upload"
    ELEMENTS = "elements"


@dataclass(frozen=True)
class _Measure:
    """A number that colours points.

    Args:
        column: of the frame.
        title: of the colour bar, with its unit.
        logarithmic: whether its logarithm is shown.
    """

    column: str
    title: Any
    logarithmic: bool = False


COLOUR_WORDS: Mapping[Colour, Any] = {
    Colour.KIND: gettext_lazy("kind of configuration"),
    Colour.ENERGY: gettext_lazy("energy per atom"),
    Colour.ABOVE: gettext_lazy("energy above the hull"),
    Colour.FORCE: gettext_lazy("largest force"),
    Colour.SPLIT: gettext_lazy("part of the split"),
    Colour.UPLOAD: gettext_lazy("file"),
    Colour.ELEMENTS: gettext_lazy("elements"),
}
_MEASURES = {
    Colour.ENERGY: _Measure("energy_per_atom", gettext_lazy("eV/atom")),
    Colour.ABOVE: _Measure("energy_above", gettext_lazy("eV/atom")),
    Colour.FORCE: _Measure("max_force", gettext_lazy("eV/Å"), logarithmic=True),
}
_GROUPS = {
    Colour.KIND: ("kind", gettext_lazy("no kind")),
    Colour.SPLIT: ("split", gettext_lazy("no part")),
    Colour.UPLOAD: ("upload__name", gettext_lazy("no file")),
    Colour.ELEMENTS: ("elements_key", gettext_lazy("none")),
}
_FACTS = ("public_id", "formula", "n_atoms", "energy_per_atom", "max_force", "kind")


@dataclass(frozen=True)
class MapState:
    """How far a map is.

    Args:
        survey: the dataset's survey, or None before its first.
        current: whether it shows the frames as they are now.
        on_map: frames that it shows.
        sample: whether they are a sample.
    """

    survey: DatasetSurvey | None
    current: bool
    on_map: int
    sample: bool

    @property
    def ready(self) -> bool:
        return self.survey is not None and self.survey.drawn > 0

    @property
    def fraction(self) -> float:
        if self.survey is None or not self.survey.wanted:
            return 0.0
        return self.survey.placed / self.survey.wanted


def map_state(dataset: Any) -> MapState:
    survey = DatasetSurvey.objects.filter(dataset=dataset).first()
    if survey is None:
        return MapState(None, False, 0, False)
    current = survey.mark == dataset.frames_mark
    return MapState(survey, current, survey.placed, bool(survey.sample_end))


def map_points(frames: FrameQuerySet) -> Any:
    """Return places of frames that have one, `MOST_DRAWN` at most, evenly chosen."""
    some = FramePlace.objects.filter(frame__in=frames.order_by().values("pk"), x__isnull=False)
    # Hashes are random: the lowest are an even sample, and the same one each time.
    return some.order_by("frame__document_hash")[:MOST_DRAWN]


def map_figure(frames: FrameQuerySet, colour: Colour, explained: list[float]) -> dict[str, Any]:
    """Return the map as a figure; each point carries the id of its frame and what to say of it.

    Args:
        frames: of one dataset.
        colour: by what.
        explained: shares of the variance along both axes.
    """
    points = map_points(frames)
    measure = _MEASURES.get(colour)
    column, lacking = _GROUPS.get(colour, (measure.column if measure else "", ""))
    facts = [f"frame__{name}" for name in _FACTS]
    rows = list(points.values_list("x", "y", f"frame__{column}", *facts))
    traces = _measured(rows, measure) if measure else _grouped(rows, colour, str(lacking))
    shares = [f"{100 * share:.0f}" for share in [*explained, 0, 0][:2]]
    words = (
        ngettext(
            "Map of %(count)d frame.",
            "Map of %(count)d frames, coloured by %(colour)s; near points look alike.",
            len(rows),
        )
        % {"count": len(rows), "colour": COLOUR_WORDS[colour]}
        if rows
        else _("No frame has a place yet.")
    )
    return figure(
        traces,
        _("1st axis (%s %% of the variance)") % shares[0],
        _("2nd axis (%s %% of the variance)") % shares[1],
        words,
        layout={"showlegend": measure is None and len(traces) > 1, "hovermode": "closest"},
    )


def _measured(rows: list[Any], measure: _Measure) -> list[dict[str, Any]]:
    known = [row for row in rows if row[2] is not None]
    rest = [row for row in rows if row[2] is None]
    values = np.array([row[2] for row in known], dtype=float)
    if measure.logarithmic:
        values = np.log10(np.maximum(values, 1e-4))
    traces = [_points(rest, str(_("not known")), {"color": _WITHOUT})] if rest else []
    if known:
        # A single far value must not take all colours.
        low, high = np.percentile(values, [1, 99])
        bar: dict[str, Any] = {"title": {"text": str(measure.title)}, "thickness": 12, "len": 0.9}
        if measure.logarithmic:
            ticks = np.arange(np.floor(low), np.ceil(high) + 1)
            bar |= {"tickvals": ticks.tolist(), "ticktext": [f"{10**t:g}" for t in ticks]}
        marker = {
            "color": [float(f"{value:.6g}") for value in values],
            "colorscale": _SCALE,
            "cmin": float(low),
            "cmax": float(high) if high > low else float(low) + 1e-6,
            "colorbar": bar,
            "showscale": True,
        }
        traces.append(_points(known, "", marker))
    return traces


def _grouped(rows: list[Any], colour: Colour, lacking: str) -> list[dict[str, Any]]:
    members: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        name = row[2] or ""
        members[name.strip("|").replace("|", "–") if colour is Colour.ELEMENTS else name].append(
            row
        )
    ranked = sorted(members, key=lambda name: (-len(members[name]), name))
    traces = [_points(members[name], name or lacking, {}) for name in ranked[: MOST_GROUPS - 1]]
    others = [row for name in ranked[MOST_GROUPS - 1 :] for row in members[name]]
    return [*traces, _points(others, str(_("others")), {"color": _WITHOUT})] if others else traces


def _points(rows: list[Any], name: str, marker: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [float(f"{row[0]:.5g}") for row in rows],
        "y": [float(f"{row[1]:.5g}") for row in rows],
        "customdata": [_facts(row) for row in rows],
        "hovertemplate": "%{customdata[1]}<extra></extra>",
        # The outline keeps the dark end of a scale visible on a dark page.
        "marker": {"size": 7, "opacity": 0.85, "line": _OUTLINE, **marker},
        **({"name": name} if name else {}),
    }


def _facts(row: Any) -> list[str]:
    public_id, formula, atoms, energy, force, kind = row[3:]
    said = [
        formula,
        kind,
        ngettext("%d atom", "%d atoms", atoms) % atoms,
        "" if energy is None else f"{energy:.4f} eV/atom",
        "" if force is None else f"{force:.3f} eV/Å",
    ]
    return [str(public_id), " · ".join(text for text in said if text)]
