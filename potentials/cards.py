"""What a potential's page and downloads say about it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from datasets.models import DatasetVersion
from datasets.selectors import state_splits, versions_visible_to
from datasets.splits import Part
from jobs.files import job_folder
from labs.templatetags.mlmd_tags import digits
from mlmd.hdnnp.repulsion import ZBL, Repulsion, read_repulsion
from mlmd.lammps import PAIR_FILE
from potentials.archives import deterministic_zip
from potentials.families import CATALOG, Card, Facts
from potentials.families.lammps import LAMMPS_LINES
from potentials.models import Potential
from potentials.names import file_stem
from potentials.references import source_address
from potentials.training_plots import QUANTITIES, has_parity, read_parity


@dataclass(frozen=True)
class ErrorRow:
    """Errors of one element or kind; None where there is nothing to compare.

    Args:
        label: the element, or the kind of configuration.
        train_count: frames in the fit.
        validation_count: frames held out.
        train_energy: RMSE, meV/atom.
        validation_energy: RMSE, meV/atom.
        train_force: RMSE, meV/Å.
        validation_force: RMSE, meV/Å.
    """

    label: str
    train_count: int | None
    validation_count: int | None
    train_energy: float | None
    validation_energy: float | None
    train_force: float | None
    validation_force: float | None


def facts_of(potential: Potential) -> Facts:
    """Return what the potential's files say, from its row."""
    return Facts(
        elements=tuple(potential.elements),
        cutoff_radius=potential.cutoff_radius,
        length_unit=potential.length_unit,
        energy_unit=potential.energy_unit,
        parameters=int(potential.validation.get("parameters", 0)),
    )


def card_of(potential: Potential, address: str) -> Card:
    """Return what the files of the download say; the address is that of its page."""
    versions = potential.versions.select_related("dataset")
    names = ", ".join(str(version) for version in versions)
    return Card(
        name=potential.name,
        version=potential.version,
        address=address,
        facts=facts_of(potential),
        licence=potential.licence or "not stated; ask the owner",
        data=f"{potential.frame_count} frames of {names}" if names else "unknown data",
        data_checksum=potential.data_checksum,
        energy_rmse=potential.energy_rmse,
        force_rmse=potential.force_rmse,
        not_for=" ".join(potential.not_for.split()),
        citation=" ".join(potential.citation.split()),
        source=source_address(potential.source),
        lines=_own_lines(potential),
        repulsion=_repulsion(potential),
    )


def _own_lines(potential: Potential) -> str:
    """Return the lines for LAMMPS that a potential came with; empty for most."""
    if potential.family != LAMMPS_LINES.name:
        return ""
    found = potential.files.filter(name=PAIR_FILE).first()
    return bytes(found.content).decode() if found else ""


def _repulsion(potential: Potential) -> Repulsion | None:
    found = potential.files.filter(name=ZBL).first()
    return read_repulsion(bytes(found.content)) if found else None


def _repulsion_rows(potential: Potential) -> list[dict[str, Any]]:
    found = _repulsion(potential)
    if found is None:
        return []
    words = _("below %(reach)s Å and less") % {"reach": digits(found.reach, 3)}
    return [{"label": _("Short-range repulsion (ZBL)"), "value": words}]


def _split_rows(potential: Potential) -> list[dict[str, Any]]:
    """Say whether the test frames of the data's split were left out, where a split is stated."""
    if potential.training is None or not state_splits(potential.versions.all()):
        return []
    parts = (potential.training.selection.get("filters") or {}).get("split", [])
    seen = not parts or Part.TEST in parts
    words = _("were trained on, too") if seen else _("left out: good to judge it by")
    return [{"label": _("Test frames of the data"), "value": words}]


def archive_of(potential: Potential, address: str) -> tuple[str, bytes]:
    """Return name and content of the download: the files, a README, examples, checksums."""
    stem = f"{file_stem(potential.name, 'potential')}-v{potential.version}"
    files = {file.name: bytes(file.content) for file in potential.files.all()}
    files |= CATALOG[potential.family].companions(card_of(potential, address))
    return f"{stem}.zip", deterministic_zip(stem, files)


def archive_response(potential: Potential, address: str) -> HttpResponse:
    """Return the download of a potential as an answer."""
    name, content = archive_of(potential, address)
    response = HttpResponse(content, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def pair_lines(potential: Potential) -> str:
    """Return the lines that a LAMMPS input needs; empty for a family without them."""
    return CATALOG[potential.family].lammps_lines(card_of(potential, ""))


def glance_rows(potential: Potential) -> list[dict[str, Any]]:
    """Return the first things to know of a potential."""
    validation = potential.validation
    held_out = validation.get("validation_frames")
    rows: list[dict[str, Any]] = [
        {"label": _("Elements"), "value": " ".join(potential.elements)},
        _error_row(_("Energy RMSE, held out"), potential.energy_rmse, "meV/atom"),
        _error_row(_("Force RMSE, held out"), potential.force_rmse, "meV/Å"),
        *_stress_rows(validation),
        *_committee_rows(validation),
        {"label": _("Frames"), "value": _frames_words(potential.frame_count, held_out)},
        *_split_rows(potential),
        {
            "label": _("Cutoff radius"),
            "value": digits(potential.cutoff_radius or None, 3),  # 0: nothing says it
            "unit": "Å",
        },
        *_repulsion_rows(potential),
        {
            "label": _("Units of the files"),
            "value": _units(potential),
        },
        {"label": _("Fitted numbers"), "value": validation.get("parameters") or _("not known")},
        {"label": _("Licence"), "value": potential.get_licence_display()},
    ]
    return rows


def _error_row(label: str, value: float | None, unit: str) -> dict[str, Any]:
    if value is None:
        return {"label": label, "value": _("not known")}
    return {"label": label, "value": digits(value, 3), "unit": unit}


def _stress_rows(validation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the error of the stress, where the training knew stresses."""
    held_out = (validation.get("validation") or {}).get("validation_stress")
    if held_out is None:
        return []
    return [_error_row(_("Stress RMSE, held out"), held_out, "GPa")]


def _committee_rows(validation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return how far the members disagree, where several potentials were trained together."""
    found = validation.get("committee")
    if not found:
        return []
    words = _(
        "Root mean square over frames of the members' spread: where members disagree, none of "
        "them is to be trusted."
    )
    where = _("held-out frames") if found["held_out"] else _("fitted frames")
    value = _("%(force)s meV/Å, %(energy)s meV/atom on %(where)s") % {
        "force": digits(found["force_spread"], 3),
        "energy": digits(found["energy_spread"], 3),
        "where": where,
    }
    label = _("Committee of %(n)d disagrees by") % {"n": found["members"]}
    return [{"label": label, "value": value, "help": words}]


def _units(potential: Potential) -> str:
    symbols = {"angstrom": "Å", "bohr": "bohr", "ev": "eV", "hartree": "Ha", "rydberg": "Ry"}
    return f"{symbols[potential.length_unit]}, {symbols[potential.energy_unit]}"


def _frames_words(count: int, held_out: int | None) -> str:
    if not count:
        return _("not known")
    if held_out is None:
        return str(count)
    return _("%(count)s, %(held_out)s of them held out") % {"count": count, "held_out": held_out}


def element_errors(potential: Potential) -> list[ErrorRow]:
    """Return the errors of each element."""
    return [_row(entry) for entry in potential.validation.get("by_element", [])]


def kind_errors(potential: Potential) -> list[ErrorRow]:
    """Return the errors of each kind of configuration, the worst forces first."""
    rows = [_row(entry) for entry in potential.validation.get("by_kind", [])]
    return sorted(rows, key=lambda row: -(row.validation_force or row.train_force or 0.0))


def _row(entry: dict[str, Any]) -> ErrorRow:
    label = str(entry.get("label", "")) or _("not said")
    return ErrorRow(**{**{name: entry.get(name) for name in ERROR_FIELDS}, "label": label})


ERROR_FIELDS = tuple(ErrorRow.__dataclass_fields__)


def provenance_rows(potential: Potential, user: Any) -> list[dict[str, Any]]:
    """Return from what a potential was made; data that the reader can't see are only named."""
    seen = set(versions_visible_to(user).values_list("pk", flat=True))
    rows: list[dict[str, Any]] = []
    for version in potential.versions.select_related("dataset"):
        row: dict[str, Any] = {"label": _("Data"), "value": _version_words(version, seen)}
        if version.pk in seen:
            row["url"] = version.get_absolute_url()
        rows.append(row)
    if potential.source:
        url = source_address(potential.source)
        rows.append({"label": _("Comes from"), "value": potential.source, "url": url})
    if potential.data_checksum:
        rows.append(_checksum(_("Data checksum"), potential.data_checksum))
    rows.append(_checksum(_("Files checksum"), potential.files_checksum))
    training = potential.training
    if training is not None and type(training).objects.visible_to(user).filter(pk=training.pk):
        url = reverse("potentials:training", args=[training.public_id])
        rows.append({"label": _("Training"), "value": training.name, "url": url})
    return rows


def _version_words(version: DatasetVersion, seen: set[int]) -> str:
    return str(version) if version.pk in seen else _("a dataset that you can't see")


def _checksum(label: str, value: str) -> dict[str, Any]:
    return {"label": label, "value": f"{value[:12]}…", "copy": value}


def downloads(potential: Potential) -> list[dict[str, Any]]:
    """Return the archive, each file, and the numbers behind the parity plots."""
    items: list[dict[str, Any]] = [
        {
            "label": _("Everything, zip"),
            "url": reverse("potentials:archive", args=[potential.public_id]),
            "size": None,
            "note": _("with a README of units and examples"),
        }
    ]
    for file in potential.files.defer("content"):
        url = reverse("potentials:file", args=[potential.public_id, file.name])
        items.append({"label": file.name, "url": url, "size": file.size, "sha256": file.sha256})
    if potential.training is not None and has_parity(job_folder(potential.training.job)):
        for name, label in (("energy", _("Energies, CSV")), ("force", _("Forces, CSV"))):
            url = reverse("potentials:parity-csv", args=[potential.public_id, name])
            items.append({"label": label, "url": url, "size": None})
    return items


def parity_csv_response(potential: Potential, quantity: str) -> StreamingHttpResponse:
    """Return every point of a parity plot.

    Raises:
        Http404: no such plot, or the run's files are gone.
    """
    training = potential.training
    if quantity not in QUANTITIES or training is None or not has_parity(job_folder(training.job)):
        raise Http404(_("There is no such table."))
    points = read_parity(job_folder(training.job), quantity)
    unit = "ev_per_atom" if quantity == "energy" else "ev_per_a"
    head = ("set", f"reference_{unit}", f"potential_{unit}")
    response = StreamingHttpResponse(
        _csv_lines(head, points), content_type="text/csv; charset=utf-8"
    )
    name = f"{file_stem(potential.name, 'potential')}-{quantity}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _csv_lines(head: tuple[str, ...], points: Any) -> Iterator[str]:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    for label, reference, predicted in points.parts():
        for start in range(0, len(reference), 4096):
            rows = np.column_stack(
                [reference[start : start + 4096], predicted[start : start + 4096]]
            )
            writer.writerows([label, repr(a), repr(b)] for a, b in rows.tolist())
            yield stream.getvalue()
            stream.seek(0)
            stream.truncate()
    yield stream.getvalue()
