"""The whole path of teacher data, the same whichever store holds the documents."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import mongomock
import pytest
from bson import json_util
from django.urls import reverse
from pymongo import MongoClient

from datasets.models import Dataset, Frame, FrameDocument, Upload, UploadState
from datasets.packing import frame_digest
from datasets.selections import Selection, iterate_frames
from datasets.services import (
    dataset_collect,
    dataset_delete,
    dataset_publish,
    upload_parse,
    version_verify,
)
from datasets.services.documents import documents_sweep
from datasets.store import MongoDocumentStore, document_store, frame_keys
from mlmd.documents import validate
from mlmd.formats import read_frames
from portal.backup.documents import dump_documents, load_documents, missing_documents
from potentials.services.trainings import training_prepare
from tests.datasets.factories import extxyz, make_dataset, make_frame, make_frames, make_upload
from tests.mongo_server.launch import fresh_database, mongo_url
from tests.potentials.factories import make_training

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def server():
    with mongo_url() as url:
        yield url


@pytest.fixture
def mongo(server, settings):
    with fresh_database(server) as url:
        settings.MLMD_TEACHER_URL = url
        yield url
        document_store().database.client.close()


@pytest.fixture(autouse=True)
def _own_job_folders(settings: Any, tmp_path: Any) -> None:
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.LOCAL_CLUSTER_DIR = tmp_path / "cluster"


@pytest.fixture(params=["site", pytest.param("mongo", marks=pytest.mark.mongo)])
def kept_in(request) -> str:
    if request.param == "mongo":
        request.getfixturevalue("mongo")
    return request.param


def body(answer: Any) -> bytes:
    assert answer.status_code == 200
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


@pytest.mark.django_db(transaction=True)
def test_from_the_file_to_the_training(kept_in, page, owner, lab, tmp_path):
    sent = [*make_frames(6), make_frame(7, (8, 14, 8), kind="glass")]
    dataset = make_dataset(owner, lab, frames=[])
    upload = make_upload(owner, lab, extxyz(sent), dataset=dataset)
    upload_parse(upload_id=upload.pk)
    assert Upload.objects.get().state == UploadState.ACCEPTED
    assert document_store().count() == 7
    assert FrameDocument.objects.count() == (0 if kept_in == "mongo" else 7)
    for row, key in zip(Frame.objects.all(), frame_keys(Frame.objects.all()), strict=True):
        content = document_store().get(key)
        assert frame_digest(content, row.calculation.digest) == row.document_hash

    # The catalog, one frame, and its document.
    text = page.get(reverse("datasets:frames") + "?elements=O").content.decode()
    assert "glass" in text
    glass = Frame.objects.get(kind="glass")
    assert page.get(glass.get_absolute_url()).status_code == 200
    answer = page.get(reverse("api:frame-detail", args=[glass.public_id])).json()
    assert answer["formula"] == "O2Si"

    # Downloads hold the very numbers that were sent.
    for kind in ("extxyz", "jsonl"):
        path = tmp_path / f"all.{kind}"
        url = reverse("datasets:frames-download", args=[kind])
        path.write_bytes(body(page.get(url)))
        got = list(read_frames(path))
        assert len(got) == 7
        for frame, original in zip(got, sent, strict=True):
            assert frame.positions.tobytes() == original.positions.tobytes()
            assert frame.forces.tobytes() == original.forces.tobytes()

    # A version, a copy of some of it, and what a training gets.
    version = dataset_publish(dataset=Dataset.objects.get(), actor=owner)
    assert version_verify(version)
    some = Frame.objects.filter(kind="liquid")
    copy = dataset_collect(owner=owner, lab=lab, name="Copy", frames=some, query="kind=liquid")
    assert document_store().count() == 13
    training = make_training(owner, lab, version=version)
    folder = tmp_path / "run"
    folder.mkdir()
    training_prepare(training=training, folder=folder)
    trained = list(read_frames(folder / "frames.jsonl"))
    chosen = list(Selection((version.public_id,)).frames(owner))
    assert [f.forces.tobytes() for f in trained] == [f.forces.tobytes() for f in chosen]
    assert len(trained) == 7

    # What is deleted is gone from the store, too; calculations follow with the sweep.
    dataset_delete(dataset=copy, actor=owner)
    assert document_store().count() == 7
    documents_sweep()
    assert len(list(iterate_frames(Frame.objects.all()))) == 7


@pytest.mark.mongo
@pytest.mark.django_db(transaction=True)
def test_a_backup_brings_the_documents_back(mongo, owner, lab, tmp_path):
    """Also where frames came after the rows were copied, and so are in the documents only."""
    make_dataset(owner, lab, frames=make_frames(3))
    late = make_dataset(owner, lab, frames=make_frames(2), name="Late")
    hashes = [frame.forces.tobytes() for frame in iterate_frames(Frame.objects.all())][:3]
    assert dump_documents(tmp_path / "documents.jsonl.gz") == 5
    dataset_delete(dataset=late, actor=owner)
    document_store().delete_many(frame_keys(Frame.objects.all()))
    assert missing_documents() == 3
    load_documents(tmp_path / "documents.jsonl.gz")
    assert missing_documents() == 0
    assert [frame.forces.tobytes() for frame in iterate_frames(Frame.objects.all())] == hashes
    documents_sweep(older_than=timedelta(0))
    assert document_store().count() == 3


def examples() -> dict[str, str]:
    """Return the queries of docs/store.md by the comment before each."""
    found = re.findall(
        r"^// (.+)\n(db\..+)$", (DOCS / "store.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found
    return dict(found)


def run(database: Any, query: str) -> Any:
    """Do what mongosh would, for the few forms that the page uses."""
    collection, call, argument, rest = re.fullmatch(
        r"db\.(\w+)\.(\w+)\((.*?)\)((?:\.\w+\(.*\))?)", query
    ).groups()
    quoted = re.sub(r"([{,]\s*)([$\w]+):", r'\1"\2":', argument)
    arguments = json_util.loads(f"[{quoted}]")
    documents = database[collection]
    if call == "countDocuments":
        return documents.count_documents(*arguments)
    if call == "findOne":
        return documents.find_one(*arguments)
    if call == "aggregate":
        return list(documents.aggregate(*arguments))
    found = documents.find(*arguments)
    if rest:
        assert (call, rest) == ("find", ".sort({energy: 1}).limit(5)")
        found = found.sort("energy", 1).limit(5)
    return list(found)


def test_the_python_of_the_page_gives_atoms(db, owner, lab, settings, monkeypatch):
    database = mongomock.MongoClient("mongodb://host/mlmd")["mlmd"]
    monkeypatch.setattr("datasets.store.open_store", lambda url: MongoDocumentStore(database))
    make_dataset(owner, lab, frames=[make_frame(1), make_frame(2, (8, 8))])
    [code] = re.findall(r"```python\n(.+?)```", (DOCS / "store.md").read_text(), re.DOTALL)
    monkeypatch.setattr("pymongo.MongoClient", lambda url: database.client)
    names: dict[str, Any] = {"url": "mongodb://host/mlmd"}
    exec(code, names)  # noqa: S102 - our own page
    [atoms] = names["atoms"]
    assert atoms.get_forces().tobytes() == make_frame(1).forces.tobytes()


def test_a_document_that_somebody_broke_is_as_good_as_none(db, owner, lab, monkeypatch, caplog):
    database = mongomock.MongoClient()["mlmd"]
    monkeypatch.setattr("datasets.store.open_store", lambda url: MongoDocumentStore(database))
    make_dataset(owner, lab, frames=make_frames(4))
    broken, cut, odd, whole = frame_keys(Frame.objects.all())
    for key, change in (
        (broken, {"$unset": {"cartesian_site_positions": 1}}),
        (cut, {"$set": {"atomic_forces": [1.0]}}),
        (odd, {"$set": {"parts": 2}}),
    ):
        database["frames"].update_one({"_id": str(key.public_id)}, change)
    assert document_store().fetch(frame_keys(Frame.objects.all())).keys() == {whole.frame_id}
    for key in (broken, cut, odd):
        assert str(key.public_id) in caplog.text


@pytest.mark.mongo
@pytest.mark.django_db(transaction=True)
def test_a_researcher_finds_the_way_with_a_client(mongo, owner, lab):
    """Every query of docs/store.md does what the page says it does."""
    frames = [*make_frames(3), make_frame(7, (8, 14, 8), kind="glass"), make_frame(8, (26, 8))]
    dataset = make_dataset(owner, lab, frames=frames)
    glass = Frame.objects.get(kind="glass")
    level = glass.compat_key
    queries = {
        words: query.replace("DATASET", str(dataset.public_id))
        .replace("FRAME", str(glass.public_id))
        .replace("HASH", glass.structure_hash)
        .replace("espresso / PBE / 680 eV", level)
        for words, query in examples().items()
    }
    client: MongoClient = MongoClient(mongo)
    with client:
        database = client.get_default_database()
        answers = {words: run(database, query) for words, query in queries.items()}
        plain = database["frames"].find_one({"_id": str(glass.public_id)})
    assert answers.pop("how many frames") == 5
    assert answers.pop("one frame, by the id in its address")["kind"] == "glass"
    assert len(answers.pop("the frames of a dataset")) == 5
    assert len(answers.pop("frames with silicon and oxygen, whatever else")) == 1
    assert len(answers.pop("silicon and nothing else")) == 3
    assert len(answers.pop("a formula at one level of theory")) == 1
    assert len(answers.pop("the same structure, wherever it was computed")) == 1
    lowest = answers.pop("the five lowest energies of a dataset, without the arrays")
    assert [d["energy"] for d in lowest] == sorted(frame.energy for frame in frames)
    assert "atomic_forces" not in lowest[0]
    counts = answers.pop("frames by level of theory")
    assert counts == [{"_id": level, "frames": 5}]
    assert len(answers.pop("how the frames of a dataset were computed")) == 1
    assert not answers, "the page has a query that this test doesn't know"
    # Numbers are numbers, in any client.
    forces = plain["atomic_forces"]
    rows = forces if isinstance(forces[0], list) else [forces[i : i + 3] for i in (0, 3, 6)]
    assert rows == frames[3].forces.tolist()
    if isinstance(forces[0], list):
        added = {"_id", "dataset", "calculation_id", "document_hash", "stored_at"}
        validate({k: v for k, v in plain.items() if k not in added})
    content = document_store().get(frame_keys(Frame.objects.filter(pk=glass.pk))[0])
    digest = hashlib.sha256(content + glass.calculation.digest.encode()).hexdigest()
    assert plain["document_hash"] == glass.document_hash == digest
