"""Requests to a portal: repeated when that helps, taken up where they broke off."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from mlmd.errors import InvalidInput, MlmdError

CHUNK = 1 << 18
_ATTEMPTS = 5
_REPEATABLE = frozenset((429, 502, 503, 504))
_LONGEST_WAIT = 30.0  # s
_LONGEST_LINE = 1 << 30
_BROKEN = (OSError, HTTPException)


class PortalError(MlmdError):
    """A portal refused, or can't be reached.

    Args:
        text: for the user.
        status: of HTTP; 0 when there was no answer.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        self.status = status
        super().__init__(text)


class _NoRedirect(HTTPRedirectHandler):
    """A token must not follow a redirect to somewhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Connection:
    """The API of one portal.

    Args:
        url: of the site.
        token: sent as a bearer token, to this site only.
        timeout: seconds.

    Raises:
        InvalidInput: not the address of a web site.
    """

    first_wait = 0.5  # s, doubled at each further attempt

    def __init__(self, url: str, token: str, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.netloc:
            raise InvalidInput("url", f"“{url}”", "an address such as https://your.site")
        if not token.isascii() or not token.isprintable():
            raise InvalidInput("token", "other characters", "a token as the portal showed it")
        self.url = url.rstrip("/")
        self._token, self._timeout = token, timeout
        self._opener = build_opener(_NoRedirect)

    def get_json(self, path: str) -> dict[str, Any]:
        """Return what a path below ``/api/v1/`` answers.

        Raises:
            PortalError: refused, not reachable, or no JSON.
        """
        content = b"".join(self.chunks(path))
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise PortalError(f"{self.url}: no portal of this kind answers there.")
        return answer

    def post_json(self, path: str, content: Any) -> dict[str, Any]:
        """Send a JSON object below ``/api/v1/``; return what is answered.

        Only for what may arrive twice: it is sent again where no answer came.

        Raises:
            PortalError: refused, not reachable, or no JSON.
        """
        body = json.dumps(content, allow_nan=False).encode()
        with self._send(self._request(path, body)) as answer:
            try:
                found: dict[str, Any] = json.load(answer)
            except (ValueError, *_BROKEN) as error:
                raise PortalError(f"{self.url}: no answer that can be read ({error}).") from error
        return found

    def lines(self, path: str) -> Iterator[bytes]:
        """Iterate over the lines of a download."""
        rest = b""
        for chunk in self.chunks(path):
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                raise PortalError(f"{self.url}: a line longer than {_LONGEST_LINE >> 20} MiB.")
            yield from filter(None, whole)
        if rest:
            raise PortalError(f"{self.url}: the answer ends inside a line; ask again.")

    def chunks(self, path: str) -> Iterator[bytes]:
        """Iterate over the bytes of an answer; a broken connection is taken up again.

        A server that can't continue in the middle sends everything again; what came before
        is then skipped, provided that it is the same.

        Raises:
            PortalError: refused, not reachable, changed in between, or not what its checksum says.
        """
        received, digest, failures, tag = 0, hashlib.sha256(), 0, ""
        while True:
            try:
                with self._open(path, received, tag) as answer:
                    if received and answer.status != 206:
                        _skip(answer, received, digest.digest())
                    tag = answer.headers.get("ETag", "")
                    stated = answer.headers.get("Repr-Digest", "")
                    expected = _length(answer, received)
                    while chunk := answer.read(CHUNK):
                        received, failures = received + len(chunk), 0
                        digest.update(chunk)
                        yield chunk
                    if expected is None or received >= expected:
                        _verify(stated, digest.digest())
                        return
                    raise EOFError
            except (*_BROKEN, EOFError) as error:
                failures += 1
                if failures >= _ATTEMPTS:
                    raise PortalError(
                        f"{self.url}: the connection broke {failures} times ({error})."
                    ) from error
                self._wait(failures)

    def _open(self, path: str, start: int, tag: str) -> HTTPResponse:
        request = self._request(path)
        if start:
            request.add_header("Range", f"bytes={start}-")
            if tag and not tag.startswith("W/"):
                # Else all of it: the file is another one by now.
                request.add_header("If-Range", tag)
        return self._send(request)

    def _request(self, path: str, body: bytes | None = None) -> Request:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json, */*",
            "Accept-Encoding": "identity",
            "User-Agent": "mlmd",
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        return Request(f"{self.url}/api/v1/{path}", data=body, headers=headers)  # noqa: S310 -- http(s) only

    def _send(self, request: Request) -> HTTPResponse:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer: HTTPResponse = self._opener.open(request, timeout=self._timeout)
                return answer
            except HTTPError as error:
                if error.code not in _REPEATABLE or attempt == _ATTEMPTS:
                    raise self._refusal(error) from error
                self._wait(attempt, error.headers.get("Retry-After"))
            except URLError as error:
                if attempt == _ATTEMPTS:
                    raise PortalError(f"{self.url} can't be reached ({error.reason}).") from error
                self._wait(attempt)
        raise PortalError(f"{self.url} can't be reached.")

    def _wait(self, attempt: int, asked: str | None = None) -> None:
        seconds = self.first_wait * 2 ** (attempt - 1)
        if asked is not None and asked.isdigit():
            seconds = float(asked)
        time.sleep(min(seconds, _LONGEST_WAIT))

    def _refusal(self, error: HTTPError) -> PortalError:
        if error.code in (301, 302, 307, 308):
            place = error.headers.get("Location", "")
            return PortalError(f"{self.url} has moved to {place}; use that address.", error.code)
        try:
            detail = json.loads(error.read(1 << 16))
        except (ValueError, *_BROKEN):
            detail = {}
        text = detail.get("detail") if isinstance(detail, dict) else None
        return PortalError(f"{self.url}: {text or error.reason} ({error.code})", error.code)


def _length(answer: HTTPResponse, start: int) -> int | None:
    """Return how many bytes there are in all, if the server says so."""
    length = answer.headers.get("Content-Length")
    if length is None or not length.isdigit():
        return None
    return int(length) + (start if answer.status == 206 else 0)


def _verify(stated: str, found: bytes) -> None:
    """Compare with ``Repr-Digest`` (RFC 9530), where a server sends one."""
    expected = re.search(r"sha-256=:([A-Za-z0-9+/=]+):", stated)
    if expected is not None and base64.b64decode(expected[1]) != found:
        raise PortalError("The bytes that arrived don't have the checksum that was sent with them.")


def _skip(answer: HTTPResponse, count: int, expected: bytes) -> None:
    digest = hashlib.sha256()
    while count > 0:
        chunk = answer.read(min(CHUNK, count))
        if not chunk:
            raise EOFError
        count -= len(chunk)
        digest.update(chunk)
    if digest.digest() != expected:
        raise PortalError("The data changed while they were being downloaded; start again.")
