"""What an MD run shows of structure and motion, from the files that it refreshes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from django.http import Http404
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labs import plots
from potentials.run_json import json_or_none

TITLES: dict[str, str | Promise] = {
    "rdf": gettext_lazy("Radial distribution function"),
    "sq": gettext_lazy("Structure factor"),
    "msd": gettext_lazy("Mean squared displacement"),
    "coordination": gettext_lazy("Coordination numbers"),
}
LEAST_PEAK = 0.5  # 1/Å
CM2_PER_S_IN_A2_PER_PS = 1e4


def _waiting(x_title: str, y_title: str) -> dict[str, Any]:
    return plots.figure([], x_title, y_title, _("Nothing to show yet."))


def radial_figure(folder: Path, csv_url: str | None) -> dict[str, Any]:
    """Return g(r) of each pair of elements."""
    titles = ("r / Å", "g(r)")
    found = json_or_none(folder / "rdf.json")
    if found is None:
        return _waiting(*titles)
    shown = _unordered(found["pairs"])
    traces = [plots.line(found["distances"], found["g"][k], "–".join(pair)) for k, pair in shown]
    if len(traces) > 1:
        traces.append(plots.line(found["distances"], found["total"], _("all")))
    words = "; ".join(
        _("%(pair)s first peak at %(r).3f Å, g = %(g).2f")
        % {"pair": "–".join(pair), "r": peak["position"], "g": peak["height"]}
        for k, pair in shown
        if (peak := found["peaks"][k])
    )
    alt = _("%(words)s; mean of %(frames)s frames of the last stage, steps %(from)s to %(to)s.") % {
        "words": words or _("No peak"),
        "frames": found["frames"],
        "from": found["from_step"],
        "to": found["to_step"],
    }
    return plots.figure(traces, *titles, alt, csv=csv_url)


def scattering_figure(folder: Path, csv_url: str | None) -> dict[str, Any]:
    """Return S(q) of each pair of elements and of all atoms alike."""
    titles = ("q / Å⁻¹", "S(q)")
    found = json_or_none(folder / "sq.json")
    if found is None:
        words = _("Nothing to show yet; a cell that isn't periodic in all directions has no S(q).")
        return plots.figure([], *titles, words)
    q = found["wave_numbers"]
    traces = [
        plots.line(q, values, "–".join(pair))
        for pair, values in zip(found["pairs"], found["partial"], strict=True)
    ]
    if len(traces) > 1:
        traces.append(plots.line(q, found["total"], _("all")))
    # Towards q = 0 a few wave vectors of the cell say little.
    peaks = [(s, at) for s, at in zip(found["total"], q, strict=True) if at > LEAST_PEAK]
    highest = max(peaks, default=(0.0, 0.0))
    alt = _(
        "All atoms alike: highest at %(q).2f Å⁻¹, S = %(s).2f; mean of %(frames)s frames of the "
        "last stage, steps %(from)s to %(to)s. Partials after Faber and Ziman."
    ) % {
        "q": highest[1],
        "s": highest[0],
        "frames": found["frames"],
        "from": found["from_step"],
        "to": found["to_step"],
    }
    return plots.figure(traces, *titles, alt, csv=csv_url)


def displacement_figure(folder: Path, csv_url: str | None) -> dict[str, Any]:
    """Return the mean squared displacement of each element against time."""
    titles = (_("time / ps"), _("mean squared displacement / Å²"))
    found = json_or_none(folder / "msd.json")
    if found is None:
        return _waiting(*titles)
    traces = [
        plots.line(found["times"], values, element)
        for element, values in zip(found["elements"], found["values"], strict=True)
    ]
    alt = " ".join(diffusion_words(found)) or _("The run is too short for a diffusion coefficient.")
    return plots.figure(traces, *titles, alt, csv=csv_url)


def diffusion_words(found: dict[str, Any]) -> list[str]:
    """Return one sentence for each element's diffusion coefficient."""
    sentences = []
    entries = found.get("diffusion", [])
    # With one element, "all atoms" says the same twice.
    shown = (
        [entry for entry in entries if entry["element"] != "*"] if len(entries) == 2 else entries
    )
    for entry in shown:
        name = _("All atoms") if entry["element"] == "*" else entry["element"]
        if not entry["is_diffusive"]:
            sentences.append(
                _("%(name)s: no diffusion seen (exponent %(exponent).2f; 1 means diffusion).")
                % {"name": name, "exponent": entry["exponent"] or 0.0}
            )
            continue
        error = f" ± {entry['error']:.1g}" if entry["error"] is not None else ""
        sentences.append(
            _("%(name)s: D = %(value).3g%(error)s cm²/s.")
            % {"name": name, "value": entry["value"], "error": error}
        )
    return sentences


def coordination_figure(folder: Path, csv_url: str | None) -> dict[str, Any]:
    """Return the share of atoms with each number of neighbours."""
    titles = (_("neighbours"), _("share of atoms / %"))
    found = json_or_none(folder / "coordination.json")
    if found is None or not found["distributions"]:
        return _waiting(*titles)
    traces, words = [], []
    entries = found["distributions"]
    elements = {entry["center"] for entry in entries}
    for entry in entries:
        # With one element, "all neighbours" is the same curve again.
        if len(elements) == 1 and entry["neighbor"] == "*":
            continue
        pair = _coordination_pair(entry)
        labels = [str(number) for number in range(len(entry["fractions"]))]
        shares = 100 * np.asarray(entry["fractions"], dtype=float)
        traces.append(plots.bars(labels, shares, pair))
        words.append(
            _("%(pair)s within %(cutoff).2f Å: %(mean).2f on average")
            % {"pair": pair, "cutoff": entry["cutoff"], "mean": entry["mean"]}
        )
    return plots.figure(
        traces, *titles, "; ".join(words) + ".", csv=csv_url, layout={"barmode": "group"}
    )


def _coordination_pair(entry: dict[str, Any]) -> str:
    neighbor = _("all") if entry["neighbor"] == "*" else entry["neighbor"]
    return f"{entry['center']} – {neighbor}"


def _unordered(pairs: list[list[str]]) -> list[tuple[int, tuple[str, str]]]:
    """Return each pair once with its index: g of A–B and of B–A are the same curve."""
    seen: set[tuple[str, ...]] = set()
    kept = []
    for index, (a, b) in enumerate(pairs):
        if tuple(sorted((a, b))) not in seen:
            seen.add(tuple(sorted((a, b))))
            kept.append((index, (a, b)))
    return kept


def radial_table(folder: Path) -> str:
    """Return g(r) and running coordination numbers of all pairs as CSV."""
    found = _required(folder / "rdf.json")
    names = ["-".join(pair) for pair in found["pairs"]]
    head = ["r_a", *(f"g_{n}" for n in names), *(f"coordination_{n}" for n in names), "g_all"]
    columns = [found["distances"], *found["g"], *found["coordination"], found["total"]]
    return _csv(head, zip(*columns, strict=True))


def scattering_table(folder: Path) -> str:
    """Return partial structure factors and the total as CSV."""
    found = _required(folder / "sq.json")
    names = ["-".join(pair) for pair in found["pairs"]]
    head = ["q_per_a", *(f"s_{name}" for name in names), "s_all", "vectors"]
    columns = [found["wave_numbers"], *found["partial"], found["total"], found["vectors"]]
    return _csv(head, zip(*columns, strict=True))


def displacement_table(folder: Path) -> str:
    """Return the mean squared displacement of all elements as CSV."""
    motion = _required(folder / "msd.json")
    head = ["time_ps", *(f"msd_{element}_a2" for element in motion["elements"]), "msd_all_a2"]
    return _csv(head, zip(motion["times"], *motion["values"], motion["total"], strict=True))


def coordination_table(folder: Path) -> str:
    """Return the distributions of coordination numbers as CSV."""
    found = _required(folder / "coordination.json")
    rows = (
        (entry["center"], entry["neighbor"], entry["cutoff"], number, share)
        for entry in found["distributions"]
        for number, share in enumerate(entry["fractions"])
    )
    return _csv(["center", "neighbor", "cutoff_a", "neighbors", "fraction"], rows)


def has_table(folder: Path, name: str) -> bool:
    """Whether a run has written what a table is made from."""
    return (folder / f"{name}.json").is_file()


def _required(path: Path) -> dict[str, Any]:
    found = json_or_none(path)
    if found is None:
        raise Http404(_("The run has not written %(name)s yet.") % {"name": path.name})
    return found


def _csv(head: list[str], rows: Iterable[Iterable[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return stream.getvalue()


FIGURES: dict[str, Callable[[Path, str | None], dict[str, Any]]] = {
    "rdf": radial_figure,
    "sq": scattering_figure,
    "msd": displacement_figure,
    "coordination": coordination_figure,
}
TABLES: dict[str, Callable[[Path], str]] = {
    "rdf": radial_table,
    "sq": scattering_table,
    "msd": displacement_table,
    "coordination": coordination_table,
}
