"""Files that were refused as a potential: kept, listed, tried again, taken away."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from rest_framework.test import APIClient

from jobs.storage import storage_of
from potentials.models import Potential, RefusedUpload
from potentials.services import refusals
from tests.labs.factories import make_lab, make_user
from tests.potentials.factories import network, network_files

pytestmark = pytest.mark.django_db
UPLOAD = "potentials:upload"


@pytest.fixture
def silent() -> dict[str, bytes]:
    """A potential's files that don't say their units."""
    return {n: c for n, c in network_files(network(("Si",))).items() if n != "units.json"}


def sent(files: dict[str, bytes]) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(name, content) for name, content in files.items()]


def typed(**changes) -> dict:
    return {"name": "Silicon", "visibility": "lab", "description": "From a paper.", **changes}


def test_what_was_refused_is_listed_with_its_reason(silent, owner, lab, sign_in):
    client = sign_in(owner)
    answer = client.post(reverse(UPLOAD), typed(files=sent(silent)))
    assert answer.status_code == 422
    row = RefusedUpload.objects.get()
    assert str(row.public_id) in answer.content.decode()  # the next attempt needs no files
    assert "Nothing in the files says it." in row.reason
    assert {verdict["name"] for verdict in row.verdicts} == set(silent)
    listed = client.get(reverse("potentials:refused-uploads")).content.decode()
    assert "Silicon" in listed
    assert "Nothing in the files says it." in listed
    page = client.get(row.get_absolute_url()).content.decode()
    assert all(name in page for name in silent)
    original = client.get(reverse("potentials:refused-upload-original", args=[row.public_id]))
    assert b"".join(original.streaming_content) == bytes(row.content)
    assert "attachment" in original["Content-Disposition"]
    assert dict(storage_of(lab))["potentials"] >= sum(map(len, silent.values()))


def test_it_is_tried_again_without_sending_it_again(silent, owner, lab, sign_in):
    client = sign_in(owner)
    client.post(reverse(UPLOAD), typed(files=sent(silent)))
    row = RefusedUpload.objects.get()
    again = client.get(reverse(UPLOAD), {"again": row.public_id})
    page = again.content.decode()
    assert "From a paper." in page
    assert re.search(rf'name="again"[^>]*value="{row.public_id}"', page)
    values = typed(again=row.public_id, length_unit="bohr", energy_unit="hartree")
    preview = client.post(reverse("potentials:upload-preview"), values).content.decode()
    assert "A potential of n2p2 for Si" in preview
    answer = client.post(reverse(UPLOAD), values)
    potential = Potential.objects.get()
    assert answer.status_code == 302
    assert potential.length_unit == "bohr"
    assert {file.name for file in potential.files.all()} == {*silent, "units.json"}
    assert not RefusedUpload.objects.exists()


def test_several_attempts_are_one_row(silent, owner, lab, sign_in):
    client = sign_in(owner)
    broken = silent | {"scaling.data": b""}
    client.post(reverse(UPLOAD), typed(files=sent(broken)))
    first = RefusedUpload.objects.get()
    client.post(reverse(UPLOAD), typed(files=sent(broken), name="Another name"))
    client.post(reverse(UPLOAD), typed(again=first.public_id, name="A third name"))
    row = RefusedUpload.objects.get()
    assert (row.pk, row.name) == (first.pk, "A third name")
    # Other files in its place.
    client.post(reverse(UPLOAD), typed(again=first.public_id, files=sent(silent)))
    row = RefusedUpload.objects.get()
    assert row.pk == first.pk
    assert row.sha256 != first.sha256


def test_more_than_is_kept_stays_listed_without_its_files(silent, owner, lab, sign_in, monkeypatch):
    monkeypatch.setattr(refusals, "MOST_KEPT", 100)
    client = sign_in(owner)
    answer = client.post(reverse(UPLOAD), typed(files=sent(silent)))
    assert "too large to be kept" in answer.content.decode()
    row = RefusedUpload.objects.get()
    assert row.content is None
    assert "too large to be kept" in client.get(row.get_absolute_url()).content.decode()
    gone = client.get(reverse("potentials:refused-upload-original", args=[row.public_id]))
    assert gone.status_code == 404
    answer = client.post(reverse(UPLOAD), typed(again=row.public_id))
    assert "Choose the potential" in answer.content.decode()


def test_files_of_one_name_in_two_folders_are_both_kept(owner, lab):
    row = refusals.refusal_keep(
        owner=owner, lab=lab, sent=sent({"a": b"1"}) + sent({"a": b"2"}), typed={}, versions=[],
        reason="Two.", verdicts=[],
    )  # fmt: skip
    assert row.file_name == "files.zip"
    assert bytes(row.content).count(b"files/a") >= 1
    assert b"files/1/a" in bytes(row.content)


def test_nobody_else_tries_or_sees_what_is_private(silent, owner, lab, sign_in):
    sign_in(owner).post(reverse(UPLOAD), typed(files=sent(silent), visibility="private"))
    row = RefusedUpload.objects.get()
    assert row.visibility == "private"
    colleague, stranger = make_user(lab), make_user(make_lab())
    for person in (colleague, stranger):
        client = sign_in(person)
        assert client.get(row.get_absolute_url()).status_code == 404
        assert client.get(reverse(UPLOAD), {"again": row.public_id}).status_code == 404
        values = typed(again=row.public_id, length_unit="bohr", energy_unit="hartree")
        assert client.post(reverse(UPLOAD), values).status_code == 422
    assert not Potential.objects.exists()
    assert RefusedUpload.objects.get().modified_at == row.modified_at


def test_what_is_public_is_refused_for_the_lab_only(silent, owner, lab, sign_in):
    sign_in(owner).post(reverse(UPLOAD), typed(files=sent(silent), visibility="public"))
    assert RefusedUpload.objects.get().visibility == "lab"


def test_the_same_with_the_api(silent, owner, lab):
    client = APIClient()
    client.force_authenticate(owner)
    address = reverse("api:potential-upload")
    answer = client.post(address, {"name": "Silicon", "files": sent(silent)})
    assert answer.status_code == 400
    kept = answer.json()["refused"]
    (listed,) = client.get(reverse("api:refused-upload-list")).json()["results"]
    assert listed["public_id"] == kept
    assert {file["name"] for file in listed["files"]} == set(silent)
    values = {"name": "Silicon", "again": kept, "length_unit": "bohr", "energy_unit": "hartree"}
    assert client.post(address, values).status_code == 201
    assert client.get(reverse("api:refused-upload-list")).json()["results"] == []
    client.post(address, {"name": "Silicon", "files": sent({"nothing.txt": b"1"})})
    row = RefusedUpload.objects.get()
    gone = client.delete(reverse("api:refused-upload-detail", args=[row.public_id]))
    assert gone.status_code == 204
    assert not RefusedUpload.objects.exists()


def test_a_nonsense_address_is_not_found(owner, lab, sign_in):
    assert sign_in(owner).get(reverse(UPLOAD), {"again": "nonsense"}).status_code == 404
