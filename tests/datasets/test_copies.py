"""Frames of several datasets become a new one, and each knows its source."""

from __future__ import annotations

import pytest
from django.http import QueryDict
from django.urls import reverse

from datasets.catalog import catalog_query
from datasets.models import Dataset, Frame
from datasets.selections import iterate_frames
from datasets.services import dataset_collect, dataset_publish, version_verify
from labs.exceptions import PermissionDenied, Refused
from tests.datasets.factories import make_dataset, make_frame, make_version


@pytest.fixture
def two(owner, lab):
    first = make_dataset(owner, lab, frames=[make_frame(0), make_frame(1, (8, 8))], name="First")
    return first, make_version(owner, lab, frames=[make_frame(2)], name="Second").dataset


def test_copies_are_exact_and_point_to_their_sources(page, owner, lab, two):
    sent = {"name": "Silicon of both", "query": "elements=Si"}
    answer = page.post(reverse("datasets:collect"), sent)
    made = Dataset.objects.get(name="Silicon of both")
    assert answer["Location"] == made.get_absolute_url()
    copies = Frame.objects.filter(dataset=made).order_by("pk")
    assert [copy.copied_from.dataset.name for copy in copies] == ["First", "Second"]
    assert made.frame_count == 2
    for copy, frame in zip(copies, iterate_frames(copies), strict=True):
        source = next(iterate_frames(Frame.objects.filter(pk=copy.copied_from_id)))
        assert frame.positions.tobytes() == source.positions.tobytes()
        assert frame.forces.tobytes() == source.forces.tobytes()
        assert frame.calculation == source.calculation
        assert copy.document_hash == copy.copied_from.document_hash
    text = page.get(made.get_absolute_url()).content.decode()
    assert f'href="{two[0].get_absolute_url()}"' in text
    assert "Copied from" in page.get(copies[0].get_absolute_url()).content.decode()
    assert version_verify(dataset_publish(dataset=made, actor=owner))


def test_the_api_collects_and_names_the_source(page, two):
    sent = {"name": "Oxygen", "query": "elements=O", "visibility": "private"}
    answer = page.post(reverse("api:dataset-collect"), sent, content_type="application/json")
    assert answer.status_code == 201
    found = page.get(reverse("api:frame-list") + f"?dataset={answer.json()['public_id']}").json()
    source = Frame.objects.get(dataset=two[0], ionic_step=1)
    assert [row["copied_from"] for row in found["results"]] == [str(source.public_id)]


def test_one_collects_only_what_one_sees_and_may_keep(owner, lab, two, guest, stranger):
    def collect(user, query: str = ""):
        frames = catalog_query(user, QueryDict(query)).frames(user)
        return dataset_collect(
            owner=user, lab=user.memberships.get().lab, name="x", frames=frames, query=query
        )

    with pytest.raises(Refused, match="finds no frame"):
        collect(stranger)
    with pytest.raises(PermissionDenied):
        collect(guest)
    with pytest.raises(Refused, match="finds no frame"):
        collect(owner, "elements=Fe")


def test_too_many_are_refused(monkeypatch, page, two):
    monkeypatch.setattr("datasets.services.copies.MOST_COPIED", 1)
    answer = page.post(reverse("datasets:collect"), {"name": "x", "query": "elements=Si"})
    assert answer.status_code == 302
    assert not Dataset.objects.filter(name="x").exists()
