"""Tells SQLite how much there is, so that it chooses the index that fits a search."""

from __future__ import annotations

import logging
import time

from django.db import connection

from datasets.models import Composition, CompositionShare, Frame

log = logging.getLogger(__name__)

FEWEST = 10_000  # below, any index is good enough
CHANGE = 0.2


def planner_refresh() -> bool:
    """Count anew what the indexes hold, where that has changed much; return whether it was done.

    Without these numbers SQLite takes a dataset for a handful of frames: over a million frames
    the first page of a search took a second instead of milliseconds. PostgreSQL sees to it by itself.
    """
    if connection.vendor != "sqlite":
        return False
    frames = Frame.objects.count()
    if frames < FEWEST or abs(frames - _counted_before()) <= CHANGE * frames:
        return False
    started = time.monotonic()
    with connection.cursor() as cursor:
        for model in (Frame, Composition, CompositionShare):
            cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")
    log.info("statistics of %d frames taken in %.1f s", frames, time.monotonic() - started)
    return True


def _counted_before() -> int:
    """Return how many frames there were at the last time, 0 where there was none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE name = 'sqlite_stat1'")
        if cursor.fetchone() is None:
            return 0
        cursor.execute("SELECT stat FROM sqlite_stat1 WHERE tbl = %s", [Frame._meta.db_table])
        rows = cursor.fetchall()
    return max((int(stat.split()[0]) for (stat,) in rows if stat), default=0)
