"""Sending a run's files: one, or all as a zip that is written while it is sent."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from django.http import FileResponse, Http404, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.text import slugify

from jobs.files import file_list, file_path, job_folder
from jobs.models import Job

_BLOCK = 256 * 1024
# Never guessed from the name: a browser must not show a run's file as a page of this site.
BINARY = "application/octet-stream"


def file_response(job: Job, name: str) -> FileResponse:
    """Return one file as a download.

    Raises:
        Http404: the run has no such file.
    """
    path = file_path(job, name)
    if path is None:
        raise Http404(name)
    return FileResponse(
        path.open("rb"), as_attachment=True, filename=path.name, content_type=BINARY
    )


def zip_response(job: Job) -> StreamingHttpResponse:
    """Return all files as a zip without holding it in memory or on disk."""
    stem = slugify(job.title)[:60] or "run"
    response = StreamingHttpResponse(zip_blocks(job, stem), content_type="application/zip")
    response["Content-Disposition"] = content_disposition_header(True, f"{stem}.zip") or ""
    return response


def zip_blocks(job: Job, stem: str) -> Iterator[bytes]:
    """Give the zip piece by piece; its files lie in one folder named `stem`."""
    folder, pipe = job_folder(job), Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # type: ignore[call-overload]
        for file in file_list(job):
            yield from _one(archive, folder / file.path, f"{stem}/{file.path}", pipe)
    yield pipe.take()


def _one(archive: zipfile.ZipFile, path: Path, name: str, pipe: Pipe) -> Iterator[bytes]:
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return  # replaced between the listing and now: a live file of a running job
    with source, archive.open(name, "w", force_zip64=True) as target:
        while block := source.read(_BLOCK):
            target.write(block)
            yield pipe.take()


class Pipe:
    """A file that can't be read or sought: what is written is taken out again at once."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def write(self, block: bytes) -> int:
        self._blocks.append(bytes(block))
        return len(block)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        content = b"".join(self._blocks)
        self._blocks.clear()
        return content
