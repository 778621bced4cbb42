"""Learning curves and parity plots, from the files of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from labs import plots
from labs.templatetags.mlmd_tags import digits
from mlmd.hdnnp.training.results import load_parity
from potentials.families import Curve

CURVE_FILE = "learning-curve.csv"
PARITY_FILE = "parity.npz"
PARTS = ("train", "validation")


@dataclass(frozen=True)
class Quantity:
    """An error that a learning curve shows.

    Args:
        column: end of the column names in the table.
        title: of the axis, with its unit.
        unit: of the error.
        noun: for sentences.
    """

    column: str
    title: str | Promise
    unit: str
    noun: str | Promise


QUANTITIES = {
    "energy": Quantity(
        "energy_rmse_mev_per_atom",
        gettext_lazy("energy RMSE / meV per atom"),
        "meV/atom",
        gettext_lazy("energy"),
    ),
    "force": Quantity(
        "force_rmse_mev_per_a",
        gettext_lazy("force RMSE / meV Å⁻¹"),
        "meV/Å",
        gettext_lazy("forces"),
    ),
}


def learning_curve(curve: Curve, name: str, csv: str | None) -> dict[str, Any]:
    """Return the figure of one error against the epoch, for fit and held-out frames.

    Args:
        curve: of the run so far.
        name: a key of `QUANTITIES`.
        csv: address of the whole table.
    """
    quantity = QUANTITIES[name]
    epochs = curve.epoch
    train, held_out = curve.energy if name == "energy" else curve.force
    traces = [
        plots.line(epochs, train, _("fitted frames")),
        plots.line(epochs, held_out, _("held-out frames")),
    ]
    return plots.figure(
        traces, _("epoch"), str(quantity.title), _curve_words(quantity, epochs, held_out), csv=csv
    )


def curve_csv(curve: Curve) -> str:
    """Return a learning curve as CSV, with the columns of our own engine's."""
    names = [f"{part}_{QUANTITIES[name].column}" for name in QUANTITIES for part in PARTS]
    columns = [curve.epoch, *curve.energy, *curve.force]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    cells = (["" if np.isnan(value) else f"{value:.9g}" for value in row] for row in rows)
    return "".join(",".join(line) + "\n" for line in (["epoch", *names], *cells))


def _curve_words(
    quantity: Quantity, epochs: NDArray[np.float64], held_out: NDArray[np.float64]
) -> str:
    known = np.isfinite(held_out)
    if not known.any():
        if len(epochs):
            return _("No errors of %(noun)s on held-out frames are known.") % {
                "noun": quantity.noun
            }
        return _("No epoch has been finished yet.")
    best = int(np.nanargmin(held_out))
    return _(
        "Held-out RMSE of %(noun)s: %(last)s %(unit)s after %(epochs)d epochs, best "
        "%(best)s %(unit)s at epoch %(at)d."
    ) % {
        "noun": quantity.noun,
        "last": digits(held_out[known][-1], 3),
        "unit": quantity.unit,
        "epochs": epochs[-1],
        "best": digits(held_out[best], 3),
        "at": epochs[best],
    }


def has_parity(folder: Path) -> bool:
    """Whether a run's folder holds what the parity plots need."""
    return (folder / PARITY_FILE).is_file()


@dataclass(frozen=True)
class ParityPoints:
    """Teacher data against potential, one value each.

    Args:
        reference: of the teacher data, eV/atom or eV/Å, shape (P,).
        predicted: of the potential, shape (P,).
        held_out: whether the frame was held out, shape (P,).
    """

    reference: NDArray[np.float64]
    predicted: NDArray[np.float64]
    held_out: NDArray[np.bool_]

    def parts(self) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
        """Return (name, reference, predicted) of the fitted and of the held-out points."""
        fitted = ~self.held_out
        return [
            ("fitted", self.reference[fitted], self.predicted[fitted]),
            ("held out", self.reference[self.held_out], self.predicted[self.held_out]),
        ]

    @property
    def low(self) -> float:
        """The smallest value of all, 0 where there is none."""
        return float(self.reference.min()) if len(self.reference) else 0.0

    @property
    def high(self) -> float:
        """The largest value of all, 1 where there is none."""
        return float(self.reference.max()) if len(self.reference) else 1.0


def read_parity(folder: Path, name: str) -> ParityPoints:
    """Return the points of a parity plot.

    Args:
        folder: of the run.
        name: a key of `QUANTITIES`.

    Raises:
        mlmd.errors.InvalidInput: the file is missing or damaged.
    """
    parity = load_parity(folder / PARITY_FILE)
    if name == "force":
        held_out = parity.validation[parity.force_row]
        return ParityPoints(
            parity.force_reference.astype(float), parity.force_predicted.astype(float), held_out
        )
    known = np.isfinite(parity.energy_reference)
    return ParityPoints(
        parity.energy_reference[known], parity.energy_predicted[known], parity.validation[known]
    )


def parity_figure(folder: Path, name: str, csv: str | None) -> dict[str, Any]:
    """Return the potential's values against the teacher data's, fitted and held out.

    Args:
        folder: of the run.
        name: a key of `QUANTITIES`.
        csv: address of all points.
    """
    points = read_parity(folder, name)
    names = {"fitted": _("fitted frames"), "held out": _("held-out frames")}
    ends = [points.low, points.high]
    traces = [
        plots.scatter(reference, predicted, names[label], marker={"size": 4, "opacity": 0.7})
        for label, reference, predicted in points.parts()
    ]
    diagonal = {"color": "#888888", "width": 1, "dash": "dot"}
    traces.append(plots.line(ends, ends, line=diagonal, hoverinfo="skip", showlegend=False))
    unit = "eV/atom" if name == "energy" else "eV/Å"
    return plots.figure(
        traces,
        _("teacher data / %(unit)s") % {"unit": unit},
        _("potential / %(unit)s") % {"unit": unit},
        _parity_words(QUANTITIES[name], points),
        csv=csv,
        square=True,
    )


def _parity_words(quantity: Quantity, points: ParityPoints) -> str:
    errors = 1000 * (points.predicted - points.reference)[points.held_out]
    if not len(errors):
        return _("No frame was held out, so the points show the fit only.")
    return _(
        "Held-out RMSE of %(noun)s %(rmse)s %(unit)s over %(count)s values, largest error "
        "%(worst)s %(unit)s."
    ) % {
        "noun": quantity.noun,
        "rmse": digits(np.sqrt(np.mean(errors**2)), 3),
        "unit": quantity.unit,
        "count": len(errors),
        "worst": digits(np.abs(errors).max(), 3),
    }
