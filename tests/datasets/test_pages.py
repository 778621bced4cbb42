"""The pages, as a person in a browser gets them."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets.models import Dataset, Frame, Structure, Upload
from datasets.services import bundled_silicon_dataset, dataset_publish, upload_parse
from mlmd.documents import SCHEMA
from mlmd.formats import open_frames
from tests.datasets.factories import (
    extxyz,
    make_dataset,
    make_frame,
    make_frames,
    make_structure,
    make_upload,
    make_version,
)


def body(answer) -> str:
    if answer.streaming:
        return b"".join(answer.streaming_content).decode()
    return answer.content.decode()


def queries(page, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = page.get(url)
    assert answer.status_code == 200
    return len(captured)


@pytest.mark.parametrize("name", ["structures", "list", "frames"])
def test_an_empty_page_says_what_to_do_next(page, name):
    text = body(page.get(reverse(f"datasets:{name}")))
    assert "Upload data" in text or "Add structure" in text


def test_the_silicon_example_is_one_click_away(page, lab):
    assert "Add the silicon example" in body(page.get(reverse("datasets:list")))
    answer = page.post(reverse("datasets:silicon"))
    dataset = Dataset.objects.get()
    assert answer["Location"] == dataset.get_absolute_url()
    text = body(page.get(answer["Location"]))
    assert "205" in text
    assert "espresso / LDA" in text


def test_lists_need_a_fixed_number_of_queries(page, owner, lab):
    make_structure(owner, lab)
    make_version(owner, lab)
    urls = [reverse(f"datasets:{n}") for n in ("structures", "list", "frames")]
    urls += [reverse(f"api:{n}-list") for n in ("structure", "dataset", "version", "frame")]
    page.get(reverse("datasets:frames"))
    before = [queries(page, url) for url in urls]
    for _ in range(4):
        make_structure(owner, lab)
        make_version(owner, lab)
    page.get(reverse("datasets:frames"))  # takes the snapshots that the new frames need
    assert [queries(page, url) for url in urls] == before
    assert max(before) <= 25


def test_a_dataset_page_needs_few_queries_however_many_frames(page, owner, lab):
    small = make_dataset(owner, lab)
    large = make_dataset(owner, lab, frames=make_frames(60))
    assert queries(page, large.get_absolute_url()) == queries(page, small.get_absolute_url()) <= 35


def test_mixed_levels_of_theory_are_warned_of(page, owner, lab):
    from mlmd.frame import Calculation

    other = make_frame(1, calculation=Calculation(code="vasp", functional="SCAN"))
    mixed = make_dataset(owner, lab, frames=[make_frame(0), other])
    assert "mix 2 levels of theory" in body(page.get(mixed.get_absolute_url()))
    alone = make_dataset(owner, lab)
    assert "levels of theory: their" not in body(page.get(alone.get_absolute_url()))


@pytest.mark.parametrize("file_format", ["extxyz", "n2p2", "jsonl"])
def test_downloads_read_back_as_the_same_frames(page, owner, lab, file_format, tmp_path):
    made = make_frames(5)
    version = make_version(owner, lab, frames=made)
    url = reverse("datasets:download", args=[version.dataset.public_id, file_format])
    path = tmp_path / "file"
    path.write_text(body(page.get(url + "?version=1")))
    units = {"length_unit": "angstrom", "energy_unit": "ev"} if file_format == "n2p2" else {}
    read = list(open_frames(path, file_format, **units))
    assert len(read) == 5
    for one, two in zip(made, read, strict=True):
        assert one.energy == pytest.approx(two.energy, abs=1e-9)
        assert np.allclose(one.forces, two.forces, atol=1e-8)
        assert np.allclose(one.positions, two.positions, atol=1e-8)


@pytest.mark.parametrize("file_format", ["deepmd", "asedb", "aenet"])
def test_files_that_are_no_text_read_back_as_well(page, owner, lab, file_format, tmp_path):
    made = make_frames(5)
    version = make_version(owner, lab, frames=made)
    url = reverse("datasets:download", args=[version.dataset.public_id, file_format])
    answer = page.get(url + "?version=1")
    path = tmp_path / "file"
    path.write_bytes(b"".join(answer.streaming_content))
    assert int(answer["Content-Length"]) == path.stat().st_size
    reader = open_frames(path)
    read = list(reader)
    assert reader.format == file_format
    assert [f.energy for f in read] == pytest.approx([f.energy for f in made], abs=1e-9)
    labels = "forces" if file_format == "aenet" else "stress"  # XSF has no place for stress
    for one, two in zip(made, read, strict=True):
        assert np.allclose(getattr(one, labels), getattr(two, labels))


def test_a_download_of_what_the_filters_find_has_no_limit_on_rows(page, owner, lab):
    made = [make_frame(i, (8,) if i % 2 else (14,)) for i in range(120)]
    make_dataset(owner, lab, frames=made)
    url = reverse("datasets:frames-download", args=["jsonl"]) + "?elements=O&mode=only&page_size=25"
    lines = body(page.get(url)).splitlines()
    assert len(lines) == 60
    assert {tuple(json.loads(line)["elements"]) for line in lines} == {("O",)}


def test_n2p2_says_which_frames_it_cannot_hold(page, owner, lab):
    dataset = make_dataset(owner, lab, frames=[make_frame(0), make_frame(1, forces=None)])
    url = reverse("datasets:download", args=[dataset.public_id, "n2p2"])
    answer = page.get(url, headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("1 frame has no energy or no forces")
    found = reverse("datasets:frames-download", args=["n2p2"]) + "?force_min=0"
    assert body(page.get(found)).count("begin") == 1


def test_the_page_of_the_document_explains_every_field_and_gives_the_schema(page):
    text = body(page.get(reverse("datasets:schema")))
    named = [*SCHEMA["properties"], *SCHEMA["properties"]["calculation"]["properties"]]
    assert [name for name in named if name not in text] == []
    assert "eV/Å³" in text
    page.logout()
    answer = page.get(reverse("datasets:schema-file"))
    assert answer["Content-Type"] == "application/schema+json"
    assert answer.json() == SCHEMA


def test_an_unknown_format_is_refused_in_words(page, owner, lab):
    dataset = make_dataset(owner, lab)
    url = reverse("datasets:download", args=[dataset.public_id, "docx"])
    answer = page.get(url, headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert "expected one of extxyz, n2p2, jsonl" in answer.json()["detail"]
    assert page.get(url).status_code == 302


@pytest.mark.parametrize("name", ["energy", "force", "volume", "composition"])
def test_plots_have_numbers_words_and_a_csv(page, owner, lab, name):
    dataset = bundled_silicon_dataset(owner=owner, lab=lab)
    figure = page.get(reverse("datasets:plot", args=[dataset.public_id, name])).json()
    assert figure["data"]
    assert "205" in figure["alt"] or "Si8" in figure["alt"]
    assert figure["layout"]["xaxis"]["title"]["text"]
    rows = list(csv.reader(io.StringIO(body(page.get(figure["csv"])))))
    assert len(rows) == 206
    if name == "energy":
        assert sum(sum(trace["y"]) for trace in figure["data"]) == 205


def test_plots_of_frames_without_labels_are_empty_not_broken(page, owner, lab):
    bare = make_frame(0, energy=None, forces=None, stress=None, label_source="none")
    dataset = make_dataset(owner, lab, frames=[bare])
    for name in ("energy", "force", "volume"):
        answer = page.get(reverse("datasets:plot", args=[dataset.public_id, name]))
        assert answer.status_code == 200
    assert page.get(Frame.objects.get().get_absolute_url()).status_code == 200


def test_publishing_and_withdrawing_by_hand(page, owner, lab):
    dataset = make_dataset(owner, lab)
    page.post(reverse("datasets:publish", args=[dataset.public_id]), {"notes": "first"})
    version = dataset.versions.get()
    assert version.state == "published"
    assert version.notes == "first"
    text = body(page.get(dataset.get_absolute_url()))
    assert version.checksum[:12] in text
    assert "Withdraw dataset" in text
    again = page.post(reverse("datasets:publish", args=[dataset.public_id]), follow=True)
    assert "no draft to publish" in body(again)
    url = reverse("datasets:withdraw", args=[dataset.public_id])
    page.post(url, {"version": "1", "reason": "wrong spin"})
    assert "wrong spin" in body(page.get(f"{dataset.get_absolute_url()}?version=1"))
    assert page.get(f"{dataset.get_absolute_url()}?version=9").status_code == 404


def test_frames_are_left_out_and_taken_back(page, owner, lab):
    version = make_version(owner, lab)
    frame = Frame.objects.order_by("pk").first()
    url = reverse("datasets:exclude", args=[version.dataset.public_id])
    page.post(url, {"frame": str(frame.public_id)})
    frame.refresh_from_db()
    assert frame.removed_in == 2
    assert "excluded" in body(page.get(frame.get_absolute_url()))
    page.post(url, {"frame": str(frame.public_id), "restore": "1"})
    frame.refresh_from_db()
    assert frame.removed_in is None
    refused = page.post(url, {"frame": "x"}, follow=True)
    assert "isn&#x27;t the id of a frame" in body(refused)


def test_a_redirect_never_leaves_the_site(page, owner, lab):
    dataset = make_dataset(owner, lab)
    url = reverse("datasets:exclude", args=[dataset.public_id])
    answer = page.post(url, {"next": "https://evil.example/"})
    assert answer["Location"] == dataset.get_absolute_url()


def test_a_search_in_a_dataset_says_so_and_leads_out_of_it(page, owner, lab):
    dataset = make_dataset(owner, lab, name="Here")
    url = reverse("datasets:frames") + f"?dataset={dataset.public_id}&kind=liquid&region="
    text = body(page.get(url))
    assert "in Here" in text
    assert 'href="?kind=liquid"' in text
    assert f'<input type="hidden" name="dataset" value="{dataset.public_id}"' in text


def test_the_catalog_shows_chips_that_take_a_filter_away(page, owner, lab):
    make_dataset(owner, lab)
    text = body(page.get(reverse("datasets:frames") + "?elements=Si&kind=liquid&atoms_min=1"))
    assert "3 frames" in text
    assert 'href="?elements=Si&amp;atoms_min=1"' in text
    assert 'value="Si" checked' in text


def test_a_frame_page_shows_labels_theory_and_twins(page, owner, lab):
    make_dataset(owner, lab, frames=[make_frame(0)], name="One")
    make_dataset(owner, lab, frames=[make_frame(0)], name="Two")
    frame = Frame.objects.first()
    text = body(page.get(frame.get_absolute_url()))
    assert "espresso / PBE / 400 eV" in text
    assert "Two" in text
    assert "Save as structure" in text
    drawn = page.get(reverse("datasets:frame-viewer", args=[frame.public_id])).json()
    assert drawn["symbols"] == ["Si", "Si"]
    assert len(drawn["forces"]) == 2


def test_several_files_arrive_at_once_in_a_new_dataset(page):
    files = [SimpleUploadedFile(f"{i}.xyz", extxyz(make_frames(i + 1))) for i in range(3)]
    answer = page.post(reverse("datasets:upload"), {"file": files})
    dataset = Dataset.objects.get()
    assert answer["Location"] == dataset.get_absolute_url()
    assert dataset.name == "0.xyz"
    for upload in Upload.objects.all():
        upload_parse(upload_id=upload.pk)
    dataset.refresh_from_db()
    assert dataset.frame_count == 6


def test_a_page_refreshes_itself_only_while_files_are_read(page, owner, lab):
    dataset = make_dataset(owner, lab)
    upload = make_upload(owner, lab, extxyz(make_frames(1)), dataset=dataset)
    assert 'hx-trigger="every 3s"' in body(page.get(dataset.get_absolute_url()))
    assert 'hx-trigger="every 2s"' in body(page.get(upload.get_absolute_url()))
    upload_parse(upload_id=upload.pk)
    assert "every 3s" not in body(page.get(dataset.get_absolute_url()))
    assert "hx-trigger" not in body(page.get(upload.get_absolute_url())).split("upload-report")[1]


def test_a_stranger_sees_nothing_of_it(client, stranger, owner, lab):
    version = make_version(owner, lab)
    client.force_login(stranger)
    frame = Frame.objects.first()
    for url in (version.dataset.get_absolute_url(), frame.get_absolute_url()):
        assert client.get(url).status_code == 404
    assert "Samples" not in body(client.get(reverse("datasets:frames")))


def test_a_guest_looks_but_gets_no_button(client, guest, owner, lab):
    version = make_version(owner, lab)
    client.force_login(guest)
    text = body(client.get(version.dataset.get_absolute_url()))
    assert "Edit dataset" not in text
    assert "Publish version" not in text
    assert client.post(reverse("datasets:silicon")).status_code == 403


def test_a_file_becomes_private_with_its_dataset(page, owner, lab):
    dataset = make_dataset(owner, lab)
    upload = make_upload(owner, lab, b"x", dataset=dataset)
    page.post(reverse("datasets:visibility", args=[dataset.public_id]), {"visibility": "private"})
    upload.refresh_from_db()
    assert upload.visibility == "private"


def test_editing_keeps_what_was_typed_when_it_is_refused(page, owner, lab):
    dataset = make_dataset(owner, lab)
    url = reverse("datasets:edit", args=[dataset.public_id])
    answer = page.post(url, {"name": " ", "description": "kept text", "visibility": "lab"})
    assert answer.status_code == 422
    assert "kept text" in body(answer)
    page.post(url, {"name": "Better", "tags": "a, b", "visibility": "lab"})
    dataset.refresh_from_db()
    assert (dataset.name, dataset.tags) == ("Better", ["a", "b"])
    dataset_publish(dataset=dataset, actor=owner)
    assert Structure.objects.count() == 0


def test_one_row_is_counted_in_the_singular(page, owner, lab):
    make_structure(owner, lab)
    text = body(page.get(reverse("datasets:structures")))
    assert '<span class="num">1</span> structure</p>' in text
