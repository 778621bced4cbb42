"""Waking a worker: a message is only a nudge, the sweep finds whoever got none."""

from __future__ import annotations

import logging
import time

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

MESSAGE_LIFE = 20  # s; later ones would only repeat what the sweep has done since
CROWD_PAUSE = 0.5  # s between two messages about runs of one cluster
_last_sent: dict[int, float] = {}


def nudge(task: str, key: int) -> None:
    """Send a message to the workers once the transaction is committed."""
    transaction.on_commit(lambda: _send(task, key))


def _send(task: str, key: int) -> None:
    try:
        current_app.send_task(task, args=[key], expires=MESSAGE_LIFE)
    except (OperationalError, OSError) as error:
        log.warning("no message for %s(%s): %s; the sweep will find it", task, key, error)


def job_nudge(pk: int, cluster_pk: int | None = None) -> None:
    """Wake a worker for a job.

    Args:
        pk: of the job.
        cluster_pk: of its cluster, where many jobs may be announced at a time: one message every
            now and then is enough, because who works on one takes the others along.
    """
    if cluster_pk is None:
        nudge("jobs.tasks.step", pk)
    else:
        transaction.on_commit(lambda: _send_for_crowd(pk, cluster_pk))


def _send_for_crowd(pk: int, cluster_pk: int) -> None:
    now = time.monotonic()
    if now - _last_sent.get(cluster_pk, -CROWD_PAUSE) >= CROWD_PAUSE:
        _last_sent[cluster_pk] = now
        _send("jobs.tasks.step", pk)


def cluster_nudge(pk: int) -> None:
    nudge("jobs.tasks.tend", pk)
