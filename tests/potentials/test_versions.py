"""Versions of one name: marked, filtered, and compared with the one before."""

from __future__ import annotations

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from mlmd.hdnnp.training import TrainingSettings
from mlmd.runs import to_jsonable
from potentials.services.potentials import potential_update
from potentials.versions import Change, versions_of
from tests.potentials.factories import make_potential, make_training

pytestmark = pytest.mark.django_db


def trained(owner, lab, version, settings=None, **fields):
    """Return a potential that came from a training with these settings."""
    values = to_jsonable(TrainingSettings(**(settings or {})))
    return make_potential(
        owner,
        lab,
        training=make_training(owner, lab),
        name="Silicon",
        version=version,
        settings=values,
        **fields,
    )


def test_the_card_tells_what_changed_from_version_to_version(owner, lab, sign_in):
    old = trained(owner, lab, 1, frame_count=30, data_checksum="a" * 64)
    new = trained(
        owner, lab, 2, {"epochs": 7}, frame_count=60, data_checksum="b" * 64, force_rmse=90.0
    )
    newest, first = versions_of(new, owner)
    assert (newest.is_newest, newest.is_shown, first.is_newest, first.changes) == (
        True,
        True,
        False,
        (),
    )
    changes = {change.what: (change.before, change.after) for change in newest.changes}
    assert changes["Teacher data"] == ("30 frames", "60 frames")
    assert changes["Force RMSE"] == ("110 meV/Å", "90.0 meV/Å")
    assert ("Epochs" in changes) == (TrainingSettings().epochs != 7)
    assert "Energy RMSE" not in changes
    page = sign_in(owner).get(reverse("potentials:detail", args=[old.public_id])).content.decode()
    assert "There is a newer version" in page
    assert "60 frames" in page
    both = f"?potential={new.public_id}&amp;potential={old.public_id}"
    assert reverse("potentials:compare") + both in page


def test_other_frames_of_the_same_number_are_said(owner, lab):
    trained(owner, lab, 1, data_checksum="a" * 64)
    new = trained(owner, lab, 2, data_checksum="b" * 64)
    assert versions_of(new, owner)[0].changes == (
        Change("Teacher data", "30 frames", "30 frames, others"),
    )


def test_a_version_that_one_may_not_see_is_not_told_of(owner, lab, guest, sign_in):
    seen = make_potential(owner, lab, name="Silicon")
    make_potential(owner, lab, "private", name="Silicon", version=2)
    page = sign_in(guest).get(reverse("potentials:detail", args=[seen.public_id]))
    assert "newer version" not in page.content.decode()
    (row,) = versions_of(seen, guest)
    assert row.is_newest


def test_the_catalog_marks_the_newest_and_can_show_it_alone(owner, lab, stranger, sign_in):
    make_potential(owner, lab, name="Silicon")
    make_potential(owner, lab, name="Silicon", version=2)
    make_potential(owner, lab, name="Alone")
    elsewhere = stranger.memberships.get().lab
    make_potential(stranger, elsewhere, "public", name="Silicon", version=9)
    client, url = sign_in(owner), reverse("potentials:list")

    def rows(**query):
        found = client.get(url, query).context["page_obj"]
        return {(row.lab_id, row.name, row.version): row for row in found}

    everything = rows()
    assert len(everything) == 4
    assert everything[lab.pk, "Silicon", 1].has_newer
    assert everything[lab.pk, "Silicon", 2].has_older
    assert not everything[lab.pk, "Alone", 1].has_older
    assert set(rows(latest="1")) == {
        (lab.pk, "Silicon", 2),
        (lab.pk, "Alone", 1),
        (elsewhere.pk, "Silicon", 9),
    }
    assert "older" in client.get(url).content.decode()


def test_a_new_name_that_is_taken_gives_the_next_version(owner, lab):
    make_potential(owner, lab, name="Silicon")
    other = make_potential(owner, lab, name="Other", version=4)
    said = {"licence": "", "description": "", "not_for": "", "visibility": "lab"}
    assert potential_update(potential=other, actor=owner, name="Silicon", **said).version == 2
    assert potential_update(potential=other, actor=owner, name="Silicon", **said).version == 2


def test_the_api_lists_the_versions_with_their_changes(owner, lab):
    old = make_potential(owner, lab, name="Silicon")
    make_potential(owner, lab, name="Silicon", version=2, energy_rmse=4.0)
    client = APIClient()
    client.force_authenticate(owner)
    answer = client.get(reverse("api:potential-versions", args=[old.public_id])).json()
    assert [entry["potential"]["version"] for entry in answer] == [2, 1]
    assert answer[0]["changes"] == [
        {"what": "Energy RMSE", "before": "5.00 meV/atom", "after": "4.00 meV/atom"}
    ]
