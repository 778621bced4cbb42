"""Every line of "bad input": a clear answer on the page and from the API, nothing breaks or is lost."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import zipfile

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets.models import Frame, Structure, Upload, UploadState
from datasets.services import dataset_create, upload_parse
from tests.datasets.factories import extxyz, make_frames

HEAD = 'Properties=species:S:1:pos:R:3:forces:R:3 energy=-1.0 pbc="T T T" '
CELL = 'Lattice="5 0 0 0 5 0 0 0 5" '
ATOM = "Si 0 0 0 0 0 0\n"


def xyz(body: str, cell: str = CELL, count: int = 1) -> bytes:
    return f"{count}\n{cell}{HEAD}\n{body}".encode()


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.xyz", b"0" * (8 << 20))
    return stream.getvalue()


DTD = b"""<?xml version="1.0"?>
<!DOCTYPE bomb [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<modeling><generator><i name="program">&b;</i></generator></modeling>"""

REFUSED = {
    "wrong format": ("letter.docx", b"Dear all,\nthis is no calculation.\n"),
    "binary": ("noise.xml", bytes(range(256)) * 20),
    "empty": ("empty.xyz", b""),
    "only blanks": ("blank.xyz", b"\n \n\n"),
    "zip": ("bomb.zip", zipped()),
    "gzip bomb": ("bomb.xyz.gz", gzip.compress(b"0" * (64 << 20), 9)),
    "bzip2 bomb": ("bomb.xyz.bz2", bz2.compress(b"0" * (64 << 20))),
    "damaged gzip": ("cut.xyz.gz", gzip.compress(extxyz(make_frames(50)))[:30]),
    "XML with DTD": ("vasprun.xml", DTD),
    "truncated XML": ("vasprun.xml", b"<?xml version='1.0'?><modeling><generator><i name='pro"),
    "NaN positions": ("nan.xyz", xyz("Si nan 0 0 0 0 0\n")),
    "infinite positions": ("inf.xyz", xyz("Si inf 0 0 0 0 0\n")),
    "zero cell": ("flat.xyz", xyz(ATOM, 'Lattice="0 0 0 0 0 0 0 0 0" ')),
    "unknown element": ("x.xyz", xyz("Qq 0 0 0 0 0 0\n")),
    "absurd count": ("count.xyz", b"999999999999\n" + CELL.encode() + b"\n" + ATOM.encode()),
    "JSON of something else": ("list.jsonl", b'{"a": 1}\n[1, 2]\n'),
}


@pytest.fixture
def dataset(owner, lab):
    return dataset_create(owner=owner, lab=lab, name="Bad input")


def send(page, dataset, name: str, content: bytes) -> Upload:
    answer = page.post(
        reverse("datasets:upload"),
        {"dataset": str(dataset.public_id), "file": SimpleUploadedFile(name, content)},
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 201, answer.content
    upload = Upload.objects.get()
    assert upload_parse(upload_id=upload.pk)
    upload.refresh_from_db()
    return upload


@pytest.mark.parametrize("case", REFUSED, ids=list(REFUSED))
def test_a_bad_file_is_refused_with_its_reason_and_stays_listed(page, dataset, case):
    name, content = REFUSED[case]
    upload = send(page, dataset, name, content)
    assert upload.state == UploadState.REFUSED, (upload.state, upload.reason)
    assert upload.reason.startswith(name)
    assert not Frame.objects.exists()

    shown = page.get(upload.get_absolute_url())
    assert shown.status_code == 200
    listed = page.get(dataset.get_absolute_url())
    assert name in listed.content.decode()
    told = page.get(reverse("api:upload-detail", args=[upload.public_id])).json()
    assert told["state"] == "refused"
    assert told["reason"] == upload.reason
    original = page.get(reverse("datasets:upload-original", args=[upload.public_id]))
    assert b"".join(original.streaming_content) == content
    assert original["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("case", ["empty", "wrong format", "zip", "XML with DTD", "gzip bomb"])
def test_a_bad_structure_file_is_refused_too(page, owner, case):
    name, content = REFUSED[case]
    answer = page.post(
        reverse("datasets:structure-upload"), {"file": SimpleUploadedFile(name, content)}
    )
    assert answer.status_code == 302
    upload = Upload.objects.get()
    upload_parse(upload_id=upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.REFUSED, (upload.state, upload.reason)
    assert name in page.get(reverse("datasets:structures")).content.decode()
    assert not Structure.objects.exists()


def test_what_is_whole_in_a_truncated_file_is_kept_and_the_rest_is_named(page, dataset):
    content = extxyz(make_frames(5))
    upload = send(page, dataset, "cut.xyz", content[:-120])
    assert upload.state == UploadState.ACCEPTED
    assert upload.frames_kept == 4
    assert [issue["severity"] for issue in upload.report["issues"]] == ["lost"]
    assert "frame 5" in page.get(upload.get_absolute_url()).content.decode()


def test_one_bad_frame_does_not_cost_the_others(page, dataset):
    bad = xyz("Si nan 0 0 0 0 0\n")
    upload = send(page, dataset, "mixed.xyz", xyz(ATOM) + bad + xyz(ATOM))
    assert upload.state == UploadState.ACCEPTED
    assert upload.frames_kept == 2


def test_overlapping_atoms_are_kept_with_a_remark(page, dataset):
    upload = send(page, dataset, "close.xyz", xyz(ATOM + "Si 0.01 0 0 0 0 0\n", count=2))
    assert upload.state == UploadState.ACCEPTED
    assert upload.frames_kept == 1


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "..\\..\\boot.ini",
        "<script>alert(1)</script>.xyz",
        "シリコン 液体.xyz",
        "a" * 400 + ".xyz",
        "'; rm -rf ~; '.xyz",
        "new\nline\x00.xyz",
    ],
)
def test_names_never_become_paths_or_markup(page, dataset, name, settings):
    upload = send(page, dataset, name, extxyz(make_frames(1)))
    assert upload.state == UploadState.ACCEPTED, upload.reason
    assert "/" not in upload.name.replace("</script>", "")
    assert not any(c in upload.name for c in "\n\x00\\")
    assert len(upload.name) <= 255
    stored = [p.name for p in settings.MEDIA_ROOT.rglob("*") if p.is_file()]
    assert stored == ["original"]
    shown = page.get(upload.get_absolute_url()).content.decode()
    assert "<script>alert(1)" not in shown
    answer = page.get(reverse("datasets:upload-original", args=[upload.public_id]))
    assert "\n" not in answer["Content-Disposition"]
    answer.close()


@pytest.mark.slow
def test_a_hundred_thousand_atoms_are_read_shown_and_given_back(page, owner, dataset):
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[np.arange(47) * 2.5] * 3), -1).reshape(-1, 3)[:100_000]
    grid = grid + rng.normal(scale=0.05, size=grid.shape)
    lines = "".join(f"Si {x:.4f} {y:.4f} {z:.4f} 0 0 0\n" for x, y, z in grid)
    cell = 'Lattice="117.5 0 0 0 117.5 0 0 0 117.5" '
    upload = send(page, dataset, "big.xyz", xyz(lines, cell, len(grid)))
    assert upload.state == UploadState.ACCEPTED, upload.reason
    frame = Frame.objects.get()
    assert frame.n_atoms == 100_000
    assert page.get(frame.get_absolute_url()).status_code == 200
    drawn = page.get(reverse("datasets:frame-viewer", args=[frame.public_id])).json()
    assert len(drawn["positions"]) == 100_000
    made = page.post(reverse("datasets:frame-structure", args=[frame.public_id]))
    assert made.status_code == 302
    structure = Structure.objects.get()
    assert page.get(structure.get_absolute_url()).status_code == 200
    assert structure.shortest_distance == pytest.approx(2.1, abs=0.3)


@pytest.mark.parametrize("route", ["datasets:upload", "datasets:structure-upload"])
def test_a_huge_request_is_refused_before_it_is_read(page, settings, route):
    settings.MLMD_MAX_UPLOAD_BYTES = 1 << 20
    # The length that the client announces decides; the body is never looked at.
    answer = page.post(
        reverse(route),
        b"x",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(9 << 30),
    )
    assert answer.status_code == 413
    assert "at most 1.0 MiB" in answer.content.decode()
    told = page.post(
        reverse("api:upload-list"),
        b"x",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(9 << 30),
    )
    assert told.status_code == 413
    assert "at most 1.0 MiB" in told.json()["detail"]
    assert not Upload.objects.exists()


def test_a_file_just_over_the_cap_is_refused_in_words(page, settings, dataset):
    settings.MLMD_MAX_UPLOAD_BYTES = 1000
    answer = page.post(
        reverse("datasets:upload"),
        {"dataset": str(dataset.public_id), "file": SimpleUploadedFile("a.xyz", b"0" * 2000)},
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 400
    assert "Split it" in answer.json()["detail"]
    assert not Upload.objects.exists()


def test_no_file_at_all_is_said(page, dataset):
    answer = page.post(reverse("datasets:upload"), {"dataset": str(dataset.public_id)})
    assert answer.status_code == 422
    assert "No file was chosen" in answer.content.decode()
    told = page.post(reverse("api:upload-list"), {"dataset": str(dataset.public_id)})
    assert told.status_code == 400
    assert "file" in told.json()


def test_nonsense_in_addresses_is_answered_in_words(page):
    for query in ("elements=Zz", "dataset=x", "version=3", "atoms_min=-", "visibility=all"):
        shown = page.get(reverse("datasets:frames") + f"?{query}")
        assert shown.status_code == 400, query
        told = page.get(reverse("api:frame-list") + f"?{query}")
        assert told.status_code == 400, query
        assert told.json()["detail"]
    assert (
        page.get(reverse("datasets:frames") + "?page=999&page_size=7&sort=bad").status_code == 200
    )
    assert page.get(reverse("datasets:structures") + "?elements=Zz").status_code == 200


def test_a_deep_json_line_does_not_break_the_reader(page, dataset):
    nested = "[" * 50_000 + "]" * 50_000
    good = json.dumps({"schema_version": "1.0", "type": "frame"})
    upload = send(page, dataset, "deep.jsonl", f'{{"a": {nested}}}\n{good}\n'.encode())
    assert upload.state == UploadState.REFUSED
