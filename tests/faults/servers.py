"""Private servers for one test run: PostgreSQL and Redis on sockets in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def missing(what: str) -> None:
    """Skip with the reason; fail where every test is asked for."""
    if os.environ.get("MLMD_REQUIRE_ALL"):
        pytest.fail(what)
    pytest.skip(what)


def _postgres_program(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def _as_ordinary_user(folder: Path) -> list[str]:
    """Return what goes before a command: PostgreSQL refuses to work as root."""
    if os.getuid() != 0:
        return []
    for name in ("postgres", "nobody"):
        try:
            person = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, person.pw_uid, person.pw_gid)
        return ["runuser", "-u", name, "--"]
    missing("PostgreSQL refuses to run as root, and there is no user postgres or nobody")
    return []


def _wait(ready: list[str], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while subprocess.run(ready, capture_output=True, check=False).returncode:
        if time.monotonic() > deadline:
            raise AssertionError(f"no answer within {seconds} s from {ready[0]}")
        time.sleep(0.05)


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL server and give its URL."""
    if url := os.environ.get("MLMD_TEST_POSTGRES_URL"):
        yield url
        return
    initdb, server = _postgres_program("initdb"), _postgres_program("postgres")
    is_ready = _postgres_program("pg_isready")
    if not (initdb and server and is_ready):
        missing("no PostgreSQL here: apt-get install postgresql, or set MLMD_TEST_POSTGRES_URL")
    # Not below pytest's folder: a socket's path may have 107 characters, and its user must enter.
    with tempfile.TemporaryDirectory(prefix="mlmd-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        user = _as_ordinary_user(folder)
        data = folder / "data"
        subprocess.run(
            [*user, initdb, "-D", data, "-U", "mlmd", "--auth=trust", "-E", "UTF8", "--locale=C"],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        settings = [
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
            "-c",
            f"unix_socket_directories={folder}",
        ]
        process = subprocess.Popen(
            [*user, server, "-D", data, *settings], stderr=subprocess.DEVNULL, cwd=folder
        )
        try:
            _wait([is_ready, "-h", name, "-U", "mlmd", "-d", "postgres"])
            yield f"postgres://mlmd@{name.replace('/', '%2F')}/postgres"
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def redis() -> Iterator[str]:
    """Run a Redis server and give its URL as a message broker."""
    server, client = shutil.which("redis-server"), shutil.which("redis-cli")
    if not (server and client):
        missing("no redis-server here: apt-get install redis-server")
    with tempfile.TemporaryDirectory(prefix="mlmd-redis-") as name:
        socket = f"{name}/redis.sock"
        process = subprocess.Popen(
            [server, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", name],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait([client, "-s", socket, "ping"])
            yield f"redis+socket://{socket}"
        finally:
            process.terminate()
            process.wait(20)
