"""A private server that speaks the MongoDB protocol, for one test run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymongo import MongoClient

from tests.faults.servers import missing

PROGRAM = Path(__file__).with_name("mongo-server")


class Server:
    """FerretDB in a folder of its own, which can go away and come back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = "0"
        self.url = ""
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, self.folder, self.port],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url, "the server ended at once"
        self.port = self.url.rstrip("/").rpartition(":")[2]

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=20)


@contextmanager
def own_server() -> Iterator[Server]:
    """Run a server that the test may stop and start."""
    if not PROGRAM.exists():
        if reason := os.environ.get("MLMD_NO_MONGO_SERVER"):
            pytest.skip(f"no server that speaks the MongoDB protocol: {reason}")
        if shutil.which("go") is None:
            pytest.skip("no server that speaks the MongoDB protocol, and no Go to build it with")
        missing("no server that speaks the MongoDB protocol here: make mongo-server")
    with tempfile.TemporaryDirectory(prefix="mlmd-mongo-", ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def mongo_url() -> Iterator[str]:
    """Give the URL of a server: that of MLMD_TEST_MONGO_URL, or a private one."""
    if url := os.environ.get("MLMD_TEST_MONGO_URL"):
        yield url
        return
    with own_server() as server:
        yield server.url


@contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """Give the URL of a database of its own on a server; it is dropped afterwards."""
    name = f"mlmd_test_{uuid.uuid4().hex[:12]}"
    head, mark, options = url.partition("?")
    base = head.rstrip("/") if head.count("/") > 2 else head
    yield f"{base}/{name}{mark}{options}"
    client: MongoClient = MongoClient(url)
    client.drop_database(name)
    client.close()
