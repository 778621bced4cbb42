"""The site's copy of a job's files: where it is, what is in it, and safe ways to read it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from jobs.models import Job

LOG_FILE = "job.log"
SCRIPT_FILE = "job.sh"
EXIT_FILE = "exit.json"
PROGRESS_FILE = "progress.json"
INPUTS_FILE = ".inputs.sha256"
"""What was in the folder before the run began, as ``sha256sum`` writes it; stays on the site."""


@dataclass(frozen=True)
class SiteFile:
    """A file of the site's copy.

    Args:
        path: relative to the job's folder, with forward slashes.
        size: bytes.
        sha256: hex digest; empty while the run goes on.
        modified: seconds since 1970.
    """

    path: str
    size: int
    sha256: str
    modified: float


def job_folder(job: Job) -> Path:
    """Return the folder of the site's copy; files of a running job appear here as they grow."""
    return Path(settings.JOBS_DIR) / str(job.public_id)


def file_list(job: Job) -> list[SiteFile]:
    """Return the job's files by path; hidden and half-arrived ones are left out."""
    folder = job_folder(job)
    known = {entry["path"]: entry for entry in job.files}
    found = []
    for path in _visible(folder):
        name, stat = path.relative_to(folder).as_posix(), path.stat()
        entry = known.get(name)
        sha256 = entry["sha256"] if entry and entry["size"] == stat.st_size else ""
        found.append(SiteFile(name, stat.st_size, sha256, stat.st_mtime))
    return sorted(found, key=lambda file: file.path)


def file_path(job: Job, name: str) -> Path | None:
    """Return the path of one of the job's files, None for every other name.

    The name is compared with the files that are there: nothing outside of the folder, no
    link and no hidden file can be reached, however the name is written.
    """
    folder = job_folder(job)
    for path in _visible(folder):
        if path.relative_to(folder).as_posix() == name:
            return path
    return None


def tail(path: Path, size: int = 8192) -> str:
    """Return the end of a text file, whole lines; empty when there is no such file."""
    try:
        with path.open("rb") as stream:
            end = stream.seek(0, 2)
            begin = max(0, end - size)
            # One byte more: it tells whether the first line is whole.
            stream.seek(max(0, begin - 1))
            content = stream.read(end - begin + min(begin, 1))
    except FileNotFoundError:
        return ""
    if begin:
        content = content.partition(b"\n")[2]
    # A progress bar rewrites its line with \r: only what would be seen is kept.
    lines = content.decode("utf-8", errors="replace").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def log_tail(job: Job, size: int = 8192) -> str:
    """Return the end of the job's log."""
    return tail(job_folder(job) / LOG_FILE, size) or job.log_tail


def note_inputs(folder: Path) -> None:
    """Write which files a prepared folder holds, with their SHA-256."""
    lines = []
    for path in sorted(_visible(folder)):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    (folder / INPUTS_FILE).write_text("".join(lines), encoding="utf-8")


def inputs_of(job: Job) -> dict[str, str]:
    """Return path → SHA-256 of the files that the run began with; empty where nobody noted it."""
    path = job_folder(job) / INPUTS_FILE
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def _visible(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") or part.endswith(".part") for part in parts):
            continue
        if path.is_file() and not path.is_symlink():
            yield path
