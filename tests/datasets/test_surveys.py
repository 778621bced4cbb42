"""Surveys: which elements a dataset covers, and where its frames lie on its map."""

from __future__ import annotations

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from datasets.coverage import coverage_of, coverage_visible_to
from datasets.models import Dataset, DatasetSurvey, Frame, FramePlace
from datasets.regions import Region
from datasets.services import dataset_delete, frames_exclude, frames_insert, frames_restore
from datasets.services import surveys as service
from datasets.services.surveys import dataset_survey, surveys_waiting
from datasets.store import StoreUnavailable
from labs.exceptions import Refused
from tests.datasets.factories import make_dataset, make_frame, make_frames


def survey(dataset: Dataset) -> DatasetSurvey:
    assert dataset_survey(dataset_id=dataset.pk)
    return DatasetSurvey.objects.get(dataset=dataset)


def places(dataset: Dataset) -> dict[int, tuple[float, float]]:
    rows = FramePlace.objects.filter(frame__dataset=dataset)
    return {step: (x, y) for step, x, y in rows.values_list("frame__ionic_step", "x", "y")}


def test_elements_are_counted_by_frames_atoms_and_forces(owner, lab):
    frames = [
        make_frame(0, (14, 8, 8), forces=np.diag([1.0, 0, 0])),
        make_frame(1, (14, 14), forces=np.array([[0, 3.0, 0], [0, 0, 0]])),
        make_frame(2, (14,), energy=None, forces=None, stress=None),
    ]
    dataset = make_dataset(owner, lab, frames=frames)
    covered = coverage_of(Frame.objects.filter(dataset=dataset))
    assert {e: (c.frames, c.atoms) for e, c in covered.items()} == {"Si": (3, 4), "O": (1, 2)}
    assert (covered["Si"].force_min, covered["Si"].force_max) == (1.0, 3.0)
    assert (covered["O"].force_min, covered["O"].force_max) == (1.0, 1.0)
    survey(dataset)
    assert coverage_visible_to(owner) == covered


def test_the_coverage_of_the_catalog_is_what_one_may_see(owner, lab, stranger):
    survey(make_dataset(owner, lab, frames=make_frames(2)))
    survey(make_dataset(owner, lab, "public", frames=[make_frame(5, (26, 26))]))
    assert set(coverage_visible_to(owner)) == {"Si", "Fe"}
    assert set(coverage_visible_to(stranger)) == {"Fe"}


def test_every_frame_gets_a_place_and_equal_structures_the_same(owner, lab):
    frames = [*make_frames(6), make_frame(3, energy=-1.0), make_frame(0, (8, 8))]
    dataset = make_dataset(owner, lab, frames=frames)
    assert surveys_waiting() == [dataset.pk]
    done = survey(dataset)
    assert surveys_waiting() == []
    assert (done.wanted, done.placed, done.drawn, done.drawn_of) == (8, 8, 1, 8)
    rows = FramePlace.objects.filter(frame__dataset=dataset).order_by("frame_id")
    found = np.array(rows.values_list("x", "y"))
    assert found[3] == pytest.approx(found[6])
    assert len(np.unique(found.round(9), axis=0)) == 7
    assert found.mean(axis=0) == pytest.approx([0, 0], abs=1e-5)


def test_new_frames_join_the_map_and_the_old_ones_stay(owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(20))
    first = survey(dataset)
    before = places(dataset)
    frames_insert(dataset=dataset, actor=owner, frames=[make_frame(30)])
    assert surveys_waiting() == [dataset.pk]
    second = survey(dataset)
    after = places(dataset)
    assert second.drawn == first.drawn
    assert {step: after[step] for step in before} == before
    assert after[30] is not None
    assert len(after) == 21
    frames_insert(dataset=dataset, actor=owner, frames=[make_frame(i) for i in range(40, 60)])
    assert survey(dataset).drawn == first.drawn + 1


def test_a_frame_that_is_left_out_keeps_its_place(owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(6))
    survey(dataset)
    before = places(dataset)
    some = Frame.objects.filter(dataset=dataset, ionic_step=2)
    frames_exclude(dataset=dataset, actor=owner, frames=some)
    survey(dataset)
    frames_restore(dataset=dataset, actor=owner, frames=some)
    assert survey(dataset).placed == 6
    assert places(dataset) == before


def test_a_survey_goes_on_where_the_last_slice_ended(owner, lab, monkeypatch):
    monkeypatch.setattr(service, "BATCH", 2)
    dataset = make_dataset(owner, lab, frames=make_frames(5))
    assert not dataset_survey(dataset_id=dataset.pk, slice_seconds=0)
    known = DatasetSurvey.objects.get(dataset=dataset)
    assert (known.wanted, known.placed, known.drawn) == (5, 2, 0)
    assert surveys_waiting() == [dataset.pk]
    assert survey(dataset).placed == 5


def test_a_held_lease_keeps_others_away(owner, lab):
    dataset = make_dataset(owner, lab)
    service._claim(dataset.pk)
    assert surveys_waiting() == []
    assert not dataset_survey(dataset_id=dataset.pk)


def test_of_very_many_frames_an_even_sample_is_on_the_map(owner, lab, monkeypatch):
    monkeypatch.setattr(service, "MOST_PLACED", 30)
    dataset = make_dataset(owner, lab, frames=make_frames(80))
    done = survey(dataset)
    assert done.sample_end == "40000000"
    assert 5 < done.placed < 40
    assert FramePlace.objects.count() == done.placed
    hashes = FramePlace.objects.values_list("frame__document_hash", flat=True)
    assert all(text < done.sample_end for text in hashes)


def test_a_deleted_dataset_takes_its_survey_along(owner, lab):
    dataset = make_dataset(owner, lab)
    survey(dataset)
    key = dataset.pk
    dataset_delete(dataset=dataset, actor=owner)
    assert not DatasetSurvey.objects.exists()
    assert not FramePlace.objects.exists()
    assert not dataset_survey(dataset_id=key)


def test_old_energies_are_brought_up_to_date(owner, lab):
    dataset = make_dataset(owner, lab, frames=[make_frame(i, (14,)) for i in range(3)])
    Frame.objects.update(energy_above=7.0)
    mark = Dataset.objects.get(pk=dataset.pk).frames_mark
    done = survey(dataset)
    assert Frame.objects.filter(energy_above=0).count() == 1
    assert done.mark == Dataset.objects.get(pk=dataset.pk).frames_mark != mark


def test_a_survey_waits_for_a_store_that_is_away(owner, lab, monkeypatch):
    dataset = make_dataset(owner, lab)

    def away(rows):
        raise StoreUnavailable("the store is away")

    with monkeypatch.context() as patched:
        patched.setattr(service, "iterate_frames", away)
        assert not dataset_survey(dataset_id=dataset.pk)
    assert surveys_waiting() == []  # not before the lease has run out
    DatasetSurvey.objects.update(lease_until=None)
    assert survey(dataset).placed == 3


def test_a_command_surveys_at_once(owner, lab, capsys):
    first, second = make_dataset(owner, lab), make_dataset(owner, lab)
    call_command("datasets_survey")
    assert surveys_waiting() == []
    assert "2 datasets were looked at" in capsys.readouterr().out
    FramePlace.objects.filter(frame__dataset=first).update(x=99.0)
    call_command("datasets_survey", str(first.public_id))
    assert not FramePlace.objects.filter(x=99.0).exists()
    assert DatasetSurvey.objects.get(dataset=second).drawn == 1
    with pytest.raises(CommandError, match="There is no dataset"):
        call_command("datasets_survey", "00000000-0000-0000-0000-000000000000")


@pytest.fixture
def scattered(owner, lab):
    """Return a dataset with places chosen by the test."""
    dataset = make_dataset(owner, lab, frames=make_frames(60))
    survey(dataset)
    rng = np.random.default_rng(3)
    for place in FramePlace.objects.all():
        place.x, place.y = rng.uniform(-1, 1, 2)
        place.save()
    return dataset


def test_a_lasso_finds_exactly_what_lies_in_it(scattered):
    star = [(0.9, 0.0), (0.2, 0.15), (0.1, 0.8), (-0.2, 0.2), (-0.8, -0.1), (0.0, -0.9)]
    text = "~".join(["1", *(f"{x},{y}" for x, y in star)])
    region = Region.from_text(text)
    found = set(Frame.objects.filter(region.places(scattered)).values_list("pk", flat=True))
    rows = FramePlace.objects.values_list("frame_id", "x", "y")
    expected = {key for key, x, y in rows if _inside(x, y, star)}
    assert found == expected
    assert 0 < len(found) < 60


def _inside(x: float, y: float, corners: list[tuple[float, float]]) -> bool:
    """Add up the angles under which the edges are seen: a whole turn from inside."""
    towards = np.array([complex(a - x, b - y) for a, b in corners])
    return abs(np.angle(np.roll(towards, -1) / towards).sum()) > 1


def test_a_region_of_an_older_map_is_refused(scattered):
    with pytest.raises(Refused, match="drawn anew"):
        Region.from_text("7~0,0~1,0~1,1").places(scattered)


@pytest.mark.parametrize(
    "text", ["", "1", "1~0,0~1,1", "x~0,0~1,0~1,1", "1~0,0~nan,0~1,1", "1~0~1~2"]
)
def test_what_is_no_region_is_refused(text):
    with pytest.raises(Refused, match="region"):
        Region.from_text(text)
