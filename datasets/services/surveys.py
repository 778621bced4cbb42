"""Surveys of datasets: energies above the hull, elements, and a map of the frames.

A survey runs in slices behind the scenes, so that a large dataset doesn't hold up uploads. Every
slice leaves the database as it can be used: a worker that dies costs the slice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import numpy as np
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from datasets.coverage import coverage_of, coverage_to_json
from datasets.models import Dataset, DatasetSurvey, Frame, FramePlace
from datasets.querysets import FrameQuerySet
from datasets.selections import iterate_frames
from datasets.services.energies import energies_compare, energies_store
from datasets.services.versions import dataset_mark
from datasets.store import StoreUnavailable
from jobs.nudge import nudge
from mlmd.analysis.fingerprint import BLOCKS, LENGTH, VERSION, fingerprint
from mlmd.analysis.principal import Moments, PrincipalAxes
from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.frame import Frame as LabelledFrame

log = logging.getLogger(__name__)

SURVEY_TASK = "datasets.tasks.survey_dataset"
MOST_PLACED = 100_000  # frames on a map; of more, an even sample
SLICE = 4.0  # s that one task works: uploads and runs wait behind it where workers are few
LEASE = timedelta(seconds=90)
BATCH = 200
GROWTH = 1.25  # of the frames on the map, after which the axes are chosen anew


def surveys_waiting(most: int = 20) -> list[int]:
    """Return datasets whose frames changed since their survey, or that have none."""
    changed = Q(survey=None) | Q(survey__mark=None) | ~Q(survey__mark=F("frames_mark"))
    free = Q(survey=None) | Q(survey__lease_until=None) | Q(survey__lease_until__lt=timezone.now())
    rows = Dataset.objects.filter(changed & free, frame_count__gt=0).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:most])


def dataset_survey(*, dataset_id: int, slice_seconds: float = SLICE) -> bool:
    """Go on with the survey of a dataset; True when it is finished.

    Args:
        dataset_id: key of the dataset; one that is gone, or surveyed by another worker, is left
            alone.
        slice_seconds: after which the rest is left to the next message.
    """
    survey = _claim(dataset_id)
    if survey is None:
        return False
    until = time.monotonic() + slice_seconds
    frames = Frame.objects.filter(dataset_id=dataset_id).current()
    finished = False
    try:
        mark = _refer(survey.dataset, frames)
        survey.coverage = coverage_to_json(coverage_of(frames))
        finished = _place(survey, frames, until)
        if finished:
            _draw(survey, frames)
            survey.mark, survey.surveyed_at = mark, timezone.now()
        survey.lease_until = None
    except StoreUnavailable as error:
        # The lease stays: the next try comes when it has run out.
        log.warning("survey of dataset %s waits: %s", dataset_id, error)
        return False
    finally:
        _keep(survey)
    if not finished:
        nudge(SURVEY_TASK, dataset_id)
    return finished


def _keep(survey: DatasetSurvey) -> None:
    # Not save(): a dataset that was deleted meanwhile must not get a survey again.
    values = {f.attname: getattr(survey, f.attname) for f in survey._meta.concrete_fields}
    del values["id"], values["dataset_id"]
    DatasetSurvey.objects.filter(pk=survey.pk).update(**values)


def _claim(dataset_id: int) -> DatasetSurvey | None:
    dataset = Dataset.objects.filter(pk=dataset_id).first()
    if dataset is None:
        return None
    survey, _made = DatasetSurvey.objects.get_or_create(dataset=dataset)
    now = timezone.now()
    claimed = DatasetSurvey.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=now), pk=survey.pk
    ).update(lease_until=now + LEASE)
    if not claimed:
        return None
    survey.refresh_from_db()  # whoever held it may just have finished
    return survey


def _refer(dataset: Dataset, frames: FrameQuerySet) -> UUID:
    """Bring energies above the hull up to date; return which state of the frames is surveyed."""
    mark: UUID = dataset.frames_mark
    changes = energies_compare(frames)  # outside the transaction: it may take a minute
    if not changes:
        return mark
    with transaction.atomic():
        row = Dataset.objects.select_for_update().get(pk=dataset.pk)
        if row.frames_mark != mark:
            return mark  # the frames changed meanwhile: the next survey sees to it
        energies_store(frames, changes)
        dataset_mark(row)
    row.refresh_from_db(fields=["frames_mark"])
    new: UUID = row.frames_mark
    return new


def _place(survey: DatasetSurvey, frames: FrameQuerySet, until: float) -> bool:
    """Work out missing fingerprints; False when time ran out before the last."""
    survey.sample_end = _sample_end(survey.dataset.frame_count)
    if survey.fingerprints != VERSION:
        FramePlace.objects.filter(frame__dataset=survey.dataset).delete()
        survey.fingerprints, survey.axes = VERSION, None
    mapped = sampled(frames, survey.sample_end)
    survey.wanted = mapped.count()
    missing = list(mapped.filter(place=None).order_by("pk").values_list("pk", flat=True))
    survey.placed = survey.wanted - len(missing)
    for start in range(0, len(missing), BATCH):
        if start and time.monotonic() > until:
            return False
        keys = missing[start : start + BATCH]
        rows = Frame.objects.filter(pk__in=keys).order_by("pk")
        made = [
            FramePlace(frame_id=key, fingerprint=_packed(frame))
            for key, frame in zip(keys, iterate_frames(rows), strict=True)
        ]
        FramePlace.objects.bulk_create(made, ignore_conflicts=True)
        survey.placed += len(made)
        DatasetSurvey.objects.filter(pk=survey.pk).update(
            wanted=survey.wanted, placed=survey.placed, lease_until=timezone.now() + LEASE
        )
    return True


def sampled(frames: FrameQuerySet, sample_end: str) -> FrameQuerySet:
    """Return the frames that are on a map: all, or those whose hash lies below.

    Hashes are even, so that the sample is; a smaller one is part of a larger one.
    """
    return frames.filter(document_hash__lt=sample_end) if sample_end else frames


def _sample_end(count: int) -> str:
    end = 1 << 32
    while count > MOST_PLACED:
        count, end = count // 2, end // 2
    return f"{end:08x}" if end < 1 << 32 else ""


def _packed(frame: LabelledFrame) -> bytes:
    try:
        found = fingerprint(frame.numbers, frame.positions, frame.cell, frame.pbc)
    except InvalidInput:
        return b""  # atoms without a place: nothing to compare
    return found.astype("<f4").tobytes() if np.isfinite(found).all() else b""


def _draw(survey: DatasetSurvey, frames: FrameQuerySet) -> None:
    """Give every frame of the map its place; choose the axes anew when the set has grown."""
    places = FramePlace.objects.filter(
        frame__in=sampled(frames, survey.sample_end).values("pk")
    ).exclude(fingerprint=b"")
    if not places.exists():
        return
    if survey.axes is None or survey.placed > GROWTH * survey.drawn_of:
        moments = Moments(LENGTH)
        for _keys, vectors in _vectors(places):
            moments.add(vectors)
        before = survey.axes and np.array(survey.axes["directions"])
        axes = moments.axes(2, BLOCKS, before if before is not None else None)
        survey.axes = {"mean": axes.mean.tolist(), "directions": axes.directions.tolist()}
        survey.explained = axes.explained.tolist()
        survey.drawn, survey.drawn_of = survey.drawn + 1, moments.count
        undrawn = places
    else:
        axes = PrincipalAxes(
            np.array(survey.axes["mean"]), np.array(survey.axes["directions"]), np.zeros(2)
        )
        undrawn = places.filter(x=None)
    table = connection.ops.quote_name(FramePlace._meta.db_table)
    with transaction.atomic(), connection.cursor() as cursor:
        for keys, vectors in _vectors(undrawn):
            # A statement for many rows at once would be parsed for longer than it runs.
            cursor.executemany(
                f"UPDATE {table} SET x = %s, y = %s WHERE frame_id = %s",  # noqa: S608 - our own name
                [
                    (x, y, key)
                    for key, (x, y) in zip(keys, axes.coordinates(vectors).tolist(), strict=True)
                ],
            )


def _vectors(places: QuerySet) -> Iterator[tuple[list[int], FloatArray]]:
    """Yield keys and fingerprints, shape (n, `LENGTH`), with flat memory."""
    keys = list(places.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), 5 * BATCH):
        some = keys[start : start + 5 * BATCH]
        found = dict(FramePlace.objects.filter(pk__in=some).values_list("frame_id", "fingerprint"))
        yield some, np.array([np.frombuffer(bytes(found[key]), "<f4") for key in some], float)
