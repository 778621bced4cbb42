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
from potentials.tables import read_table

CURVE_FILE = "learning-curve.csv"
PARITY_FILE = "parity.npz"
FORCE_POINTS = 20_000  # of a parity plot are read; the plot shows fewer


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


def learning_curve(folder: Path, name: str, csv: str | None) -> dict[str, Any]:
    """Return the figure of one error against the epoch, for fit and held-out frames.

    Args:
        folder: of the run.
        name: a key of `QUANTITIES`.
        csv: address of the whole table.
    """
    quantity = QUANTITIES[name]
    table = read_table(folder / CURVE_FILE)
    epochs = table.numbers("epoch")
    train = table.numbers(f"train_{quantity.column}")
    held_out = table.numbers(f"validation_{quantity.column}")
    traces = [
        plots.line(epochs, train, _("fitted frames")),
        plots.line(epochs, held_out, _("held-out frames")),
    ]
    return plots.figure(
        traces, _("epoch"), str(quantity.title), _curve_words(quantity, epochs, held_out), csv=csv
    )


def _curve_words(
    quantity: Quantity, epochs: NDArray[np.float64], held_out: NDArray[np.float64]
) -> str:
    known = np.isfinite(held_out)
    if not known.any():
        return _("No epoch has been finished yet.")
    best = int(np.nanargmin(held_out))
    return _(
        "Held-out RMSE of %(noun)s: %(last).3g %(unit)s after %(epochs)d epochs, best "
        "%(best).3g %(unit)s at epoch %(at)d."
    ) % {
        "noun": quantity.noun,
        "last": held_out[known][-1],
        "unit": quantity.unit,
        "epochs": epochs[-1],
        "best": held_out[best],
        "at": epochs[best],
    }


def has_parity(folder: Path) -> bool:
    """Whether a run's folder holds what the parity plots need."""
    return (folder / PARITY_FILE).is_file()
