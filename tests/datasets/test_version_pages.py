"""What changed between versions, what is left of a withdrawn one, and who did it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from datasets.comparison import Change, versions_compare
from datasets.models import Frame
from datasets.services import (
    dataset_publish,
    dataset_withdraw,
    frames_exclude,
    frames_insert,
    version_withdraw,
)
from mlmd.frame import Calculation
from tests.datasets.factories import make_frame, make_version


@pytest.fixture
def two(owner, lab):
    """Version 1 with three frames; version 2 without the first, with two others."""
    first = make_version(owner, lab)
    dataset = first.dataset
    one = Frame.objects.order_by("pk")[:1].values("pk")
    frames_exclude(dataset=dataset, actor=owner, frames=Frame.objects.filter(pk__in=one))
    scan = Calculation(code="vasp", functional="SCAN")
    new = [make_frame(8, (8, 14), kind="glass"), make_frame(9, calculation=scan)]
    frames_insert(dataset=dataset, actor=owner, frames=new)
    return first, dataset_publish(dataset=dataset, actor=owner)


def test_a_comparison_counts_what_came_and_went(two):
    old, new = two
    found = versions_compare(new, old)
    assert (found.old, found.new) == (old, new)
    assert (found.added_count, found.removed_count, found.kept_count) == (2, 1, 2)
    assert [change.difference for change in found.levels] == [0, 1]
    assert found.levels[0] == Change("espresso / PBE / 400 eV", 3, 3)
    assert found.levels[1].name.startswith("vasp / SCAN")
    assert found.kinds == [Change("glass", 0, 1), Change("liquid", 3, 3)]
    assert found.elements_added == ["O"]
    assert found.elements_removed == []
    assert [frame.ionic_step for frame in found.removed] == [0]
    assert [frame.ionic_step for frame in found.added] == [8, 9]


def test_the_comparison_is_a_page_and_an_answer(page, two):
    dataset = two[0].dataset
    text = page.get(reverse("datasets:compare", args=[dataset.public_id])).content.decode()
    assert "Version 1 to version 2" in text
    assert "Added frames" in text
    assert "Removed frames" in text
    url = reverse("api:dataset-compare", args=[dataset.public_id])
    answer = page.get(url + "?from=1&to=2").json()
    assert (answer["old"], answer["new"]) == (1, 2)
    assert (len(answer["added"]), len(answer["removed"])) == (2, 1)
    assert page.get(url + "?from=7").status_code == 404
    same = page.get(url + "?from=2&to=2").json()
    assert (same["added_count"], same["removed_count"], same["kept_count"]) == (0, 0, 4)


def test_one_version_has_nothing_to_compare_with(page, owner, lab):
    version = make_version(owner, lab)
    url = reverse("datasets:compare", args=[version.dataset.public_id])
    assert page.get(url).status_code == 404


def test_a_withdrawn_dataset_leaves_a_tombstone(page, owner, lab):
    version = make_version(owner, lab)
    dataset_withdraw(dataset=version.dataset, actor=owner, reason="wrong pseudopotential")
    text = page.get(version.dataset.get_absolute_url()).content.decode()
    assert "wrong pseudopotential" in text
    assert version.checksum in text
    assert "Withdrawn by" in text
    assert owner.name in text
    assert "Publish version" not in text
    assert "Train potential" not in text


def test_a_withdrawn_version_points_to_the_one_that_replaced_it(page, owner, two):
    old, new = two
    version_withdraw(version=old, actor=owner, reason="one frame too many")
    text = page.get(old.get_absolute_url()).content.decode()
    assert "one frame too many" in text
    assert f'href="{new.get_absolute_url()}"' in text
    assert (
        "one frame too many"
        not in page.get(new.get_absolute_url()).content.decode().split("History")[0]
    )


def test_the_history_is_for_people_of_the_lab(client, page, owner, lab, stranger):
    version = make_version(owner, lab, "public")
    dataset = version.dataset
    text = page.get(dataset.get_absolute_url()).content.decode()
    assert "dataset published" in text
    whole = page.get(reverse("datasets:history", args=[dataset.public_id])).content.decode()
    assert version.checksum in whole
    api = reverse("api:dataset-history", args=[dataset.public_id])
    events = page.get(api).json()["results"]
    assert [event["verb"] for event in events] == [
        "dataset published",
        "frames added",
        "dataset created",
    ]
    client.force_login(stranger)
    assert client.get(api).json()["results"] == []
    assert "dataset published" not in client.get(dataset.get_absolute_url()).content.decode()
