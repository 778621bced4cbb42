"""kill -9 between the document store and the database, on real files and a real server."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pymongo import MongoClient

from tests.datasets.factories import extxyz, make_frames
from tests.datasets.test_kill import PREPARE, ROOT, SETUP, environment
from tests.mongo_server.launch import fresh_database, mongo_url

pytestmark = pytest.mark.django_db  # so that there is a migrated database to copy

FRAMES = 60
SECOND = """
import sys
from django.core.files.uploadedfile import SimpleUploadedFile
from datasets.models import Upload
from datasets.services import upload_create
first = Upload.objects.get()
upload_create(owner=first.owner, lab=first.lab, target="frames", dataset=first.dataset,
              file=SimpleUploadedFile("b.xyz", open(sys.argv[1], "rb").read()))
"""
PARSE = """
import os, signal, sys
from datetime import timedelta
from datasets.models import Upload
from datasets.services import parsing
from datasets.store.mongo import MongoDocumentStore
parsing.LEASE = timedelta(seconds=1)
parsing.CHUNK_FRAMES = 20
calls, insert = [], MongoDocumentStore.insert_many
def die_after_writing(store, documents):
    count = insert(store, documents)
    calls.append(count)
    if len(calls) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)  # the documents are there, their rows never come
    return count
MongoDocumentStore.insert_many = die_after_writing
parsing.upload_parse(upload_id=Upload.objects.get().pk)
"""
DELETE = """
import os, signal
from datasets.models import Dataset
from datasets.services import dataset_delete
from datasets.store.mongo import MongoDocumentStore
MongoDocumentStore._delete = lambda store, ids: os.kill(os.getpid(), signal.SIGKILL)
dataset = Dataset.objects.get()
dataset_delete(dataset=dataset, actor=dataset.owner)
"""
SWEEP = """
import sys
from datetime import timedelta
from datasets.services.documents import documents_sweep
for seconds in sys.argv[1:]:
    print(documents_sweep(older_than=timedelta(seconds=float(seconds))), end=" ")
"""
MOVE = """
import os, signal, sys
import datasets.moving
from datasets.store.mongo import MongoDocumentStore
from django.core.management import call_command
datasets.moving.ROWS = 20
calls, insert = [], MongoDocumentStore.insert_many
def die(store, documents):
    count = insert(store, documents)
    calls.append(count)
    if len(calls) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return count
MongoDocumentStore.insert_many = die
call_command("documents_move", "--from", "site", "--to", "configured")
"""
PARSE_INSIDE = """
from django.conf import settings
from datasets.models import Upload
from datasets.services import parsing
settings.MLMD_TEACHER_URL = ""  # in the site's own database, as before the move
parsing.upload_parse(upload_id=Upload.objects.get().pk)
"""
PARSE_ONE = """
import sys
from datasets.models import Upload
from datasets.services import parsing
parsing.CHUNK_FRAMES = 10
parsing.upload_parse(upload_id=Upload.objects.get(name=sys.argv[1]).pk)
"""
# Starts Django once; each line of the input is a program, run in a process of its own.
DRIVER = """
import json, os, sys, traceback
for line in sys.stdin:
    code, arguments = json.loads(line)
    child = os.fork()
    if child == 0:
        sys.argv = ["-c", *arguments]
        try:
            exec(code)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)
    _child, status = os.waitpid(child, 0)
    print("\\n=", os.waitstatus_to_exitcode(status), flush=True)
"""


class Site:
    """A site on a database file, with a MongoDB of its own beside it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.var, self.source, self.url = folder / "var", folder / "source.xyz", url

    def driver(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", SETUP + DRIVER],
            cwd=ROOT,
            env=environment(self.var) | {"MLMD_TEACHER_URL": self.url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @cached_property
    def process(self) -> subprocess.Popen[str]:
        return self.driver()

    def run(self, code: str, *arguments: str, dies: bool = False) -> str:
        """Run a program to its end, or to its death, and return what it said."""
        send(self.process, code, *arguments)
        said, status = result(self.process)
        assert status == (-signal.SIGKILL if dies else 0), said
        return said

    def end(self) -> None:
        self.process.communicate(timeout=20)

    def rows(self, condition: str = "1 = 1") -> int:
        with sqlite3.connect(self.var / "portal.sqlite3", timeout=30) as connection:
            query = f"SELECT count(*) FROM datasets_frame WHERE {condition}"  # noqa: S608
            return connection.execute(query).fetchone()[0]

    def documents(self) -> int:
        client: MongoClient = MongoClient(self.url)
        with client:
            return client.get_default_database()["frames"].count_documents({})


def send(process: subprocess.Popen[str], code: str, *arguments: str) -> None:
    assert process.stdin
    process.stdin.write(json.dumps([code, arguments]) + "\n")
    process.stdin.flush()


def result(process: subprocess.Popen[str]) -> tuple[str, int]:
    assert process.stdout
    lines = []
    for line in process.stdout:
        if line.startswith("= "):
            return "".join(lines), int(line[2:])
        lines.append(line)
    raise AssertionError("".join(lines))


@pytest.fixture(scope="module")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any
) -> Path:
    """A site with a file that waits to be read; each test gets a copy."""
    site = Site(tmp_path_factory.mktemp("prepared"), "")
    site.source.write_bytes(extxyz(make_frames(FRAMES)))
    site.var.mkdir()
    with django_db_blocker.unblock(), sqlite3.connect(site.var / "portal.sqlite3") as target:
        # Migrated already: the tests' own database is copied, which costs nothing.
        connection.ensure_connection()
        connection.connection.backup(target)
        connection.close()
    site.run(PREPARE, str(site.source))
    site.end()
    return site.var.parent


@pytest.fixture(scope="module")
def server() -> Any:
    with mongo_url() as url:
        yield url


@pytest.fixture
def site(prepared: Path, tmp_path: Path, server: str) -> Any:
    shutil.copytree(prepared, tmp_path / "site")
    with fresh_database(server) as url:
        site = Site(tmp_path / "site", url)
        yield site
        site.end()


@pytest.mark.faults
@pytest.mark.mongo
def test_killed_between_the_store_and_the_database(site):
    site.run(PARSE, "2", dies=True)
    assert site.rows() == 20
    assert site.documents() == 40, "of the second chunk only the documents were written"
    assert site.rows("added_in IS NOT NULL") == 0
    time.sleep(1.1)  # the lease runs out
    site.run(PARSE, "0")
    assert site.rows() == site.rows("added_in IS NOT NULL") == FRAMES
    assert site.documents() == FRAMES + 20, "those of the killed chunk, which nobody sees"
    assert site.run(SWEEP, "3600", "0").split() == ["0", "20"], "young ones stay"
    assert site.documents() == FRAMES
    # Killed between the commit that removes the rows and the removal of the documents.
    site.run(DELETE, dies=True)
    assert site.rows() == 0
    assert site.documents() == FRAMES
    assert int(site.run(SWEEP, "0")) >= FRAMES
    assert site.documents() == 0


@pytest.mark.faults
@pytest.mark.mongo
def test_a_killed_move_goes_on_and_verifies(site):
    site.run(PARSE_INSIDE)
    site.run(MOVE, "2", dies=True)
    assert site.documents() == 40
    said = site.run(MOVE, "0")
    assert "40 were there already, 20 were copied." in said
    assert "Verified: 60 documents for 60 frames." in said


@pytest.mark.faults
def test_two_workers_write_at_once(prepared, tmp_path):
    """On SQLite, where one waits for the other, with documents inside the same file."""
    shutil.copytree(prepared, tmp_path / "site")
    site = Site(tmp_path / "site", "")
    site.run(SECOND, str(site.source))
    other = site.driver()
    send(site.process, PARSE_ONE, "a.xyz")
    send(other, PARSE_ONE, "b.xyz")
    for worker in (site.process, other):
        said, status = result(worker)
        assert status == 0, said
        worker.communicate(timeout=20)
    assert site.rows("added_in IS NOT NULL") == 2 * FRAMES
    with sqlite3.connect(site.var / "portal.sqlite3") as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM datasets_framedocument")
    assert count == 2 * FRAMES
