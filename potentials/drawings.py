"""Draws the figures of a training and an MD run as SVG files, for people without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from potentials.run_json import json_or_none
from potentials.simulation_plots import THERMO_FILE
from potentials.tables import read_table
from potentials.training_plots import CURVE_FILE, QUANTITIES, read_parity

# Okabe and Ito's colours, as on the site.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
STYLE = {
    "svg.hashsalt": "mlmd",  # the same picture gives the same file
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


@contextmanager
def _axes(path: Path, x_title: str, y_title: str) -> Iterator[Any]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.4, 3.6), layout="constrained")
        axes = figure.add_subplot()
        axes.set_prop_cycle(color=COLOURS)
        axes.set_xlabel(x_title)
        axes.set_ylabel(y_title)
        yield axes
        figure.savefig(path, format="svg", metadata={"Date": None})


def draw_learning_curve(folder: Path, name: str, path: Path) -> None:
    """Draw one error against the epoch on a logarithmic axis."""
    table = read_table(folder / CURVE_FILE)
    column = QUANTITIES[name].column
    with _axes(path, "epoch", str(QUANTITIES[name].title)) as axes:
        epochs = table.numbers("epoch")
        axes.semilogy(epochs, table.numbers(f"train_{column}"), label="fitted frames")
        axes.semilogy(epochs, table.numbers(f"validation_{column}"), label="held-out frames")
        axes.legend()


def draw_parity(folder: Path, name: str, path: Path) -> None:
    """Draw the potential's values against the teacher data's."""
    unit = "eV per atom" if name == "energy" else "eV Å⁻¹"
    points = read_parity(folder, name)
    with _axes(path, f"teacher data / {unit}", f"potential / {unit}") as axes:
        for label, reference, predicted in points.parts():
            axes.plot(reference, predicted, ".", markersize=3, label=label)
        axes.axline((points.low, points.low), slope=1, color="#777777", linewidth=0.8)
        axes.legend()


def draw_radial(folder: Path, path: Path) -> None:
    """Draw g(r) of each pair of elements."""
    found = json_or_none(folder / "rdf.json") or {"distances": [], "pairs": [], "g": []}
    with _axes(path, "r / Å", "g(r)") as axes:
        for pair, values in zip(found["pairs"], found["g"], strict=True):
            axes.plot(found["distances"], values, label="–".join(pair))
        axes.legend()


def draw_conserved(folder: Path, atoms: int, path: Path) -> None:
    """Draw what the conserved energy drifts."""
    table = read_table(folder / THERMO_FILE)
    with _axes(path, "time / ps", "conserved energy / meV per atom") as axes:
        values = table.numbers("conserved_ev") * 1000 / atoms
        axes.plot(table.numbers("time_ps"), values - values[0])


def draw_temperature(folder: Path, path: Path) -> None:
    """Draw the temperature against time."""
    table = read_table(folder / THERMO_FILE)
    with _axes(path, "time / ps", "temperature / K") as axes:
        axes.plot(table.numbers("time_ps"), table.numbers("temperature_k"))
