"""The catalog's arrays find, count, group and order what the database would."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser
from django.db.models import Max, Min
from django.http import QueryDict
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.catalog import FACETS, catalog_query
from datasets.filter_words import MAY_LACK
from datasets.filters import NUMBERS, WORDS, FrameFilters
from datasets.models import Dataset, Frame
from datasets.pages import ordered
from datasets.services import (
    dataset_delete,
    dataset_publish,
    frames_exclude,
    frames_insert,
    frames_restore,
)
from datasets.snapshots import cache, files
from datasets.snapshots.cache import snapshot_of
from datasets.snapshots.columns import FRAME_ORDER
from datasets.snapshots.rows import _page
from datasets.splits import SplitRequest
from datasets.statistics import groups, levels, overview
from datasets.views.datasets import dataset_frames, dataset_rows
from labs.models import Lab
from mlmd.frame import Calculation
from tests.datasets.factories import make_dataset, make_frame, make_frames

LEVELS = (
    Calculation(code="vasp", functional="PBE", cutoff_energy=520.0, spin="collinear"),
    Calculation(code="vasp", functional="PBE", dispersion="D3(BJ)", source_name="hematite.xml"),
    Calculation(code="espresso", functional="LDA", cutoff_energy=400.0, k_points=(2, 2, 2)),
    Calculation(code="espresso", hubbard_u={"Fe": 4.0}, settings={"IBRION": 0, "NSW": 9}),
)
SPECIES = ((14, 14), (14, 8, 8), (8,), (26, 8), (26, 26, 8, 8, 8))
KINDS = ("", "liquid", "Oxide glass", "bulk")


def random_frames(rng: np.random.Generator, count: int) -> list[Any]:
    """Return frames that differ in everything that a filter asks for."""

    def one(seed: int) -> Any:
        numbers = SPECIES[rng.integers(len(SPECIES))]
        frame = make_frame(seed + int(rng.integers(1_000_000)), numbers)
        return replace(
            frame,
            energy=None
            if rng.random() < 0.1
            else round(float(-5 * len(numbers) + rng.normal()), 1),
            forces=None if rng.random() < 0.1 else np.round(frame.forces, 1),
            stress=None if rng.random() < 0.5 else frame.stress,
            kind=KINDS[rng.integers(len(KINDS))],
            label_source="ml" if rng.random() < 0.2 else "ab initio",
            scf_converged=(True, False, None)[rng.integers(3)],
            calculation=LEVELS[rng.integers(len(LEVELS))],
        )

    return [one(seed) for seed in range(count)]


@pytest.fixture
def crowd(owner, lab, stranger):
    """Datasets of two labs in every visibility, published, split, with frames left out."""
    rng = np.random.default_rng(3)
    elsewhere = Lab.objects.exclude(pk=lab.pk).get()
    mine = [
        make_dataset(owner, lab, visibility, random_frames(rng, 12), name=f"Mixed {visibility}")
        for visibility in ("private", "lab", "public")
    ]
    for visibility in ("private", "public"):
        make_dataset(stranger, elsewhere, visibility, random_frames(rng, 9), name="From elsewhere")
    dataset_publish(dataset=mine[1], actor=owner, split=SplitRequest(0.3, 0.3, 1))
    some = Frame.objects.filter(dataset=mine[1]).order_by("pk").values_list("pk", flat=True)[2:6]
    frames_exclude(dataset=mine[1], actor=owner, frames=Frame.objects.filter(pk__in=list(some)))
    frames_insert(dataset=mine[1], actor=owner, frames=random_frames(rng, 5))
    Dataset.objects.filter(pk=mine[1].pk).update(licence="CC-BY-4.0")
    days = timezone.now() - timedelta(days=40)
    Frame.objects.filter(dataset=mine[2]).update(created_at=days)
    frames_insert(dataset=mine[2], actor=owner, frames=random_frames(rng, 4))
    return mine


def numbers_of(lookup: str, kind: type) -> st.SearchStrategy[Any]:
    values = [v for v in Frame.objects.values_list(lookup.rsplit("__", 1)[0], flat=True) if v]
    middle = st.sampled_from(sorted({kind(v) for v in values}) or [kind(1)])
    return st.none() | middle


def words_of(column: str) -> st.SearchStrategy[tuple[str, ...]]:
    known = sorted({word for word in Frame.objects.values_list(column, flat=True) if word})
    return st.lists(st.sampled_from([*known, "none"]), max_size=2, unique=True).map(tuple)


def some_filters() -> st.SearchStrategy[FrameFilters]:
    """Draw conditions of which few are set at a time, with values that frames have."""
    today = timezone.localdate()
    days = [str(today - timedelta(days=d)) for d in (50, 40, 39, 1, 0)]
    hashes = list(Frame.objects.values_list("structure_hash", flat=True)[:3])
    hashes += list(Frame.objects.values_list("label_identity", flat=True)[3:5])
    choices: dict[str, st.SearchStrategy[Any]] = {
        "elements": st.sampled_from([("Si",), ("O",), ("O", "Si"), ("O", "Fe")]),
        "mode": st.sampled_from(["all", "any", "only"]),
        "formula": st.sampled_from(["O2Si", "Si2", "Fe"]),
        "hubbard": st.sampled_from(["yes", "no"]),
        "stress": st.sampled_from(["yes", "no"]),
        "converged": st.sampled_from(["yes", "no", "unknown"]),
        "q": st.sampled_from(["mixed", "OXIDE", "hematite elsewhere", "vasp", "Si2", "nowhere"]),
        "since": st.sampled_from(days),
        "until": st.sampled_from(days),
        "identity": st.sampled_from(hashes),
        **{name: numbers_of(lookup, kind) for name, (lookup, kind) in NUMBERS.items()},
        **{name: words_of(column) for name, column in WORDS.items()},
    }
    # A new filter must be drawn here, too, or the arrays might not know it.
    assert set(choices) == {field.name for field in fields(FrameFilters)}
    names = st.lists(st.sampled_from(sorted(choices)), max_size=3, unique=True)
    drawn = names.flatmap(lambda n: st.fixed_dictionaries({name: choices[name] for name in n}))
    return drawn.map(lambda values: FrameFilters(**values))


def facets_by_hand(rows: Any) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for name in FACETS:
        lacking = "none" if name in MAY_LACK else ""
        counts[name] = Counter(word or lacking for word in rows.values_list(WORDS[name], flat=True))
    return counts


def test_arrays_answer_as_the_database_does(crowd, owner, stranger, guest):
    people = [owner, stranger, guest, AnonymousUser()]

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        filters=some_filters(),
        person=st.sampled_from(people),
        sort=st.sampled_from([*FRAME_ORDER, *(f"-{name}" for name in FRAME_ORDER)]),
        scope=st.sampled_from(["", "visibility=public", "dataset", "version"]),
        start=st.integers(0, 30),
    )
    def compare(filters, person, sort, scope, start):
        dataset = crowd[1]
        text = {
            "dataset": f"dataset={dataset.public_id}",
            "version": f"dataset={dataset.public_id}&version=1",
        }.get(scope, scope)
        asked = replace(catalog_query(owner, QueryDict(text)), filters=filters)
        expected = ordered(asked.frames(person), sort, FRAME_ORDER, "added")
        rows = asked.rows(person, sort)
        assert rows.count() == expected.count()
        assert rows[start : start + 7] == list(expected[start : start + 7])
        assert rows.facets(FACETS) == facets_by_hand(expected)
        assert rows.keys().tolist() == sorted(expected.values_list("pk", flat=True))

    compare()


def test_every_change_of_the_frames_renews_the_arrays(owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(10))
    rows = Frame.objects.filter(dataset=dataset)

    def found(query: str = "") -> list[int]:
        asked = catalog_query(owner, QueryDict(f"dataset={dataset.public_id}&{query}"))
        keys = asked.rows(owner).keys().tolist()
        assert keys == sorted(asked.frames(owner).values_list("pk", flat=True))
        return keys

    assert len(found()) == 10
    frames_exclude(dataset=dataset, actor=owner, frames=rows.filter(ionic_step__lt=2))
    assert len(found()) == 8
    frames_restore(dataset=dataset, actor=owner, frames=rows.filter(ionic_step=1))
    assert len(found()) == 9
    dataset_publish(dataset=dataset, actor=owner, split=SplitRequest(0.2, 0.2, 1))
    assert len(found("version=1&split=train")) + len(found("version=1&split=test")) < 9
    assert len(found("split=train")) >= 1
    frames_insert(dataset=dataset, actor=owner, frames=make_frames(3))
    assert len(found()) == 12
    assert len(found("version=1")) == 9


def test_frames_of_a_running_upload_are_not_found(owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(2))
    Frame.objects.filter(dataset=dataset, ionic_step=0).update(added_in=None)
    assert catalog_query(owner, QueryDict()).rows(owner).count() == 1


def test_a_snapshot_is_read_from_its_file_and_replaced_there(owner, lab, settings, monkeypatch):
    dataset = make_dataset(owner, lab, frames=make_frames(3))
    folder = settings.CATALOG_DIR / str(dataset.pk)
    first = snapshot_of(dataset.pk, dataset.frames_mark)
    assert len(list(folder.iterdir())) == 1
    cache._held.clear()
    monkeypatch.setattr(cache, "snapshot_take", None)  # not again: the file is there
    second = snapshot_of(dataset.pk, dataset.frames_mark)
    for name, values in first.numbers.items():
        np.testing.assert_array_equal(second.numbers[name], values)
    assert second.keys.tolist() == first.keys.tolist()
    assert second.words == first.words
    monkeypatch.undo()
    settings.CATALOG_DIR = folder.parent
    frames_insert(dataset=dataset, actor=owner, frames=make_frames(1))
    dataset.refresh_from_db()
    assert len(snapshot_of(dataset.pk, dataset.frames_mark).keys) == 4
    assert len(list(folder.iterdir())) == 1


def test_a_damaged_file_is_taken_anew(owner, lab, settings):
    dataset = make_dataset(owner, lab, frames=make_frames(3))
    snapshot_of(dataset.pk, dataset.frames_mark)
    (path,) = (settings.CATALOG_DIR / str(dataset.pk)).iterdir()
    for content in (b"", path.read_bytes()[:500]):
        path.write_bytes(content)
        cache._held.clear()
        assert len(snapshot_of(dataset.pk, dataset.frames_mark).keys) == 3


def test_a_catalog_without_a_folder_to_write_still_answers(owner, lab, settings, caplog):
    dataset = make_dataset(owner, lab, frames=make_frames(3))
    settings.CATALOG_DIR.write_text("a file where the folder should be")
    assert len(snapshot_of(dataset.pk, dataset.frames_mark).keys) == 3
    assert "wasn't kept" in caplog.text


def test_a_deleted_dataset_leaves_no_file(owner, lab, settings, django_capture_on_commit_callbacks):
    dataset = make_dataset(owner, lab, frames=make_frames(3))
    snapshot_of(dataset.pk, dataset.frames_mark)
    folder = settings.CATALOG_DIR / str(dataset.pk)
    assert folder.exists()
    with django_capture_on_commit_callbacks(execute=True):
        dataset_delete(dataset=dataset, actor=owner)
    assert not folder.exists()


def test_a_change_while_a_snapshot_is_taken_is_noticed(owner, lab, monkeypatch):
    dataset = make_dataset(owner, lab, frames=make_frames(3))
    take, tries = cache.snapshot_take, []

    def slow(dataset_id: int) -> Any:
        found = take(dataset_id)
        if not tries:
            frames_insert(dataset=dataset, actor=owner, frames=make_frames(1))
        tries.append(len(found.keys))
        return found

    monkeypatch.setattr(cache, "snapshot_take", slow)
    assert len(snapshot_of(dataset.pk, dataset.frames_mark).keys) == 4
    assert tries == [3, 4]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("different", [1, 3, 500])
def test_pages_equal_a_full_sort(different, descending):
    rng = np.random.default_rng(different)
    values = rng.integers(different, size=500).astype(float)
    values[rng.random(500) < 0.1] = np.nan
    keys = rng.permutation(500).astype(np.int64)
    sign = -1 if descending else 1
    whole = sorted(
        zip(values.tolist(), keys.tolist(), strict=True),
        key=lambda row: (np.isnan(row[0]), 0 if np.isnan(row[0]) else sign * row[0], sign * row[1]),
    )
    expected = [key for _value, key in whole]
    for start in range(0, 500, 23):
        stop = min(start + 23, 500)
        assert _page(values, keys, start, stop, descending).tolist() == expected[start:stop]


def test_files_name_their_layout():
    name = files._path(3, make_mark()).name
    assert name.endswith(".snapshot")
    assert files.layout_digest() in name


def make_mark() -> Any:
    import uuid

    return uuid.UUID(int=7)


def test_the_overview_says_what_the_database_says(crowd, owner):
    dataset = crowd[1]
    dataset.refresh_from_db()
    for version in (None, dataset.versions.get(number=1)):
        frames = dataset_frames(dataset, version)
        found = overview(dataset_rows(dataset, version))
        assert found.count == frames.count()
        assert found.levels == levels(frames)
        assert found.kinds == groups(frames, "kind", 12)
        assert found.compositions == groups(frames, "formula", 12)
        bounds = frames.aggregate(
            *(side(c) for c in ("n_atoms", "energy_per_atom", "max_force") for side in (Min, Max))
        )
        atoms, energy = found.extremes.atoms, found.extremes.energy_per_atom
        assert atoms == (bounds["n_atoms__min"], bounds["n_atoms__max"])
        assert energy == (bounds["energy_per_atom__min"], bounds["energy_per_atom__max"])
        assert found.extremes.max_force == bounds["max_force__max"]


def test_the_overview_of_nothing_is_empty(owner, lab):
    found = overview(dataset_rows(make_dataset(owner, lab, frames=[]), None))
    assert (found.count, found.levels, found.extremes.energy_per_atom) == (0, [], (None, None))
