"""The files of a running job that people watch: copied when they changed."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.clusters import run_folder
from jobs.errors import ClusterTrouble
from jobs.files import LOG_FILE, PROGRESS_FILE, job_folder
from jobs.models import Job
from jobs.patterns import wanted
from jobs.transports import RemoteFile, Transport

log = logging.getLogger(__name__)

ALWAYS = (LOG_FILE, PROGRESS_FILE)
BYTES_PER_SECOND = 2_000_000  # how much a file may cost: 20 MB are copied every 10 s at most
_PROGRESS_LIMIT = 65536


def refresh(job: Job, files: Sequence[RemoteFile], transport: Transport) -> None:
    """Copy what changed to the site and take over the progress.

    A file that can't be copied just now is left for the next round: it is only looked at.
    """
    folder = job_folder(job)
    patterns = (*ALWAYS, *job.launch.get("live", ()))
    for file in files:
        target = folder / file.path
        if file.path.endswith(".part") or not wanted(file.path, patterns):
            continue
        if not _worth_it(file, target):
            continue
        try:
            transport.snapshot(f"{run_folder(job)}/{file.path}", file, target)
        except ClusterTrouble as error:
            log.info("job %s: %s", job.pk, error)
            continue
        if file.path == PROGRESS_FILE:
            _take_progress(job, target)


def _worth_it(file: RemoteFile, target: Path) -> bool:
    try:
        stat = target.stat()
    except FileNotFoundError:
        return True
    if (stat.st_size, stat.st_mtime_ns) == (file.size, file.modified_ns):
        return False
    return time.time() - stat.st_ctime >= file.size / BYTES_PER_SECOND


def _take_progress(job: Job, path: Path) -> None:
    try:
        content = path.read_bytes()[:_PROGRESS_LIMIT]
        # PostgreSQL's JSON has no NaN.
        progress: Any = json.loads(content, parse_constant=lambda name: None)
    except (OSError, ValueError) as error:
        log.info("job %s: progress not readable: %s", job.pk, error)
        return
    if isinstance(progress, dict) and progress != job.progress:
        Job.objects.filter(pk=job.pk, attempt=job.attempt).update(progress=progress)
        job.progress = progress
