"""Frames and structures as files: streamed, without a limit on rows."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from ase import Atoms
from django.db.models import Q
from django.http import (
    FileResponse,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from datasets.columns import frames_csv
from datasets.querysets import FrameQuerySet
from datasets.selections import iterate_frames
from datasets.snapshots import CatalogRows
from labs.exceptions import Refused
from mlmd.formats import write_frames
from mlmd.formats.registry import PATH_SINKS, FrameFormat
from mlmd.formats.structures import write_structure
from mlmd.frame import Frame as LabelledFrame

CHUNK = 1 << 18
ENERGIES = ("free", "sigma0")


@dataclass(frozen=True)
class FileKind:
    """A format to download.

    Args:
        label: what the button says.
        suffix: end of the file's name.
        note: what a reader should know.
    """

    label: str
    suffix: str
    note: str = ""


FRAME_FILES: Mapping[str, FileKind] = {
    "extxyz": FileKind("extxyz", ".extxyz", gettext_lazy("Å, eV; ASE and most MLIP programs")),
    "n2p2": FileKind("n2p2 input.data", ".data", gettext_lazy("Å, eV; n2p2 and RuNNer")),
    "jsonl": FileKind("JSON lines", ".jsonl", gettext_lazy("everything, one document per frame")),
    "deepmd": FileKind("deepmd/npy", ".zip", gettext_lazy("Å, eV; DeePMD-kit and dpdata")),
    "asedb": FileKind("ASE database", ".db", gettext_lazy("SQLite; ase.db")),
    "aenet": FileKind("aenet XSF", ".zip", gettext_lazy("Å, eV; one file for each structure")),
}
CSV = "csv"  # of the columns; no format of frames, since it holds no atoms
ROW_FILES: Mapping[str, FileKind] = {
    **FRAME_FILES,
    CSV: FileKind("CSV", ".csv", gettext_lazy("the columns, without atoms")),
}
STRUCTURE_FILES: Mapping[str, FileKind] = {
    "poscar": FileKind("POSCAR", ".vasp", "VASP"),
    "cif": FileKind("CIF", ".cif"),
    "extxyz": FileKind("extxyz", ".extxyz"),
    "xyz": FileKind("XYZ", ".xyz", gettext_lazy("without cell")),
    "lammps-data": FileKind("LAMMPS data", ".lmp"),
    "xsf": FileKind("XSF", ".xsf", "XCrySDen, VESTA"),
    "espresso-in": FileKind("QE input", ".in", gettext_lazy("atoms and cell")),
}


def frames_response(
    frames: Iterable[LabelledFrame], file_format: str, name: str, *, energy: str = "free"
) -> HttpResponseBase:
    """Return a download of frames, written while it is sent where the format allows it.

    Args:
        frames: consumed as a stream.
        file_format: a key of `FRAME_FILES`.
        name: of the file, without its end.
        energy: ``free`` or ``sigma0``.

    Raises:
        Refused: an unknown format or energy.
        InvalidInput: a frame can't be written in this format; of text formats, the first.
    """
    kind = FRAME_FILES.get(file_format)
    if kind is None:
        raise Refused(_unknown(file_format, FRAME_FILES))
    if energy not in ENERGIES:
        raise Refused(_("energy: “%s” isn't possible; expected free or sigma0.") % energy[:40])
    if FrameFormat(file_format) in PATH_SINKS:
        return named(_written(frames, file_format, energy, kind.suffix), name, kind)
    chunks = _chunks(frames, file_format, energy)
    # The first chunk is made before the answer starts, so that what is wrong can still be said.
    first = next(chunks, b"")
    response = StreamingHttpResponse(chain((first,), chunks), content_type=_type(file_format))
    return named(response, name, kind)


def rows_response(
    rows: FrameQuerySet,
    file_format: str,
    name: str,
    *,
    energy: str = "free",
    found: CatalogRows | None = None,
) -> HttpResponseBase:
    """Return a download of the frames behind rows.

    Args:
        rows: the frames.
        file_format: a key of `ROW_FILES`.
        name: of the file, without its end.
        energy: ``free`` or ``sigma0``.
        found: the same frames as a search has found them, which is quicker.

    Raises:
        Refused: as `frames_response`, or n2p2 is asked for and some frame has no labels: a file
            that silently lacks frames would be worse than none.
    """
    source = rows if found is None else found
    if file_format == CSV:
        response = StreamingHttpResponse(frames_csv(source), content_type="text/csv; charset=utf-8")
        return named(response, name, ROW_FILES[CSV])
    if file_format not in FRAME_FILES:
        raise Refused(_unknown(file_format, ROW_FILES))
    rows_check(rows, file_format)
    return frames_response(iterate_frames(source), file_format, name, energy=energy)


def rows_check(rows: FrameQuerySet, file_format: str) -> None:
    """Refuse what can't be written before it is begun.

    Raises:
        Refused: n2p2 is asked for and some frame has no labels.
    """
    if file_format == "n2p2":
        bare = rows.filter(Q(energy=None) | Q(max_force=None)).count()
        if bare:
            raise Refused(
                ngettext(
                    "%d frame has no energy or no forces, which n2p2's format needs. Leave it out "
                    "with the filter “Largest force from 0”, or choose another format.",
                    "%d frames have no energy or no forces, which n2p2's format needs. Leave them "
                    "out with the filter “Largest force from 0”, or choose another format.",
                    bare,
                )
                % bare
            )


def structure_response(atoms: Atoms, file_format: str, name: str) -> HttpResponseBase:
    """Return a structure as a file.

    Raises:
        Refused: an unknown format.
        InvalidInput: the structure can't be written in this format.
    """
    kind = STRUCTURE_FILES.get(file_format)
    if kind is None:
        raise Refused(_unknown(file_format, STRUCTURE_FILES))
    stream = io.StringIO()
    write_structure(atoms, stream, file_format)
    return named(HttpResponse(stream.getvalue(), content_type=_type(file_format)), name, kind)


def original_response(path: str, name: str) -> HttpResponseBase:
    """Return the original of an upload, never shown inside the site."""
    return FileResponse(
        open(path, "rb"),
        as_attachment=True,
        filename=name,
        content_type="application/octet-stream",
    )


def _chunks(frames: Iterable[LabelledFrame], file_format: str, energy: str) -> Iterator[bytes]:
    stream = io.StringIO()
    for frame in frames:
        write_frames([frame], stream, file_format, energy=energy)
        if stream.tell() >= CHUNK:
            yield stream.getvalue().encode()
            stream.seek(0)
            stream.truncate()
    if stream.tell():
        yield stream.getvalue().encode()


def _written(
    frames: Iterable[LabelledFrame], file_format: str, energy: str, suffix: str
) -> HttpResponseBase:
    """Write a file first, since these formats can't be streamed; it has no name any more when sent."""
    with TemporaryDirectory(prefix="download-") as folder:
        path = Path(folder) / f"frames{suffix}"
        write_frames(frames, path, file_format, energy=energy)
        return FileResponse(path.open("rb"), content_type="application/octet-stream")


def named(response: HttpResponseBase, name: str, kind: FileKind) -> HttpResponseBase:
    """Say how the file is called when it is saved."""
    file_name = (slugify(name) or "frames")[:80] + kind.suffix
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _type(file_format: str) -> str:
    return "application/jsonl" if file_format == "jsonl" else "text/plain; charset=utf-8"


def _unknown(file_format: str, known: Mapping[str, FileKind]) -> str:
    return _("“%(format)s” isn't a format for download; expected one of %(known)s.") % {
        "format": file_format[:40],
        "known": ", ".join(known),
    }
