"""Removing what is no longer needed: run directories on clusters, and what kills left on the site."""

from __future__ import annotations

import datetime
import logging
import shutil
import time
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from jobs.clusters import run_folder
from jobs.errors import ClusterTrouble, LinkTrouble
from jobs.models import Cluster, Job, Leftover
from jobs.states import FINAL
from jobs.transports import Transport

log = logging.getLogger(__name__)

AT_ONCE = 20  # runs whose folders one look removes
NEXT_TRY = datetime.timedelta(days=1)  # after a folder could not be removed
STALE = 24 * 3600.0  # s after which a hidden folder on the site belongs to nobody


def clean(cluster: Cluster, transport: Transport) -> None:
    """Remove the cluster's copies whose time has come; the site's copies stay.

    No lease is needed: removing twice does no harm, and a further attempt has another folder.

    Raises:
        LinkTrouble: the connection failed.
    """
    now = timezone.now()
    doomed = Job.objects.filter(cluster=cluster, clean_at__lte=now, state__in=FINAL)
    for job in doomed.select_related("cluster").order_by("clean_at")[:AT_ONCE]:
        row = Job.objects.filter(pk=job.pk, attempt=job.attempt, state__in=FINAL)
        folders = [run_folder(job, attempt) for attempt in range(1, job.attempt + 1)]
        row.update(clean_at=None if _removed(transport, folders) else now + NEXT_TRY)
    leftovers = Leftover.objects.filter(cluster=cluster, due_at__lte=now).order_by("due_at")
    for leftover in leftovers[:AT_ONCE]:
        if _removed(transport, [leftover.folder]):
            leftover.delete()
        else:
            Leftover.objects.filter(pk=leftover.pk).update(due_at=now + NEXT_TRY)


def _removed(transport: Transport, folders: list[str]) -> bool:
    try:
        for folder in folders:
            transport.remove_folder(folder)
    except LinkTrouble:
        raise
    except ClusterTrouble as error:
        log.warning("%s; trying again tomorrow", error)
        return False
    return True


def clean_site() -> None:
    """Remove hidden folders that killed workers have left beside the runs' folders."""
    limit = time.time() - STALE
    folder = Path(settings.JOBS_DIR)
    for path in folder.glob(".*") if folder.is_dir() else ():
        try:
            if path.stat().st_mtime < limit:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            continue
