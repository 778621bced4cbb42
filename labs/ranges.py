"""Parts of a file over HTTP, as RFC 9110 has them: what a download that broke off goes on with."""

from __future__ import annotations

import base64
import re

from django.http import HttpRequest, HttpResponseBase

_ONE = re.compile(r"bytes=(\d*)-(\d*)")


class Unsatisfiable(Exception):
    """The range asked for lies behind the end."""


def range_asked(request: HttpRequest, etag: str) -> str:
    """Return the header of a request for a part, or nothing where the whole must be sent.

    ``If-Range`` with another tag means: the file may have changed, then send all of it. A date
    there never fits, since files here have none.
    """
    if request.method != "GET":
        return ""
    condition = request.headers.get("If-Range", "").strip()
    return "" if condition and condition != etag else request.headers.get("Range", "").strip()


def range_within(asked: str, size: int) -> tuple[int, int] | None:
    """Return (first byte, behind the last) of a file of a size.

    None means that the whole is sent: another unit, several parts, or nonsense, which a server
    may ignore.

    Raises:
        Unsatisfiable: it lies behind the end.
    """
    found = _ONE.fullmatch(asked)
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size or (not first and int(last) == 0):
        raise Unsatisfiable
    return start, stop


def is_known(request: HttpRequest, etag: str) -> bool:
    """Whether the one who asks has these very bytes."""
    tags = request.headers.get("If-None-Match", "")
    return tags.strip() == "*" or etag in (tag.strip() for tag in tags.split(","))


def digest_header(sha256: str) -> str:
    """Return the value of ``Repr-Digest`` (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def can_be_resumed(response: HttpResponseBase, etag: str) -> None:
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
