"""Downloads that break off go on: over HTTP, with curl and with the Python client."""

from __future__ import annotations

import base64
import hashlib
import shutil
import socket
import subprocess
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import reverse

import mlmd
from datasets import version_files
from datasets.services import dataset_publish, frames_exclude, frames_insert
from labs.ranges import Unsatisfiable, range_within
from labs.services.accounts import token_create
from mlmd.client.http import Connection
from mlmd.formats import read_frames
from tests.datasets.factories import make_dataset, make_frames
from tests.faults.servers import missing
from tests.labs.factories import make_lab, make_user

TEXTS = ("extxyz", "n2p2", "jsonl")
WHOLE = ("deepmd", "asedb", "aenet")


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(version_files, "PIECE", 2000)


@pytest.fixture
def version(owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(40))
    return dataset_publish(dataset=dataset, actor=owner)


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def url_of(version, file_format="extxyz") -> str:
    return reverse("api:version-download", args=[version.public_id, file_format])


@pytest.mark.parametrize("file_format", [*TEXTS, *WHOLE])
def test_parts_put_together_are_the_file(page, version, file_format):
    url = url_of(version, file_format)
    first = page.get(url)
    whole = body(first)
    assert first["Accept-Ranges"] == "bytes"
    again = page.get(url)
    assert body(again) == whole
    assert again["ETag"] == first["ETag"]
    assert again["Content-Length"] == str(len(whole))
    digest = base64.b64encode(hashlib.sha256(whole).digest()).decode()
    assert again["Repr-Digest"] == f"sha-256=:{digest}:"
    third = len(whole) // 3
    parts = [
        page.get(url, headers={"Range": f"bytes={text}", "If-Range": first["ETag"]})
        for text in (f"0-{third - 1}", f"{third}-{2 * third}", f"{2 * third + 1}-")
    ]
    assert [part.status_code for part in parts] == [206] * 3
    assert b"".join(map(body, parts)) == whole
    assert parts[1]["Content-Range"] == f"bytes {third}-{2 * third}/{len(whole)}"
    assert parts[1]["Content-Length"] == str(third + 1)
    assert body(page.get(url, headers={"Range": "bytes=-10"})) == whole[-10:]


def test_a_part_is_sent_before_anybody_had_the_whole(page, version):
    part = page.get(url_of(version), headers={"Range": "bytes=5000-5099"})
    assert part.status_code == 206
    assert body(part) == body(page.get(url_of(version)))[5000:5100]


def test_what_cannot_be_sent_is_said(page, version):
    url = url_of(version)
    whole = body(page.get(url))
    beyond = page.get(url, headers={"Range": f"bytes={len(whole)}-"})
    assert beyond.status_code == 416
    assert beyond["Content-Range"] == f"bytes */{len(whole)}"
    tag = page.get(url)["ETag"]
    assert page.get(url, headers={"If-None-Match": tag}).status_code == 304
    for headers in (
        {"Range": "bytes=5-", "If-Range": '"another"'},
        {"Range": "bytes=5-", "If-Range": "Sun, 22 Nov 2026 12:00:00 GMT"},
        {"Range": "frames=5-"},
        {"Range": "bytes=0-1,5-9"},
        {"Range": "bytes=9-5"},
    ):
        answer = page.get(url, headers=headers)
        assert answer.status_code == 200
        assert body(answer) == whole


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=3-", (3, 10)),
        ("bytes=3-99", (3, 10)),
        ("bytes=-4", (6, 10)),
        ("bytes=-40", (0, 10)),
        ("bytes=-", None),
        ("bytes=x-", None),
        ("", None),
    ],
)
def test_ranges_are_understood(asked, expected):
    assert range_within(asked, 10) == expected


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_ranges_behind_the_end_are_refused(asked):
    with pytest.raises(Unsatisfiable):
        range_within(asked, 10)


def test_each_part_asks_who_wants_it(client, page, version, stranger):
    url = url_of(version)
    tag = page.get(url)["ETag"]
    client.force_login(stranger)
    part = client.get(url, headers={"Range": "bytes=0-9", "If-Range": tag})
    assert part.status_code == 404
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 404


def test_published_frames_keep_their_tag_whatever_follows(page, owner, version):
    url = url_of(version)
    before = page.get(url)
    whole = body(before)
    dataset = version.dataset
    some = dataset.frames.order_by("pk").values_list("pk", flat=True)[:3]
    frames_exclude(dataset=dataset, actor=owner, frames=dataset.frames.filter(pk__in=list(some)))
    frames_insert(dataset=dataset, actor=owner, frames=make_frames(2))
    after = page.get(url)
    assert (after["ETag"], body(after)) == (before["ETag"], whole)
    # What still changes has no tag.
    draft = page.get(reverse("api:dataset-download", args=[dataset.public_id, "extxyz"]))
    assert not draft.has_header("ETag")
    assert body(draft) != whole


def test_size_and_checksum_are_shown_once_they_are_known(page, version):
    listed = reverse("api:version-files", args=[version.public_id])
    before = {row["format"]: row for row in page.get(listed).json()}
    assert before["extxyz"]["sha256"] == ""
    whole = body(page.get(before["extxyz"]["url"]))
    after = {row["format"]: row for row in page.get(listed).json()}
    assert after["extxyz"]["sha256"] == hashlib.sha256(whole).hexdigest()
    assert after["extxyz"]["size"] == len(whole)
    assert after["n2p2"]["size"] is None
    text = page.get(version.get_absolute_url()).content.decode()
    assert hashlib.sha256(whole).hexdigest() in text


def test_the_page_of_a_dataset_gives_the_same_file(page, version):
    by_page = reverse("datasets:download", args=[version.dataset.public_id, "extxyz"])
    answers = [page.get(f"{by_page}{query}") for query in ("", f"?version={version.number}")]
    answers.append(page.get(url_of(version)))
    assert len({(answer["ETag"], body(answer)) for answer in answers}) == 1


def test_what_a_format_cannot_hold_is_said_before_anything_is_sent(page, owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(2, forces=None))
    version = dataset_publish(dataset=dataset, actor=owner)
    answer = page.get(url_of(version, "n2p2"))
    assert answer.status_code == 400
    assert "no energy or no forces" in answer.content.decode()


# --- over a real connection --------------------------------------------------------------------


@pytest.fixture
def site(transactional_db, live_server):
    """A site, a published version and a token."""
    lab = make_lab()
    owner = make_user(lab)
    dataset = make_dataset(owner, lab, frames=make_frames(400), name="Large")
    version = dataset_publish(dataset=dataset, actor=owner)
    _row, secret = token_create(user=owner, name="client", scopes=["read"])
    return live_server.url, version, secret


def broken_off(url: str, secret: str, size: int) -> bytes:
    """Read so many bytes of an answer, then hang up as a lost connection does."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), 10) as link:
        request = f"GET {parts.path} HTTP/1.0\r\nAuthorization: Bearer {secret}\r\n\r\n"
        link.sendall(request.encode())
        got = b""
        while b"\r\n\r\n" not in got or len(got.partition(b"\r\n\r\n")[2]) < size:
            chunk = link.recv(1 << 14)
            assert chunk
            got += chunk
        return got.partition(b"\r\n\r\n")[2][:size]


def test_curl_goes_on_where_a_lost_connection_stopped(site, tmp_path):
    curl = shutil.which("curl")
    if curl is None:
        missing("no curl here: apt-get install curl")
    address, version, secret = site
    url = address + url_of(version)
    target = tmp_path / "frames.extxyz"
    target.write_bytes(broken_off(url, secret, 70_000))
    command = [curl, "-sS", "--fail", "-C", "-", "-H", f"Authorization: Bearer {secret}"]
    subprocess.run([*command, "-o", target, url], check=True, timeout=60)
    listed = mlmd.Portal(address, secret)._connection
    files = b"".join(listed.chunks(f"versions/{version.public_id}/files/"))
    assert hashlib.sha256(target.read_bytes()).hexdigest() in files.decode()
    assert sum(1 for _ in read_frames(target)) == 400


def test_the_client_goes_on_and_compares_the_checksum(site, tmp_path, monkeypatch):
    address, version, secret = site
    monkeypatch.setattr(Connection, "first_wait", 0.001)
    portal = mlmd.Portal(address, secret)
    dataset = portal.dataset(str(version.dataset.public_id))
    complete = dataset.download(tmp_path / "complete.extxyz", version=1).read_bytes()
    connection, breaks, asked = portal._connection, [60_000, 150_000], []
    opened = Connection._open

    def fragile(self, path, start, tag):
        asked.append((start, tag))
        answer = opened(self, path, start, tag)
        if breaks:
            left, read = breaks.pop(0) - start, answer.read

            def some(size):
                nonlocal left
                if left <= 0:
                    raise ConnectionResetError("cut")
                left -= size
                return read(size)

            monkeypatch.setattr(answer, "read", some)
        return answer

    monkeypatch.setattr(Connection, "_open", fragile)
    monkeypatch.setattr("mlmd.client.http.CHUNK", 10_000)
    assert b"".join(connection.chunks(url_of(version).removeprefix("/api/v1/"))) == complete
    assert [start for start, _tag in asked] == [0, 60_000, 150_000]
    assert asked[0][1] == ""
    assert asked[1][1] == asked[2][1] != ""
