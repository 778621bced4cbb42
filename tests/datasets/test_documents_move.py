"""`manage.py documents_move`: copies, verifies, removes, and says what to do."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from datasets import moving
from datasets.models import Frame, FrameDocument
from datasets.packing import unpack_frame
from datasets.selections import iterate_frames
from datasets.store import SqlDocumentStore, frame_keys, open_store
from tests.datasets.factories import make_dataset, make_frame, make_frames
from tests.mongo_server.launch import fresh_database, mongo_url

pytestmark = [pytest.mark.mongo, pytest.mark.django_db]


@pytest.fixture(scope="module")
def server():
    with mongo_url() as url:
        yield url


@pytest.fixture
def url(server):
    with fresh_database(server) as fresh:
        yield fresh
        open_store(fresh).database.client.close()


@pytest.fixture
def dataset(owner, lab) -> Any:
    frames = [*make_frames(4), make_frame(5, (8, 14, 8), kind="液体"), make_frame(6, energy=-0.0)]
    return make_dataset(owner, lab, frames=frames)


def move(source: str, target: str, *flags: str) -> str:
    out = io.StringIO()
    call_command("documents_move", "--from", source, "--to", target, *flags, stdout=out)
    return out.getvalue()


def test_a_rehearsal_writes_nothing(dataset, url):
    said = move("site", url, "--dry-run")
    assert "0 were there already, 6 would be copied." in said
    assert "Nothing was written." in said
    assert open_store(url).count() == 0


def test_documents_move_there_and_back(dataset, url, settings, monkeypatch):
    monkeypatch.setattr(moving, "MOST_ATOMS", 4)
    before = [frame.kind for frame in iterate_frames(Frame.objects.all())]
    said = move("site", url)
    assert "6 of 6 frames" in said
    assert "Verified: 6 documents for 6 frames." in said
    assert "set MLMD_TEACHER_URL to the URL" in said
    assert FrameDocument.objects.count() == 6, "nothing is removed unless asked"
    settings.MLMD_TEACHER_URL = url
    said = move("site", "configured", "--remove")
    assert "6 were there already, 0 were copied." in said
    assert "6 documents were removed from the site's own database" in said
    assert "Start the site and look at a frame." in said
    assert FrameDocument.objects.count() == 0
    assert [frame.kind for frame in iterate_frames(Frame.objects.all())] == before
    move("configured", "site", "--remove")
    assert open_store(url).count() == 0
    assert FrameDocument.objects.count() == 6


def test_a_changed_document_is_found_and_copied_again(dataset, url):
    move("site", url)
    store = open_store(url)
    first = Frame.objects.first()
    store.frames.update_one({"_id": str(first.public_id)}, {"$set": {"energy": 1.5}})
    [key] = frame_keys(Frame.objects.filter(pk=first.pk))
    assert unpack_frame(store.get(key)).energy == 1.5
    assert "5 were there already, 1 were copied." in move("site", url)
    assert unpack_frame(store.get(key)).energy == first.energy


def test_what_is_missing_or_damaged_is_named_and_nothing_is_removed(dataset, url):
    first, second = Frame.objects.all()[:2]
    FrameDocument.objects.filter(pk=first.pk).delete()
    other = SqlDocumentStore().get(frame_keys(Frame.objects.all()[3:4])[0])
    FrameDocument.objects.filter(pk=second.pk).update(content=other)
    with pytest.raises(CommandError, match="missing from both stores") as refused:
        move("site", url, "--remove")
    assert f"1 documents ({first.public_id}) missing" in str(refused.value)
    assert f"1 documents ({second.public_id}) with another hash" in str(refused.value)
    assert FrameDocument.objects.count() == 5
    assert open_store(url).count() == 4


def test_what_cannot_be_moved_is_refused_in_words(dataset, url):
    with pytest.raises(CommandError, match="two different stores"):
        move("site", "site")
    with pytest.raises(CommandError, match="expected mongodb://"):
        move("site", "postgres://someone:secret@host/name")
    with pytest.raises(CommandError, match="it goes on from there") as refused:
        move("site", "mongodb://someone:secret@127.0.0.1:1/mlmd?serverSelectionTimeoutMS=100")
    assert "secret" not in str(refused.value)
