"""What a client does when servers break off, refuse, redirect or change their mind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlmd.client import Portal, PortalError
from mlmd.client.http import Connection
from mlmd.errors import InvalidInput

BODY = bytes(range(256)) * 4000


class Server:
    """Answers by a function of (number of the request, handler)."""

    def __init__(self, answer: Callable[[int, BaseHTTPRequestHandler], None]) -> None:
        self.requests: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(dict(self.headers) | {"path": self.path})
                answer(len(outer.requests), self)

            def log_message(self, *_: object) -> None:
                """Tests print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setattr(Connection, "first_wait", 0.001)
    servers = []

    def _serve(answer):
        servers.append(Server(answer))
        return servers[-1], Portal(servers[-1].url, "mlmd_secret", timeout=5)

    yield _serve
    for server in servers:
        server.close()


def send(handler, body=b"", status=200, length=None, **headers):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def test_a_broken_download_goes_on_where_it_stopped(serve, tmp_path):
    def answer(number, handler):
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        rest = BODY[start:]
        send(handler, rest[:300_000], 206 if start else 200, length=len(rest))

    server, portal = serve(answer)
    assert portal.download("x/", tmp_path / "x").read_bytes() == BODY
    assert [r.get("Range") for r in server.requests[1:]] == [
        f"bytes={n}-" for n in (300_000, 600_000, 900_000)
    ]


def test_a_server_without_ranges_is_read_again_and_compared(serve, tmp_path):
    _, portal = serve(lambda n, h: send(h, BODY[: 400_000 * n], length=len(BODY)))
    assert portal.download("x/", tmp_path / "x").read_bytes() == BODY


def test_data_that_changed_meanwhile_are_not_mixed(serve, tmp_path):
    _, portal = serve(lambda n, h: send(h, bytes([n]) * 1000, length=5000))
    with pytest.raises(PortalError, match="changed"):
        portal.download("x/", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_gets_on_is_given_up(serve, tmp_path):
    server, portal = serve(lambda n, h: send(h, b"", length=10))
    with pytest.raises(PortalError, match="broke 5 times"):
        portal.download("x/", tmp_path / "x")
    assert len(server.requests) == 5


def test_a_busy_server_is_asked_again(serve):
    def answer(number, handler):
        if number < 3:
            send(handler, b"{}", 503, Retry_After="0")
        else:
            send(handler, b'{"ok": 1}')

    server, portal = serve(answer)
    assert portal.me() == {"ok": 1}
    assert len(server.requests) == 3


def test_a_token_never_follows_a_redirect(serve):
    other, _ = serve(lambda n, h: send(h, b"{}"))
    _, portal = serve(lambda n, h: send(h, b"", 302, Location=f"{other.url}/api/v1/me/"))
    with pytest.raises(PortalError, match="moved"):
        portal.me()
    assert other.requests == []


def test_the_next_page_is_asked_from_the_same_site(serve):
    def answer(number, handler):
        page = b'{"results": [], "next": "http://elsewhere.invalid/api/v1/datasets/?page=2"}'
        send(handler, page if number == 1 else b'{"results": [], "next": null}')

    server, portal = serve(answer)
    assert list(portal.datasets()) == []
    assert server.requests[1]["path"] == "/api/v1/datasets/?page=2"
    assert server.requests[1]["Authorization"] == "Bearer mlmd_secret"


@pytest.mark.parametrize(
    ("body", "says"), [(b"<html>", "no portal"), (b"[1]", "no portal"), (b"\xff", "no portal")]
)
def test_another_kind_of_site_is_told_apart(serve, body, says):
    _, portal = serve(lambda n, h: send(h, body))
    with pytest.raises(PortalError, match=says):
        portal.me()


def test_lines_that_are_cut_are_noticed(serve):
    _, portal = serve(lambda n, h: send(h, b'{"a": 1'))
    with pytest.raises(PortalError, match="inside a line"):
        list(portal.stream("frames/download/jsonl/"))


def test_a_site_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr(Connection, "first_wait", 0.001)
    with pytest.raises(PortalError, match="can't be reached"):
        Portal("http://127.0.0.1:9", "t", timeout=1).me()


@pytest.mark.parametrize("url", ["your.site", "file:///etc/passwd", "ftp://x", ""])
def test_only_web_addresses_are_taken(url):
    with pytest.raises(InvalidInput, match="address"):
        Portal(url, "t")


def test_the_token_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("MLMD_TOKEN", "mlmd_x")
    assert "mlmd_x" not in repr(Portal("https://site.example/"))
    monkeypatch.delenv("MLMD_TOKEN")
    with pytest.raises(InvalidInput, match="MLMD_TOKEN"):
        Portal("https://site.example")
    with pytest.raises(InvalidInput, match="other characters"):
        Portal("https://site.example", "a\nb")
