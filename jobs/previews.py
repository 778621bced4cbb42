"""Looking at one of a run's files in the browser: text, tables and pictures, never as a page."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from django.http import FileResponse, Http404

from jobs.files import file_path
from jobs.models import Job

TEXT_SHOWN = 128 * 1024  # bytes of the beginning, and as many of the end
ROWS_SHOWN = 200
COLUMNS_SHOWN = 40
# By their first bytes: a name says nothing about what a browser would make of a file.
_PICTURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


class Look(StrEnum):
    """How a file is shown."""

    TEXT = "text"
    TABLE = "table"
    PICTURE = "picture"
    NONE = "none"


@dataclass(frozen=True)
class Preview:
    """What the page of a file shows.

    Args:
        look: how.
        size: of the whole file, bytes.
        head: text of the beginning, or of all.
        tail: text of the end of a long file.
        columns: names in the first row of a table.
        rows: the first of its other rows.
    """

    look: Look
    size: int
    head: str = ""
    tail: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def preview(job: Job, name: str) -> Preview:
    """Return what to show of a file.

    Raises:
        Http404: the run has no such file.
    """
    path = _path(job, name)
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(TEXT_SHOWN)
        if _picture_type(head):
            return Preview(Look.PICTURE, size)
        if b"\0" in head or head[:2] == b"\x1f\x8b":
            return Preview(Look.NONE, size)
        tail = b""
        if size > TEXT_SHOWN:
            stream.seek(max(TEXT_SHOWN, size - TEXT_SHOWN))
            tail = stream.read(TEXT_SHOWN)
    text = head.decode("utf-8", errors="replace")
    if path.suffix == ".csv":
        table = _table(text)
        if table:
            return Preview(Look.TABLE, size, columns=table[0], rows=table[1:])
    return Preview(Look.TEXT, size, text, tail.decode("utf-8", errors="replace"))


def picture_response(job: Job, name: str) -> FileResponse:
    """Send a picture so that a page can show it, and nothing else.

    Raises:
        Http404: the run has no such file, or it is no picture.
    """
    path = _path(job, name)
    with path.open("rb") as stream:
        found = _picture_type(stream.read(16))
    if not found:
        raise Http404(name)
    response = FileResponse(path.open("rb"), content_type=found, filename=path.name)
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _path(job: Job, name: str) -> Path:
    path = file_path(job, name)
    if path is None:
        raise Http404(name)
    return path


def _picture_type(head: bytes) -> str:
    return next((kind for magic, kind in _PICTURES.items() if head.startswith(magic)), "")


def _table(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the first rows of a CSV file, nothing when it is none."""
    whole = text[: text.rfind("\n") + 1] or text
    try:
        rows = list(islice(csv.reader(io.StringIO(whole)), ROWS_SHOWN + 1))
    except csv.Error:
        return ()
    if not rows or len(rows[0]) < 2:
        return ()
    return tuple(tuple(row[:COLUMNS_SHOWN]) for row in rows)
