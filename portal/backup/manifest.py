"""What a backup says about itself, and its checksums."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.conf import settings

FORMAT = 1
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
DATABASE = "database"
DOCUMENTS = "documents.jsonl.gz"
FILES = "files"
_CHUNK = 1 << 20  # bytes


class BackupError(Exception):
    """A backup can't be made, or isn't whole, or doesn't fit this site."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Args:
        made_at: UTC, ISO 8601.
        version: of the portal.
        database: kind of the database, ``sqlite`` or ``postgresql``.
        migrations: that had been applied, as ``app.name``.
        rows: by table, at about that time.
        documents: stored outside of the database; None where they are inside.
        files: count of files.
        bytes: of all files together.
        format: of the backup itself.
    """

    made_at: str
    version: str
    database: str
    migrations: list[str]
    rows: dict[str, int]
    documents: int | None
    files: int
    bytes: int
    format: int = field(default=FORMAT)

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), indent=1, sort_keys=True)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Return the manifest of a backup.

        Raises:
            BackupError: the folder is none, or of a format that isn't known here.
        """
        try:
            values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BackupError(f"{folder} is no backup: {MANIFEST}: {error}") from error
        if values.get("format") != FORMAT:
            raise BackupError(
                f"{folder}: backups of format {values.get('format')} can't be read here, only "
                f"{FORMAT}; use the version of the portal that made it ({values.get('version')})."
            )
        return cls(**values)


def site_folders() -> dict[str, Path]:
    """Return the folders whose files are part of a backup, by their name in it."""
    return {
        "media": Path(settings.MEDIA_ROOT),
        "jobs": Path(settings.JOBS_DIR),
        "pseudo": Path(settings.PSEUDO_DIR),
    }


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def read_sums(folder: Path) -> dict[str, str]:
    """Return the checksums of a backup by relative path; none where there are none."""
    path = folder / SUMS
    if not path.exists():
        return {}
    return {name: word for word, name in _sum_lines(path)}


def write_sums(folder: Path, sums: dict[str, str]) -> None:
    """Write checksums as `sha256sum -c` reads them."""
    with (folder / SUMS).open("w", encoding="utf-8", newline="\n") as stream:
        for name in sorted(sums):
            # As sha256sum does: a backslash in front says that the name is escaped.
            escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
            mark = "\\" if escaped != name else ""
            stream.write(f"{mark}{sums[name]}  {escaped}\n")


def _sum_lines(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            word, name = line.rstrip("\n").split("  ", 1)
            if word.startswith("\\"):
                word = word[1:]
                name = name.replace("\\n", "\n").replace("\\\\", "\\")
            yield word, name


def check_sums(folder: Path) -> int:
    """Compare every file with its checksum and return how many there are.

    Raises:
        BackupError: files are missing or differ; names the first of them.
    """
    sums = read_sums(folder)
    if not sums:
        raise BackupError(f"{folder} has no {SUMS}: the backup wasn't finished.")
    bad = [
        f"{name} ({'differs' if (folder / name).is_file() else 'is missing'})"
        for name, word in sums.items()
        if not (folder / name).is_file() or digest(folder / name) != word
    ]
    if bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise BackupError(f"{folder}: {'; '.join(bad[:5])}{more}. Use another backup.")
    return len(sums)
