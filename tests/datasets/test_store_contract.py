"""The contract of every document store, run over each of them.

PostgreSQL runs the very same tests in a process of its own: a site has one database.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tracemalloc
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import bson
import mongomock
import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from datasets.packing import pack_frame
from datasets.services.frames import calculation_ensure
from datasets.store import (
    DocumentStore,
    FrameKey,
    SqlDocumentStore,
    StoredDocument,
    contract,
    open_store,
)
from datasets.store.mongo import MongoDocumentStore
from datasets.store.plain import MOST_ATOMS, Origin, flattened, from_plain, to_plain
from mlmd.documents import calculation_to_document, validate
from mlmd.frame import Frame
from tests.datasets.factories import LEVEL, make_dataset, make_frame
from tests.faults import servers
from tests.mongo_server.launch import fresh_database, mongo_url

ROOT = Path(__file__).resolve().parents[2]
INNER = "MLMD_TEST_STORE_INNER"  # set where PostgreSQL runs these tests
KINDS = (
    ["sql"]
    if os.environ.get(INNER)
    else ["sql", "mongomock", pytest.param("mongo", marks=pytest.mark.mongo)]
)


@pytest.fixture(scope="module")
def server():
    with mongo_url() as url:
        yield url


@pytest.fixture(params=KINDS)
def store(request, db) -> DocumentStore:
    with ExitStack() as stack:
        if request.param == "sql":
            yield SqlDocumentStore()
        elif request.param == "mongomock":
            yield MongoDocumentStore(mongomock.MongoClient(tz_aware=True)["mlmd"])
        else:
            url = stack.enter_context(fresh_database(request.getfixturevalue("server")))
            opened = open_store(url)
            yield opened
            opened.database.client.close()


@pytest.fixture
def calculation(owner, lab) -> int:
    dataset = make_dataset(owner, lab, frames=[])
    settings = {"control.prefix": "x", "$odd": [1, 2], "": None, "large": 2**70}
    level = replace(LEVEL, settings=settings, hubbard_u={"Fe": 4.0})
    return calculation_ensure(dataset.pk, "digest", calculation_to_document(level))


def stored(calculation: int, frame: Frame, number: int = 1) -> StoredDocument:
    return StoredDocument(FrameKey(number, uuid.uuid4(), calculation), pack_frame(frame))


def several(calculation: int, count: int, first: int = 1) -> list[StoredDocument]:
    frames = [make_frame(seed, (14,) * (seed + 1)) for seed in range(7)]
    return [
        stored(calculation, frames[number % len(frames)], number)
        for number in range(first, first + count)
    ]


def keys(documents: list[StoredDocument]) -> list[FrameKey]:
    return [document.key for document in documents]


def test_documents_come_back_in_the_order_asked_for(store, calculation, monkeypatch):
    monkeypatch.setattr(contract, "BATCH", 50)
    kept = several(calculation, 123)
    assert store.insert_many(iter(kept)) == 123
    assert store.count() == 123
    backwards = list(reversed(kept))
    assert list(store.iterate(iter(keys(backwards)))) == backwards
    assert store.get(kept[6].key) == kept[6].content


def test_storing_again_replaces(store, calculation):
    kept = several(calculation, 5)
    store.insert_many(kept[:3])
    other = replace(kept[1], content=pack_frame(make_frame(99)))
    store.insert_many([kept[0], other, *kept[2:]])
    assert store.count() == 5
    assert [d.content for d in store.iterate(keys(kept))] == [
        kept[0].content,
        other.content,
        *(document.content for document in kept[2:]),
    ]


def test_a_missing_document_is_an_error(store, calculation):
    here, away = several(calculation, 2)
    store.insert_many([here])
    assert store.fetch([here.key, away.key]) == {here.key.frame_id: here.content}
    with pytest.raises(KeyError):
        store.get(away.key)
    with pytest.raises(KeyError):
        list(store.iterate([here.key, away.key]))


def test_what_cannot_have_a_row_stops_nobody(store, calculation):
    """A copy of the documents may be younger than that of the rows."""
    kept = several(calculation, 2)
    store.insert_many([stored(calculation + 1000, make_frame(1), 9), *kept])
    assert [d.content for d in store.iterate(keys(kept))] == [d.content for d in kept]


def test_nothing_is_stored_of_nothing(store):
    assert store.insert_many([]) == 0
    assert store.delete_many([]) == 0
    assert store.fetch([]) == {}
    assert list(store.iterate([])) == []
    assert store.count() == 0


def test_deleting_says_how_many_there_were(store, calculation):
    kept = several(calculation, 5)
    store.insert_many(kept)
    gone = [kept[0].key, kept[1].key, FrameKey(99, uuid.uuid4(), calculation)]
    assert store.delete_many(gone) == 2
    assert store.count() == 3
    assert store.delete_many(gone) == 0


@pytest.mark.django_db(transaction=True)
def test_discarding_follows_the_transaction(store, calculation):
    kept = several(calculation, 4)
    store.insert_many(kept)
    with transaction.atomic():
        store.discard(keys(kept[:2]))
        transaction.set_rollback(True)
    assert store.count() == 4
    with transaction.atomic():
        store.discard(keys(kept[:3]))
    assert store.count() == 1
    assert store.get(kept[3].key) == kept[3].content


def test_an_id_that_is_given_again_finds_nothing_of_its_first_holder(store, calculation):
    """After a transaction that failed, a database hands out the same ids once more."""
    before = stored(calculation, make_frame(1), number=7)
    after = stored(calculation, make_frame(2), number=7)
    store.insert_many([before])
    store.insert_many([after])
    assert store.get(after.key) == after.content


def test_any_text_comes_back(store, calculation):
    frames = [
        make_frame(1, kind="液体 Si₈ · «é» 😀 \x00 $a.b", flags=("new-basis", "é.$")),
        make_frame(2, kind="", flags=(), label_source="ml", scf_converged=None, ionic_step=10**6),
    ]
    kept = [stored(calculation, frame, number) for number, frame in enumerate(frames)]
    store.insert_many(kept)
    assert list(store.iterate(keys(kept))) == kept


def test_ten_thousand_atoms_come_back(store, calculation):
    numbers = np.resize(np.array([8, 14, 26], np.uint8), 10_000)
    frame = make_frame(3, numbers.tolist(), fixed=np.resize([True, False], (10_000, 3)))
    kept = stored(calculation, frame)
    store.insert_many([kept])
    assert store.get(kept.key) == kept.content


def test_what_no_single_document_can_say_comes_back(store, calculation):
    """More atoms than a document of MongoDB holds, numbers that JSON doesn't know."""
    forces = np.zeros((2, 3))
    forces[0, 1], forces[1, 2] = np.nan, -np.inf
    kept = [
        stored(calculation, make_frame(1, (14,) * 90_000), 1),
        stored(calculation, make_frame(2, forces=forces), 2),
        stored(calculation, make_frame(3, energy=float("inf")), 3),
        stored(calculation, make_frame(4, energy=-0.0), 4),
        stored(calculation, make_frame(5, energy=-5), 5),  # type: ignore[arg-type]
    ]
    store.insert_many(kept)
    store.insert_many(kept[:2])
    assert list(store.iterate(keys(kept))) == kept
    assert store.delete_many(keys(kept)) == 5
    assert store.count() == 0


FLOATS = st.floats(width=64, allow_nan=True, allow_infinity=True)


@st.composite
def odd_frames(draw) -> Frame:
    count = draw(st.integers(1, 4))

    def array(*shape):
        return draw(arrays.arrays(np.float64, shape, elements=FLOATS))

    def maybe(*shape):
        return array(*shape) if draw(st.booleans()) else None

    # Hashes of the structure need numbers; labels may be anything.
    small = st.floats(-1e6, 1e6)
    return Frame(
        numbers=draw(arrays.arrays(np.uint8, count, elements=st.integers(1, 118))),
        positions=draw(arrays.arrays(np.float64, (count, 3), elements=small)),
        cell=draw(arrays.arrays(np.float64, (3, 3), elements=st.sampled_from([0.0, -0.0, 4.1]))),
        pbc=draw(st.tuples(*[st.booleans()] * 3)),
        energy=draw(st.none() | FLOATS),
        energy_sigma0=draw(st.none() | FLOATS),
        forces=maybe(count, 3),
        stress=maybe(3, 3),
        magnetic_moments=maybe(count),
        fixed=draw(st.none() | arrays.arrays(np.bool_, (count, 3))),
        ionic_step=draw(st.integers(0, 2**31)),
        label_source=draw(st.sampled_from(["ab initio", "ml", "none"])),
        scf_converged=draw(st.none() | st.booleans()),
        kind=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
    )


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(frames=st.lists(odd_frames(), min_size=1, max_size=5))
def test_every_bit_comes_back(store, calculation, frames):
    kept = [stored(calculation, frame, number) for number, frame in enumerate(frames)]
    store.insert_many(kept)
    assert list(store.iterate(keys(kept))) == kept
    store.delete_many(keys(kept))


@settings(max_examples=50, deadline=None)
@given(frame=odd_frames())
def test_bson_keeps_every_bit_of_the_published_form(frame):
    """MongoDB stores BSON: arrays in arrays, signs of zeros and all."""
    content = pack_frame(frame)
    plain = to_plain(uuid.uuid4(), content, Origin(uuid.uuid4(), uuid.uuid4(), "", LEVEL))
    document = bson.decode(bson.encode(plain.document))
    assert (b"".join(plain.parts) or from_plain(document)) == content
    if not plain.parts and frame.forces is not None:
        assert document["atomic_forces"] == frame.forces.tolist()


def test_reading_keeps_little_in_memory(store, calculation, monkeypatch):
    """The larger the frames, the fewer are read at a time."""
    monkeypatch.setattr(contract, "BATCH_BYTES", 500_000)
    monkeypatch.setattr(contract, "FIRST_BATCH", 4)
    frame = make_frame(1, (14,) * 2000)
    kept = [stored(calculation, frame, number) for number in range(1, 21)]
    store.insert_many(kept)
    asked = []
    fetch = store.fetch
    monkeypatch.setattr(store, "fetch", lambda keys: asked.append(len(keys)) or fetch(keys))
    if isinstance(store, SqlDocumentStore):  # tracing slows the making of Python numbers down
        tracemalloc.start()
    sizes = [len(document.content) for document in store.iterate(keys(kept))]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert asked == [4, 5, 5, 5, 1]
    assert sum(sizes) == sum(len(one.content) for one in kept) > 1_900_000
    assert peak < 1_200_000


@pytest.mark.django_db(transaction=True)
def test_several_writers_at_once_lose_nothing(store, calculation):
    if connection.vendor == "sqlite" and isinstance(store, SqlDocumentStore):
        pytest.skip("SQLite in memory has one writer; test_store_kill has two, on a file")
    parts = [several(calculation, 30, first=1 + 30 * part) for part in range(4)]
    shared = several(calculation, 10, first=5000)

    def write(part: list[StoredDocument]) -> int:
        try:
            return store.insert_many(part) + store.insert_many(shared)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(write, parts)) == [40] * 4
    assert store.count() == 4 * 30 + 10
    kept = [document for part in parts for document in part] + shared
    assert list(store.iterate(keys(kept))) == kept


def test_orphans_go_when_they_are_old_enough(store, calculation):
    kept = several(calculation, 6)
    store.insert_many(kept)
    known = {kept[0].key.public_id, kept[1].key.public_id}

    def existing(ids):
        return known & set(ids)

    assert store.remove_orphans(existing, timedelta(hours=1)) == 0
    assert store.count() == 6
    gone = store.remove_orphans(existing, timedelta(0))
    if isinstance(store, SqlDocumentStore):
        assert gone == 0  # they share the rows' transactions: there are none
        return
    assert gone == 4 + 1  # the calculation has no row among the known ones
    assert store.fetch(keys(kept)).keys() == {1, 2}


def test_a_store_says_what_it_is(store):
    store.check()
    assert str(store)


@pytest.mark.parametrize("form", [dict, flattened], ids=["nested", "flat"])
def test_plain_documents_follow_the_published_schema(form, calculation):
    """What a store adds stands beside the fields of the schema, none of which it changes."""
    store = MongoDocumentStore(mongomock.MongoClient()["mlmd"])
    store.__dict__["_form"] = form
    kept = stored(calculation, make_frame(1, (8, 14, 8)))
    store.insert_many([kept])
    found = store.frames.find_one()
    added = {"_id", "dataset", "calculation_id", "document_hash", "stored_at"}
    assert added <= set(found)
    document = {name: value for name, value in found.items() if name not in added}
    assert document["elements"] == ["O", "Si"]
    assert document["calculation"]["settings"]["control\uff0eprefix"] == "x"
    if form is dict:
        validate(document)
    else:
        assert document["atomic_forces"][:2] == list(
            np.frombuffer(np.array(make_frame(1, (8, 14, 8)).forces).tobytes())[:2]
        )
    assert store.get(kept.key) == kept.content


def test_the_largest_plain_document_fits():
    """16 MiB is what MongoDB takes; larger frames lie in parts."""
    frame = make_frame(
        1,
        (14,) * MOST_ATOMS,
        magnetic_moments=np.full(MOST_ATOMS, 0.1),
        fixed=np.ones((MOST_ATOMS, 3), bool),
    )
    plain = to_plain(uuid.uuid4(), pack_frame(frame), Origin(uuid.uuid4(), uuid.uuid4(), "", LEVEL))
    assert not plain.parts
    assert 8 << 20 < len(bson.encode(plain.document)) < 15 << 20


@pytest.mark.postgres
@pytest.mark.skipif(INNER in os.environ, reason="this is that process")
def test_the_contract_holds_on_postgresql():
    with servers.postgres() as url:
        answer = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-k",
                "[sql]",
                __file__,
            ],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": url, INNER: "1", "PYTEST_ADDOPTS": "--create-db"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert answer.returncode == 0, answer.stdout[-3000:]
    passed = re.search(r"(\d+) passed", answer.stdout)
    assert passed, answer.stdout[-300:]
    assert int(passed[1]) >= 14
