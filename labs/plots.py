"""Figures for `static/js/plot.js`: plain JSON, decimated, with a sentence of key numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST_POINTS = 2000
DIGITS = 6  # significant digits sent to the browser; the CSV holds all of them


def figure(
    traces: Sequence[dict[str, Any]],
    x_title: str,
    y_title: str,
    alt: str,
    *,
    csv: str | None = None,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    square: bool = False,
    layout: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the answer of a plot's address.

    Args:
        traces: from `line`, `scatter`, `histogram` or `bars`.
        x_title: axis title with its unit, for example ``"r / Å"``.
        y_title: likewise.
        alt: one sentence with the key numbers, read in place of the picture.
        csv: address of the full data, or None.
        x_range: fixed limits, or None for those of the data.
        y_range: likewise.
        square: the same scale on both axes (parity plots).
        layout: anything else of Plotly's layout; wins over the rest.
    """
    x_axis: dict[str, Any] = {"title": {"text": str(x_title)}}
    y_axis: dict[str, Any] = {"title": {"text": str(y_title)}}
    if x_range:
        x_axis["range"] = list(x_range)
    if y_range:
        y_axis["range"] = list(y_range)
    if square:
        y_axis |= {"scaleanchor": "x", "constrain": "domain"}
        x_axis |= {"constrain": "domain"}
    return {
        "data": list(traces),
        "layout": {
            "xaxis": x_axis,
            "yaxis": y_axis,
            "showlegend": sum(bool(trace.get("name")) for trace in traces) > 1,
            **(layout or {}),
        },
        "alt": str(alt),
        "csv": csv,
    }


def line(x: ArrayLike, y: ArrayLike, name: str = "", **style: Any) -> dict[str, Any]:
    """Return a line of at most 2000 points that keeps every peak.

    Args:
        x: shape (N,), ascending.
        y: shape (N,); NaN breaks the line.
        name: for the legend.
        style: anything else of a Plotly scatter trace.
    """
    xs, ys = _pair(x, y)
    keep = _peaks(ys, MOST_POINTS)
    return {"type": "scatter", "mode": "lines", **_xy(xs[keep], ys[keep]), **_named(name), **style}


def scatter(x: ArrayLike, y: ArrayLike, name: str = "", **style: Any) -> dict[str, Any]:
    """Return at most 2000 points, evenly thinned; extremes of both axes are kept."""
    xs, ys = _pair(x, y)
    if len(xs) > MOST_POINTS:
        even = np.linspace(0, len(xs) - 1, MOST_POINTS - 4).astype(int)
        ends = [np.nanargmin(xs), np.nanargmax(xs), np.nanargmin(ys), np.nanargmax(ys)]
        keep = np.unique(np.concatenate([even, ends]))
        xs, ys = xs[keep], ys[keep]
    return {"type": "scatter", "mode": "markers", **_xy(xs, ys), **_named(name), **style}


def histogram(values: ArrayLike, name: str = "", bins: int = 50, **style: Any) -> dict[str, Any]:
    """Return counts in equal bins, computed here so that any number of values is small to send."""
    data = np.asarray(values, dtype=float).ravel()
    data = data[np.isfinite(data)]
    if not len(data):
        return {"type": "bar", "x": [], "y": [], **_named(name), **style}
    counts, edges = np.histogram(data, bins=min(bins, max(1, len(np.unique(data)))))
    widths = np.diff(edges)
    centres = edges[:-1] + widths / 2
    return {
        "type": "bar",
        **_xy(centres, counts),
        "width": _plain(widths),
        **_named(name),
        **style,
    }


def bars(labels: Sequence[str], values: ArrayLike, name: str = "", **style: Any) -> dict[str, Any]:
    """Return one bar per label."""
    heights = _plain(np.asarray(values, dtype=float))
    return {"type": "bar", "x": [str(x) for x in labels], "y": heights, **_named(name), **style}


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    xs, ys = np.asarray(x, dtype=float).ravel(), np.asarray(y, dtype=float).ravel()
    if xs.shape != ys.shape:
        raise ValueError(f"x has {len(xs)} values, y has {len(ys)}")
    return xs, ys


def _peaks(y: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Return the indices of the lowest and highest value of most/2 stretches, and both ends."""
    if len(y) <= most:
        return np.arange(len(y))
    keep = {0, len(y) - 1}
    bounds = np.linspace(0, len(y), (most - 2) // 2 + 1).astype(int)
    finite_low = np.where(np.isnan(y), np.inf, y)
    finite_high = np.where(np.isnan(y), -np.inf, y)
    for start, end in itertools.pairwise(bounds):
        keep.add(start + int(np.argmin(finite_low[start:end])))
        keep.add(start + int(np.argmax(finite_high[start:end])))
    return np.array(sorted(keep), dtype=np.intp)


def _xy(x: NDArray[Any], y: NDArray[Any]) -> dict[str, list[float | None]]:
    return {"x": _plain(x), "y": _plain(y)}


def _plain(values: NDArray[Any]) -> list[float | None]:
    """Return JSON numbers with a few digits; NaN and infinities become null."""
    return [
        float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values.tolist()
    ]


def _named(name: str) -> dict[str, str]:
    return {"name": str(name)} if name else {}
