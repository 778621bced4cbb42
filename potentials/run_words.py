"""Says in words what an MD run found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labs.templatetags.mlmd_tags import digits
from potentials.models import Simulation
from potentials.observations import diffusion_words
from potentials.run_json import json_or_none

STRONG_DRIFT = 1.0  # meV per atom and ps
MOST_LINES = 30  # of atoms that left the trained range; the CSV of the run has all


def extrapolation_words(folder: Path, simulation: Simulation) -> tuple[str, list[str]]:
    """Say which atoms left the range that the potential was trained in, and when.

    Returns:
        One sentence (empty while nothing is known) and one line for each of the worst atoms.
    """
    found = json_or_none(folder / "extrapolation.json")
    if found is None or (simulation.engine == "lammps" and simulation.potential.family != "hdnnp"):
        return "", []  # only pair style hdnnp counts them
    if not found["total"]:
        return _("Every atom stayed within the range that the potential was trained in."), []
    step = float(simulation.settings["time_step"])
    if not found["atoms"]:
        return _counted_words(found, step), []
    atoms = ngettext("%(count)d atom", "%(count)d atoms", found["atoms"]) % {
        "count": found["atoms"]
    }
    head = _(
        "%(atoms)s left the range that the potential was trained in, first after %(first).4g ps, "
        "in %(steps)s steps: forces there are guesses. Add such configurations to the teacher "
        "data, or stay in the trained range."
    ) % {
        "atoms": atoms,
        "first": (found["first_step"] or 0) * step / 1000,
        "steps": found["steps"],
    }
    worst: dict[int, dict[str, Any]] = {}
    for entry in found["entries"]:
        known = worst.setdefault(entry["atom"], entry)
        if entry["count"] > known["count"]:
            worst[entry["atom"]] = entry
    lines = [_entry_words(entry, step) for entry in list(worst.values())[:MOST_LINES]]
    return head, lines


def _counted_words(found: dict[str, Any], step: float) -> str:
    """Say how often atoms left the range, where the program doesn't say which."""
    return _(
        "LAMMPS counted %(count)s times that an atom left the range that the potential was trained "
        "in, first before %(first).4g ps: forces there are guesses. Our own engine says which atoms."
    ) % {"count": found["total"], "first": (found["first_step"] or 0) * step / 1000}


def _entry_words(entry: dict[str, Any], step: float) -> str:
    width = entry["high"] - entry["low"]
    beyond = max(entry["low"] - entry["worst"], entry["worst"] - entry["high"])
    share = f"{100 * beyond / width:.2g} %" if width > 0 else "–"
    return _(
        "%(element)s, atom %(atom)s: from %(first).4g to %(last).4g ps, in %(count)s steps, up to "
        "%(share)s of the range beyond it."
    ) % {
        "element": entry["element"],
        "atom": entry["atom"] + 1,
        "first": entry["first_step"] * step / 1000,
        "last": entry["last_step"] * step / 1000,
        "count": entry["count"],
        "share": share,
    }


def summary_rows(simulation: Simulation) -> list[dict[str, Any]]:
    """Return the key numbers of a run that is done: averages of its last stage, and motion."""
    result = simulation.result
    if not result:
        return []
    last = result["stages"][-1] if result["stages"] else {}
    known = (
        (_("Mean temperature, last stage"), last.get("temperature"), 4, "K"),
        (_("Mean pressure, last stage"), last.get("pressure"), 3, "GPa"),
        (_("Mean density, last stage"), last.get("density"), 4, "g/cm³"),
        (_("Drift of the conserved energy"), last.get("energy_drift"), 2, "meV/atom/ps"),
        (_("Computing time"), result.get("seconds"), 3, "s"),
    )
    rows: list[dict[str, Any]] = [
        {"label": label, "value": digits(value, count), "unit": unit}
        for label, value, count, unit in known
        if value is not None
    ]
    rows += [
        {
            "label": _("First peak of g(r), %(pair)s") % {"pair": "–".join(peak["pair"])},
            "value": digits(peak["position"], 4),
            "unit": "Å",
        }
        for peak in result["first_peaks"]
    ]
    return rows + [{"label": _("Diffusion"), "value": w} for w in diffusion_words(result)]


def run_warnings(simulation: Simulation) -> list[str]:
    """Return what the person who reads the numbers of a run should know first."""
    drifts = [
        (stage["index"] + 1, stage["energy_drift"])
        for stage in simulation.result.get("stages", [])
        if stage["energy_drift"] is not None and abs(stage["energy_drift"]) > STRONG_DRIFT
    ]
    return [
        _(
            "The conserved energy of stage %(stage)s drifts by %(drift).2g meV per atom and ps: "
            "take a smaller time step."
        )
        % {"stage": number, "drift": value}
        for number, value in drifts
    ]
