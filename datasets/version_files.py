"""Files of published versions: the same bytes for ever, to be fetched in any number of parts."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _

import mlmd
from datasets.downloads import ENERGIES, FRAME_FILES, named, rows_check, rows_response
from datasets.kept_files import Facts, GrowingFile, KeptFile, WholeFile
from datasets.models import DatasetVersion, Frame
from datasets.querysets import FrameQuerySet
from datasets.selections import iterate_frames, iterate_keyed
from labs.exceptions import Refused
from labs.ranges import (
    Unsatisfiable,
    can_be_resumed,
    digest_header,
    is_known,
    range_asked,
    range_within,
)
from mlmd.formats import write_frames
from mlmd.formats.registry import PATH_SINKS, FrameFormat
from mlmd.frame import Frame as LabelledFrame

PIECE = 1 << 20


def version_response(
    request: HttpRequest, version: DatasetVersion, file_format: str, *, energy: str = "free"
) -> HttpResponseBase:
    """Return a download of all frames of a version, which can be resumed once it is published.

    Raises:
        Refused: as `rows_response`.
    """
    rows, name = Frame.objects.in_version(version), f"{version.dataset.name}-v{version.number}"
    kept = None if version.is_draft else version_file(version, file_format, energy)
    if kept is None:
        return rows_response(rows, file_format, name, energy=energy)
    if kept.facts() is None:
        rows_check(rows, file_format)
    return named(kept_response(request, kept), name, FRAME_FILES[file_format])


def settled(versions: Iterable[DatasetVersion]) -> DatasetVersion | None:
    """Return the version that holds what a dataset holds now; None while there is a draft."""
    newest = max(versions, key=lambda version: version.number, default=None)
    return None if newest is None or newest.is_draft else newest


def files_of(version: DatasetVersion | None) -> dict[str, Facts]:
    """Return size and checksum of a version's files, of those that somebody has asked for."""
    if version is None or version.is_draft:
        return {}
    kept = ((key, version_file(version, key)) for key in FRAME_FILES)
    found = ((key, file.facts()) for key, file in kept if file is not None)
    return {key: facts for key, facts in found if facts is not None}


def version_file(
    version: DatasetVersion, file_format: str, energy: str = "free"
) -> KeptFile | None:
    """Return the file of a published version, made or not; None for what isn't kept.

    The columns of a version (CSV) aren't: energies above the hull may change with later versions.
    """
    if file_format not in FRAME_FILES or energy not in ENERGIES:
        return None
    # The checksum says which frames, the writers' digest how they are written.
    words = (version.checksum, file_format, energy, writers_digest())
    name = hashlib.sha256("|".join(words).encode()).hexdigest()
    rows = Frame.objects.in_version(version)
    if FrameFormat(file_format) in PATH_SINKS:
        suffix = FRAME_FILES[file_format].suffix
        return WholeFile(
            name,
            lambda path: _write(iterate_frames(rows), path, file_format, energy),
            suffix,
        )
    return GrowingFile(name, lambda after: _pieces(rows, file_format, energy, after))


@cache
def writers_digest() -> str:
    """Return a digest of the code that writes frames: another writer, another file."""
    digest = hashlib.sha256()
    root = Path(mlmd.__file__).parent
    for path in sorted([*root.glob("*.py"), *root.glob("formats/*.py"), *root.glob("documents/*")]):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def kept_response(request: HttpRequest, kept: KeptFile) -> HttpResponseBase:
    """Return a file, or the part of it that is asked for, and what a later request may refer to."""
    facts = kept.facts()
    if facts is None and (not isinstance(kept, GrowingFile) or "Range" in request.headers):
        facts = kept.finish()  # where a part begins is known only once all before it is made
    if facts is None and isinstance(kept, GrowingFile):
        chunks = kept.stream()
        # The first chunk is made before the answer starts, so that what is wrong can still be said.
        response: HttpResponseBase = StreamingHttpResponse(chain((next(chunks, b""),), chunks))
        can_be_resumed(response, f'"{kept.name}"')
        return response
    if facts is None:
        raise Refused(_("There is no room on the disk of this site for the file."))
    # What a program writes as a whole may hold times, and is then another file when made again.
    etag = f'"{kept.name if isinstance(kept, GrowingFile) else facts.sha256}"'
    response = _whole_or_part(request, kept, facts, etag)
    can_be_resumed(response, etag)
    response["Repr-Digest"] = digest_header(facts.sha256)
    return response


def _whole_or_part(
    request: HttpRequest, kept: KeptFile, facts: Facts, etag: str
) -> HttpResponseBase:
    if is_known(request, etag):
        return HttpResponse(status=304)
    try:
        part = range_within(range_asked(request, etag), facts.size)
    except Unsatisfiable:
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{facts.size}"
        return response
    start, stop = part or (0, facts.size)
    answer = StreamingHttpResponse(kept.read(start, stop), status=206 if part else 200)
    answer["Content-Length"] = str(stop - start)
    if part:
        answer["Content-Range"] = f"bytes {start}-{stop - 1}/{facts.size}"
    return answer


def _pieces(
    rows: FrameQuerySet, file_format: str, energy: str, after: int
) -> Iterator[tuple[bytes, int]]:
    """Yield text, each piece with the id of its last frame."""
    stream = io.StringIO()
    for key, frame in iterate_keyed(rows, after):
        write_frames([frame], stream, file_format, energy=energy)
        if stream.tell() >= PIECE:
            yield stream.getvalue().encode(), key
            stream.seek(0)
            stream.truncate()
    if stream.tell():
        yield stream.getvalue().encode(), key


def _write(frames: Iterator[LabelledFrame], path: Path, file_format: str, energy: str) -> None:
    write_frames(frames, path, file_format, energy=energy)
