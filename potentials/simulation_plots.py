"""What an MD run shows while it runs: thermodynamic log, g(r), diffusion, coordination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.http import FileResponse, Http404, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from jobs.files import file_path, job_folder
from labs import plots
from labs.templatetags.mlmd_tags import digits
from mlmd.md import settings_from_mapping
from potentials.engines import ENGINES
from potentials.models import Simulation
from potentials.tables import Table, read_table

THERMO_FILE = "thermo.csv"


@dataclass(frozen=True)
class Series:
    """One curve of the thermodynamic log.

    Args:
        column: of the table.
        name: in the legend; empty where the plot has only one.
    """

    column: str
    name: str | Promise = ""


@dataclass(frozen=True)
class ThermoPlot:
    """One figure of the thermodynamic log.

    Args:
        title: above the figure.
        y_title: of the axis, with its unit.
        unit: for the sentence.
        series: its curves; the sentence speaks of the first.
        per_atom: divide by the number of atoms.
        scale: factor into the axis' unit.
        from_first: show the change since the first row.
    """

    title: str | Promise
    y_title: str | Promise
    unit: str
    series: tuple[Series, ...]
    per_atom: bool = False
    scale: float = 1.0
    from_first: bool = False


THERMO_PLOTS = {
    "temperature": ThermoPlot(
        gettext_lazy("Temperature"),
        gettext_lazy("temperature / K"),
        "K",
        (Series("temperature_k"),),
    ),
    "energy": ThermoPlot(
        gettext_lazy("Energies"),
        gettext_lazy("energy / eV per atom"),
        "eV/atom",
        (
            Series("potential_energy_ev", gettext_lazy("potential")),
            Series("total_energy_ev", gettext_lazy("potential + kinetic")),
        ),
        per_atom=True,
    ),
    "conserved": ThermoPlot(
        gettext_lazy("Conserved energy: what it drifts is numerical error"),
        gettext_lazy("change / meV per atom"),
        "meV/atom",
        (Series("conserved_ev"),),
        per_atom=True,
        scale=1000.0,
        from_first=True,
    ),
    "pressure": ThermoPlot(
        gettext_lazy("Pressure"), gettext_lazy("pressure / GPa"), "GPa", (Series("pressure_gpa"),)
    ),
    "density": ThermoPlot(
        gettext_lazy("Density"),
        gettext_lazy("density / g cm⁻³"),
        "g/cm³",
        (Series("density_g_cm3"),),
    ),
}


def thermo_table(run: Simulation) -> Table:
    """Return the thermodynamic log of a run: ours, or what its engine has written so far."""
    folder = job_folder(run.job)
    if run.job.is_final and (folder / THERMO_FILE).is_file():
        return read_table(folder / THERMO_FILE)
    return ENGINES[run.engine].table(folder, settings_from_mapping(run.settings))


def thermo_response(run: Simulation, name: str) -> HttpResponse | FileResponse:
    """Return the thermodynamic log as a download of that name.

    Raises:
        Http404: there is none (yet).
    """
    path = file_path(run.job, THERMO_FILE)
    if path is not None:
        return FileResponse(path.open("rb"), as_attachment=True, filename=name)
    table = thermo_table(run)
    if not len(table):
        raise Http404(_("The run has no thermodynamic log yet."))
    rows = zip(*table.columns.values(), strict=True)
    text = "\n".join(",".join(row) for row in (table.columns, *rows)) + "\n"
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def thermo_figure(table: Table, name: str, atoms: int, csv: str | None) -> dict[str, Any]:
    """Return one figure of the thermodynamic log against time.

    Args:
        table: of the run.
        name: a key of `THERMO_PLOTS`.
        atoms: how many the run has.
        csv: address of the whole table.
    """
    plot = THERMO_PLOTS[name]
    times = table.numbers("time_ps")
    curves = [_values(plot, table, series, atoms) for series in plot.series]
    traces = [
        plots.line(times, values, str(series.name))
        for series, values in zip(plot.series, curves, strict=True)
    ]
    return plots.figure(
        traces, _("time / ps"), str(plot.y_title), _thermo_words(plot, times, curves[0]), csv=csv
    )


def _values(plot: ThermoPlot, table: Table, series: Series, atoms: int) -> NDArray[np.float64]:
    values = table.numbers(series.column) * plot.scale
    if plot.per_atom:
        values = values / max(atoms, 1)
    return values - values[0] if plot.from_first and len(values) else values


def _thermo_words(plot: ThermoPlot, times: NDArray[np.float64], values: NDArray[np.float64]) -> str:
    known = np.isfinite(values)
    if not known.any():
        return _("Nothing to show yet.")
    late = values[known][len(values[known]) // 2 :]
    return _(
        "%(title)s: %(last)s %(unit)s after %(time)s ps; mean of the second half %(mean)s, "
        "standard deviation %(spread)s."
    ) % {
        "title": plot.title,
        "last": digits(values[known][-1], 4),
        "unit": plot.unit,
        "time": digits(times[known][-1], 4),
        "mean": digits(late.mean(), 4),
        "spread": digits(late.std(), 2),
    }
