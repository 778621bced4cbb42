"""What the demonstration accepts and draws; the whole of it runs by `make demo`."""

from __future__ import annotations

import numpy as np
import pytest

from mlmd.runs import write_json_atomic
from potentials import drawings
from potentials.demonstration import Measure, _radial_peaks, summary_table


@pytest.mark.parametrize(
    ("value", "accepted"), [(10.0, True), (15.0, True), (15.1, False), (float("nan"), False)]
)
def test_a_number_outside_of_its_bounds_is_missed(value, accepted):
    measure = Measure("Energy RMSE", value, "meV/atom", 0, 15)
    assert measure.is_accepted is accepted
    assert ("MISSED" in summary_table([measure])) is not accepted


def test_a_number_without_bounds_is_always_accepted():
    assert Measure("Time", 1e9, "s").is_accepted


def test_peaks_are_found_and_wiggles_are_not(tmp_path):
    r = np.linspace(0.0125, 8, 320)
    shells = ((2.34, 8.0), (3.82, 4.0), (4.48, 3.0))
    g = sum(height * np.exp(-(((r - place) / 0.1) ** 2)) for place, height in shells)
    g += 0.05 * np.sin(40 * r)
    write_json_atomic(tmp_path / "rdf.json", {"distances": r, "total": g})
    assert _radial_peaks(tmp_path) == pytest.approx([2.34, 3.82, 4.48], abs=0.03)
    assert _radial_peaks(tmp_path / "nowhere") == []


def test_the_same_curve_gives_the_same_picture(tmp_path):
    (tmp_path / "learning-curve.csv").write_text(
        "epoch,train_force_rmse_mev_per_a,validation_force_rmse_mev_per_a\n1,300,320\n2,100,150\n"
    )
    for name in ("a.svg", "b.svg"):
        drawings.draw_learning_curve(tmp_path, "force", tmp_path / name)
    picture = (tmp_path / "a.svg").read_bytes()
    assert picture == (tmp_path / "b.svg").read_bytes()
    assert b"force RMSE" in picture
    assert b"held-out frames" in picture
