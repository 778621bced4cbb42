"""Splits: seeded, kind by kind, and a frame keeps its part for good."""

from __future__ import annotations

from collections import Counter

import pytest
from django.urls import reverse

from datasets.filters import FrameFilters
from datasets.models import Frame
from datasets.selections import Selection
from datasets.services import dataset_publish, frames_insert
from datasets.splits import Part, SplitFrame, SplitRequest, StatedSplit, split_draw
from labs.exceptions import Refused
from tests.datasets.factories import make_dataset, make_frame, make_frames, make_version

TENTHS = SplitRequest(0.1, 0.2, seed=3)


def rows(count: int, kind: str = "liquid", start: int = 0) -> list[SplitFrame]:
    return [SplitFrame(start + i, kind, f"{kind}{i}", "") for i in range(count)]


def test_every_kind_gets_its_shares_and_the_seed_decides():
    frames = rows(100) + rows(50, "crystal", 1000)
    drawn = split_draw(frames, TENTHS)
    assert len(drawn) == 150
    liquid = Counter(part for pk, part in drawn.items() if pk < 1000)
    crystal = Counter(part for pk, part in drawn.items() if pk >= 1000)
    assert liquid == {Part.TEST: 20, Part.VALIDATION: 10, Part.TRAIN: 70}
    assert crystal == {Part.TEST: 10, Part.VALIDATION: 5, Part.TRAIN: 35}
    assert split_draw(reversed(frames), TENTHS) == drawn
    assert split_draw(frames, SplitRequest(0.1, 0.2, seed=4)) != drawn


def test_copies_of_one_structure_never_part():
    frames = [SplitFrame(i, "liquid", f"s{i // 4}", "") for i in range(200)]
    frames += [SplitFrame(500 + i, "relabelled", f"s{i}", "") for i in range(50)]
    parts: dict[str, set[Part]] = {}
    drawn = split_draw(frames, TENTHS)
    for frame in frames:
        parts.setdefault(frame.structure_hash, set()).add(drawn[frame.pk])
    assert all(len(found) == 1 for found in parts.values())


@pytest.mark.parametrize("shares", [(0.5, 0.5), (-0.1, 0.1), (1.0, 0.0), (float("nan"), 0.1)])
def test_shares_that_leave_nothing_to_train_on_are_refused(shares):
    with pytest.raises(Refused, match="less than 100 % together"):
        SplitRequest(*shares).check()


def test_a_version_states_its_split_and_later_ones_keep_it(owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(40))
    one = dataset_publish(dataset=dataset, actor=owner, split=TENTHS)
    stated = StatedSplit.from_json(one.split)
    assert stated is not None
    assert stated.counts == {"test": 8, "validation": 4, "train": 28}
    assert stated.kinds == {"liquid": stated.counts}
    before = dict(Frame.objects.values_list("pk", "split"))
    more = [make_frame(100 + i) for i in range(20)]
    frames_insert(dataset=dataset, actor=owner, frames=more)
    two = dataset_publish(dataset=dataset, actor=owner)
    after = dict(Frame.objects.values_list("pk", "split"))
    assert {pk: after[pk] for pk in before} == before
    again = StatedSplit.from_json(two.split)
    assert again is not None
    assert again.counts == {"test": 12, "validation": 6, "train": 42}
    assert again.request == TENTHS
    assert again.checksum != stated.checksum
    learned = Selection((two.public_id,), FrameFilters(split=("train", "validation")))
    assert learned.count(owner) == 48


def test_without_a_split_nothing_is_stated(page, owner, lab):
    version = make_version(owner, lab)
    assert version.split is None
    url = reverse("datasets:frames") + f"?dataset={version.dataset.public_id}&version=1&split=test"
    answer = page.get(url)
    assert answer.status_code == 400
    assert "states no split" in answer.content.decode()


def test_the_page_publishes_with_a_split_and_downloads_a_part(page, owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(20))
    url = reverse("datasets:publish", args=[dataset.public_id])
    wrong = page.post(url, {"split": "1", "test": "many"}, follow=True)
    assert "The split needs numbers" in wrong.content.decode()
    page.post(url, {"split": "1", "validation": "10", "test": "25", "seed": "5"})
    version = dataset.versions.get()
    assert version.split["counts"] == {"test": 5, "validation": 2, "train": 13}
    assert "seed 5" in page.get(dataset.get_absolute_url()).content.decode()
    query = f"?dataset={dataset.public_id}&version=1&split=test"
    file = page.get(reverse("datasets:frames-download", args=["jsonl"]) + query)
    assert b"".join(file.streaming_content).count(b"\n") == 5
    found = page.get(reverse("api:frame-list") + query).json()
    assert {row["split"] for row in found["results"]} == {"test"}


def test_the_api_publishes_with_a_split(page, owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(10))
    url = reverse("api:dataset-publish", args=[dataset.public_id])
    answer = page.post(url, {"split": {"test": 0.3}}, content_type="application/json")
    assert answer.status_code == 201
    assert answer.json()["split"]["counts"] == {"test": 3, "validation": 1, "train": 6}
