"""The columns of frames as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from datasets.models import Frame
from datasets.querysets import FrameQuerySet
from datasets.selections import key_batches
from datasets.snapshots import CatalogRows

FLUSH = 1 << 16
BATCH = 1000

# Head, with its unit → column.
COLUMNS: Mapping[str, str] = {
    "frame": "public_id",
    "dataset": "dataset__name",
    "dataset_id": "dataset__public_id",
    "formula": "formula",
    "atoms": "n_atoms",
    "energy_ev": "energy",
    "energy_ev_per_atom": "energy_per_atom",
    "energy_above_hull_ev_per_atom": "energy_above",
    "max_force_ev_per_a": "max_force",
    "shortest_distance_a": "shortest_distance",
    "volume_a3_per_atom": "volume_per_atom",
    "pressure_gpa": "pressure",
    "k_spacing_per_a": "k_spacing",
    "kind": "kind",
    "split": "split",
    "label_source": "label_source",
    "scf_converged": "scf_converged",
    "ionic_step": "ionic_step",
    "code": "code",
    "functional": "functional",
    "dispersion": "calculation__dispersion",
    "hubbard_u": "calculation__hubbard",
    "cutoff_ev": "calculation__cutoff_energy",
    "spin": "calculation__spin",
    "run_type": "calculation__run_type",
    "level_of_theory": "compat_key",
    "source_file": "calculation__source_name",
    "structure_hash": "structure_hash",
    "label_identity": "label_identity",
    "document_hash": "document_hash",
}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def frames_csv(rows: FrameQuerySet | CatalogRows) -> Iterator[str]:
    """Yield the table of frames by ascending id, with flat memory."""
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    for keys in key_batches(rows, BATCH):
        found = Frame.objects.filter(pk__in=keys).order_by("pk").values_list(*COLUMNS.values())
        writer.writerows([_cell(value) for value in values] for values in found)
        if line.tell() > FLUSH:
            yield line.getvalue()
            line.seek(0)
            line.truncate()
    yield line.getvalue()


def _cell(value: object) -> object:
    """Return a value that no spreadsheet takes for a formula; numbers stay as they are."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
