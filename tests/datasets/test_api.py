"""The same over HTTP, with a personal token."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets.models import Dataset, Frame, Structure
from datasets.services import upload_parse
from labs.services.accounts import token_create
from mlmd.documents import document_to_frame, validate
from tests.datasets.factories import (
    extxyz,
    make_dataset,
    make_frame,
    make_frames,
    make_structure,
    make_version,
)
from tests.labs.factories import make_lab


@pytest.fixture
def api(client, owner):
    """A client that signs in with a token, as scripts do."""
    _token, secret = token_create(user=owner, name="test", scopes=["read", "write"])
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    return client


def post(api, name: str, args: list, values: dict):
    return api.post(reverse(name, args=args), json.dumps(values), content_type="application/json")


def test_the_way_from_a_file_to_a_published_version(api, lab):
    made = post(api, "api:dataset-list", [], {"name": "Silica", "licence": "CC-BY-4.0"})
    assert made.status_code == 201, made.content
    dataset = made.json()["public_id"]
    assert made.json()["lab"] == str(lab.public_id)
    sent = api.post(
        reverse("api:upload-list"),
        {"dataset": dataset, "file": SimpleUploadedFile("a.xyz", extxyz(make_frames(4)))},
    )
    assert sent.status_code == 201, sent.content
    assert sent.json()["state"] == "waiting"
    upload_parse(upload_id=Dataset.objects.get().uploads.get().pk)
    told = api.get(reverse("api:upload-detail", args=[sent.json()["public_id"]])).json()
    assert (told["state"], told["frames_kept"]) == ("accepted", 4)
    published = post(api, "api:dataset-publish", [dataset], {"notes": "first"})
    assert published.status_code == 201
    version = published.json()
    assert version["frame_count"] == 4
    lines = api.get(reverse("api:version-download", args=[version["public_id"], "jsonl"]))
    documents = [json.loads(x) for x in b"".join(lines.streaming_content).splitlines()]
    assert len(documents) == 4
    for document in documents:
        validate(document)
    again = post(api, "api:dataset-publish", [dataset], {})
    assert again.status_code == 400
    assert "no draft" in again.json()["detail"]


def test_a_frame_comes_with_its_whole_document(api, owner, lab):
    make_dataset(owner, lab, frames=[make_frame(3)])
    row = Frame.objects.get()
    told = api.get(reverse("api:frame-detail", args=[row.public_id])).json()
    validate(told["document"])
    frame = document_to_frame(told["document"])
    assert frame.forces.tobytes() == make_frame(3).forces.tobytes()
    assert told["document"]["structure_hash"] == row.structure_hash


def test_filters_and_order_are_those_of_the_page(api, owner, lab):
    make_dataset(owner, lab, frames=[make_frame(i, (14,) * (i + 1)) for i in range(5)])
    url = reverse("api:frame-list")
    answer = api.get(url + "?elements=Si&atoms_min=2&sort=-atoms&page_size=2").json()
    assert answer["count"] == 4
    assert [row["n_atoms"] for row in answer["results"]] == [5, 4]
    assert "page=2" in answer["next"]


def test_a_structure_is_built_and_downloaded(api):
    made = post(api, "api:structure-list", [], {"builder": "bulk", "values": {"elements": "Si"}})
    assert made.status_code == 201, made.content
    parent = made.json()["public_id"]
    body = {"builder": "supercell", "parent": parent, "values": {"na": 2, "nb": 2, "nc": 2}}
    child = post(api, "api:structure-list", [], body).json()
    assert child["parent"] == parent
    answer = api.get(reverse("api:structure-download", args=[child["public_id"], "poscar"]))
    assert answer.status_code == 200
    bad = post(api, "api:structure-list", [], {"builder": "bulk", "values": {"elements": "Q"}})
    assert bad.status_code == 400
    assert "chemical symbol" in bad.json()["detail"]


def test_a_structure_file_is_sent_without_a_dataset(api):
    sent = api.post(
        reverse("api:upload-list"),
        {"file": SimpleUploadedFile("a.xyz", b"1\n\nSi 0 0 0\n"), "visibility": "private"},
    )
    assert sent.status_code == 201, sent.content
    told = api.get(reverse("api:upload-detail", args=[sent.json()["public_id"]]))
    assert told.json()["target"] == "structures"


def test_names_and_visibility_are_changed(api, owner, lab):
    structure = make_structure(owner, lab)
    url = reverse("api:structure-detail", args=[structure.public_id])
    answer = api.patch(url, json.dumps({"name": "New"}), content_type="application/json")
    assert answer.status_code == 200
    structure.refresh_from_db()
    assert (structure.name, structure.visibility) == ("New", "lab")
    assert api.delete(url).status_code == 204
    assert not Structure.objects.exists()


def test_frames_are_excluded_and_restored(api, owner, lab):
    version = make_version(owner, lab)
    ids = [str(i) for i in Frame.objects.values_list("public_id", flat=True)[:2]]
    dataset = version.dataset.public_id
    assert post(api, "api:dataset-exclude", [dataset], {"frames": ids}).json() == {"excluded": 2}
    assert post(api, "api:dataset-restore", [dataset], {"frames": ids}).json() == {"restored": 2}
    assert post(api, "api:dataset-restore", [dataset], {"frames": ids}).status_code == 400


def test_a_lab_that_one_does_not_belong_to_is_refused(api):
    other = make_lab()
    made = post(api, "api:dataset-list", [], {"name": "x", "lab": str(other.public_id)})
    assert made.status_code == 400
    assert "don't belong" in made.json()["detail"]


def test_a_token_for_reading_changes_nothing(client, owner, lab):
    _token, secret = token_create(user=owner, name="reader", scopes=["read"])
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    version = make_version(owner, lab)
    assert client.get(reverse("api:dataset-list")).status_code == 200
    args = [version.dataset.public_id]
    for name in ("api:dataset-publish", "api:dataset-withdraw", "api:dataset-exclude"):
        assert post(client, name, args, {}).status_code == 403


def test_what_is_not_there_and_what_is_not_a_uuid_are_both_404(api):
    for kind in ("structure", "dataset", "version", "frame", "upload"):
        assert api.get(reverse(f"api:{kind}-detail", args=[uuid4()])).status_code == 404
        assert api.get(f"/api/v1/{kind}s/1%20or%201/").status_code == 404


def test_versions_are_listed_by_dataset(api, owner, lab):
    version = make_version(owner, lab)
    make_version(owner, lab)
    url = reverse("api:version-list") + f"?dataset={version.dataset.public_id}"
    assert [row["public_id"] for row in api.get(url).json()["results"]] == [str(version.public_id)]
    assert api.get(reverse("api:version-list") + "?dataset=x").status_code == 400
