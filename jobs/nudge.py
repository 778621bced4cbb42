"""Waking a worker: a message is only a nudge, the sweep finds whoever got none."""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

MESSAGE_LIFE = 20  # s; later ones would only repeat what the sweep has done since


def nudge(task: str, key: int) -> None:
    """Send a message to the workers once the transaction is committed."""
    transaction.on_commit(lambda: _send(task, key))


def _send(task: str, key: int) -> None:
    try:
        current_app.send_task(task, args=[key], expires=MESSAGE_LIFE)
    except (OperationalError, OSError) as error:
        log.warning("no message for %s(%s): %s; the sweep will find it", task, key, error)


def job_nudge(pk: int) -> None:
    nudge("jobs.tasks.step", pk)


def cluster_nudge(pk: int) -> None:
    nudge("jobs.tasks.tend", pk)
