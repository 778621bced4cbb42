"""Backups: made while the site works, checked, and put back, on both kinds of database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from datasets.models import Frame
from datasets.store import FrameKey, SqlDocumentStore, StoredDocument, document_store, frame_keys
from labs.models import User
from portal.backup import documents, writing
from portal.backup.manifest import (
    FILES,
    MANIFEST,
    BackupError,
    check_sums,
    read_sums,
    write_sums,
)
from portal.backup.reading import restore_site
from tests.datasets.factories import make_dataset
from tests.faults.servers import postgres
from tests.jobs import factories

REPOSITORY = Path(__file__).resolve().parents[2]

FILL = """
from labs.models import Lab, Membership, Role, User
from jobs.registration import ClusterSettings, cluster_create
from django.conf import settings
lab = Lab.objects.create(name="Glass ガラス")
user = User.objects.create_user("head@example.org", "a long pass phrase", name="Head")
Membership.objects.create(user=user, lab=lab, role=Role.MANAGER)
cluster_create(owner=user, lab=lab, settings=ClusterSettings(
    name="far", host="far.example", login="x", scheduler="slurm", work_dir="/group/x"))
for name in ("media/a ü.bin", "jobs/run/job.log", "jobs/.prepare-x/half", "media/b.part"):
    path = settings.VAR_DIR / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode() * 1000)
"""
# A second process writes without a pause; each row of the one table has one of the other.
DISTURB = """
import threading
from django.core.management import call_command
from django.db import connection, transaction
from labs.models import Lab, Membership, User
stop, user, made = threading.Event(), User.objects.get(email="head@example.org"), 0
def write():
    global made
    while not stop.is_set():
        with transaction.atomic():
            Membership.objects.create(lab=Lab.objects.create(name=f"Lab {made}"), user=user)
        made += 1
    connection.close()
writer = threading.Thread(target=write)
writer.start()
while made < 20:
    stop.wait(0.01)
before = made
call_command("backup", TARGET)
after = made
stop.set(); writer.join()
print("BETWEEN", before, after)
"""
LOOK = """
import json
from jobs.models import Credential
from jobs.vault import unseal
from labs.models import Lab, Membership, User
print("SEEN", json.dumps({
    "labs": Lab.objects.count(), "memberships": Membership.objects.count(),
    "first": Lab.objects.order_by("pk")[0].name,
    "next": Lab.objects.create(name="new").pk,
    "key": "PRIVATE KEY" in unseal(Credential.objects.get().secret),
}))
"""


class Site:
    """A site of its own in a folder, driven by commands in processes of their own."""

    def __init__(self, folder: Path, database: str = "") -> None:
        self.folder, self.database = folder, database

    def manage(self, *arguments: str, code: str = "") -> str:
        environment = {
            **os.environ,
            "MLMD_VAR": str(self.folder),
            "DATABASE_URL": self.database or f"sqlite:///{self.folder / 'portal.sqlite3'}",
            "CELERY_BROKER_URL": "memory://",
        }
        environment.pop("MLMD_TEACHER_URL", None)
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=REPOSITORY,
            env=environment,
            input=code,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise CommandError(done.stdout + done.stderr)
        return done.stdout

    def run(self, code: str) -> str:
        wrapped = f"import django; django.setup()\n{code}"
        return self.manage("shell", "--no-imports", "-c", wrapped)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def sites(request, tmp_path) -> Iterator[tuple[Site, Site]]:
    """Give a filled site and an empty one of the same kind."""
    if request.param == "sqlite":
        yield Site(tmp_path / "old"), Site(tmp_path / "new")
        return
    with postgres() as url:
        names = [f"backup_{word}" for word in ("old", "new")]
        for name in names:
            _psql(url, f"CREATE DATABASE {name}")
        server = url.rpartition("/")[0]
        yield tuple(Site(tmp_path / name, f"{server}/{name}") for name in names)  # type: ignore[misc]
        for name in names:
            _psql(url, f"DROP DATABASE {name} WITH (FORCE)")


def _psql(url: str, sql: str) -> None:
    import psycopg

    with psycopg.connect(url.replace("postgres://", "postgresql://"), autocommit=True) as link:
        link.execute(sql)


def test_a_site_comes_back_as_it_was_while_it_went_on_working(sites, tmp_path):
    old, new = sites
    old.manage("migrate", "--verbosity=0")
    old.run(FILL)
    target = tmp_path / "backups"
    said = old.run(DISTURB.replace("TARGET", repr(str(target))))
    before, after = map(int, said.split("BETWEEN")[1].split()[:2])
    assert "credential_key" in said
    (folder,) = writing.backups_in(target)
    assert check_sums(folder) == 4  # two files, the database, the manifest
    new.manage("restore", str(folder))
    for name in ("credential_key", "secret_key"):
        (new.folder / name).write_text((old.folder / name).read_text())
    seen = json.loads(new.run(LOOK).split("SEEN")[1])
    assert seen["first"] == "Glass ガラス"
    assert seen["labs"] == seen["memberships"]
    assert before <= seen["labs"] - 1 <= after
    assert seen["next"] > seen["labs"]
    assert seen["key"] is True
    assert (new.folder / "media" / "a ü.bin").read_bytes() == "media/a ü.bin".encode() * 1000
    assert not (new.folder / "media" / "b.part").exists()
    assert not (new.folder / "jobs" / ".prepare-x").exists()
    with pytest.raises(CommandError, match="accounts on this site already"):
        new.manage("restore", str(folder))


@pytest.fixture
def backup(tmp_path, settings, db, monkeypatch) -> Path:
    """A small backup of the test's own database, whose dump is a stand-in."""
    settings.MEDIA_ROOT, settings.JOBS_DIR = tmp_path / "var" / "media", tmp_path / "var" / "jobs"
    settings.PSEUDO_DIR = tmp_path / "var" / "pseudo"
    for name in ("one", "two"):
        (settings.MEDIA_ROOT / "deep").mkdir(parents=True, exist_ok=True)
        (settings.MEDIA_ROOT / "deep" / name).write_text(name * 100)
    monkeypatch.setattr("portal.backup.database.dump", lambda path: path.write_text("dump"))
    return writing.back_up_site(tmp_path / "backups", say=lambda line: None)


def again(folder: Path, monkeypatch, hour: int, **options) -> Path:
    class Later(writing.datetime):
        @classmethod
        def now(cls, zone=None):
            return super().now(zone).replace(year=2099, hour=hour)

    monkeypatch.setattr(writing, "datetime", Later)
    return writing.back_up_site(folder.parent, say=lambda line: None, **options)


def test_files_that_stay_the_same_are_linked_and_those_that_change_are_not(
    backup, settings, monkeypatch
):
    (settings.MEDIA_ROOT / "deep" / "two").write_text("changed")
    later = again(backup, monkeypatch, 1)
    place = Path(FILES) / "media" / "deep"
    assert (later / place / "one").stat().st_ino == (backup / place / "one").stat().st_ino
    assert (later / place / "two").read_text() == "changed"
    assert (backup / place / "two").read_text() == "two" * 100
    assert check_sums(backup) == check_sums(later) == 4


def test_old_backups_are_removed_and_the_kept_ones_stay_whole(backup, monkeypatch):
    later = [again(backup, monkeypatch, hour, keep=2) for hour in (1, 2)]
    assert writing.backups_in(backup.parent) == later
    assert not backup.exists()
    for folder in later:
        check_sums(folder)


def test_what_is_not_whole_is_refused_before_anything_changes(backup, settings):
    with pytest.raises(CommandError, match="no backup"):
        call_command("restore", str(backup.parent))
    damaged = backup / FILES / "media" / "deep" / "one"
    damaged.write_text("damaged")
    (damaged.parent / "two").unlink()
    with pytest.raises(CommandError, match=r"deep/one \(differs\); .*deep/two \(is missing\)"):
        call_command("backup", str(backup), "--check")
    with pytest.raises(BackupError, match="differs"):
        restore_site(backup, replace=True, say=lambda line: None)
    assert (settings.MEDIA_ROOT / "deep" / "one").read_text() == "one" * 100


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 99}, "format 99"),
        ({"database": "oracle"}, "oracle database"),
        ({"migrations": ["labs.9999_later"]}, "newer version"),
        ({"documents": 3}, "MLMD_TEACHER_URL"),
    ],
)
def test_a_backup_that_doesn_t_fit_says_why(backup, change, words):
    values = json.loads((backup / MANIFEST).read_text()) | change
    (backup / MANIFEST).write_text(json.dumps(values))
    with pytest.raises(BackupError, match=words):
        restore_site(backup, say=lambda line: None)


def test_nothing_is_written_over_people_who_are_here(backup):
    User.objects.create_user("x@example.org", "a long pass phrase")
    with pytest.raises(BackupError, match="--replace"):
        restore_site(backup, say=lambda line: None)


def test_a_backup_that_fails_leaves_nothing_behind(backup, monkeypatch):
    def fails(path):
        raise OSError("disk full")

    monkeypatch.setattr("portal.backup.database.dump", fails)
    with pytest.raises(OSError, match="disk full"):
        again(backup, monkeypatch, 3)
    assert list(backup.parent.iterdir()) == [backup]


def test_the_checksums_are_those_that_sha256sum_reads(backup, tmp_path):
    done = subprocess.run(
        ["sha256sum", "--quiet", "--check", "SHA256SUMS"],
        cwd=backup,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = {"plain": "0" * 64, "back\\slash": "1" * 64, "new\nline": "2" * 64}
    write_sums(tmp_path, names)
    assert read_sums(tmp_path) == names


class Apart(SqlDocumentStore):
    """Documents outside of the database, for what a backup does with them."""

    def __init__(self) -> None:
        self.kept: dict[FrameKey, bytes] = {}

    def insert_many(self, documents: Iterable[StoredDocument]) -> int:
        new = {document.key: document.content for document in documents}
        self.kept |= new
        return len(new)

    def fetch(self, keys: Collection[FrameKey]) -> dict[int, bytes]:
        return {key.frame_id: self.kept[key] for key in keys if key in self.kept}


def test_documents_of_another_store_go_through_its_seam(db, tmp_path, monkeypatch):
    lab = factories.make_lab()
    make_dataset(factories.make_user(lab), lab, "lab")
    keys = frame_keys(Frame.objects.order_by("pk"))
    here = document_store()
    full, empty = Apart(), Apart()
    full.insert_many(here.iterate(keys))
    monkeypatch.setattr(documents, "BATCH", 1)
    monkeypatch.setattr(documents, "document_store", lambda: full)
    path = tmp_path / "documents.jsonl.gz"
    assert documents.dump_documents(path) == len(keys) > 0
    assert documents.missing_documents() == 0
    monkeypatch.setattr(documents, "document_store", lambda: empty)
    assert documents.missing_documents() == len(keys)
    assert documents.load_documents(path) == len(keys)
    assert empty.kept == full.kept
