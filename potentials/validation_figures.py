"""Plots of a validation as figures of the site, alone and laid over each other, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labs import plots
from mlmd.validation.report import Mark, Plot, Series, SeriesKind, ValidationReport

REFERENCE_STYLE = {"color": "#7a7a7a"}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def is_reference(series: Series) -> bool:
    """Whether a series is the teacher's, and not what the potential says."""
    return "teacher" in series.label.lower()


def plots_of(report: ValidationReport, check: str) -> tuple[Plot, ...]:
    """Return the plots of a check by its name; none for a check that the report hasn't got."""
    return next((found.plots for found in report.checks if found.name == check), ())


def titled(title: str, subject: str) -> str:
    """Return a fixed text with what it is about."""
    return f"{_(title)}: {subject}" if subject else _(title)


def plot_figure(plot: Plot, csv_address: str | None) -> dict[str, Any]:
    """Return one plot of a report.

    Args:
        plot: of a check.
        csv_address: of its numbers.
    """
    traces = []
    for number, (label, parts) in enumerate(_curves(plot.series).items()):
        style = _style(parts[0], COLOURS[number % len(COLOURS)], "solid")
        traces.append(_trace(parts, _(label), style))
    return _figure(plot, traces, _words(plot, len(traces)), csv_address)


def overlay_figure(named: Sequence[tuple[str, Plot]], csv_address: str | None) -> dict[str, Any]:
    """Return the same plot of several potentials in one figure.

    The teacher's points are drawn once where they are the same for all.

    Args:
        named: name of the potential and its plot, at least one.
        csv_address: of all numbers.
    """
    traces: list[dict[str, Any]] = []
    teachers: dict[tuple[Series, ...], list[str]] = {}
    for number, (name, plot) in enumerate(named):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        curves = _curves(plot.series)
        own = {label: parts for label, parts in curves.items() if not is_reference(parts[0])}
        for label, parts in own.items():
            shown = name if len(own) == 1 else f"{name}, {_(label)}"
            traces.append(_trace(parts, shown, _style(parts[0], colour, dash)))
        for parts in curves.values():
            if is_reference(parts[0]):
                teachers.setdefault(tuple(parts), []).append(name)
    for parts, names in teachers.items():
        label = _(parts[0].label)
        shown = label if len(teachers) == 1 else f"{label} ({', '.join(names)})"
        traces.append(_trace(list(parts), shown, _style(parts[0], "", "solid")))
    first = named[0][1]
    return _figure(first, traces, _words(first, len(named)), csv_address)


def plots_csv(named: Iterable[tuple[str, Plot]]) -> str:
    """Return the numbers of one or several plots as CSV, one point a line."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    head_written = False
    for name, plot in named:
        if not head_written:
            writer.writerow(["potential", "series", plot.x_title, plot.y_title])
            head_written = True
        for series in plot.series:
            writer.writerows(
                [name, series.label, repr(x), repr(y)]
                for x, y in zip(series.x, series.y, strict=True)
            )
    return stream.getvalue()


def _curves(series: Iterable[Series]) -> dict[str, list[Series]]:
    """Return the parts of each curve: series with the same label belong together."""
    curves: dict[str, list[Series]] = {}
    for part in series:
        curves.setdefault(part.label, []).append(part)
    return curves


def _style(part: Series, colour: str, dash: str) -> dict[str, Any]:
    if is_reference(part):
        marker = {"size": 6, "symbol": "circle-open", **REFERENCE_STYLE}
        return {"marker": marker, "line": {"width": 1.5, **REFERENCE_STYLE}}
    return {
        "marker": {"size": 5, "opacity": 0.8, "color": colour},
        "line": {"width": 2, "color": colour, "dash": dash},
    }


def _trace(parts: list[Series], name: str, style: dict[str, Any]) -> dict[str, Any]:
    """Return one trace of all parts of a curve, which NaN keeps apart."""
    gap = np.array([np.nan])
    xs, ys = [], []
    for part in parts:
        xs += [np.array(part.x), gap]
        ys += [np.array(part.y), gap]
    x, y = np.concatenate(xs)[:-1], np.concatenate(ys)[:-1]
    if parts[0].kind is SeriesKind.POINTS:
        return plots.scatter(x, y, name, marker=style["marker"])
    return plots.line(x, y, name, line=style["line"])


def _figure(
    plot: Plot, traces: list[dict[str, Any]], words: str, csv_address: str | None
) -> dict[str, Any]:
    layout = _marked(plot.marks) if plot.marks else {}
    figure = plots.figure(traces, _(plot.x_title), _(plot.y_title), words, csv=csv_address)
    for key, value in layout.items():
        inner = figure["layout"].get(key)
        figure["layout"][key] = {**inner, **value} if isinstance(inner, dict) else value
    return figure


def _marked(marks: Sequence[Mark]) -> dict[str, Any]:
    """Return vertical lines with their labels on the axis, as at the points of a band path."""
    return {
        "shapes": [
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": mark.x,
                "x1": mark.x,
                "y0": 0,
                "y1": 1,
                "line": {"width": 1, "color": "#9a9a9a"},
            }
            for mark in marks
        ],
        "xaxis": {
            "tickmode": "array",
            "tickvals": [mark.x for mark in marks],
            "ticktext": [mark.label for mark in marks],
        },
    }


def _words(plot: Plot, count: int) -> str:
    ys = [y for series in plot.series for y in series.y]
    curves = ngettext("%(n)d curve", "%(n)d curves", count) % {"n": count}
    if not ys:
        return f"{titled(plot.title, plot.subject)}."
    return _("%(title)s: %(curves)s; %(y)s from %(low)s to %(high)s.") % {
        "title": titled(plot.title, plot.subject),
        "curves": curves,
        "y": _(plot.y_title),
        "low": f"{min(ys):.4g}",
        "high": f"{max(ys):.4g}",
    }
