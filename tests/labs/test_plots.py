"""Figures as the browser gets them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs.plots import MOST_POINTS, bars, figure, histogram, line, scatter


def test_a_short_line_is_sent_as_it_is() -> None:
    trace = line([1, 2, 3], np.float32([0.1, 0.2, 0.3]), "train")
    assert trace["x"] == [1, 2, 3]
    assert trace["y"] == [0.1, 0.2, 0.3]
    assert json.loads(json.dumps(trace)) == trace


@given(st.integers(MOST_POINTS + 1, 30_000), st.integers(0, 2**32 - 1))
def test_a_long_line_keeps_its_ends_and_its_extremes(count: int, seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=count)
    trace = line(np.arange(count), y)
    assert len(trace["x"]) <= MOST_POINTS
    assert trace["x"] == sorted(trace["x"])
    assert (trace["x"][0], trace["x"][-1]) == (0, count - 1)
    assert max(trace["y"]) == pytest.approx(y.max(), rel=1e-5)
    assert min(trace["y"]) == pytest.approx(y.min(), rel=1e-5)


def test_gaps_and_infinities_become_null() -> None:
    assert line([0, 1, 2], [np.nan, np.inf, 1.0])["y"] == [None, None, 1.0]
    long = np.full(5000, np.nan)
    long[2500] = 7.0
    assert 7.0 in line(np.arange(5000), long)["y"]


def test_points_of_different_number_are_refused() -> None:
    with pytest.raises(ValueError, match="x has 2 values, y has 3"):
        line([1, 2], [1, 2, 3])


def test_a_cloud_is_thinned_but_keeps_its_outliers() -> None:
    x = np.linspace(0, 1, 50_000)
    y = np.zeros_like(x)
    y[31_111] = 9.0
    trace = scatter(x, y, "force")
    assert len(trace["x"]) <= MOST_POINTS
    assert 9.0 in trace["y"]


def test_a_histogram_counts_every_finite_value_once() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(size=1000), [np.nan, np.inf]])
    trace = histogram(values, bins=30)
    assert sum(trace["y"]) == 1000
    assert len(trace["x"]) == len(trace["width"]) == 30


def test_a_histogram_of_nothing_or_of_one_value_is_drawn_too() -> None:
    assert histogram([])["y"] == []
    assert histogram([2.0, 2.0])["y"] == [2]


def test_a_figure_names_its_axes_and_shows_a_legend_only_for_several_names() -> None:
    one = figure([line([0], [0], "a")], "r / Å", "g(r)", "First peak at 2.35 Å.")
    assert one["layout"]["xaxis"]["title"]["text"] == "r / Å"
    assert one["layout"]["showlegend"] is False
    two = figure([line([0], [0], "a"), bars(["Si"], [1], "b")], "x", "y", "", square=True, csv="/c")
    assert two["layout"]["showlegend"] is True
    assert two["layout"]["yaxis"]["scaleanchor"] == "x"
    assert two["csv"] == "/c"
