"""Rows of frames in bulk: one prepared statement instead of an object for each row."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import count, islice
from operator import attrgetter

from django.db import connection, transaction
from django.db.models import Field
from django.utils import timezone

from datasets.models import Frame
from datasets.parser.records import FrameColumns, PackedFrame
from datasets.store import FrameKey

_COLUMNS = tuple(FrameColumns.__dataclass_fields__)
_VALUES = attrgetter(*_COLUMNS)


@transaction.atomic
def rows_insert(
    dataset_id: int,
    upload_id: int | None,
    added_in: int | None,
    frames: Sequence[PackedFrame],
    calculations: dict[str, int],
) -> list[FrameKey]:
    """Write the rows of packed frames and return their keys, in order.

    Every column that isn't named here gets its field's default.
    """
    if not frames:
        return []
    fixed = {
        "dataset_id": dataset_id,
        "upload_id": upload_id,
        "added_in": added_in,
        "created_at": timezone.now(),
    }
    own = ("id", "public_id", "calculation_id")
    rest = [f for f in Frame._meta.concrete_fields if f.attname not in {*own, *_COLUMNS}]
    same = [_prepared(field, fixed) for field in rest]
    names = [*own, *_COLUMNS, *(field.attname for field in rest)]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(Frame._meta.get_field(name).column) for name in names)
    marks = ", ".join(["%s"] * len(names))
    statement = f"INSERT INTO {quote(Frame._meta.db_table)} ({columns}) VALUES ({marks})"  # noqa: S608 - only names of columns
    public_id = Frame._meta.get_field("public_id")
    keys = [
        FrameKey(frame_id, uuid.uuid4(), calculations[frame.calculation])
        for frame_id, frame in zip(_fresh_ids(len(frames)), frames, strict=True)
    ]
    rows = [
        (
            key.frame_id,
            public_id.get_db_prep_value(key.public_id, connection),
            key.calculation_id,
            *_VALUES(frame.columns),
            *same,
        )
        for key, frame in zip(keys, frames, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
    return keys


def _prepared(field: Field, given: dict[str, object]) -> object:
    value = given[field.attname] if field.attname in given else field.get_default()
    return field.get_db_prep_save(value, connection)


def _fresh_ids(number: int) -> list[int]:
    """Return ids that no row had or will have; the caller's transaction."""
    table = Frame._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # A transaction holds the write lock from its start, so nobody else takes these.
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
            last = cursor.fetchone()
            return list(islice(count(last[0] + 1 if last else 1), number))
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [table, number],
        )
        return [key for (key,) in cursor.fetchall()]
