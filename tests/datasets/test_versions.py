"""Published versions never change; drafts do."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from datasets.models import DatasetVersion, Frame, FrameDocument
from datasets.selections import Selection, iterate_frames
from datasets.services import (
    bundled_silicon_dataset,
    dataset_create,
    dataset_delete,
    dataset_publish,
    dataset_update,
    dataset_withdraw,
    frames_exclude,
    frames_insert,
    frames_restore,
    version_verify,
    version_withdraw,
)
from labs.exceptions import PermissionDenied, Refused
from labs.models import AuditEvent
from tests.datasets.factories import make_dataset, make_frame, make_frames, make_version


def contents(version: DatasetVersion) -> list[int]:
    rows = Frame.objects.in_version(version)
    return [frame.ionic_step for frame in iterate_frames(rows)]


def test_publishing_fixes_frames_checksum_and_citation(owner, lab):
    version = make_version(owner, lab)
    assert version.number == 1
    assert version.frame_count == 3
    assert version.state == "published"
    assert len(version.checksum) == 64
    assert version.checksum in version.citation
    assert version_verify(version)
    assert AuditEvent.objects.filter(verb="dataset published").count() == 1


def test_a_published_version_keeps_its_frames_when_the_dataset_goes_on(owner, lab):
    version = make_version(owner, lab)
    dataset = version.dataset
    frames_insert(dataset=dataset, actor=owner, frames=[make_frame(7)])
    first = Frame.objects.filter(dataset=dataset).order_by("pk")[:1]
    frames_exclude(dataset=dataset, actor=owner, frames=Frame.objects.filter(pk__in=first))
    second = dataset_publish(dataset=dataset, actor=owner)
    assert contents(version) == [0, 1, 2]
    assert contents(second) == [1, 2, 7]
    assert version_verify(version)
    assert version_verify(second)
    dataset.refresh_from_db()
    assert dataset.frame_count == 3


def test_bulk_changes_of_published_versions_are_refused(owner, lab):
    version = make_version(owner, lab)
    rows = DatasetVersion.objects.filter(pk=version.pk)
    with pytest.raises(Refused, match="can't change"):
        rows.update(checksum="0" * 64)
    with pytest.raises(Refused, match="can't change"):
        rows.delete()


def test_the_database_takes_no_published_version_without_checksum(owner, lab):
    version = make_version(owner, lab)
    version.checksum = ""
    with pytest.raises(IntegrityError), transaction.atomic():
        version.save()


def test_the_database_takes_no_second_draft(owner, lab):
    dataset = make_dataset(owner, lab)
    with pytest.raises(IntegrityError), transaction.atomic():
        DatasetVersion.objects.create(dataset=dataset, number=2)


def test_an_empty_or_unchanged_draft_is_not_published(owner, lab):
    empty = dataset_create(owner=owner, lab=lab, name="Empty")
    with pytest.raises(Refused, match="holds no frame"):
        dataset_publish(dataset=empty, actor=owner)
    version = make_version(owner, lab)
    with pytest.raises(Refused, match="no draft"):
        dataset_publish(dataset=version.dataset, actor=owner)
    every = Frame.objects.filter(dataset=version.dataset)
    frames_exclude(dataset=version.dataset, actor=owner, frames=every)
    frames_restore(dataset=version.dataset, actor=owner, frames=every)
    with pytest.raises(Refused, match="exactly the frames of version 1"):
        dataset_publish(dataset=version.dataset, actor=owner)


def test_frames_of_a_draft_only_can_be_taken_back_until_it_is_published(owner, lab):
    dataset = make_dataset(owner, lab)
    every = Frame.objects.filter(dataset=dataset)
    assert frames_exclude(dataset=dataset, actor=owner, frames=every) == 3
    assert not every.current().exists()
    assert frames_restore(dataset=dataset, actor=owner, frames=every) == 3
    first = every.filter(pk=every.order_by("pk")[0].pk)
    frames_exclude(dataset=dataset, actor=owner, frames=first)
    version = dataset_publish(dataset=dataset, actor=owner)
    assert contents(version) == [1, 2]
    assert Frame.objects.count() == FrameDocument.objects.count() == 2


def test_deleting_is_refused_once_something_was_published(owner, lab):
    version = make_version(owner, lab)
    with pytest.raises(Refused, match="withdraw it instead"):
        dataset_delete(dataset=version.dataset, actor=owner)
    draft = make_dataset(owner, lab)
    dataset_delete(dataset=draft, actor=owner)
    assert FrameDocument.objects.count() == 3
    assert Frame.objects.count() == 3


def test_a_withdrawn_version_stays_listed_and_trains_nobody(owner, lab):
    version = make_version(owner, lab)
    with pytest.raises(Refused, match="Say why"):
        version_withdraw(version=version, actor=owner, reason=" ")
    version_withdraw(version=version, actor=owner, reason="wrong cutoff")
    version.refresh_from_db()
    assert version.state == "withdrawn"
    assert version_verify(version)
    with pytest.raises(Refused, match="was withdrawn"):
        Selection((version.public_id,)).count(owner)
    with pytest.raises(Refused, match="withdrawn before"):
        version_withdraw(version=version, actor=owner, reason="again")


def test_a_withdrawn_dataset_takes_no_change(owner, lab):
    version = make_version(owner, lab)
    dataset_withdraw(dataset=version.dataset, actor=owner, reason="superseded")
    with pytest.raises(Refused, match="was withdrawn"):
        frames_insert(dataset=version.dataset, actor=owner, frames=make_frames(1))


def test_changing_the_licence_leaves_published_versions_alone(owner, lab):
    version = make_version(owner, lab)
    dataset_update(
        dataset=version.dataset,
        actor=owner,
        name="Renamed",
        description="",
        licence="CC-BY-4.0",
        tags=["a", "a", " "],
        visibility="public",
    )
    version.refresh_from_db()
    assert version.licence == ""
    assert version.dataset.tags == ["a"]
    with pytest.raises(Refused, match="isn't offered as a licence"):
        dataset_create(owner=owner, lab=lab, name="x", licence="WTFPL")


def test_guests_create_nothing(guest, lab):
    with pytest.raises(PermissionDenied):
        dataset_create(owner=guest, lab=lab, name="x")


def test_the_bundled_silicon_is_published_once_per_lab(owner, lab):
    dataset = bundled_silicon_dataset(owner=owner, lab=lab)
    assert dataset.frame_count == 205
    assert dataset.elements == ["Si"]
    assert bundled_silicon_dataset(owner=owner, lab=lab) == dataset
    version = dataset.versions.get()
    assert version.frame_count == 205
    assert version_verify(version)
    selection = Selection((version.public_id,))
    assert len(selection.levels_of_theory(owner)) == 1
