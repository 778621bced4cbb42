"""Copies of the database by its own tools: consistent while the site works, and exact."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from django.conf import settings
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from portal.backup.manifest import BackupError

_VARIABLES = {
    "HOST": "PGHOST",
    "PORT": "PGPORT",
    "USER": "PGUSER",
    "PASSWORD": "PGPASSWORD",
    "NAME": "PGDATABASE",
}


def applied_migrations() -> list[str]:
    """Return what the database's schema was made by, as ``app.name``."""
    return sorted(".".join(key) for key in MigrationRecorder(connection).applied_migrations())


def known_migrations() -> set[str]:
    """Return the migrations that this version of the portal has."""
    return {".".join(key) for key in MigrationLoader(None).disk_migrations}


def row_counts() -> dict[str, int]:
    """Return the rows of each table."""
    with connection.cursor() as cursor:
        found = {}
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            found[table] = int(cursor.fetchone()[0])
    return found


def dump(target: Path) -> None:
    """Write the database, as it is at one moment, into a file.

    Raises:
        BackupError: it can't be read, or the tool for it isn't here.
    """
    if connection.vendor == "sqlite":
        _dump_sqlite(target)
    elif connection.vendor == "postgresql":
        _run(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}"])
    else:
        raise BackupError(f"Databases of the kind {connection.vendor} can't be backed up.")


def load(source: Path) -> None:
    """Put a dump in the place of the database; what was there before is gone.

    Raises:
        BackupError: it can't be written, or the tool for it isn't here.
    """
    if connection.vendor == "sqlite":
        _load_sqlite(source)
    else:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
        connections.close_all()
        flags = ("--no-owner", "--no-privileges", "--exit-on-error", "--dbname=")
        _run(["pg_restore", *flags, str(source)])


def is_empty() -> bool:
    """Whether nobody has an account here: nothing is lost by writing over it."""
    if "labs_user" not in connection.introspection.table_names():
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM labs_user")
        return not cursor.fetchone()[0]


def _dump_sqlite(target: Path) -> None:
    name = settings.DATABASES["default"]["NAME"]
    with (
        closing(sqlite3.connect(f"file:{name}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        # All pages at once: in between, a writer would make it begin again.
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        verdict = copy.execute("PRAGMA quick_check").fetchone()[0]
    if verdict != "ok":
        raise BackupError(f"{name} is damaged: {verdict}")


def _load_sqlite(source: Path) -> None:
    connections.close_all()
    target = Path(settings.DATABASES["default"]["NAME"])
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + ".restoring")
    shutil.copyfile(source, draft)
    # The log of the old database must not be read into the new one.
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    draft.replace(target)


def need_tools() -> None:
    """Make sure that `load` will find what it runs.

    Raises:
        BackupError: a program of the database is missing.
    """
    if connection.vendor == "postgresql":
        _program("pg_restore")


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise BackupError(
            f"{name} isn't here: install PostgreSQL's client programs, not older than the server "
            "(Debian: apt-get install postgresql-client)."
        )
    return path


def _run(command: Sequence[str]) -> None:
    values = settings.DATABASES["default"]
    environment = dict(os.environ)
    for name, variable in _VARIABLES.items():
        if values.get(name):
            environment[variable] = str(values[name])
    if mode := values.get("OPTIONS", {}).get("sslmode"):
        environment["PGSSLMODE"] = mode
    words = [f"--dbname={values['NAME']}" if word == "--dbname=" else word for word in command]
    done = subprocess.run(  # noqa: S603 - a fixed program; the password is in its environment
        [_program(words[0]), *words[1:]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"{words[0]} failed: {done.stderr.strip()[-500:]}")
