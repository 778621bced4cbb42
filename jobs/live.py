"""The files of running jobs that people watch: copied when they changed, small ones together."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.clusters import run_folder
from jobs.errors import ClusterTrouble, LinkTrouble, UnknownKind
from jobs.files import LOG_FILE, PROGRESS_FILE, job_folder
from jobs.kinds import kind_of
from jobs.models import Job
from jobs.patterns import wanted
from jobs.transports import RemoteFile, Transport
from mlmd.errors import MlmdError

log = logging.getLogger(__name__)

ALWAYS = (LOG_FILE, PROGRESS_FILE)
SMALL = 64 * 1024  # bytes; such files of all runs travel in one answer
BYTES_PER_SECOND = 2_000_000  # how much a file may cost: 20 MB are copied every 10 s at most
_PROGRESS_LIMIT = 65536


def refresh(
    jobs: Sequence[Job], folders: Mapping[str, Sequence[RemoteFile]], transport: Transport
) -> None:
    """Copy what changed to the site and take over the progress.

    A file that can't be copied just now is left for the next round: it is only looked at.

    Args:
        jobs: of one cluster.
        folders: the files of each run folder.
        transport: to the cluster.

    Raises:
        LinkTrouble: the connection failed.
    """
    changed = [(job, file) for job in jobs for file in _changed(job, folders)]
    small = {_path(job, file): file.size for job, file in changed if file.size <= SMALL}
    try:
        contents = transport.read_all(small) if small else {}
    except LinkTrouble:
        raise
    except ClusterTrouble as error:
        log.info("live files: %s", error)
        contents = {}
    for job, file in changed:
        target = job_folder(job) / file.path
        try:
            if file.size > SMALL:
                transport.snapshot(_path(job, file), file, target)
            elif _path(job, file) in contents:
                _write(target, contents[_path(job, file)], file)
        except LinkTrouble:
            raise
        except (ClusterTrouble, OSError) as error:
            log.info("job %s: %s", job.pk, error)
            continue
        if file.path == PROGRESS_FILE:
            take_progress(job, target)
    for job in {job.pk: job for job, _ in changed}.values():
        _work_out_progress(job)


def _path(job: Job, file: RemoteFile) -> str:
    return f"{run_folder(job)}/{file.path}"


def _changed(job: Job, folders: Mapping[str, Sequence[RemoteFile]]) -> Iterator[RemoteFile]:
    folder = job_folder(job)
    patterns = (*ALWAYS, *job.launch.get("live", ()))
    for file in folders.get(run_folder(job), ()):
        if file.path.endswith(".part") or not wanted(file.path, patterns):
            continue
        if _worth_it(file, folder / file.path):
            yield file


def _write(target: Path, content: bytes, file: RemoteFile) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.utime(part, ns=(file.modified_ns, file.modified_ns))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _worth_it(file: RemoteFile, target: Path) -> bool:
    try:
        stat = target.stat()
    except FileNotFoundError:
        return True
    if (stat.st_size, stat.st_mtime_ns) == (file.size, file.modified_ns):
        return False
    return time.time() - stat.st_ctime >= file.size / BYTES_PER_SECOND


def take_progress(job: Job, path: Path) -> None:
    """Note what a run says of its progress; what makes no sense is left out."""
    if not path.exists():
        return
    try:
        content = path.read_bytes()[:_PROGRESS_LIMIT]
        # PostgreSQL's JSON has no NaN.
        progress: Any = json.loads(content, parse_constant=lambda name: None)
    except (OSError, ValueError) as error:
        log.info("job %s: progress not readable: %s", job.pk, error)
        return
    if isinstance(progress, dict):
        _note_progress(job, progress)


def _work_out_progress(job: Job) -> None:
    """Note how far a run is by what its kind reads in its live files."""
    try:
        read = kind_of(job.kind).progress
        progress = dict(read(job, job_folder(job))) if read else {}
    except (OSError, MlmdError, UnknownKind) as error:
        log.info("job %s: progress not known: %s", job.pk, error)
        return
    if progress:
        _note_progress(job, progress)


def _note_progress(job: Job, progress: dict[str, Any]) -> None:
    if progress != job.progress:
        Job.objects.filter(pk=job.pk, attempt=job.attempt).update(progress=progress)
        job.progress = progress
