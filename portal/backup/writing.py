"""Making a backup while the site works."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from django.db import connection

from mlmd import __version__
from portal.backup import database
from portal.backup.documents import dump_documents, is_apart
from portal.backup.manifest import (
    DATABASE,
    DOCUMENTS,
    FILES,
    MANIFEST,
    Manifest,
    digest,
    read_sums,
    site_folders,
    write_sums,
)

_DRAFT = ".part"
Say = Callable[[str], object]


@dataclass
class _Copied:
    sums: dict[str, str] = field(default_factory=dict)
    count: int = 0
    size: int = 0
    linked: int = 0


def back_up_site(target: Path, *, keep: int = 0, say: Say = print) -> Path:
    """Write a backup into a folder of its own below `target` and return it.

    The database comes first, as it is at one moment, then what its rows refer to: what is added
    meanwhile is too much and does no harm. Files that the newest earlier backup has, too, are
    linked to it and take no space.

    Args:
        target: folder of all backups, best on another machine or disk.
        keep: remove the oldest beyond this number; 0 keeps all.
        say: takes one line for the person at the terminal.

    Raises:
        BackupError: the database can't be copied.
        OSError: the target can't be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    earlier = backups_in(target)
    folder = target / now.strftime("%Y-%m-%dT%H-%M-%SZ")
    draft = folder.with_name(folder.name + _DRAFT)
    draft.mkdir(mode=0o700)
    try:
        rows, migrations = database.row_counts(), database.applied_migrations()
        database.dump(draft / DATABASE)
        say(f"Database: {sum(rows.values())} rows.")
        documents = dump_documents(draft / DOCUMENTS) if is_apart() else None
        if documents is not None:
            say(f"Documents: {documents}.")
        copied = _copy_files(draft, earlier[-1] if earlier else None)
        say(f"Files: {copied.count}, {copied.size / 1e6:.1f} MB, {copied.linked} linked.")
        for name in (DATABASE, DOCUMENTS):
            if (draft / name).exists():
                copied.sums[name] = digest(draft / name)
        Manifest(
            made_at=now.isoformat(timespec="seconds"),
            version=__version__,
            database=connection.vendor,
            migrations=migrations,
            rows=rows,
            documents=documents,
            files=copied.count,
            bytes=copied.size,
        ).write(draft)
        copied.sums[MANIFEST] = digest(draft / MANIFEST)
        write_sums(draft, copied.sums)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _thin_out(target, keep, say)
    return folder


def backups_in(target: Path) -> list[Path]:
    """Return the whole backups of a folder, the oldest first."""
    return sorted(path.parent for path in target.glob(f"*Z/{MANIFEST}"))


def _copy_files(draft: Path, earlier: Path | None) -> _Copied:
    copied = _Copied()
    known = read_sums(earlier) if earlier else {}
    for name, folder in site_folders().items():
        for source in _files(folder):
            place = f"{FILES}/{name}/{source.relative_to(folder).as_posix()}"
            before = earlier / place if earlier and place in known else None
            try:
                linked = _copy(source, draft / place, before)
            except FileNotFoundError:
                continue  # deleted since it was listed
            copied.sums[place] = known[place] if linked else digest(draft / place)
            copied.count += 1
            copied.size += (draft / place).stat().st_size
            copied.linked += linked
    return copied


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        # Hidden folders and .part files are half of something.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.endswith(_DRAFT) and path.is_file() and not path.is_symlink():
                yield path


def _copy(source: Path, target: Path, before: Path | None) -> bool:
    """Copy a file, or link it where the earlier backup has the same; True when linked."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if before is not None and before.is_file():
        now, then = source.stat(), before.stat()
        if (now.st_size, now.st_mtime_ns) == (then.st_size, then.st_mtime_ns):
            try:
                os.link(before, target)
            except OSError:
                pass  # a file system without links
            else:
                return True
    shutil.copy2(source, target)
    return False


def _thin_out(target: Path, keep: int, say: Say) -> None:
    if keep <= 0:
        return
    for old in backups_in(target)[:-keep]:
        # The manifest goes first: what is half removed is no backup any more.
        (old / MANIFEST).unlink()
        shutil.rmtree(old)
        say(f"Removed {old.name}.")
