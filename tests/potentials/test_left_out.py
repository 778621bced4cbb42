"""Trainings leave out the test frames of the data's stated split, unless one asks for them."""

from __future__ import annotations

import pytest
from django.urls import reverse

from datasets.models import Frame
from datasets.selections import Selection
from datasets.services import dataset_create, dataset_publish, frames_insert
from datasets.splits import SplitRequest
from potentials.models import Training
from tests.potentials.factories import labelled_frames, make_potential, make_version
from tests.potentials.test_pages import form_values

pytestmark = pytest.mark.django_db


@pytest.fixture
def split_version(owner, lab):
    dataset = dataset_create(owner=owner, lab=lab, name="Split silicon")
    frames_insert(dataset=dataset, actor=owner, frames=labelled_frames(20))
    request = SplitRequest(validation=0.1, test=0.25, seed=3)
    return dataset_publish(dataset=dataset, actor=owner, split=request)


def start(client, version, **changes):
    url = reverse("potentials:train")
    values = form_values(client.get(url)) | {"versions": str(version.public_id), "effort": "quick"}
    values = {name: value for name, value in (values | changes).items() if value is not None}
    answer = client.post(url, values)
    assert answer.status_code == 302, answer.context["form"].errors
    return Training.objects.latest("pk")


def parts(training: Training, user) -> set[str]:
    rows = Selection.from_json(training.selection).queryset(user)
    return set(rows.values_list("split", flat=True))


def test_test_frames_are_left_out_unless_they_are_wanted(
    owner, lab, cluster, sign_in, split_version
):
    client = sign_in(owner)
    training = start(client, split_version)
    assert parts(training, owner) == {"train", "validation"}
    held = Frame.objects.filter(split="test").count()
    assert held > 0
    assert f"{20 - held} frames" in training.data_summary
    assert "without the test frames of the split" in training.data_summary
    assert parts(start(client, split_version, leave_out_test=None), owner) == {
        *("train", "validation", "test")
    }


def test_data_without_a_split_are_taken_whole(owner, lab, cluster, sign_in):
    version = make_version(owner, lab)
    training = start(sign_in(owner), version)
    assert training.selection["filters"] == {}


def test_a_clone_does_as_its_parent_did(owner, lab, cluster, sign_in, split_version):
    client = sign_in(owner)
    url = reverse("potentials:train")
    for changes, expected in (({}, True), ({"leave_out_test": None}, False)):
        parent = start(client, split_version, **changes)
        form = client.get(f"{url}?clone={parent.public_id}").context["form"]
        assert form["leave_out_test"].initial is expected


def test_the_card_says_what_became_of_the_test_frames(owner, lab, cluster, sign_in, split_version):
    client = sign_in(owner)
    for changes, words in (({}, "left out"), ({"leave_out_test": None}, "were trained on, too")):
        training = start(client, split_version, **changes)
        potential = make_potential(owner, lab, training=training)
        potential.versions.set([split_version])
        text = client.get(reverse("potentials:detail", args=[potential.public_id])).content.decode()
        assert "Test frames of the data" in text
        assert words in text
