"""kill -9 of a real worker process in the middle of a file, on a real database file."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.datasets.factories import extxyz, make_frames

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 1500

PREPARE = """
import sys
from django.core.files.uploadedfile import SimpleUploadedFile
from datasets.services import dataset_create, upload_create
from labs.models import Lab, Membership, User
user = User.objects.create_user("a@x.example", "p", name="A")
lab = Lab.objects.create(name="L")
Membership.objects.create(user=user, lab=lab, role="manager")
dataset = dataset_create(owner=user, lab=lab, name="D")
content = open(sys.argv[1], "rb").read()
upload_create(owner=user, lab=lab, file=SimpleUploadedFile("a.xyz", content),
              target="frames", dataset=dataset)
"""
PARSE = """
from datetime import timedelta
from datasets.models import Upload
from datasets.services import parsing
parsing.LEASE = timedelta(seconds=2)
parsing.CHUNK_FRAMES = 20
print("start", flush=True)
parsing.upload_parse(upload_id=Upload.objects.get().pk)
"""
SETUP = (
    "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'portal.settings'; django.setup()\n"
)


def environment(var: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DATABASE", "CELERY"))}
    return kept | {"MLMD_VAR": str(var), "MLMD_LOG_LEVEL": "WARNING", "PYTHONPATH": str(ROOT)}


def run(var: Path, code: str, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-c", SETUP + code, *arguments],
        cwd=ROOT,
        env=environment(var),
        check=True,
        timeout=120,
    )


def counts(database: Path) -> tuple[int, int, int]:
    with sqlite3.connect(database, timeout=30) as connection:
        return tuple(  # type: ignore[return-value]
            connection.execute(query).fetchone()[0]
            for query in (
                "SELECT count(*) FROM datasets_frame",
                "SELECT count(*) FROM datasets_frame WHERE added_in IS NOT NULL",
                "SELECT count(*) FROM datasets_framedocument",
            )
        )


@pytest.mark.faults
@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_duplicates_nothing(tmp_path):
    var, source = tmp_path / "var", tmp_path / "source.xyz"
    source.write_bytes(extxyz(make_frames(FRAMES)))
    database = var / "portal.sqlite3"
    run(
        var, "from django.core.management import call_command; call_command('migrate', verbosity=0)"
    )
    run(var, PREPARE, str(source))
    for target in (20, 200, 600):
        # A session of its own: the group holds the worker and nobody else.
        worker = subprocess.Popen(
            [sys.executable, "-c", SETUP + PARSE],
            cwd=ROOT,
            env=environment(var),
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while counts(database)[0] < target and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        stored, visible, _documents = counts(database)
        assert 0 < stored < FRAMES, "it was killed in the middle"
        assert visible == 0
        time.sleep(2.1)  # the lease runs out
        with sqlite3.connect(database, timeout=30) as connection:
            connection.execute("UPDATE datasets_upload SET attempts = 0")
    run(var, PARSE)
    assert counts(database) == (FRAMES, FRAMES, FRAMES)
