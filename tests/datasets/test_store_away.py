"""The store goes away and comes back: everything waits, nothing is lost, and it is said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse
from django.utils import timezone

from datasets.models import Frame, Upload, UploadState
from datasets.services import upload_parse, uploads_waiting
from datasets.services.documents import documents_sweep
from datasets.services.frames import frames_remove
from datasets.store import SqlDocumentStore, StoreUnavailable, document_store, open_store
from datasets.store.mongo import DEFAULTS
from jobs.files import job_folder
from jobs.models import Job
from jobs.states import State
from jobs.stepping import step
from mlmd.formats import read_frames
from portal.secrets import Unshown
from tests.datasets.factories import (
    extxyz,
    make_dataset,
    make_frames,
    make_upload,
    make_version,
)
from tests.jobs.factories import make_job
from tests.mongo_server.launch import own_server
from tests.potentials.factories import make_training

NOWHERE = "mongodb://someone:very-secret@127.0.0.1:1/mlmd?serverSelectionTimeoutMS=100"


@pytest.fixture(autouse=True)
def _own_job_folders(settings: Any, tmp_path: Any) -> None:
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.LOCAL_CLUSTER_DIR = tmp_path / "cluster"


@pytest.fixture
def away(settings: Any) -> Any:
    """Make the site's store one that nobody answers for."""
    before = settings.MLMD_TEACHER_URL

    def change(is_away: bool) -> None:
        settings.MLMD_TEACHER_URL = NOWHERE if is_away else before

    return change


def test_an_upload_waits_with_its_reason_and_is_read_when_the_store_is_back(
    page, owner, lab, away, caplog
):
    dataset = make_dataset(owner, lab, frames=[])
    upload = make_upload(owner, lab, extxyz(make_frames(4)), dataset=dataset)
    away(True)
    for _try in range(4):  # more often than a file that is no good would be tried
        Upload.objects.update(lease_until=None)
        assert upload_parse(upload_id=upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.WAITING
    assert upload.attempts == 0
    assert upload.reason.startswith("The database that holds the documents of frames")
    assert "127.0.0.1:1" in caplog.text, "which one it is, is for the operator"
    assert "secret" not in caplog.text
    # Nobody tries all the time; the sweep brings it back when the pause is over.
    assert not upload_parse(upload_id=upload.pk)
    Upload.objects.update(modified_at=timezone.now() - timedelta(minutes=5))
    assert uploads_waiting() == []
    text = page.get(upload.get_absolute_url()).content.decode()
    assert "as soon as that is over" in text
    assert "doesn&#x27;t answer just now" in text
    away(False)
    past = timezone.now() - timedelta(minutes=5)
    Upload.objects.update(lease_until=past, modified_at=past)
    assert uploads_waiting() == [upload.pk]
    assert upload_parse(upload_id=upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.reason, upload.frames_kept) == (UploadState.ACCEPTED, "", 4)
    assert Frame.objects.current().count() == document_store().count() == 4


def test_a_store_that_goes_away_in_the_middle_keeps_nothing_halfway(owner, lab, away, monkeypatch):
    dataset = make_dataset(owner, lab, frames=[])
    upload = make_upload(owner, lab, extxyz(make_frames(30)), dataset=dataset)
    monkeypatch.setattr("datasets.services.parsing.CHUNK_FRAMES", 10)
    written, insert = [], SqlDocumentStore.insert_many

    def fail_the_second_time(store: Any, documents: Any) -> int:
        if len(written) == 1:
            written.append(0)
            raise StoreUnavailable("gone")
        written.append(insert(store, documents))
        return written[-1]

    monkeypatch.setattr(SqlDocumentStore, "insert_many", fail_the_second_time)
    upload_parse(upload_id=upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.WAITING
    assert upload.reason
    assert Frame.objects.current().count() == 0
    Upload.objects.update(lease_until=None)
    upload_parse(upload_id=upload.pk)
    assert Frame.objects.current().count() == document_store().count() == 30
    assert written == [10, 0, 10, 10, 10]


def test_pages_and_api_say_that_frames_are_away(page, owner, lab, away):
    dataset = make_dataset(owner, lab, "public")
    frame = Frame.objects.first()
    away(True)
    assert page.get(dataset.get_absolute_url()).status_code == 200
    assert page.get(reverse("datasets:frames")).status_code == 200
    answer = page.get(frame.get_absolute_url())
    assert answer.status_code == 503
    assert answer["Retry-After"] == "30"
    text = answer.content.decode()
    assert "nothing is lost" in text
    assert "secret" not in text
    answer = page.get(reverse("api:frame-detail", args=[frame.public_id]))
    assert answer.status_code == 503
    assert "nothing is lost" in answer.json()["detail"]


def test_optimade_says_so_in_its_own_form(client, owner, lab, away):
    make_version(owner, lab, "public")
    away(True)
    answer = client.get("/optimade/v1/structures?page_limit=1")
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["status"] == "503"


def test_health_and_checks_name_the_trouble_but_no_password(client, db, away):
    assert client.get("/health/documents/").content == b"ok"
    assert not [m for m in run_checks() if m.id and m.id.startswith("datasets")]
    away(True)
    answer = client.get("/health/documents/")
    assert (answer.status_code, answer.content) == (503, b"the document store is away")
    assert client.get("/health/").status_code == 200
    [message] = [m for m in run_checks() if m.id == "datasets.W001"]
    assert "127.0.0.1:1" in message.msg
    assert "secret" not in str(message)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://someone:very-secret@host/name",
        "mongodb://someone:very@secret:x@host/name",
        "mongodb://someone:very-secret@/name",
        "mongodb://someone:very-secret@host:99999999/name",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_repeating_it(url, settings):
    with pytest.raises(ImproperlyConfigured) as refused:
        open_store(url)
    assert "secret" not in str(refused.value)
    assert "mongodb://" in str(refused.value)
    settings.MLMD_TEACHER_URL = url
    [message] = [m for m in run_checks() if m.id == "datasets.E001"]
    assert "secret" not in str(message)


def test_a_password_is_shown_nowhere(settings):
    from django.views.debug import SafeExceptionReporterFilter

    store = open_store(NOWHERE)
    assert "secret" not in f"{store} {store!r} {store.database!r}"
    settings.MLMD_TEACHER_URL = Unshown(NOWHERE)
    shown = SafeExceptionReporterFilter().get_safe_settings()["MLMD_TEACHER_URL"]
    assert "secret" not in repr(shown)


def test_what_the_url_says_wins_over_our_defaults():
    client = open_store("mongodb://host/name?w=1&sockettimeoutms=7000").database.client
    assert client.write_concern.document == {"w": 1, "j": DEFAULTS["journal"]}
    assert client.options.pool_options.socket_timeout == 7.0
    assert open_store("mongodb://host").database.name == "mlmd"


@pytest.mark.mongo
@pytest.mark.django_db(transaction=True)
def test_a_server_that_comes_back_goes_on_where_it_was(owner, lab, settings):
    with own_server() as server:
        settings.MLMD_TEACHER_URL = f"{server.url}mlmd?serverSelectionTimeoutMS=300"
        make_dataset(owner, lab, frames=make_frames(3))
        assert document_store().count() == 3
        server.stop()
        with pytest.raises(StoreUnavailable, match=r"can't be used just now.*Nothing is lost"):
            document_store().count()
        with pytest.raises(StoreUnavailable):
            make_dataset(owner, lab, frames=make_frames(2), name="Not now")
        # Rows may go while their documents can't: the sweep follows later.
        frames_remove(Frame.objects.filter(ionic_step=0))
        server.start()
        assert document_store().count() == 3
        make_dataset(owner, lab, frames=make_frames(2), name="More")
        assert document_store().count() == 5
        assert documents_sweep() == 0, "young ones may belong to rows that are about to commit"
        assert documents_sweep(older_than=timedelta(0)) == 1
        assert document_store().count() == Frame.objects.count() == 4
        document_store().database.client.close()


def test_a_run_whose_frames_cannot_be_stored_is_taken_over_later(owner, lab, away, monkeypatch):
    """The job machine treats the store as it treats its database: nothing moves, it tries again."""
    job = make_job(owner, lab, "lab", State.FETCHED, kind="dft", exit_cause="ok")
    tried = []

    def accept(job: Job, folder: Any) -> None:
        tried.append(job.pk)
        document_store().check()

    monkeypatch.setattr("jobs.collecting.kind_of", lambda name: type("K", (), {"accept": accept}))
    away(True)
    step(job.pk)
    job.refresh_from_db()
    assert tried == [job.pk]
    assert job.state == State.FETCHED
    away(False)
    step(job.pk)
    job.refresh_from_db()
    assert job.state == State.DONE


def test_a_training_whose_frames_are_away_starts_later(owner, lab, away):
    training = make_training(owner, lab, state=State.CREATED)
    away(True)
    step(training.job_id)
    training.job.refresh_from_db()
    assert training.job.state == State.CREATED
    away(False)
    step(training.job_id)
    training.job.refresh_from_db()
    assert training.job.state in {State.STAGED, State.SUBMITTED}, training.job.reason
    frames = list(read_frames(job_folder(training.job) / "frames.jsonl"))
    assert len(frames) == training.frame_count
