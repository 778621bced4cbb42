"""Rows written in bulk equal rows that the model would write."""

from __future__ import annotations

import pytest

from datasets.models import Frame
from datasets.parser.records import packed_frame
from datasets.services import frames_insert
from datasets.services.frames import frames_remove
from datasets.services.rows import rows_insert
from tests.datasets.factories import make_dataset, make_frames

pytestmark = pytest.mark.django_db


def test_bulk_rows_equal_those_of_the_model(owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(3))
    for row, frame in zip(Frame.objects.filter(dataset=dataset), make_frames(3), strict=True):
        columns = vars(packed_frame(frame).columns)
        by_model = Frame(dataset=dataset, calculation=row.calculation, added_in=1, **columns)
        kept = {"id", "public_id", "created_at", "energy_above"}
        for field in Frame._meta.concrete_fields:
            if field.attname not in kept:
                assert getattr(row, field.attname) == getattr(by_model, field.attname), field.name
        assert row.created_at >= dataset.created_at
        assert row.public_id.version == 4


def test_ids_are_never_used_twice(owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(2))
    rows = Frame.objects.filter(dataset=dataset)
    before = list(rows.values_list("pk", flat=True))
    frames_remove(rows)
    frames_insert(dataset=dataset, actor=owner, frames=make_frames(2))
    after = list(rows.values_list("pk", flat=True))
    assert len(after) == 2
    assert min(after) > max(before)
    made = rows.get(pk=after[0])
    # The model's own inserts go on behind these.
    made.pk, made.public_id = None, "3d7a7a8e-8a3b-4f7c-9a39-5a7c3c0c1d11"
    made.save(force_insert=True)
    assert made.pk > max(after)


def test_nothing_is_written_of_nothing(db):
    assert rows_insert(1, None, None, [], {}) == []
